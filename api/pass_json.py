"""A pass as /api/v1 gives it: names instead of numbers, UTC texts, plain fields.

The shape is part of the public interface: fields are added, never renamed.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from api.formats import utc_iso
from controller import wire
from controller.core.commands import CommitVerdict
from controller.records.model import PassRecord, TimelineEntry


@dataclass(frozen=True, slots=True)
class CheckJson:
    """Both values and the tolerance; -1 where there was none. Unit by kind: mg, mm, mm2 or a number."""

    kind: str
    result: str
    measured: int
    expected: int
    tolerance: int


@dataclass(frozen=True, slots=True)
class VerdictJson:
    """One verdict or its revocation. `journal_seq` names the record that proves it."""

    journal_seq: int
    utc: str | None
    destination: str
    reasons: tuple[str, ...]
    checks: tuple[CheckJson, ...]
    list_revision: int
    list_status: int
    store_seq: int
    rules_id: str


@dataclass(frozen=True, slots=True)
class OutcomeJson:
    """What the lane eyes saw."""

    journal_seq: int
    utc: str | None
    kind: str
    lane: int
    end: str


@dataclass(frozen=True, slots=True)
class NoteJson:
    journal_seq: int
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class PassJson:
    """One induction of one parcel."""

    line: str
    pass_no: int
    track_id: int
    plc_boot_id: int
    entered_journal_seq: int
    entered_utc: str | None
    waybill: str
    list_key: str
    codes: tuple[str, ...]
    weight_mg: int
    length_mm: int
    width_mm: int
    height_mm: int
    trigger_no: int
    picture_sha256: str
    held: bool
    verdict: VerdictJson | None
    revocation: VerdictJson | None
    decision_seq: int
    answer: str | None
    outcome: OutcomeJson | None
    notes: tuple[NoteJson, ...]


@dataclass(frozen=True, slots=True)
class PassListJson:
    """`next` is the `after` of the next page, null at the end."""

    items: list[PassJson]
    next: str | None


@dataclass(frozen=True, slots=True)
class TimelineJson:
    """One journal record; `body` is the event or command as journalled, numbers and all."""

    journal_seq: int
    at_ns: int
    utc: str | None
    kind: str
    of_line: bool
    body: dict[str, Any]


def pass_json(record: PassRecord) -> PassJson:
    final = record.final
    outcome = record.outcome
    return PassJson(
        line=record.line,
        pass_no=record.pass_no,
        track_id=record.track_id,
        plc_boot_id=record.boot_id,
        entered_journal_seq=record.entered_seq,
        entered_utc=utc_iso(record.entered_utc_ns),
        waybill=final.waybill if final else "",
        list_key=final.list_key if final else "",
        codes=final.codes if final else (),
        weight_mg=final.weight_mg if final else -1,
        length_mm=final.length_mm if final else -1,
        width_mm=final.width_mm if final else -1,
        height_mm=final.height_mm if final else -1,
        trigger_no=final.trigger_no if final else 0,
        picture_sha256=final.picture_sha256 if final else "",
        held=record.held,
        verdict=_verdict(record.verdict, record.verdict_seq, record.decided_utc_ns),
        revocation=_verdict(record.revocation, record.revoked_seq, record.revoked_utc_ns),
        decision_seq=record.decision_seq,
        answer=record.answer.name if record.answer else None,
        outcome=OutcomeJson(
            record.outcome_seq,
            utc_iso(record.outcome_utc_ns),
            outcome.kind.name,
            outcome.lane,
            outcome.end.name,
        )
        if outcome
        else None,
        notes=tuple(NoteJson(n.journal_seq, n.kind, n.number) for n in record.notes),
    )


def _verdict(verdict: CommitVerdict | None, journal_seq: int, utc_ns: int) -> VerdictJson | None:
    if verdict is None:
        return None
    return VerdictJson(
        journal_seq=journal_seq,
        utc=utc_iso(utc_ns),
        destination=verdict.destination.name,
        reasons=tuple(reason.name for reason in verdict.reasons),
        checks=tuple(
            CheckJson(c.kind.name, c.result.name, c.measured, c.expected, c.tolerance)
            for c in verdict.checks
        ),
        list_revision=verdict.list_revision,
        list_status=verdict.list_status,
        store_seq=verdict.store_seq,
        rules_id=verdict.rules_id,
    )


def timeline_json(entry: TimelineEntry) -> TimelineJson:
    body: dict[str, Any] = msgspec.to_builtins(entry.message)
    kind = wire.KINDS[entry.kind].__name__
    return TimelineJson(
        entry.journal_seq, entry.at_ns, utc_iso(entry.utc_ns), kind, entry.of_line, body
    )
