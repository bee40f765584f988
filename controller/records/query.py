"""The read side of `records.db` for the page: one short read-only connection per question.

It never writes. `RecordsUnavailable` says in one sentence why there is nothing to read; a page shows
it and goes on.
"""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import apsw

from controller import wire
from controller.core.commands import CommitVerdict, RecordOutcome
from controller.core.vocabulary import DecisionResult, Reason
from controller.records import schema
from controller.records.model import Note, PassPage, PassRecord, Progress, TimelineEntry

PAGE_ROWS_MAX = 200
# A pass with more records than this is no parcel's: the page shows the first ones.
TIMELINE_ROWS_MAX = 1_000
_CODE_END = "\U0010ffff"

T = TypeVar("T")

_COLUMNS = (
    "id, line, pass_no, boot_id, track_id, entered_seq, entered_at_ns, entered_utc_ns, verdict_seq,"
    " decided_utc_ns, verdict, revoked_seq, revoked_utc_ns, revocation, outcome_seq,"
    " outcome_utc_ns, outcome, decision_seq, answer, held, notes"
)


class RecordsUnavailable(Exception):
    """There is no records.db, or it cannot be read now."""


class BadKey(ValueError):
    """The `after` of a page is none of ours."""


class Records:
    """Reads of one records.db. Safe to share between threads: it keeps no connection."""

    def __init__(self, state_dir: Path) -> None:
        self._path = schema.records_path(state_dir)

    def passes(
        self,
        limit: int = 50,
        after: str = "",
        line: str = "",
        held: bool = False,
        code: str = "",
        reason: Reason | None = None,
    ) -> PassPage:
        """The newest passes that fit every filter given. `code` matches from its beginning: waybill,
        list key's waybill or any code read, without regard to case. BadKey on a foreign `after`."""
        where, values = _filters(line, held, code, reason)
        if after:
            where.append("(entered_utc_ns, id) < (?, ?)")
            values += _key(after)
        limit = max(1, min(limit, PAGE_ROWS_MAX))
        condition = f"WHERE {' AND '.join(where)}" if where else ""
        with self._open() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                f"SELECT {_COLUMNS} FROM passes {condition}"
                " ORDER BY entered_utc_ns DESC, id DESC LIMIT ?",
                (*values, limit + 1),
            ).fetchall()
            items = tuple(_pass_record(row) for row in rows[:limit])
        more = len(rows) > limit
        return PassPage(items, f"{items[-1].entered_utc_ns}-{items[-1].id}" if more else "")

    def one(self, line: str, pass_no: int) -> PassRecord | None:
        """The pass of this number, or None where the records do not know it (yet)."""
        with self._open() as db:
            row: tuple[Any, ...] | None = db.execute(
                f"SELECT {_COLUMNS} FROM passes WHERE line=? AND pass_no=? ORDER BY id DESC LIMIT 1",
                (line, pass_no),
            ).fetchone()
            return _pass_record(row) if row else None

    def timeline(self, record: PassRecord) -> tuple[TimelineEntry, ...]:
        """Every journal record that concerns the pass, in order, with what befell the line meanwhile."""
        last_seq = max(record.entered_seq, record.verdict_seq, record.outcome_seq)
        list_key = record.final.list_key if record.final else ""
        columns = "journal_seq, at_ns, utc_ns, kind, body"
        own = f"SELECT {columns}, 0 FROM timeline WHERE line=:line AND"
        with self._open() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                f"{own} boot_id=:boot AND track_id=:track AND track_id > 0"
                f" UNION {own} pass_no=:pass AND pass_no > 0"
                f" UNION {own} list_key=:list AND list_key > '' AND journal_seq >= :entered"
                f" UNION SELECT {columns}, 1 FROM timeline WHERE line=:line AND track_id=0"
                "   AND pass_no=0 AND list_key='' AND journal_seq BETWEEN :entered AND :last"
                " ORDER BY journal_seq LIMIT :limit",
                {
                    "line": record.line,
                    "boot": record.boot_id,
                    "track": record.track_id,
                    "pass": record.pass_no,
                    "list": list_key,
                    "entered": record.entered_seq,
                    "last": last_seq,
                    "limit": TIMELINE_ROWS_MAX,
                },
            ).fetchall()
            return tuple(
                TimelineEntry(seq, at_ns, utc_ns, kind, wire.decode_body(kind, body), bool(of_line))
                for seq, at_ns, utc_ns, kind, body, of_line in rows
            )

    def counts_by_reason(self, since_utc_ns: int = 0, line: str = "") -> dict[Reason, int]:
        """How many passes carry each reason, most frequent first."""
        with self._open() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                "SELECT reason, count(*) FROM pass_reasons JOIN passes ON passes.id = pass_id"
                " WHERE entered_utc_ns >= ? AND (? = '' OR line = ?)"
                " GROUP BY reason ORDER BY count(*) DESC, reason",
                (since_utc_ns, line, line),
            ).fetchall()
        return {Reason(reason): count for reason, count in rows}

    def held_count(self) -> int:
        """Passes that were held and are in the records."""
        with self._open() as db:
            return int(db.execute("SELECT count(*) FROM passes WHERE held = 1").get)

    def progress(self) -> tuple[Progress, ...]:
        """How far the records of each line are."""
        with self._open() as db:
            rows: list[tuple[Any, ...]] = db.execute(
                "SELECT line, journal_seq, head_seq, written_utc_ns FROM follow ORDER BY line"
            ).fetchall()
        return tuple(Progress(*row) for row in rows)

    @contextmanager
    def _open(self) -> Iterator[apsw.Connection]:
        try:
            db = apsw.Connection(str(self._path), flags=apsw.SQLITE_OPEN_READONLY)
        except apsw.CantOpenError as error:
            raise RecordsUnavailable(f"there is no {self._path.name} yet") from error
        try:
            db.set_busy_timeout(1_000)
            if db.pragma("user_version") != schema.VERSION:
                raise RecordsUnavailable(f"{self._path.name} is being built anew")
            yield db
        except apsw.Error as error:
            raise RecordsUnavailable(f"{self._path.name} cannot be read: {error}") from error
        except wire.WireError as error:
            raise RecordsUnavailable(
                f"{self._path.name} is of another version, delete it: {error}"
            ) from error
        finally:
            db.close()


def _filters(
    line: str, held: bool, code: str, reason: Reason | None
) -> tuple[list[str], list[Any]]:
    where: list[str] = []
    values: list[Any] = []
    if line:
        where.append("line = ?")
        values.append(line)
    if held:
        where.append("held = 1")
    if code:
        where.append("id IN (SELECT pass_id FROM pass_codes WHERE code >= ? AND code < ?)")
        code = code.upper()
        values += [code, code + _CODE_END]
    if reason is not None:
        where.append("id IN (SELECT pass_id FROM pass_reasons WHERE reason = ?)")
        values.append(int(reason))
    return where, values


def _key(after: str) -> tuple[int, int]:
    try:
        entered_utc_ns, pass_id = map(int, after.split("-"))
    except ValueError as error:
        raise BadKey(f"{after[:40]!r} is no key of a page") from error
    if max(entered_utc_ns, pass_id) >= 1 << 63:
        raise BadKey(f"{after[:40]!r} is no key of a page")
    return entered_utc_ns, pass_id


def _pass_record(row: Sequence[Any]) -> PassRecord:
    return PassRecord(
        id=row[0],
        line=row[1],
        pass_no=row[2] or 0,
        boot_id=row[3],
        track_id=row[4],
        entered_seq=row[5],
        entered_at_ns=row[6],
        entered_utc_ns=row[7],
        verdict_seq=row[8] or 0,
        decided_utc_ns=row[9],
        verdict=_body(CommitVerdict, row[10]),
        revoked_seq=row[11] or 0,
        revoked_utc_ns=row[12],
        revocation=_body(CommitVerdict, row[13]),
        outcome_seq=row[14] or 0,
        outcome_utc_ns=row[15],
        outcome=_body(RecordOutcome, row[16]),
        decision_seq=row[17] or 0,
        answer=None if row[18] is None else DecisionResult(row[18]),
        held=bool(row[19]),
        notes=tuple(Note(*note) for note in json.loads(row[20])),
    )


_KIND_OF = {cls: kind for kind, cls in wire.KINDS.items()}


def _body(cls: type[T], body: bytes | None) -> T | None:
    if body is None:
        return None
    message = wire.decode_body(_KIND_OF[cls], body)
    assert isinstance(message, cls)
    return message
