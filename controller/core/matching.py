"""Checks of what was measured: against the declared list where it says something, across sensors
where it does not (customs messages carry no dimensions). Each gives a `Check` and perhaps a reason.
"""

from controller.core.commands import Check
from controller.core.events import ListFacts, PictureFindings
from controller.core.parcel import Parcel
from controller.core.settings import LineSettings, Rules
from controller.core.units import mm_from_counts
from controller.core.vocabulary import CheckKind, CheckResult, Reason

Finding = tuple[Check | None, Reason | None]
_AGREE, _DISAGREE = CheckResult.AGREE, CheckResult.DISAGREE


def _compare(kind: CheckKind, measured: int, expected: int, tolerance: int) -> Check:
    result = _AGREE if abs(measured - expected) <= tolerance else _DISAGREE
    return Check(kind, result, measured, expected, tolerance)


def _at_most(kind: CheckKind, measured: int, limit: int) -> Check:
    return Check(kind, _AGREE if measured <= limit else _DISAGREE, measured, limit, 0)


def _not_measurable(kind: CheckKind, measured: int = -1, expected: int = -1) -> Check:
    return Check(kind, CheckResult.NOT_MEASURABLE, measured, expected, 0)


def _unless_agreed(check: Check, reason: Reason) -> Finding:
    return check, None if check.result is _AGREE else reason


def weight_tolerance_mg(declared_mg: int, rules: Rules) -> int:
    """max(absolute, permille of the declared gross weight), the permille part rounded down."""
    return max(rules.weight_tolerance_mg, declared_mg * rules.weight_tolerance_permille // 1000)


def check_weight(parcel: Parcel, facts: ListFacts | None, rules: Rules) -> Finding:
    """Scale against declared gross weight."""
    declared_mg = facts.gross_weight_mg if facts else -1
    if parcel.weight is None:
        return _not_measurable(CheckKind.WEIGHT, expected=declared_mg), Reason.NO_WEIGHT
    measured_mg = parcel.weight.weight_mg
    if not parcel.weight_valid:
        check = _not_measurable(CheckKind.WEIGHT, measured_mg, declared_mg)
        return check, Reason.WEIGHT_NOT_VALID
    if facts is None:
        return _not_measurable(CheckKind.WEIGHT, measured_mg), None
    if declared_mg <= 0:
        return _not_measurable(CheckKind.WEIGHT, measured_mg), Reason.WEIGHT_DISAGREES
    tolerance_mg = weight_tolerance_mg(declared_mg, rules)
    check = _compare(CheckKind.WEIGHT, measured_mg, declared_mg, tolerance_mg)
    return _unless_agreed(check, Reason.WEIGHT_DISAGREES)


def parcel_length_mm(parcel: Parcel, settings: LineSettings) -> int:
    """Length by the induct eye, -1 if its trailing edge was not seen."""
    if parcel.length_counts < 0:
        return -1
    return mm_from_counts(parcel.length_counts, settings.encoder_counts_per_m)


def check_length(parcel: Parcel, settings: LineSettings) -> Finding:
    """Dimensioner against photo-eye."""
    eye_mm = parcel_length_mm(parcel, settings)
    dimensions = parcel.dimensions
    if dimensions is None or not dimensions.measurable or eye_mm < 0:
        measured_mm = dimensions.length_mm if dimensions else -1
        return _not_measurable(CheckKind.LENGTH, measured_mm, eye_mm), Reason.NO_DIMENSIONS
    tolerance_mm = settings.length_tolerance_mm
    check = _compare(CheckKind.LENGTH, dimensions.length_mm, eye_mm, tolerance_mm)
    return _unless_agreed(check, Reason.DIMENSIONS_DISAGREE)


def check_single(parcel: Parcel, settings: LineSettings) -> Finding:
    """One parcel, not two touching: X-ray outlines, and longer than any parcel of this line."""
    outlines = parcel.picture.outline_count if parcel.picture else -1
    too_long = parcel_length_mm(parcel, settings) > settings.parcel_length_max_mm
    if outlines < 0 and not too_long:
        return _not_measurable(CheckKind.SINGLE_PARCEL, expected=1), None
    single = outlines <= 1 and not too_long
    seen = max(outlines, 2 if too_long else 1)
    check = Check(CheckKind.SINGLE_PARCEL, _AGREE if single else _DISAGREE, seen, 1, 0)
    return _unless_agreed(check, Reason.TOUCHING)


def check_picture(
    parcel: Parcel, facts: ListFacts | None, settings: LineSettings, rules: Rules
) -> tuple[Finding, ...]:
    """Everything that the X-ray findings are compared with."""
    picture = parcel.picture
    if picture is None:
        return ((None, Reason.NO_PICTURE),)
    if not parcel.picture_placed:
        return ((None, Reason.ASSOCIATION_UNPROVEN),)
    rows_limit = rules.rows_missing_max
    rows = _at_most(CheckKind.PICTURE_ROWS, picture.rows_missing, rows_limit)
    if not _is_of_a_parcel(picture) or rows.result is not _AGREE:
        return ((rows, Reason.PICTURE_INCOMPLETE),)
    opaque = _at_most(CheckKind.OPAQUE_AREA, picture.opaque_area_mm2, rules.opaque_area_mm2_max)
    findings = [(rows, None), _unless_agreed(opaque, Reason.OPAQUE)]
    eye_mm = parcel_length_mm(parcel, settings)
    if eye_mm >= 0:
        tolerance_mm = rules.picture_length_tolerance_mm
        length = _compare(CheckKind.PICTURE_LENGTH, picture.length_mm, eye_mm, tolerance_mm)
        findings.append(_unless_agreed(length, Reason.PICTURE_DISAGREES))
    if parcel.dimensions is not None and parcel.dimensions.measurable:
        tolerance_mm = rules.picture_width_tolerance_mm
        width_mm = parcel.dimensions.width_mm
        width = _compare(CheckKind.PICTURE_WIDTH, picture.width_mm, width_mm, tolerance_mm)
        findings.append(_unless_agreed(width, Reason.PICTURE_DISAGREES))
    if facts is not None:
        limit_mm2 = metal_limit_mm2(facts, rules)
        metal = _at_most(CheckKind.METAL_AREA, picture.metal_area_mm2, limit_mm2)
        findings.append(_unless_agreed(metal, Reason.UNDECLARED_METAL))
    return tuple(findings)


def _is_of_a_parcel(picture: PictureFindings) -> bool:
    """Findings that a worker can have measured: of nothing, or below nothing, nothing follows."""
    measured = (picture.rows_missing, picture.opaque_area_mm2, picture.metal_area_mm2)
    return picture.usable and picture.outline_count >= 1 and min(measured) >= 0


def metal_limit_mm2(facts: ListFacts, rules: Rules) -> int:
    """Metal-like area that the declared goods may show: the largest limit of their headings."""
    return max(
        (_metal_limit_of(row.gcode, rules) for row in facts.goods),
        default=rules.metal_area_mm2_max,
    )


def _metal_limit_of(gcode: str, rules: Rules) -> int:
    fitting = [limit for limit in rules.metal_limits if gcode.startswith(limit.hs_prefix)]
    if not fitting:
        return rules.metal_area_mm2_max
    return max(fitting, key=lambda limit: len(limit.hs_prefix)).area_mm2_max
