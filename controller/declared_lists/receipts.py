"""What a customs status means and which of several receipts stands. Pure: no store, no XML.

The order of receipts is the order of customs (`returnTime`), never of arrival. Whatever is in doubt
may add a hold and never releases.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum

NO_STATUS = 0
# returnTime carries milliseconds, appTime seconds.
_SECONDS_DIGITS = 14


class Standing(IntEnum):
    """How restrictive a status is; at one instant the higher one stands."""

    RELEASE = 1
    HOLD = 2
    REFUSED = 3
    INSPECT = 4
    RETURN = 5
    DETAIN = 6


@dataclass(frozen=True, slots=True)
class Status:
    code: int
    standing: Standing
    zh: str
    en: str


STATUSES: dict[int, Status] = {
    status.code: status
    for status in (
        Status(1, Standing.HOLD, "电子口岸已暂存", "stored at the port"),
        Status(2, Standing.HOLD, "电子口岸申报中", "being declared at the port"),
        Status(3, Standing.HOLD, "发送海关成功", "sent to customs"),
        Status(4, Standing.REFUSED, "发送海关失败", "sending to customs failed"),
        Status(100, Standing.REFUSED, "海关退单", "rejected by customs"),
        Status(120, Standing.HOLD, "海关入库", "logic check passed"),
        Status(300, Standing.HOLD, "人工审核", "under manual review"),
        Status(399, Standing.HOLD, "海关审结", "data approved, goods not yet released"),
        Status(400, Standing.HOLD, "待运抵", "awaiting arrival"),
        Status(500, Standing.INSPECT, "查验", "inspection ordered"),
        Status(501, Standing.DETAIN, "扣留移送通关", "detained: to clearance"),
        Status(502, Standing.DETAIN, "扣留移送缉私", "detained: to anti-smuggling"),
        Status(503, Standing.DETAIN, "扣留移送法规", "detained: to legal affairs"),
        Status(505, Standing.DETAIN, "移交", "detained: handed over"),
        Status(599, Standing.DETAIN, "其它扣留", "detained: other"),
        Status(600, Standing.HOLD, "挂起", "suspended"),
        Status(700, Standing.RETURN, "退运", "return shipment"),
        Status(800, Standing.RELEASE, "放行", "released"),
        Status(899, Standing.RELEASE, "结关", "closed"),
    )
}


def status_of(code: int) -> Status:
    """The status `code`; one outside the table holds, a negative one is a processing error."""
    known = STATUSES.get(code)
    if known is not None:
        return known
    if code == NO_STATUS:
        return Status(code, Standing.HOLD, "尚无回执", "no receipt yet")
    if code < 0:
        return Status(code, Standing.REFUSED, f"处理异常 {code}", f"processing error {code}")
    return Status(code, Standing.HOLD, f"未知状态 {code}", f"unknown status {code}")


@dataclass(frozen=True, slots=True)
class Stand:
    """A status with the time customs gave it; `return_time` is YYYYMMDDhhmmssmmm."""

    status: int
    return_time: str


NO_RECEIPT = Stand(NO_STATUS, "")


def weight_of(stand: Stand) -> tuple[str, Standing, int]:
    """Sort key: newer stands over older, at one instant the more restrictive stands."""
    return stand.return_time, status_of(stand.status).standing, stand.status


def standing_receipt(stands: Iterable[Stand]) -> Stand:
    """The receipt that stands, whatever the order of arrival; NO_RECEIPT for none."""
    return max(stands, key=weight_of, default=NO_RECEIPT)


def releases(status: int) -> bool:
    return status_of(status).standing is Standing.RELEASE


def second_of(stand: Stand) -> str:
    """The second (YYYYMMDDhhmmss, as appTime) in which customs gave `stand`."""
    return stand.return_time[:_SECONDS_DIGITS]


def given_before(stand: Stand, app_time: str) -> bool:
    """True if customs gave `stand` before the second of `app_time` (YYYYMMDDhhmmss)."""
    return second_of(stand) < app_time


def spoken_for_content(stand: Stand, changed: bool, app_time: str) -> Stand:
    """`stand` as it holds for the list's present content, declared at `app_time`.

    A release that customs gave before the declarant changed the list was given for other content: it
    does not carry over, the list has no receipt yet. Bad news carries over. A list that was never
    `changed` is not judged by its time, which comes from the declarant's own clock.
    """
    outdated = changed and given_before(stand, app_time)
    return NO_RECEIPT if outdated and releases(stand.status) else stand
