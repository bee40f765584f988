"""The pages: line, held parcels, search, one parcel. Server-rendered; scripts only keep them live."""

from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import Response

from api.check_rows import check_rows, status_text
from api.evidence import RAW_ROWS, evidence_path
from api.pages import fragment, records_notice, render
from api.site import Site, TheSite, TheWords
from api.timeline_words import details, title
from controller.core.vocabulary import AlarmKind, DecisionResult, DefaultCause, Reason
from controller.records.model import Note, PassPage, PassRecord
from controller.records.query import RecordsUnavailable

router = APIRouter(include_in_schema=False)

RECENT_ROWS = 24
QUEUE_ROWS = 60
SEARCH_ROWS = 30
NO_ROWS = PassPage((), "")

PassNo = Annotated[int, Query(alias="pass", ge=0, lt=1 << 63)]
Text = Annotated[str, Query(max_length=100)]

# The words that the line page's scripts need.
_LINE_WORDS = (
    "line.", "cause.", "fault.", "reason.", "destination.", "mark.", "alarm_do.", "parcel_state.",
    "health.", "lane.",
)  # fmt: skip


_NOTE_WORDS: dict[str, tuple[str, type[AlarmKind] | type[DefaultCause] | type[DecisionResult]]] = {
    "alarm": ("alarm", AlarmKind),
    "default_taken": ("default", DefaultCause),
    "answer": ("answer", DecisionResult),
}


@router.get("/")
def line_page(request: Request, site: TheSite, words: TheWords, line: Text = "") -> Response:
    """The line now. The last passes come from the records, the rest from the stream."""
    page = site.lines.get(line) or next(iter(site.lines.values()))
    try:
        recent = site.records.passes(limit=RECENT_ROWS, line=page.settings.name).items
    except RecordsUnavailable:
        recent = ()
    values = {
        "page": page,
        "line": page.settings.name,
        "recent": recent,
        "notice": records_notice(site, words),
    }
    return render(request, site, words, "line.html", values, _LINE_WORDS)


@router.get("/held")
def held_page(
    request: Request, site: TheSite, words: TheWords, line: Text = "", pass_no: PassNo = 0
) -> Response:
    """Held parcels: the queue, and one of them beside its declared list."""
    try:
        queue = _queue(site)
        chosen = _one(site, line, pass_no) if pass_no else next(iter(queue["queue"]), None)
    except RecordsUnavailable:
        queue, chosen = {"queue": (), "held_count": 0}, None
    values = {**queue, **_detail(site, words, chosen), "notice": records_notice(site, words)}
    return render(request, site, words, "held.html", values, ("held.",))


@router.get("/held/queue")
def held_queue(site: TheSite, words: TheWords, line: Text = "", pass_no: PassNo = 0) -> Response:
    """The queue alone; `line` and `pass` say which row is chosen."""
    return fragment(
        site, words, "_held_queue.html", {**_queue(site), "chosen_key": (line, pass_no)}
    )


@router.get("/held/{line}/{pass_no}")
def held_detail(site: TheSite, words: TheWords, line: str, pass_no: int) -> Response:
    """One held parcel, to be put beside the queue."""
    values = _detail(site, words, _one(site, line, pass_no))
    return fragment(site, words, "_held_detail.html", values)


@router.get("/parcels")
def search_page(
    request: Request,
    site: TheSite,
    words: TheWords,
    code: Text = "",
    reason: Text = "",
    after: Text = "",
) -> Response:
    """Passes by code or reason, newest first; without either the latest."""
    code = code.strip()
    wanted = Reason.__members__.get(reason)
    try:
        found = site.records.passes(SEARCH_ROWS, after, code=code, reason=wanted)
    except RecordsUnavailable:
        found = NO_ROWS
    values = {
        "found": found,
        "code": code,
        "reason": wanted,
        "reasons": list(Reason),
        "later_page": bool(after),
        "notice": records_notice(site, words),
    }
    return render(request, site, words, "parcels.html", values)


@router.get("/parcels/{line}/{pass_no}")
def parcel_page(
    request: Request, site: TheSite, words: TheWords, line: str, pass_no: int
) -> Response:
    """Everything about one pass, with its timeline and what proves it."""
    record = _one(site, line, pass_no)
    timeline = [
        (entry, title(entry.message, words), details(entry.message, words))
        for entry in site.records.timeline(record)
    ]
    values = {
        **_detail(site, words, record),
        "timeline": timeline,
        "notes": [(words(f"note.{n.kind}"), _note(n, words)) for n in record.notes],
        "notice": records_notice(site, words),
    }
    return render(request, site, words, "parcel.html", values)


def _queue(site: Site) -> dict[str, Any]:
    queue = site.records.passes(limit=QUEUE_ROWS, held=True)
    return {"queue": queue.items, "held_count": site.records.held_count()}


def _one(site: Site, line: str, pass_no: int) -> PassRecord:
    record = site.records.one(line, pass_no) if 0 < pass_no < 1 << 63 else None
    if record is None:
        raise HTTPException(404, f"line {line[:40]!r} has no pass {pass_no} in the records")
    return record


def _note(note: Note, words: TheWords) -> str:
    group, members = _NOTE_WORDS[note.kind]
    return words.of(group, members(note.number))


def _detail(site: Site, words: TheWords, record: PassRecord | None) -> dict[str, Any]:
    """Everything the detail templates show of one pass."""
    final = record.final if record else None
    digest = final.picture_sha256 if final else ""
    return {
        "chosen": record,
        "chosen_key": (record.line, record.pass_no) if record else ("", 0),
        "final": final,
        "checks": check_rows(record.checks, words) if record else [],
        "digest": digest,
        "picture_found": evidence_path(site.evidence_dir, digest) is not None,
        "rows_found": evidence_path(site.evidence_dir, digest, RAW_ROWS) is not None,
        "declared": site.lists.of(final.list_key) if final and final.list_key else None,
        "status_text": status_text,
    }
