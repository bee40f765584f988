"""Declared lists and receipts as the customs messages CEB621 and CEB622 (unified version, 202205).

What a seller's agent and the customs administration would send: every mandatory field, the order of
the schema, requests with the `ceb:` prefix, receipts in a default namespace. The signature has the
published structure with invented values; no key of anyone signs here.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from random import Random
from uuid import UUID

from lxml import etree

from controller.core.units import MG_PER_KG, NS_PER_S
from sim.workload import Declaration

CEB_NAMESPACE = "http://www.chinaport.gov.cn/ceb"
SIGNATURE_NAMESPACE = "http://www.w3.org/2000/09/xmldsig#"
LISTS_PER_MESSAGE_MAX = 100  # the schema's own limit
STATUS_TEXTS = {
    100: "海关退单",
    120: "海关入库",
    300: "人工审核",
    399: "海关审结",
    500: "查验",
    501: "扣留移送通关",
    700: "退运",
    800: "放行",
    899: "结关",
}
_CHINA = timezone(timedelta(hours=8))
_CUSTOMS_CODE = "4601"
_PLATFORM = ("46019600A1", "跨境优选平台")
_SELLER = ("46019600B2", "海外优品贸易有限公司")
_AGENT = ("46019800C3", "郑州跨境报关服务有限公司")
_CARRIER = ("41019800D4", "中原国际速递有限公司")

_CEB = f"{{{CEB_NAMESPACE}}}"
_DS = f"{{{SIGNATURE_NAMESPACE}}}"


@dataclass(frozen=True, slots=True)
class Receipt:
    """One answer of customs to one list; `at_utc_ns` becomes its returnTime."""

    declaration: Declaration
    status: int
    at_utc_ns: int


def cop_no(declaration: Declaration) -> str:
    """The declarant's own number of a list: what a receipt refers to (at most 20 characters)."""
    return f"PG{declaration.waybill}"


def pre_no(declaration: Declaration) -> str:
    """The port's number: B, date, nine digits. Both labels of a parcel have their own."""
    second = declaration.waybill.startswith("YX")
    return f"B20260105{declaration.number + 500_000_000 * second:09d}"


def customs_time(utc_ns: int) -> str:
    """Customs' own time text, China time, 17 digits YYYYMMDDhhmmssmmm."""
    whole, rest_ns = divmod(utc_ns, NS_PER_S)
    moment = datetime.fromtimestamp(whole, _CHINA)
    return f"{moment:%Y%m%d%H%M%S}{rest_ns // 1_000_000:03d}"


def batches(declarations: Sequence[Declaration]) -> Iterator[Sequence[Declaration]]:
    """`declarations` in pieces that fit one message."""
    for start in range(0, len(declarations), LISTS_PER_MESSAGE_MAX):
        yield declarations[start : start + LISTS_PER_MESSAGE_MAX]


def write_lists(declarations: Sequence[Declaration], at_utc_ns: int) -> bytes:
    """One CEB621 message. ValueError if it would hold none or more than 100 lists."""
    _require_batch(len(declarations))
    rng = Random(f"ceb621 {declarations[0].waybill} {at_utc_ns}")
    root = etree.Element(f"{_CEB}CEB621Message", nsmap={"ceb": CEB_NAMESPACE})
    root.set("guid", _guid(rng))
    root.set("version", "1.0")
    for declaration in declarations:
        inventory = etree.SubElement(root, f"{_CEB}Inventory")
        _add_fields(inventory, "InventoryHead", _head(declaration, at_utc_ns, rng))
        _add_fields(inventory, "InventoryList", _row(declaration))
    transfer = (
        ("copCode", _AGENT[0]),
        ("copName", _AGENT[1]),
        ("dxpMode", "DXP"),
        ("dxpId", "DXPENT0000046019"),
    )
    _add_fields(root, "BaseTransfer", transfer)
    _add_signature(root)
    return _document(root)


def write_receipts(receipts: Sequence[Receipt]) -> bytes:
    """One CEB622 message. ValueError if it would hold none or more than 100 receipts."""
    _require_batch(len(receipts))
    first = receipts[0]
    rng = Random(f"ceb622 {first.declaration.waybill} {first.status} {first.at_utc_ns}")
    root = etree.fromstring(f'<CEB622Message xmlns="{CEB_NAMESPACE}"/>')  # default namespace
    root.set("version", "1.0")
    root.set("guid", _guid(rng))
    for receipt in receipts:
        _add_fields(root, "InventoryReturn", _receipt(receipt, rng))
    return _document(root)


def _require_batch(count: int) -> None:
    if not 1 <= count <= LISTS_PER_MESSAGE_MAX:
        raise ValueError(f"a message holds 1 to {LISTS_PER_MESSAGE_MAX} entries, not {count}")


def _guid(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4)).upper()


def _document(root: etree._Element) -> bytes:
    return etree.tostring(root, xml_declaration=True, encoding="UTF-8", pretty_print=True)


Fields = Sequence[tuple[str, str]]


def _add_fields(parent: etree._Element, name: str, fields: Fields) -> None:
    element = etree.SubElement(parent, f"{_CEB}{name}")
    for field, text in fields:
        etree.SubElement(element, f"{_CEB}{field}").text = text


def _kg(mg: int) -> str:
    """Milligrams as kilograms in the standard's N19,5 (five decimals, rounded down)."""
    return f"{Decimal(mg // 10) / (MG_PER_KG // 10):.5f}"


def _yuan(fen: int) -> str:
    return f"{Decimal(fen) / 100:.2f}"


def _head(declaration: Declaration, at_utc_ns: int, rng: Random) -> Fields:
    time = customs_time(at_utc_ns)
    goods, buyer = declaration.goods, declaration.buyer
    return (
        ("guid", _guid(rng)),
        ("appType", "1"),
        ("appTime", time[:14]),
        ("appStatus", "2"),
        ("orderNo", f"ORD{declaration.waybill}"),
        ("ebpCode", _PLATFORM[0]),
        ("ebpName", _PLATFORM[1]),
        ("ebcCode", _SELLER[0]),
        ("ebcName", _SELLER[1]),
        ("logisticsNo", declaration.waybill),
        ("logisticsCode", _CARRIER[0]),
        ("logisticsName", _CARRIER[1]),
        ("copNo", cop_no(declaration)),
        ("preNo", pre_no(declaration)),
        ("assureCode", _PLATFORM[0]),
        ("ieFlag", "I"),
        ("declTime", time[:8]),
        ("customsCode", _CUSTOMS_CODE),
        ("portCode", _CUSTOMS_CODE),
        ("ieDate", time[:8]),
        ("buyerIdType", "1"),
        ("buyerIdNumber", buyer.id_number),
        ("buyerName", buyer.name),
        ("buyerTelephone", buyer.telephone),
        ("consigneeAddress", buyer.address),
        ("agentCode", _AGENT[0]),
        ("agentName", _AGENT[1]),
        ("tradeMode", "9610"),
        ("trafMode", "5"),
        ("trafNo", "CZ8472"),
        ("voyageNo", f"CZ{time[:8]}"),
        ("billNo", f"784{time[:8]}"),
        ("country", goods.country),
        ("freight", "0"),
        ("insuredFee", "0"),
        ("currency", "142"),
        ("wrapType", "2"),
        ("packNo", "1"),
        ("grossWeight", _kg(declaration.gross_weight_mg)),
        ("netWeight", _kg(declaration.gross_weight_mg * 9 // 10)),
    )


def _row(declaration: Declaration) -> Fields:
    goods = declaration.goods
    return (
        ("gnum", "1"),
        ("itemNo", f"SKU{goods.gcode}"),
        ("itemName", goods.name),
        ("gcode", goods.gcode),
        ("gname", goods.name),
        ("gmodel", goods.model),
        ("barCode", "无"),
        ("country", goods.country),
        ("currency", "142"),
        ("qty", str(declaration.qty)),
        ("unit", goods.unit),
        ("qty1", _kg(declaration.gross_weight_mg * 9 // 10)),
        ("unit1", "035"),
        ("price", _yuan(goods.price_fen)),
        ("totalPrice", _yuan(goods.price_fen * declaration.qty)),
    )


def _receipt(receipt: Receipt, rng: Random) -> Fields:
    time = customs_time(receipt.at_utc_ns)
    number = pre_no(receipt.declaration)
    return (
        ("guid", _guid(rng)),
        ("customsCode", _CUSTOMS_CODE),
        ("ebpCode", _PLATFORM[0]),
        ("ebcCode", _SELLER[0]),
        ("agentCode", _AGENT[0]),
        ("copNo", cop_no(receipt.declaration)),
        ("preNo", number),
        ("invtNo", f"{_CUSTOMS_CODE}{time[:4]}I{number[-9:]}"),
        ("returnStatus", str(receipt.status)),
        ("returnTime", time),
        ("returnInfo", f"[Code:{receipt.status};Desc:{STATUS_TEXTS[receipt.status]}]"),
    )


def _add_signature(root: etree._Element) -> None:
    """The structure of an enveloped SM2 signature over nothing: synthetic values."""
    synthetic = "c3ludGhldGlj"
    sm2 = "http://www.chinaport.gov.cn/2022/04/xmldsig#"
    signature = etree.SubElement(root, f"{_DS}Signature", nsmap={"ds": SIGNATURE_NAMESPACE})
    signed = etree.SubElement(signature, f"{_DS}SignedInfo")
    canonical = "http://www.w3.org/TR/2001/REC-xml-c14n-20010315"
    etree.SubElement(signed, f"{_DS}CanonicalizationMethod", Algorithm=canonical)
    etree.SubElement(signed, f"{_DS}SignatureMethod", Algorithm=f"{sm2}sm2-sm3")
    reference = etree.SubElement(signed, f"{_DS}Reference", URI="")
    transforms = etree.SubElement(reference, f"{_DS}Transforms")
    enveloped = f"{SIGNATURE_NAMESPACE}enveloped-signature"
    etree.SubElement(transforms, f"{_DS}Transform", Algorithm=enveloped)
    etree.SubElement(reference, f"{_DS}DigestMethod", Algorithm=f"{sm2}sm3")
    etree.SubElement(reference, f"{_DS}DigestValue").text = synthetic
    etree.SubElement(signature, f"{_DS}SignatureValue").text = synthetic
    key = etree.SubElement(signature, f"{_DS}KeyInfo")
    etree.SubElement(key, f"{_DS}KeyName").text = "synthetic"
    data = etree.SubElement(key, f"{_DS}X509Data")
    etree.SubElement(data, f"{_DS}X509Certificate").text = synthetic
