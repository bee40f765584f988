"""Small CEB messages written by hand: only what a test says differs from an honest one."""

import html
from collections.abc import Mapping, Sequence
from pathlib import Path

from controller.declared_lists.importing import Imported, import_sources
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store

SHARED = Path(__file__).resolve().parents[2].parent / "shared"
SAMPLES = SHARED / "customs" / "samples-202205" / "import"
CEB = "http://www.chinaport.gov.cn/ceb"
GUID = "4CDE1CFD-EDED-46B1-946C-B8022E42FC94"
NOON_2026_UTC_NS = 1_768_478_400 * 10**9  # 2026-01-15 12:00 UTC, 20:00 in Beijing

HEAD = {
    "guid": GUID,
    "appType": "1",
    "appTime": "20260115120000",
    "appStatus": "2",
    "orderNo": "ORD1",
    "ebpCode": "46019600A1",
    "ebpName": "跨境平台",
    "ebcCode": "46019600B2",
    "ebcName": "海外优品",
    "logisticsNo": "W1",
    "logisticsCode": "41019800D4",
    "logisticsName": "中原速递",
    "copNo": "COP1",
    "assureCode": "46019600A1",
    "ieFlag": "I",
    "declTime": "20260115",
    "customsCode": "4601",
    "portCode": "4601",
    "buyerIdType": "1",
    "buyerIdNumber": "11010519491231002X",
    "buyerName": "李小宝",
    "buyerTelephone": "13000000000",
    "consigneeAddress": "北京市海淀区",
    "agentCode": "46019800C3",
    "agentName": "报关服务",
    "tradeMode": "9610",
    "trafMode": "5",
    "country": "116",
    "freight": "0",
    "insuredFee": "0",
    "currency": "142",
    "packNo": "1",
    "grossWeight": "1.25",
    "netWeight": "1.1",
}
ROW = {
    "gnum": "1",
    "gcode": "3304990029",
    "gname": "面霜",
    "gmodel": "50ml",
    "country": "116",
    "currency": "142",
    "qty": "2",
    "unit": "011",
    "qty1": "0.1",
    "unit1": "035",
    "price": "99.5",
    "totalPrice": "199",
}
RETURN = {
    "guid": GUID,
    "customsCode": "4601",
    "ebpCode": "46019600A1",
    "ebcCode": "46019600B2",
    "agentCode": "46019800C3",
    "copNo": "COP1",
    "preNo": "B20260115000000001",
    "returnStatus": "800",
    "returnTime": "20260115130000000",
    "returnInfo": "放行",
}

Fields = Mapping[str, str | None]


def inventory(rows: Sequence[Fields] = ({},), **fields: str | None) -> str:
    """One Inventory element; a field given as None is left out."""
    head = _element("InventoryHead", {**HEAD, **fields})
    lines = "".join(_element("InventoryList", {**ROW, **row}) for row in rows)
    return f"<Inventory>{head}{lines}</Inventory>"


def lists(*inventories: str) -> bytes:
    return _message("CEB621Message", "".join(inventories or [inventory()]))


def a_list(**fields: str | None) -> bytes:
    return lists(inventory(({},), **fields))


def receipts(*entries: Fields) -> bytes:
    parts = [_element("InventoryReturn", {**RETURN, **entry}) for entry in entries or [{}]]
    return _message("CEB622Message", "".join(parts))


def a_receipt(status: int | str, return_time: str = "20260115130000000", **fields: str) -> bytes:
    return receipts({"returnStatus": str(status), "returnTime": return_time, **fields})


def take(store: Store, *documents: bytes) -> list[Imported]:
    """Import and fail on the first error: for documents that are meant to be right."""
    sources = [Source(f"{n}.xml", data) for n, data in enumerate(documents)]
    imported = import_sources(store, sources, NOON_2026_UTC_NS)
    assert [str(error) for each in imported for error in each.errors] == []
    return imported


def _message(root: str, content: str) -> bytes:
    opening = f'<{root} xmlns="{CEB}" guid="{GUID}" version="1.0">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{opening}{content}</{root}>'.encode()


def _element(name: str, fields: Fields) -> str:
    inner = "".join(
        f"<{field}>{html.escape(text)}</{field}>"
        for field, text in fields.items()
        if text is not None
    )
    return f"<{name}>{inner}</{name}>"
