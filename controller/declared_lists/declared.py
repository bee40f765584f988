"""What a customs message says, as plain data: the border between the XML side and the store.

Integers only: weights in mg (the standard's kg with five decimals), quantities and money x 1e5.
Texts are stripped, an absent optional text is "". Nothing here knows XML or SQL.
"""

from dataclasses import dataclass, field
from enum import IntEnum

# A receipt whose status is no number: it names no state of customs, so it can only hold.
STATUS_UNREADABLE = -1


class MessageError(ValueError):
    """One thing that is wrong with a message: which message or list, which field, why.

    Raised where the whole message is refused, collected where one list or receipt is.
    """

    def __init__(self, message: str, field: str, why: str) -> None:
        super().__init__(message, field, why)
        self.message = _printable(message)
        self.field = _printable(field)
        self.why = _printable(why)

    def __str__(self) -> str:
        return ": ".join(part for part in (self.message, self.field, self.why) if part)


def _printable(text: str) -> str:
    """One line: what a sender wrote must not forge a log or turn a terminal's text round."""
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


class AppType(IntEnum):
    NEW = 1
    CHANGE = 2
    DELETE = 3


@dataclass(frozen=True, slots=True)
class GoodsLine:
    """One InventoryList row."""

    gnum: int
    item_no: str
    item_name: str
    gcode: str
    gname: str
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
class DeclaredList:
    """One Inventory of a CEB621. `gross_weight_mg` is -1 only in a deletion that gave none."""

    app_type: AppType
    app_time: str
    app_status: str
    order_no: str
    ebp_code: str
    ebp_name: str
    ebc_code: str
    ebc_name: str
    logistics_no: str
    logistics_code: str
    logistics_name: str
    cop_no: str
    pre_no: str
    invt_no: str
    decl_time: str
    customs_code: str
    port_code: str
    buyer_name: str
    buyer_id_number: str = field(repr=False)
    agent_code: str
    agent_name: str
    trade_mode: str
    bill_no: str
    country: str
    currency: str
    pack_no: int
    gross_weight_mg: int
    net_weight_mg: int
    goods: tuple[GoodsLine, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """One InventoryReturn of a CEB622. `return_time` is YYYYMMDDhhmmssmmm, Beijing time."""

    customs_code: str
    ebp_code: str
    ebc_code: str
    agent_code: str
    cop_no: str
    pre_no: str
    invt_no: str
    status: int
    return_time: str
    info: str


@dataclass(frozen=True, slots=True)
class Document:
    """What one document held. `other` is a sentence where the message type is not for this store.

    `errors` name what was refused; everything in `lists` and `receipts` counts all the same.
    """

    message_type: str
    lists: tuple[DeclaredList, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    errors: tuple[MessageError, ...] = ()
    other: str = ""
