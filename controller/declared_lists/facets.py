"""Field tables of the unified version (edition 202205), in the notation of the standard's own tables.

`C8` is exactly 8 characters, `C..60` 1 to 60, `N` a decimal 19,5, `I` an integer; a name that ends in
`?` is optional, and an empty optional field is an absent one (official samples send them empty).
Nothing here knows XML: it checks texts that were already taken out of a message.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from controller.declared_lists.decimals import NumberError, e5_from_text, int_from_text

Fault = tuple[str, str]  # field, why


class Kind(Enum):
    TEXT = "C"
    DECIMAL = "N"
    INTEGER = "I"


@dataclass(frozen=True, slots=True)
class Facet:
    name: str
    kind: Kind
    shortest: int
    longest: int
    mandatory: bool


def facets_from(notation: str) -> tuple[Facet, ...]:
    """`"guid C36, preNo? C..18"` as facets, in message order."""
    facets = []
    for entry in notation.split(","):
        name, kind = entry.split()
        mandatory = not name.endswith("?")
        letter, limits = Kind(kind[0]), kind[1:]
        longest = int(limits.lstrip(".") or 0)
        shortest = longest if limits and not limits.startswith("..") else 1
        facets.append(Facet(name.rstrip("?"), letter, shortest, longest, mandatory))
    return tuple(facets)


INVENTORY_HEAD = facets_from(
    "guid C36, appType C1, appTime C14, appStatus C..3, orderNo C..60, ebpCode C..18, ebpName C..100,"
    "ebcCode C..18, ebcName C..100, logisticsNo C..60, logisticsCode C..18, logisticsName C..100,"
    "copNo? C..20, preNo? C..18, assureCode C..30, emsNo? C..30, invtNo? C..18, ieFlag C1,"
    "declTime C8, customsCode C4, portCode C4, ieDate? C8, buyerIdType C1, buyerIdNumber C..60,"
    "buyerName C..60, buyerTelephone C..30, consigneeAddress C..200, agentCode C..18,"
    "agentName C..100, areaCode? C..18, areaName? C..100, tradeMode C4, trafMode C1, trafNo? C..100,"
    "voyageNo? C..32, billNo? C..37, loctNo? C..10, licenseNo? C..19, country C3, freight N,"
    "insuredFee N, currency C3, wrapType? C1, packNo I, grossWeight N, netWeight N, note? C..1000"
)
INVENTORY_ROW = facets_from(
    "gnum I, itemRecordNo? C..30, itemNo? C..20, itemName? C..250, gcode C10, gname C..250,"
    "gmodel C..510, barCode? C..50, country C3, tradeCountry? C..3, currency C3, qty N, unit C3,"
    "qty1 N, unit1 C3, qty2? N, unit2? C3, price N, totalPrice N, note? C..1000"
)
INVENTORY_RETURN = facets_from(
    "guid C36, customsCode? C4, ebpCode? C..18, ebcCode? C..18, agentCode? C..18, copNo C..20,"
    "preNo C18, invtNo? C18, returnStatus C..10, returnTime C17, returnInfo C..1000"
)


def check(
    texts: Mapping[str, str], facets: tuple[Facet, ...], faults: list[Fault]
) -> dict[str, int]:
    """Check `texts` (field name -> text) and return the numbers among them; append to `faults`.

    Decimals come back x 1e5. A number that is absent or wrong is missing from the answer.
    """
    numbers: dict[str, int] = {}
    for facet in facets:
        text = texts.get(facet.name, "")
        if not text:
            if facet.mandatory:
                faults.append((facet.name, "is missing"))
        elif facet.kind is Kind.TEXT:
            if not facet.shortest <= len(text) <= facet.longest:
                faults.append((facet.name, _length_fault(len(text), facet)))
        else:
            try:
                number = e5_from_text if facet.kind is Kind.DECIMAL else int_from_text
                numbers[facet.name] = number(text)
            except NumberError as error:
                faults.append((facet.name, str(error)))
    return numbers


def _length_fault(length: int, facet: Facet) -> str:
    allowed = f"{facet.longest}" if facet.shortest == facet.longest else f"1 to {facet.longest}"
    return f"has {length} characters, the standard allows {allowed}"
