"""Which list a receipt speaks of, and which lists a label may mean. Pure: no store, no XML.

A CEB622 has no waybill number, so it joins by what customs gave (invtNo, preNo) or by the firm's own
number (copNo). copNo is unique within one firm only: alone it proves nothing. A doubtful join may add
a hold, never a release.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

# The standard keeps a waybill number unique within one carrier for six months only.
LABEL_WINDOW_MONTHS = 6


def list_key(logistics_code: str, logistics_no: str, cop_no: str) -> str:
    """The name of a list that is stable over its revisions: `logisticsCode/logisticsNo/copNo`."""
    parts = (logistics_code, logistics_no, cop_no)
    return "/".join(part.replace("%", "%25").replace("/", "%2F") for part in parts)


@dataclass(frozen=True, slots=True)
class Names:
    """The numbers and party codes that a list and a receipt both carry; "" where absent."""

    cop_no: str
    pre_no: str
    invt_no: str
    ebp_code: str
    ebc_code: str
    agent_code: str


class Tie(IntEnum):
    """How firmly a receipt and a list belong together, weakest first."""

    NONE = 0
    DOUBTFUL = 1
    COP_NO = 2
    PRE_NO = 3
    INVT_NO = 4


def tie(declared: Names, receipt: Names) -> Tie:
    """How `receipt` belongs to the list that carries `declared`."""
    pairs = (
        (Tie.INVT_NO, declared.invt_no, receipt.invt_no),
        (Tie.PRE_NO, declared.pre_no, receipt.pre_no),
        (Tie.COP_NO, declared.cop_no, receipt.cop_no),
    )
    given = [(strength, ours == theirs) for strength, ours, theirs in pairs if ours and theirs]
    agreed = [strength for strength, same in given if same]
    if not agreed:
        return Tie.NONE
    if agreed == [Tie.COP_NO]:
        firm = _same_firm(declared, receipt)
        if firm is False:
            return Tie.NONE
        if firm is None:
            return Tie.DOUBTFUL
    return agreed[0] if len(agreed) == len(given) else Tie.DOUBTFUL


def _same_firm(declared: Names, receipt: Names) -> bool | None:
    """False on any contradiction; True if seller or declarant agree; None if nothing tells."""
    pairs = (
        (declared.ebc_code, receipt.ebc_code),
        (declared.agent_code, receipt.agent_code),
        (declared.ebp_code, receipt.ebp_code),
    )
    if any(ours and theirs and ours != theirs for ours, theirs in pairs):
        return False
    # A platform serves thousands of firms: its code agreeing says nothing about the firm.
    return True if any(ours and ours == theirs for ours, theirs in pairs[:2]) else None


def speaks_for(ties: Sequence[Tie], index: int) -> bool:
    """True if a receipt with these ties to the lists in question may release list `index`.

    Only the one list that is tied more firmly than every other.
    """
    firmest = ties[index]
    return firmest > Tie.DOUBTFUL and sum(other >= firmest for other in ties) == 1


def in_label_window(app_time: str, newest_app_time: str) -> bool:
    """True if a list declared at `app_time` can share its label with one of the same carrier
    declared at `newest_app_time` (YYYYMMDDhhmmss): older ones than six months are another parcel's."""
    return _months(newest_app_time) - _months(app_time) <= LABEL_WINDOW_MONTHS


def _months(app_time: str) -> int:
    return int(app_time[:4]) * 12 + int(app_time[4:6])
