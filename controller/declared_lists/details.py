"""A declared list as a person reads it: the head, the goods, every receipt. Read-only, no XML.

For pages and the command line; a verdict never uses it.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import apsw

from controller.declared_lists import database
from controller.declared_lists.database import StoreError
from controller.declared_lists.facts import snapshot
from controller.declared_lists.joins import Names, Tie, tie
from controller.declared_lists.receipts import status_of, weight_of
from controller.declared_lists.settle import receipts_sharing

LISTS_SHOWN_MAX = 32

_HEAD = (
    "list_key, waybill, revision, deleted, app_time, status, status_time, order_no, logistics_code, "
    "logistics_name, ebp_code, ebp_name, ebc_code, ebc_name, agent_code, agent_name, buyer_name, "
    "buyer_id_last4, trade_mode, bill_no, country, currency, customs_code, port_code, decl_time, "
    "pack_no, gross_weight_mg, net_weight_mg, cop_no, pre_no, invt_no"
)
_BY_KEY = f"SELECT list_id, {_HEAD} FROM lists WHERE list_key = ?"
_BY_WAYBILL = (
    f"SELECT list_id, {_HEAD} FROM lists WHERE waybill = ? "
    f"ORDER BY app_time DESC LIMIT {LISTS_SHOWN_MAX}"
)
_GOODS = (
    "SELECT gnum, gcode, gname, item_name, gmodel, bar_code, country, currency, qty_e5, unit, "
    "qty1_e5, unit1, price_e5, total_price_e5 FROM goods WHERE list_id = ? ORDER BY position"
)
_RECEIPT = (
    "SELECT status, return_time, info, pre_no, invt_no, received_utc_ns "
    "FROM receipts JOIN messages USING (message_id) WHERE receipt_id = ?"
)


@dataclass(frozen=True, slots=True)
class GoodsDetails:
    """One row; quantities and money x 1e5, `unit`, `country`, `currency` are codes of the standard."""

    gnum: int
    gcode: str
    gname: str
    item_name: str
    gmodel: str
    bar_code: str
    country: str
    currency: str
    qty_e5: int
    unit: str
    qty1_e5: int
    unit1: str
    price_e5: int
    total_price_e5: int


@dataclass(frozen=True, slots=True)
class ReceiptDetails:
    """One receipt; `received_utc_ns` is when it reached this store. `doubtful`: it may concern
    another list, so that it can hold this one and not release it."""

    status: int
    status_zh: str
    status_en: str
    return_time: str
    info: str
    pre_no: str
    invt_no: str
    received_utc_ns: int
    doubtful: bool


@dataclass(frozen=True, slots=True)
class ListDetails:
    """The present content of a list, newest receipt first. Weights in mg, -1 where unknown.

    `pre_no` and `invt_no` are those of the newest receipt where the list itself has none.
    """

    list_key: str
    waybill: str
    revision: int
    deleted: bool
    app_time: str
    status: int
    status_time: str
    order_no: str
    logistics_code: str
    logistics_name: str
    ebp_code: str
    ebp_name: str
    ebc_code: str
    ebc_name: str
    agent_code: str
    agent_name: str
    buyer_name: str
    buyer_id_last4: str
    trade_mode: str
    bill_no: str
    country: str
    currency: str
    customs_code: str
    port_code: str
    decl_time: str
    pack_no: int
    gross_weight_mg: int
    net_weight_mg: int
    cop_no: str
    pre_no: str
    invt_no: str
    status_zh: str
    status_en: str
    goods: tuple[GoodsDetails, ...]
    receipts: tuple[ReceiptDetails, ...]


def list_by_key(path: Path, list_key: str) -> ListDetails | None:
    """The list `list_key` of the store at `path`. StoreError where it cannot be read."""
    found = _select(path, _BY_KEY, list_key)
    return found[0] if found else None


def lists_by_waybill(path: Path, waybill: str) -> tuple[ListDetails, ...]:
    """Every list with this waybill number, newest first, deleted and former ones too. StoreError."""
    return _select(path, _BY_WAYBILL, waybill)


def _select(path: Path, query: str, value: str) -> tuple[ListDetails, ...]:
    connection = database.open_for_reading(path)
    try:
        with snapshot(connection):
            rows = connection.execute(query, (value,)).fetchall()
            return tuple(_details(connection, row) for row in rows)
    except apsw.Error as error:
        raise StoreError(database.sentence_of(error, path)) from error
    finally:
        connection.close()


def _details(connection: apsw.Connection, row: tuple[Any, ...]) -> ListDetails:
    list_id, *head = row
    columns = dict(zip(_HEAD.replace(",", "").split(), head, strict=True))
    names = Names(*(columns[field.name] for field in fields(Names)))
    receipts = _receipts(connection, names)
    for number in ("pre_no", "invt_no"):
        given = (getattr(receipt, number) for receipt in receipts if not receipt.doubtful)
        columns[number] = columns[number] or next(filter(None, given), "")
    columns["deleted"] = bool(columns["deleted"])
    status = status_of(columns["status"])
    goods = tuple(GoodsDetails(*row) for row in connection.execute(_GOODS, (list_id,)))
    return ListDetails(
        **columns,
        status_zh=status.zh,
        status_en=status.en,
        goods=goods,
        receipts=receipts,
    )


def _receipts(connection: apsw.Connection, names: Names) -> tuple[ReceiptDetails, ...]:
    """Newest first."""
    about = [
        (receipt, strength)
        for receipt in receipts_sharing(connection, names)
        if (strength := tie(names, receipt.names)) > Tie.NONE
    ]
    about.sort(key=lambda entry: weight_of(entry[0].stand), reverse=True)
    return tuple(
        _receipt(connection, receipt.receipt_id, strength is Tie.DOUBTFUL)
        for receipt, strength in about
    )


def _receipt(connection: apsw.Connection, receipt_id: int, doubtful: bool) -> ReceiptDetails:
    row: tuple[Any, ...] = connection.execute(_RECEIPT, (receipt_id,)).fetchall()[0]
    code, return_time, info, pre_no, invt_no, received_utc_ns = row
    status = status_of(code)
    return ReceiptDetails(
        status=code,
        status_zh=status.zh,
        status_en=status.en,
        return_time=return_time,
        info=info,
        pre_no=pre_no,
        invt_no=invt_no,
        received_utc_ns=received_utc_ns,
        doubtful=doubtful,
    )
