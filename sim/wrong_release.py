"""Why a body in the release lane should not be there: what truly lay on the belt, what was truly
declared and said of it, what was truly measured, and whether it was this body that was judged.
"""

from typing import Final

from controller.core.commands import CommitVerdict
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import Destination
from sim.contents import metal_area_mm2
from sim.reason_truth import Case, metal_limit_mm2, weight_disagrees
from sim.truth import FaultKind, ReceiptSent

# A revocation takes the reader's poll (50 ms), one exchange (up to 60 ms) and one PLC scan; bad news
# durable later than this before the gate began cannot have been obeyed.
REVOKE_NS_MAX: Final = 200 * NS_PER_MS
# A hold does not reach a PLC that is cut off; by itself it starts no gate later than this.
CUT_OFF: Final = frozenset(
    {FaultKind.PLC_LINK, FaultKind.PLC_RESTART, FaultKind.HOST_RESTART, FaultKind.STALL}
)
SAFE_WITHIN_NS: Final = 500 * NS_PER_MS


def revoke_ns_max(faults: frozenset[FaultKind]) -> int:
    """A release may still be acted on so long after the controller knew better."""
    return REVOKE_NS_MAX + SAFE_WITHIN_NS * (not CUT_OFF.isdisjoint(faults))


def why_wrong(
    case: Case, verdict: CommitVerdict | None, receipts: tuple[ReceiptSent, ...]
) -> str | None:
    """One sentence, or None if the release was right by everything that could be known."""
    return (
        _identity(case)
        or _customs(case, receipts)
        or _measured(case)
        or _verdict(case, verdict)
        or _readings(case, verdict)
    )


def _identity(case: Case) -> str | None:
    if case.touching:
        return "touching parcels"
    if not case.labels:
        return "no label could be read"
    if not case.lists:
        return "never declared"
    if len(case.lists) > 1:
        return "its labels name two lists"
    return None


def _customs(case: Case, receipts: tuple[ReceiptSent, ...]) -> str | None:
    declared = case.lists[0]
    status = declared.statuses[-1] if declared.statuses else 0
    if status not in case.rules.release_statuses:
        return f"customs status {status}"
    for receipt in receipts:
        if receipt.waybill != declared.waybill or receipt.durable_ns < 0:
            continue
        early_ns = case.passage.gate_began_ns - receipt.durable_ns
        if receipt.status not in case.rules.release_statuses and early_ns >= revoke_ns_max(
            case.faults
        ):
            early_ms = early_ns // NS_PER_MS
            return (
                f"status {receipt.status} was durable {early_ms} ms before its gate began to move"
            )
    return None


def _measured(case: Case) -> str | None:
    declared = case.lists[0]
    if weight_disagrees(case.weight_mg, declared.gross_weight_mg, case.rules):
        return f"weighs {case.weight_mg} mg, declared {declared.gross_weight_mg} mg"
    area_mm2 = metal_area_mm2(case.parcels[0].contents)
    limit_mm2 = metal_limit_mm2((declared.goods.gcode,), case.rules)
    if area_mm2 > limit_mm2:
        return f"holds {area_mm2} mm2 of metal, {limit_mm2} mm2 allowed"
    return None


def _verdict(case: Case, verdict: CommitVerdict | None) -> str | None:
    if verdict is None:
        return "released without a verdict"
    if verdict.destination is not Destination.RELEASE:
        return f"the verdict was {verdict.destination.name.lower()}"
    if verdict.waybill != case.parcels[0].waybill:
        return f"judged as {verdict.waybill}"
    if case.passage.accepted is not Destination.RELEASE:
        return "no release was accepted in time"
    return None


def _readings(case: Case, verdict: CommitVerdict | None) -> str | None:
    assert verdict is not None, "checked before"
    passage = case.passage
    if passage.weight_mg < 0 or verdict.weight_mg != passage.weight_mg:
        return f"judged by a weight of {verdict.weight_mg} mg, its own was {passage.weight_mg} mg"
    if not passage.dimensioned:
        return "released without dimensions"
    if verdict.trigger_no != passage.trigger_no or not verdict.picture_sha256:
        return f"judged by picture {verdict.trigger_no}, its own was {passage.trigger_no}"
    if passage.last_row_ns < 0 or passage.rows_lost:
        return "its picture was not whole"
    return None
