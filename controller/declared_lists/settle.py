"""Works out the customs status of a list from every receipt that the store holds.

The answer depends on what is stored, not on the order in which it came: a receipt may precede its
list. Decisions are in `receipts` and `joins`; this file only fetches what they ask for.
"""

from dataclasses import dataclass
from typing import Any

import apsw

from controller.declared_lists.joins import Names, Tie, speaks_for, tie
from controller.declared_lists.receipts import (
    NO_RECEIPT,
    Stand,
    releases,
    second_of,
    spoken_for_content,
    weight_of,
)

# Lists, or receipts, looked at that share one number. More is a sender numbering everything alike:
# such a number releases nothing, so that the rest need not be looked at.
LISTS_MAX = 256
RECEIPTS_MAX = 1024

NAME_COLUMNS = "cop_no, pre_no, invt_no, ebp_code, ebc_code, agent_code"
# Each branch repeats the condition of its partial index, so that the index is used. Each has its own
# limit: a crowd under a firm's number must not hide what customs' own numbers name.
_SHARING = """
    SELECT * FROM (SELECT {columns} FROM {table}
        WHERE cop_no = ?1 AND cop_no IS NOT '' ORDER BY 1 LIMIT {limit})
    UNION SELECT * FROM (SELECT {columns} FROM {table}
        WHERE pre_no = ?2 AND pre_no IS NOT '' ORDER BY 1 LIMIT {limit})
    UNION SELECT * FROM (SELECT {columns} FROM {table}
        WHERE invt_no = ?3 AND invt_no IS NOT '' ORDER BY 1 LIMIT {limit})
"""
_LIST_COLUMNS = f"list_id, deleted, revision, changed, app_time, {NAME_COLUMNS}"
_RECEIPTS = _SHARING.format(
    columns=f"receipt_id, status, return_time, {NAME_COLUMNS}", table="receipts", limit=RECEIPTS_MAX
)
_LISTS = _SHARING.format(columns=_LIST_COLUMNS, table="live_lists", limit=LISTS_MAX)
# A receipt that customs gave for a list stays that list's when it is deleted afterwards. Those deleted
# before do not count, and must not take the place of those that do.
_RIVALS = _SHARING.format(columns=_LIST_COLUMNS, table="lists", limit=LISTS_MAX).replace(
    " ORDER BY", " AND (NOT deleted OR ?4 < app_time) ORDER BY"
)
# The column `changed` of a list that was declared twice for one moment with different content.
DISPUTED = 2
_LIST = f"SELECT {_LIST_COLUMNS} FROM lists WHERE list_key = ?"


@dataclass(frozen=True, slots=True)
class StoredList:
    list_id: int
    deleted: bool
    revision: int
    changed: bool
    disputed: bool
    app_time: str
    names: Names


@dataclass(frozen=True, slots=True)
class StoredReceipt:
    receipt_id: int
    stand: Stand
    names: Names


def lists_sharing(connection: apsw.Connection, names: Names) -> list[StoredList]:
    """Live lists that carry any number of `names`."""
    rows = connection.execute(_LISTS, (names.cop_no, names.pre_no, names.invt_no))
    return [_stored_list(row) for row in rows]


def find_list(connection: apsw.Connection, list_key: str) -> StoredList | None:
    """The list with this key, deleted or not."""
    row = connection.execute(_LIST, (list_key,)).fetchone()
    return None if row is None else _stored_list(row)


def _stored_list(row: tuple[Any, ...]) -> StoredList:
    list_id, deleted, revision, changed, app_time, *names = row
    return StoredList(
        list_id=list_id,
        deleted=bool(deleted),
        revision=revision,
        changed=bool(changed),
        disputed=changed == DISPUTED,
        app_time=app_time,
        names=Names(*names),
    )


def receipts_sharing(connection: apsw.Connection, names: Names) -> list[StoredReceipt]:
    """Receipts that carry any number of `names`."""
    rows = connection.execute(_RECEIPTS, (names.cop_no, names.pre_no, names.invt_no))
    return [
        StoredReceipt(receipt_id, Stand(status, return_time), Names(*rest))
        for receipt_id, status, return_time, *rest in rows
    ]


def settled(connection: apsw.Connection, declared: StoredList) -> Stand:
    """The receipt that stands for `declared`: the newest of those that speak for it."""
    sharing = receipts_sharing(connection, declared.names)
    crowded = len(sharing) >= RECEIPTS_MAX
    about = [receipt for receipt in sharing if tie(declared.names, receipt.names) > Tie.NONE]
    about.sort(key=lambda receipt: weight_of(receipt.stand), reverse=True)
    for receipt in about:
        if not releases(receipt.stand.status) or (
            not crowded and not declared.disputed and _may_release(connection, declared, receipt)
        ):
            return spoken_for_content(receipt.stand, declared.changed, declared.app_time)
    return NO_RECEIPT


def _may_release(connection: apsw.Connection, declared: StoredList, receipt: StoredReceipt) -> bool:
    names = receipt.names
    spoken = second_of(receipt.stand)
    rows = connection.execute(_RIVALS, (names.cop_no, names.pre_no, names.invt_no, spoken))
    rivals = [_stored_list(row) for row in rows]
    ids = [rival.list_id for rival in rivals]
    if declared.list_id not in ids:
        return False
    ties = [tie(rival.names, receipt.names) for rival in rivals]
    index = ids.index(declared.list_id)
    if len(rivals) >= LISTS_MAX and ties[index] <= Tie.COP_NO:
        return False
    return speaks_for(ties, index)
