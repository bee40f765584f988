from dataclasses import fields
from pathlib import Path

import pytest

from controller.declared_lists.database import StoreError
from controller.declared_lists.details import list_by_key, lists_by_waybill
from controller.declared_lists.store import Store
from tests.declared_lists import ceb


def test_an_inspector_sees_the_list_its_goods_and_every_receipt(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    invt_no = "46012026I000000001"
    with Store(path) as store:
        ceb.take(
            store,
            ceb.lists(ceb.inventory(rows=[{}, {"gnum": "2", "gname": "奶粉", "itemName": "罐装"}])),
            ceb.a_receipt(120, "20260115130000000"),
            ceb.a_receipt(500, "20260115140000000", returnInfo="布控查验", invtNo=invt_no),
        )
    details = list_by_key(path, "41019800D4/W1/COP1")
    assert details is not None
    assert (details.waybill, details.order_no, details.ebc_name) == ("W1", "ORD1", "海外优品")
    assert (details.buyer_name, details.buyer_id_last4) == ("李小宝", "002X")
    assert (details.gross_weight_mg, details.net_weight_mg) == (1_250_000, 1_100_000)
    assert (details.status, details.status_zh, details.status_en) == (
        500,
        "查验",
        "inspection ordered",
    )
    assert [row.gname for row in details.goods] == ["面霜", "奶粉"]
    first = details.goods[0]
    assert (first.qty_e5, first.price_e5, first.total_price_e5) == (200_000, 9_950_000, 19_900_000)
    assert [receipt.status for receipt in details.receipts] == [500, 120]
    assert details.receipts[0].info == "布控查验"
    assert details.receipts[0].received_utc_ns == ceb.NOON_2026_UTC_NS
    assert (details.pre_no, details.invt_no) == ("B20260115000000001", invt_no)
    assert ceb.HEAD["buyerIdNumber"] not in str(details)


def test_columns_land_in_the_fields_of_the_same_name(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(billNo="BILL", preNo="B20260115000000009"))
    (details,) = lists_by_waybill(path, "W1")
    plain = {f.name: getattr(details, f.name) for f in fields(details)}
    assert plain["bill_no"] == "BILL"
    assert plain["country"] == "116"
    assert plain["currency"] == "142"
    assert plain["trade_mode"] == "9610"
    assert plain["decl_time"] == "20260115"
    assert plain["pre_no"] == "B20260115000000009"
    assert plain["deleted"] is False


def test_a_deleted_list_is_shown_as_deleted(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_list(appType="3", appTime="20260115130000"))
    (details,) = lists_by_waybill(path, "W1")
    assert (details.deleted, details.revision) == (True, 2)


def test_a_receipt_of_no_certain_list_is_marked(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(preNo="B20260115000000009"), ceb.a_receipt(800))
    (details,) = lists_by_waybill(path, "W1")
    assert (details.status, [receipt.doubtful for receipt in details.receipts]) == (0, [True])


def test_nothing_found_and_nothing_to_look_in(tmp_path: Path) -> None:
    Store(tmp_path / "lists.db").close()
    assert list_by_key(tmp_path / "lists.db", "none") is None
    assert lists_by_waybill(tmp_path / "lists.db", "none") == ()
    with pytest.raises(StoreError, match="there is no list store"):
        lists_by_waybill(tmp_path / "missing.db", "W1")
