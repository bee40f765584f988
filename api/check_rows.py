"""The checks of a verdict as rows for people: declared, measured, difference, tolerance in units."""

from dataclasses import dataclass

from api.formats import NOTHING, kg, percent, signed
from api.i18n import Words
from controller.core.commands import Check
from controller.core.vocabulary import CheckKind, CheckResult
from controller.declared_lists.receipts import NO_STATUS, status_of

_LIMITS = (CheckKind.METAL_AREA, CheckKind.OPAQUE_AREA, CheckKind.PICTURE_ROWS)
_UNITS = {
    CheckKind.LENGTH: "mm",
    CheckKind.PICTURE_LENGTH: "mm",
    CheckKind.PICTURE_WIDTH: "mm",
    CheckKind.METAL_AREA: "mm²",
    CheckKind.OPAQUE_AREA: "mm²",
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """One row; `result` is a CheckResult's name, `outside` asks for the tint."""

    kind: str
    label: str
    expected: str
    measured: str
    difference: str
    tolerance: str
    result: str
    result_label: str
    outside: bool


def check_rows(checks: tuple[Check, ...], words: Words) -> list[CheckRow]:
    """In the order of the vocabulary, what disagrees first."""
    ordered = sorted(checks, key=lambda c: (c.result is not CheckResult.DISAGREE, c.kind))
    return [_row(check, words) for check in ordered]


def status_text(status: int, words: Words) -> str:
    """A customs status with its word, which is the standard's own: "800 released"."""
    known = status_of(status)
    word = known.zh if words.lang == "zh" else known.en
    return word if str(status) in word or status == NO_STATUS else f"{status} {word}"


def _row(check: Check, words: Words) -> CheckRow:
    both = check.measured >= 0 and check.expected >= 0
    return CheckRow(
        kind=check.kind.name,
        label=words.of("check", check.kind),
        expected=_expected(check, words),
        measured=_value(check.kind, check.measured, words),
        difference=_difference(check) if both else NOTHING,
        tolerance=_tolerance(check),
        result=check.result.name,
        result_label=words.of("check_result", check.result),
        outside=check.result is CheckResult.DISAGREE,
    )


def _value(kind: CheckKind, value: int, words: Words) -> str:
    if value < 0:
        return NOTHING
    if kind is CheckKind.CUSTOMS_STATUS:
        return status_text(value, words)
    if kind is CheckKind.WEIGHT:
        return kg(value)
    return f"{value:,} {_UNITS.get(kind, '')}".rstrip()


def _expected(check: Check, words: Words) -> str:
    text = _value(check.kind, check.expected, words)
    return f"≤ {text}" if check.kind in _LIMITS and check.expected >= 0 else text


def _difference(check: Check) -> str:
    difference = check.measured - check.expected
    if check.kind is CheckKind.CUSTOMS_STATUS:
        return NOTHING
    if check.kind in _LIMITS:
        return _with_unit(check.kind, difference) if difference > 0 else NOTHING
    if check.kind is CheckKind.WEIGHT:
        return f"{kg(difference, signed=True)} {percent(difference, check.expected)}".rstrip()
    return _with_unit(check.kind, difference)


def _with_unit(kind: CheckKind, difference: int) -> str:
    return f"{signed(difference)} {_UNITS.get(kind, '')}".rstrip()


def _tolerance(check: Check) -> str:
    if check.tolerance <= 0:
        return NOTHING
    if check.kind is CheckKind.WEIGHT:
        return f"± {kg(check.tolerance)}"
    return f"± {check.tolerance:,} {_UNITS.get(check.kind, '')}".rstrip()
