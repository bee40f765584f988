"""The verdict of one pass: every reason that is true, and the destination the first one decides.

Pure and total: whatever is missing is a reason. Only an empty list of reasons releases.
"""

from dataclasses import dataclass

from controller.core.commands import Check
from controller.core.customs import customs_checks, customs_reasons
from controller.core.events import EarlierPass, ListFacts
from controller.core.identity import codes_are_whole, complete_codes, has_form
from controller.core.matching import check_length, check_picture, check_single, check_weight
from controller.core.parcel import Parcel
from controller.core.settings import LineSettings, Rules
from controller.core.vocabulary import (
    CheckKind,
    CheckResult,
    Destination,
    LookUpResult,
    PassEnd,
    Reason,
)

# Reasons that customs or a measured contradiction raise go to the officers' lanes; every other reason
# means hold, straight on.
DESTINATION_OF: dict[Reason, Destination] = {
    Reason.STATUS_DETAINED: Destination.DETAIN,
    Reason.STATUS_RETURNED: Destination.RETURN,
    Reason.CONTROL_INSTRUCTION: Destination.INSPECT,
    Reason.STATUS_INSPECT: Destination.INSPECT,
    Reason.DRAWN_FOR_INSPECTION: Destination.INSPECT,
    Reason.UNDECLARED_METAL: Destination.INSPECT,
    Reason.WEIGHT_DISAGREES: Destination.INSPECT,
    Reason.DIMENSIONS_DISAGREE: Destination.INSPECT,
    Reason.PICTURE_DISAGREES: Destination.INSPECT,
    Reason.OPAQUE: Destination.INSPECT,
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """`facts` is the one list of this parcel, None if there is none or more than one."""

    destination: Destination
    reasons: tuple[Reason, ...]
    checks: tuple[Check, ...]
    facts: ListFacts | None


def judge(
    parcel: Parcel,
    line_reasons: tuple[Reason, ...],
    settings: LineSettings,
    rules: Rules,
) -> Judgement:
    """Judge `parcel` on what it carries; `line_reasons` is what forbids any release just now."""
    reasons = set(parcel.flags) | set(line_reasons)
    checks: list[Check] = []
    facts = _identify(parcel, rules, reasons, checks)
    if facts is not None:
        reasons.update(customs_reasons(facts, rules))
        checks.extend(customs_checks(facts, rules))
    for check, reason in (
        check_weight(parcel, facts, rules),
        check_length(parcel, settings),
        check_single(parcel, settings),
        *check_picture(parcel, facts, settings, rules),
    ):
        if check is not None:
            checks.append(check)
        if reason is not None:
            reasons.add(reason)
    ordered = tuple(sorted(reasons))
    return Judgement(destination_of(ordered), ordered, tuple(checks), facts)


def destination_of(reasons: tuple[Reason, ...]) -> Destination:
    """Release without reasons, else what the first reason decides."""
    if not reasons:
        return Destination.RELEASE
    return DESTINATION_OF.get(reasons[0], Destination.HOLD)


def _identify(
    parcel: Parcel, rules: Rules, reasons: set[Reason], checks: list[Check]
) -> ListFacts | None:
    found = -1
    if not complete_codes(parcel.code_parts):
        reasons.add(Reason.NO_READ)
    elif parcel.scanner_said_no_read or not codes_are_whole(parcel.code_parts):
        reasons.add(Reason.AMBIGUOUS)  # a second label is there, and nobody knows whose
    elif parcel.lists_result is not LookUpResult.ANSWERED:
        # Never asked is true of a parcel that its flags hold; without flags it must not pass as known.
        if parcel.lists_result is LookUpResult.UNAVAILABLE or not parcel.flags:
            reasons.add(Reason.LISTS_UNAVAILABLE)
    else:
        found = len(parcel.lists)
        if found == 0:
            reasons.add(Reason.NOT_DECLARED)
        else:
            found += _undeclared_waybills(parcel, rules)
        if found > 1:
            reasons.add(Reason.AMBIGUOUS)
    result = CheckResult.NOT_MEASURABLE
    if found >= 0:
        result = CheckResult.AGREE if found == 1 else CheckResult.DISAGREE
    checks.append(Check(CheckKind.IDENTITY, result, found, 1, 0))
    if found != 1:
        return None
    facts = parcel.lists[0]
    earlier = facts.earlier_passes
    looped = sum(other.end is PassEnd.RECIRCULATED for other in earlier)
    twin = facts.waybill in parcel.shared_codes
    if twin or is_duplicate(earlier, parcel.pass_no) or looped > rules.recirculations_max:
        reasons.add(Reason.DUPLICATE)
    return facts


def _undeclared_waybills(parcel: Parcel, rules: Rules) -> int:
    """Labels that look like a waybill and name no declared list: somebody else's, or the true one."""
    declared = {facts.waybill for facts in parcel.lists}
    codes = [code for code in complete_codes(parcel.code_parts) if code not in declared]
    return sum(any(has_form(code, form) for form in rules.waybill_forms) for code in codes)


def is_duplicate(earlier: tuple[EarlierPass, ...], pass_no: int) -> bool:
    """True if a parcel of this list was released ever, or if it is not known where one went.

    Not the last pass alone: a forgery that was held as a duplicate must not pass when it is laid on
    again. Only a recheck ends what is open, and nothing ends a release.
    """
    others = [other for other in earlier if other.line or other.pass_no != pass_no]
    unknown = False
    for other in sorted(others, key=lambda other: (not other.line, other.pass_no)):
        if other.end is PassEnd.RELEASED:
            return True
        unknown = (unknown or other.end is PassEnd.OPEN) and other.end is not PassEnd.RECHECK
    return unknown
