"""A customs message, bytes to plain data: CEB621 (import list) and CEB622 (its receipt).

Elements are found by namespace and local name; unknown ones are passed over, since regional platforms
add their own. A bad list is refused alone. Because a hold is always safe and a release never by
itself, a receipt that breaks the standard still counts when it holds, and not when it releases; a
deletion needs no more than the list's name.
"""

import re
from collections.abc import Sequence

from lxml import etree

from controller.declared_lists import facets, xml_tree
from controller.declared_lists.decimals import MG_PER_KG_E5
from controller.declared_lists.declared import (
    STATUS_UNREADABLE,
    AppType,
    DeclaredList,
    Document,
    GoodsLine,
    MessageError,
    Receipt,
)
from controller.declared_lists.facets import Facet, Fault
from controller.declared_lists.limits import (
    ERRORS_PER_DOCUMENT_MAX,
    INFO_LENGTH_MAX,
    LISTS_PER_MESSAGE_MAX,
    NAME_LENGTH_MAX,
    ROWS_PER_LIST_MAX,
)
from controller.declared_lists.message_types import (
    FOR_THIS_STORE,
    MESSAGE_TYPES,
    not_for_this_store,
)
from controller.declared_lists.receipts import releases

_ROOT = re.compile(r"CEB([0-9]{3})(?:Message)?\Z")
_TIME = re.compile(
    r"[0-9]{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])(?:[0-5][0-9]){2}"
    r"(?:[0-9]{3})?\Z"
)
_STATUS = re.compile(r"-?[0-9]{1,9}\Z")
_APP_TYPES = {str(int(app_type)): app_type for app_type in AppType}
# A deletion of which only these are right still deletes.
_NAMING_FIELDS = frozenset({"appType", "appTime", "logisticsNo", "logisticsCode", "copNo"})
_NO_LATEST = "99999999999999"


def _tags(table: Sequence[Facet]) -> dict[str, str]:
    return {f"{{{xml_tree.CEB}}}{facet.name}": facet.name for facet in table}


_INVENTORY = f"{{{xml_tree.CEB}}}Inventory"
_HEAD = f"{{{xml_tree.CEB}}}InventoryHead"
_ROW = f"{{{xml_tree.CEB}}}InventoryList"
_RETURN = f"{{{xml_tree.CEB}}}InventoryReturn"
_HEAD_TAGS = _tags(facets.INVENTORY_HEAD)
_ROW_TAGS = _tags(facets.INVENTORY_ROW)
_RETURN_TAGS = _tags(facets.INVENTORY_RETURN)


def read_document(data: bytes, latest_time: str = _NO_LATEST) -> Document:
    """Everything one document says. Raises MessageError where the document as a whole is refused.

    `latest_time` (YYYYMMDDhhmmss, Beijing) is the furthest a time in the message may lie ahead.
    """
    root = xml_tree.message_root(data)
    name = xml_tree.local_name(root)
    match = _ROOT.match(name)
    if match is None or match[1] not in MESSAGE_TYPES:
        raise MessageError(name[:60], "", "is no message of the standard (edition 202205)")
    number = match[1]
    if number not in FOR_THIS_STORE:
        return Document(f"CEB{number}", other=not_for_this_store(number))
    parts = root.findall(_INVENTORY if number == "621" else _RETURN)
    if not 1 <= len(parts) <= LISTS_PER_MESSAGE_MAX:
        field = "Inventory" if number == "621" else "InventoryReturn"
        why = f"stands {len(parts)} times, the standard allows 1 to {LISTS_PER_MESSAGE_MAX}"
        raise MessageError(f"CEB{number}", field, why)
    errors: list[MessageError] = []
    if number == "621":
        lists = [_declared_list(part, n, latest_time, errors) for n, part in enumerate(parts, 1)]
        taken = tuple(declared for declared in lists if declared is not None)
        return Document("CEB621", lists=taken, errors=_bounded(errors))
    receipts = [_receipt(part, n, latest_time, errors) for n, part in enumerate(parts, 1)]
    kept = tuple(receipt for receipt in receipts if receipt is not None)
    return Document("CEB622", receipts=kept, errors=_bounded(errors))


def _bounded(errors: list[MessageError]) -> tuple[MessageError, ...]:
    beyond = len(errors) - ERRORS_PER_DOCUMENT_MAX
    if beyond <= 0:
        return tuple(errors)
    more = MessageError("", "", f"and {beyond} more errors in this message")
    return (*errors[:ERRORS_PER_DOCUMENT_MAX], more)


def _texts(element: etree._Element, tags: dict[str, str], faults: list[Fault]) -> dict[str, str]:
    """Field name -> stripped text of the known children; the first stands where one is doubled."""
    texts: dict[str, str] = {}
    for child in element:
        name = tags.get(child.tag)
        if name is None:
            continue
        if name in texts:
            faults.append((name, "stands twice"))
        elif len(child):
            faults.append((name, "holds elements instead of text"))
        else:
            texts[name] = (child.text or "").strip()
    return texts


def _check_time(field: str, text: str, latest_time: str, faults: list[Fault]) -> None:
    """A time of the right length must be a time, and not one of tomorrow."""
    if _TIME.match(text) is None:
        faults.append((field, f"{text[:20]!r} is no time YYYYMMDDhhmmss"))
    elif text[:14] > latest_time:
        faults.append((field, f"{text} lies more than a day ahead of this machine's clock"))


def _declared_list(
    part: etree._Element, position: int, latest_time: str, errors: list[MessageError]
) -> DeclaredList | None:
    """The list in one Inventory element; None if it is refused, with the reasons in `errors`."""
    faults: list[Fault] = []
    heads = part.findall(_HEAD)
    if len(heads) != 1:
        faults.append(("InventoryHead", f"stands {len(heads)} times, expected once"))
    head = _texts(heads[0], _HEAD_TAGS, faults) if heads else {}
    numbers = facets.check(head, facets.INVENTORY_HEAD, faults)
    if head.get("appTime"):
        _check_time("appTime", head["appTime"], latest_time, faults)
    app_type = _APP_TYPES.get(head.get("appType", ""))
    if app_type is None and head.get("appType"):
        faults.append(("appType", "is none of 1 new, 2 change, 3 delete"))
    deletes = app_type is AppType.DELETE and not any(f in _NAMING_FIELDS for f, _ in faults)
    goods = _goods(part, faults)
    subject = f"CEB621 list {position} ({head.get('logisticsNo', '')[:60] or 'no waybill'})"
    errors.extend(MessageError(subject, field, why) for field, why in faults)
    if app_type is None or (faults and not deletes):
        return None
    if faults:
        named = {name: head.get(name, "") for name in _NAMING_FIELDS}
        return _list_from(app_type, named, {}, ())
    return _list_from(app_type, head, numbers, goods)


def _goods(part: etree._Element, faults: list[Fault]) -> tuple[GoodsLine, ...]:
    rows = part.findall(_ROW)
    if not 1 <= len(rows) <= ROWS_PER_LIST_MAX:
        why = f"stands {len(rows)} times, the standard allows 1 to {ROWS_PER_LIST_MAX}"
        faults.append(("InventoryList", why))
        return ()
    lines = []
    for position, row in enumerate(rows, 1):
        row_faults: list[Fault] = []
        texts = _texts(row, _ROW_TAGS, row_faults)
        numbers = facets.check(texts, facets.INVENTORY_ROW, row_faults)
        if row_faults:
            faults.extend((f"row {position} {field}", why) for field, why in row_faults)
        else:
            lines.append(_goods_line(texts, numbers))
    return tuple(lines)


def _goods_line(texts: dict[str, str], numbers: dict[str, int]) -> GoodsLine:
    return GoodsLine(
        gnum=numbers["gnum"],
        item_no=texts.get("itemNo", ""),
        item_name=texts.get("itemName", ""),
        gcode=texts["gcode"],
        gname=texts["gname"],
        gmodel=texts["gmodel"],
        bar_code=texts.get("barCode", ""),
        country=texts["country"],
        currency=texts["currency"],
        qty_e5=numbers["qty"],
        unit=texts["unit"],
        qty1_e5=numbers["qty1"],
        unit1=texts["unit1"],
        price_e5=numbers["price"],
        total_price_e5=numbers["totalPrice"],
    )


def _mg(kg_e5: int | None) -> int:
    return -1 if kg_e5 is None else kg_e5 * MG_PER_KG_E5


def _list_from(
    app_type: AppType, head: dict[str, str], numbers: dict[str, int], goods: tuple[GoodsLine, ...]
) -> DeclaredList:
    return DeclaredList(
        app_type=app_type,
        app_time=head["appTime"],
        app_status=head.get("appStatus", ""),
        order_no=head.get("orderNo", ""),
        ebp_code=head.get("ebpCode", ""),
        ebp_name=head.get("ebpName", ""),
        ebc_code=head.get("ebcCode", ""),
        ebc_name=head.get("ebcName", ""),
        logistics_no=head["logisticsNo"],
        logistics_code=head["logisticsCode"],
        logistics_name=head.get("logisticsName", ""),
        cop_no=head.get("copNo", ""),
        pre_no=head.get("preNo", ""),
        invt_no=head.get("invtNo", ""),
        decl_time=head.get("declTime", ""),
        customs_code=head.get("customsCode", ""),
        port_code=head.get("portCode", ""),
        buyer_name=head.get("buyerName", ""),
        buyer_id_number=head.get("buyerIdNumber", ""),
        agent_code=head.get("agentCode", ""),
        agent_name=head.get("agentName", ""),
        trade_mode=head.get("tradeMode", ""),
        bill_no=head.get("billNo", ""),
        country=head.get("country", ""),
        currency=head.get("currency", ""),
        pack_no=numbers.get("packNo", -1),
        gross_weight_mg=_mg(numbers.get("grossWeight")),
        net_weight_mg=_mg(numbers.get("netWeight")),
        goods=goods,
    )


def _receipt(
    part: etree._Element, position: int, latest_time: str, errors: list[MessageError]
) -> Receipt | None:
    """The receipt in one InventoryReturn; None if it is refused, with the reasons in `errors`."""
    faults: list[Fault] = []
    texts = _texts(part, _RETURN_TAGS, faults)
    facets.check(texts, facets.INVENTORY_RETURN, faults)
    status_text = texts.get("returnStatus", "")
    readable = _STATUS.match(status_text) is not None
    if status_text and not readable:
        faults.append(("returnStatus", f"{status_text[:10]!r} is no status number"))
    # The standard says milliseconds; a receipt without them can still be put in order.
    return_time = texts.get("returnTime", "")
    if len(return_time) == 14:
        return_time += "000"
    time_faults: list[Fault] = []
    _check_time("returnTime", return_time, latest_time, time_faults)
    faults.extend(time_faults if return_time else ())
    names = tuple(texts.get(name, "") for name in ("copNo", "preNo", "invtNo"))
    codes = tuple(texts.get(name, "") for name in ("ebpCode", "ebcCode", "agentCode"))
    subject = f"CEB622 receipt {position} ({names[0][:60] or names[1][:60] or 'no number'})"
    errors.extend(MessageError(subject, field, why) for field, why in faults)
    status = int(status_text) if readable else STATUS_UNREADABLE
    joinable = any(names) and not time_faults and bool(return_time)
    joinable = joinable and max(map(len, names + codes)) <= NAME_LENGTH_MAX
    if not joinable or (faults and releases(status)):
        return None
    return Receipt(
        customs_code=texts.get("customsCode", "")[:NAME_LENGTH_MAX],
        ebp_code=codes[0],
        ebc_code=codes[1],
        agent_code=codes[2],
        cop_no=names[0],
        pre_no=names[1],
        invt_no=names[2],
        status=status,
        return_time=return_time,
        info=texts.get("returnInfo", "")[:INFO_LENGTH_MAX],
    )
