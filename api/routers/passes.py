"""Passes for machines: the same data as the pages, under /api/v1."""

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query

from api.formats import utc_iso
from api.pass_json import (
    PassJson,
    PassListJson,
    TimelineJson,
    pass_json,
    timeline_json,
)
from api.site import Site, TheSite
from controller.core.vocabulary import Reason
from controller.records.model import PassRecord
from controller.records.query import PAGE_ROWS_MAX

router = APIRouter(prefix="/api/v1", tags=["passes"])


@router.get("/passes")
def passes(
    site: TheSite,
    limit: Annotated[int, Query(ge=1, le=PAGE_ROWS_MAX)] = 50,
    after: Annotated[str, Query(max_length=60)] = "",
    line: Annotated[str, Query(max_length=100)] = "",
    held: bool = False,
    code: Annotated[str, Query(max_length=100)] = "",
    reason: Annotated[str, Query(max_length=60)] = "",
) -> PassListJson:
    """Newest first, keyset pages: give `next` back as `after`."""
    if reason and reason not in Reason.__members__:
        raise HTTPException(
            422, f"{reason!r} is no reason; there are {', '.join(Reason.__members__)}"
        )
    found = site.records.passes(
        limit, after, line, held, code.strip(), Reason[reason] if reason else None
    )
    return PassListJson([pass_json(item) for item in found.items], found.after or None)


@router.get("/passes/{line}/{pass_no}")
def one_pass(site: TheSite, line: str, pass_no: int) -> PassJson:
    """One pass."""
    return pass_json(_one(site, line, pass_no))


@router.get("/passes/{line}/{pass_no}/timeline")
def timeline(site: TheSite, line: str, pass_no: int) -> list[TimelineJson]:
    """Every journal record that concerns the pass, in order."""
    record = _one(site, line, pass_no)
    return [timeline_json(entry) for entry in site.records.timeline(record)]


@router.get("/reasons")
def reasons(
    site: TheSite, since_utc_s: Annotated[int, Query(ge=0, lt=1 << 33)] = 0
) -> dict[str, int]:
    """How many passes carry each reason, most frequent first."""
    counts = site.records.counts_by_reason(since_utc_s * 1_000_000_000)
    return {reason.name: count for reason, count in counts.items()}


@router.get("/records")
def records(site: TheSite) -> list[dict[str, str | int | None]]:
    """How far the records of each line are behind its journal."""
    return [
        {
            "line": item.line,
            "journal_seq": item.journal_seq,
            "behind": item.behind,
            "written_utc": utc_iso(item.written_utc_ns),
        }
        for item in site.records.progress()
    ]


def _one(site: Site, line: str, pass_no: int) -> PassRecord:
    record = site.records.one(line, pass_no) if 0 < pass_no < 1 << 63 else None
    if record is None:
        raise HTTPException(404, f"line {line[:40]!r} has no pass {pass_no} in the records")
    return record
