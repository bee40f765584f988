"""Reads the facts a verdict may use out of an open store. One snapshot of the store per answer."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import apsw

from controller.core.events import GoodsRow, ListFacts
from controller.declared_lists.database import store_seq
from controller.declared_lists.joins import in_label_window

# The core needs to know "none", "one", "several"; the rest is for the record.
LISTS_PER_ANSWER_MAX = 8
# Changes read at one go: 50 ms of the fastest import measured.
CHANGES_AT_ONCE = 1_000

_COLUMNS = (
    "list_id, list_key, waybill, logistics_code, app_time, revision, deleted, status, status_time, "
    "gross_weight_mg"
)
_BY_WAYBILL = f"SELECT {_COLUMNS} FROM live_lists WHERE waybill = ? ORDER BY app_time DESC LIMIT 32"
_BY_KEY = f"SELECT {_COLUMNS} FROM lists WHERE list_key = ?"
_GOODS = "SELECT gcode, qty_e5 FROM goods WHERE list_id = ? ORDER BY position"
_CHANGES = (
    "SELECT store_seq, list_key, waybill FROM changes JOIN lists USING (list_id) "
    "WHERE store_seq > ? ORDER BY store_seq LIMIT ?"
)
_NEWEST_MESSAGE = (
    "SELECT message_id, sha256, received_utc_ns FROM messages ORDER BY message_id DESC LIMIT 1"
)
_HAS_MESSAGE = "SELECT 1 FROM messages WHERE message_id = ? AND sha256 = ? AND received_utc_ns = ?"

Message = tuple[int, bytes, int]


@dataclass(frozen=True, slots=True)
class _Row:
    list_id: int
    list_key: str
    waybill: str
    logistics_code: str
    app_time: str
    revision: int
    deleted: int
    status: int
    status_time: str
    gross_weight_mg: int


@contextmanager
def snapshot(connection: apsw.Connection) -> Iterator[int]:
    """Everything read inside is of one moment of the store: the yielded `store_seq`."""
    connection.execute("BEGIN")
    try:
        yield store_seq(connection)
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def facts_of_codes(connection: apsw.Connection, codes: Iterable[str]) -> tuple[ListFacts, ...]:
    """Every live list whose waybill number is one of `codes`, at most LISTS_PER_ANSWER_MAX."""
    rows: list[_Row] = []
    for code in dict.fromkeys(codes):
        if code:
            found = [_Row(*row) for row in connection.execute(_BY_WAYBILL, (code,))]
            rows += _of_present_labels(found)
    return tuple(_facts(connection, row) for row in rows[:LISTS_PER_ANSWER_MAX])


def facts_of_key(connection: apsw.Connection, list_key: str) -> ListFacts | None:
    """One list; a deleted one with status 0 and without goods, so that nothing can release it."""
    for row in connection.execute(_BY_KEY, (list_key,)):
        return _facts(connection, _Row(*row))
    return None


def changes(
    connection: apsw.Connection, cursor: int, wanted: Collection[str], waybills: Collection[str]
) -> tuple[int, dict[str, str]]:
    """Which of `wanted`, and which lists for one of these waybills, changed after `cursor`: list key to
    waybill; and the new cursor (unchanged: nothing more)."""
    changed = {}
    for seq, list_key, waybill in connection.execute(_CHANGES, (cursor, CHANGES_AT_ONCE)):
        cursor = seq
        if list_key in wanted or waybill in waybills:
            changed[list_key] = waybill
    return cursor, changed


def newest_message(connection: apsw.Connection) -> Message | None:
    """What tells one history of a store from another; None in an empty one."""
    for row in connection.execute(_NEWEST_MESSAGE):
        message: Message = row
        return message
    return None


def has_message(connection: apsw.Connection, message: Message | None) -> bool:
    """Whether the store's history still holds `message`. Change numbers alone do not tell: a restored
    store gives them out again."""
    return message is None or connection.execute(_HAS_MESSAGE, message).get is not None


def _of_present_labels(rows: list[_Row]) -> list[_Row]:
    """Drop lists of an older parcel that bore the same number: carriers reuse them after 6 months."""
    newest: dict[str, str] = {}
    for row in rows:  # newest first
        newest.setdefault(row.logistics_code, row.app_time)
    return [row for row in rows if in_label_window(row.app_time, newest[row.logistics_code])]


def _facts(connection: apsw.Connection, row: _Row) -> ListFacts:
    goods = () if row.deleted else connection.execute(_GOODS, (row.list_id,))
    return ListFacts(
        list_key=row.list_key,
        waybill=row.waybill,
        revision=row.revision,
        status=0 if row.deleted else row.status,
        status_time="" if row.deleted else row.status_time,
        gross_weight_mg=row.gross_weight_mg,
        goods=tuple(GoodsRow(gcode, qty_e5) for gcode, qty_e5 in goods),
        open_instructions=(),
        earlier_passes=(),
    )
