"""Each comparison at its limit and one beyond it: the reason, and the numbers that the record shows."""

from dataclasses import replace

import pytest

from controller.core.commands import Check
from controller.core.events import Dimensioned, GoodsRow, ListFacts, PictureFindings
from controller.core.matching import (
    Finding,
    check_length,
    check_picture,
    check_single,
    check_weight,
    metal_limit_mm2,
    parcel_length_mm,
    weight_tolerance_mg,
)
from controller.core.settings import MetalLimit, Rules
from controller.core.vocabulary import CheckKind, CheckResult, Reason
from tests.core.evidence import (
    AGREE,
    DISAGREE,
    UNKNOWN,
    check,
    dimensioned,
    parcel,
    picture,
    weighed,
)
from tests.core.story import RULES, SETTINGS, facts

K = CheckKind
DISAGREES = Reason.PICTURE_DISAGREES


# --- weight ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared_mg", "tolerance_mg"),
    [
        (1, 50_000),
        (1_666_699, 50_000),  # 3 % is 50,000.97 mg: rounded down
        (1_666_700, 50_001),
        (2_000_001, 60_000),
        (30_000_000, 900_000),
    ],
)
def test_weight_tolerance_is_the_larger_of_50_g_and_3_percent(
    declared_mg: int, tolerance_mg: int
) -> None:
    found = weight_tolerance_mg(declared_mg, RULES)
    assert found == tolerance_mg
    assert isinstance(found, int)


@pytest.mark.parametrize(
    ("measured_mg", "declared_mg", "result", "reason"),
    [
        (2_060_000, 2_000_000, AGREE, None),
        (2_060_001, 2_000_000, DISAGREE, Reason.WEIGHT_DISAGREES),
        (1_940_000, 2_000_000, AGREE, None),
        (1_939_999, 2_000_000, DISAGREE, Reason.WEIGHT_DISAGREES),
    ],
)
def test_weight_against_the_declaration(
    measured_mg: int, declared_mg: int, result: CheckResult, reason: Reason | None
) -> None:
    found = check_weight(
        parcel(weight=weighed(measured_mg)), facts(gross_weight_mg=declared_mg), RULES
    )
    assert found == (check(K.WEIGHT, result, measured_mg, declared_mg, 60_000), reason)


def test_a_weight_that_was_not_declared_is_no_agreement_however_light_the_parcel() -> None:
    """40 g lie within 50 g of nothing."""
    light = parcel(weight=weighed(40_000))
    for declared_mg in (-1, 0):
        found = check_weight(light, facts(gross_weight_mg=declared_mg), RULES)
        assert found == (check(K.WEIGHT, UNKNOWN, 40_000, -1), Reason.WEIGHT_DISAGREES)
    declared = check_weight(light, facts(gross_weight_mg=1), RULES)
    assert declared == (check(K.WEIGHT, AGREE, 40_000, 1, 50_000), None)


@pytest.mark.parametrize(
    ("changes", "listed", "shown", "reason"),
    [
        ({"weight": None}, facts(), (-1, 2_000_000), Reason.NO_WEIGHT),
        ({"weight": None}, None, (-1, -1), Reason.NO_WEIGHT),
        ({"weight_valid": False}, facts(), (2_000_000, 2_000_000), Reason.WEIGHT_NOT_VALID),
        ({"weight_valid": False}, None, (2_000_000, -1), Reason.WEIGHT_NOT_VALID),
        ({}, None, (2_000_000, -1), None),  # nothing to compare with: identity holds it
    ],
)
def test_a_weight_that_cannot_be_compared(
    changes: dict[str, object],
    listed: ListFacts | None,
    shown: tuple[int, int],
    reason: Reason | None,
) -> None:
    found = check_weight(parcel(**changes), listed, RULES)
    assert found == (check(K.WEIGHT, UNKNOWN, *shown), reason)


# --- length ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length_counts", "length_mm"), [(-1, -1), (0, 0), (1, 1), (2, 1), (3, 2), (600, 300)]
)
def test_length_by_the_eye_in_mm(length_counts: int, length_mm: int) -> None:
    fine = replace(SETTINGS, encoder_counts_per_m=2000)
    assert parcel_length_mm(parcel(length_counts=length_counts), fine) == length_mm


@pytest.mark.parametrize(
    ("eye_counts", "dimensions", "expected"),
    [
        (300, dimensioned(315), (check(K.LENGTH, AGREE, 315, 300, 15), None)),
        (300, dimensioned(285), (check(K.LENGTH, AGREE, 285, 300, 15), None)),
        (
            300,
            dimensioned(316),
            (check(K.LENGTH, DISAGREE, 316, 300, 15), Reason.DIMENSIONS_DISAGREE),
        ),
        (
            300,
            dimensioned(284),
            (check(K.LENGTH, DISAGREE, 284, 300, 15), Reason.DIMENSIONS_DISAGREE),
        ),
        (
            0,
            dimensioned(300),
            (check(K.LENGTH, DISAGREE, 300, 0, 15), Reason.DIMENSIONS_DISAGREE),
        ),
        (-1, dimensioned(300), (check(K.LENGTH, UNKNOWN, 300, -1), Reason.NO_DIMENSIONS)),
        (-1, dimensioned(10), (check(K.LENGTH, UNKNOWN, 10, -1), Reason.NO_DIMENSIONS)),
        (300, None, (check(K.LENGTH, UNKNOWN, -1, 300), Reason.NO_DIMENSIONS)),
        (
            300,
            dimensioned(300, measurable=False),
            (check(K.LENGTH, UNKNOWN, 300, 300), Reason.NO_DIMENSIONS),
        ),
    ],
)
def test_dimensioner_against_the_eye(
    eye_counts: int, dimensions: Dimensioned | None, expected: tuple[Check, Reason | None]
) -> None:
    measured = parcel(length_counts=eye_counts, dimensions=dimensions)
    assert check_length(measured, SETTINGS) == expected


# --- one parcel, not two --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outlines", "length_mm", "result", "seen"),
    [
        (1, 400, AGREE, 1),
        (1, 401, DISAGREE, 2),  # one outline, but longer than any parcel of this line
        (2, 300, DISAGREE, 2),
        (3, 300, DISAGREE, 3),
        (3, 401, DISAGREE, 3),
        (None, 401, DISAGREE, 2),  # no picture needed to see this
    ],
)
def test_single_parcel(
    outlines: int | None, length_mm: int, result: CheckResult, seen: int
) -> None:
    findings = None if outlines is None else picture(outline_count=outlines)
    found = check_single(parcel(picture=findings, length_counts=length_mm), SETTINGS)
    reason = None if result is AGREE else Reason.TOUCHING
    assert found == (check(K.SINGLE_PARCEL, result, seen, 1), reason)


def test_without_a_picture_a_parcel_of_usual_length_may_be_single() -> None:
    """No reason of its own: the missing picture holds it."""
    found = check_single(parcel(picture=None), SETTINGS)
    assert found == (check(K.SINGLE_PARCEL, UNKNOWN, -1, 1), None)


# --- picture --------------------------------------------------------------------------------------

ROWS: Finding = (check(K.PICTURE_ROWS, AGREE, 0, 0), None)
OPAQUE: Finding = (check(K.OPAQUE_AREA, AGREE, 0, 100), None)
LENGTH: Finding = (check(K.PICTURE_LENGTH, AGREE, 300, 300, 15), None)
WIDTH: Finding = (check(K.PICTURE_WIDTH, AGREE, 200, 200, 30), None)
METAL: Finding = (check(K.METAL_AREA, AGREE, 0, 100), None)


def test_a_picture_that_agrees_is_compared_five_times() -> None:
    found = check_picture(parcel(), facts(), SETTINGS, RULES)
    assert found == (ROWS, OPAQUE, LENGTH, WIDTH, METAL)


@pytest.mark.parametrize(
    ("place", "findings", "shown", "reason"),
    [
        (1, picture(opaque_area_mm2=100), check(K.OPAQUE_AREA, AGREE, 100, 100), None),
        (
            1,
            picture(opaque_area_mm2=101),
            check(K.OPAQUE_AREA, DISAGREE, 101, 100),
            Reason.OPAQUE,
        ),
        (2, picture(length_mm=315), check(K.PICTURE_LENGTH, AGREE, 315, 300, 15), None),
        (2, picture(length_mm=316), check(K.PICTURE_LENGTH, DISAGREE, 316, 300, 15), DISAGREES),
        (2, picture(length_mm=284), check(K.PICTURE_LENGTH, DISAGREE, 284, 300, 15), DISAGREES),
        (3, picture(width_mm=230), check(K.PICTURE_WIDTH, AGREE, 230, 200, 30), None),
        (3, picture(width_mm=231), check(K.PICTURE_WIDTH, DISAGREE, 231, 200, 30), DISAGREES),
        (3, picture(width_mm=169), check(K.PICTURE_WIDTH, DISAGREE, 169, 200, 30), DISAGREES),
        (4, picture(metal_area_mm2=100), check(K.METAL_AREA, AGREE, 100, 100), None),
        (
            4,
            picture(metal_area_mm2=101),
            check(K.METAL_AREA, DISAGREE, 101, 100),
            Reason.UNDECLARED_METAL,
        ),
    ],
)
def test_each_comparison_of_the_picture_at_its_limit(
    place: int, findings: PictureFindings, shown: Check, reason: Reason | None
) -> None:
    """The other four agree as before."""
    expected = [ROWS, OPAQUE, LENGTH, WIDTH, METAL]
    expected[place] = (shown, reason)
    found = check_picture(parcel(picture=findings), facts(), SETTINGS, RULES)
    assert found == tuple(expected)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"picture": None}, (None, Reason.NO_PICTURE)),
        ({"picture_placed": False}, (None, Reason.ASSOCIATION_UNPROVEN)),
        (
            {"picture": picture(usable=False)},
            (check(K.PICTURE_ROWS, AGREE, 0, 0), Reason.PICTURE_INCOMPLETE),
        ),
        (
            {"picture": picture(rows_missing=1)},
            (check(K.PICTURE_ROWS, DISAGREE, 1, 0), Reason.PICTURE_INCOMPLETE),
        ),
    ],
)
def test_a_picture_that_cannot_be_used_is_compared_with_nothing(
    changes: dict[str, object], expected: tuple[Check | None, Reason]
) -> None:
    assert check_picture(parcel(**changes), facts(), SETTINGS, RULES) == (expected,)


@pytest.mark.parametrize(
    "changes",
    [
        {"outline_count": 0},
        {"outline_count": -1},
        {"rows_missing": -1},
        {"opaque_area_mm2": -1},
        {"metal_area_mm2": -1},
    ],
)
def test_findings_that_nobody_can_have_measured_prove_nothing(changes: dict[str, int]) -> None:
    """A picture called usable without an outline was released once, wherever its outline lay."""
    found = check_picture(parcel(picture=picture(**changes)), facts(), SETTINGS, RULES)
    assert [reason for _, reason in found] == [Reason.PICTURE_INCOMPLETE]


def test_rows_missing_up_to_the_limit_of_the_rules() -> None:
    patient = Rules(rows_missing_max=2)
    found = check_picture(parcel(picture=picture(rows_missing=2)), facts(), SETTINGS, patient)
    assert found[0] == (check(K.PICTURE_ROWS, AGREE, 2, 2), None)


@pytest.mark.parametrize(
    ("changes", "listed", "expected"),
    [
        ({"length_counts": -1}, facts(), (ROWS, OPAQUE, WIDTH, METAL)),
        ({"dimensions": None}, facts(), (ROWS, OPAQUE, LENGTH, METAL)),
        ({"dimensions": dimensioned(measurable=False)}, facts(), (ROWS, OPAQUE, LENGTH, METAL)),
        ({}, None, (ROWS, OPAQUE, LENGTH, WIDTH)),
    ],
)
def test_a_picture_is_compared_with_what_there_is(
    changes: dict[str, object], listed: ListFacts | None, expected: tuple[object, ...]
) -> None:
    """What is missing holds the parcel by a reason of its own."""
    assert check_picture(parcel(**changes), listed, SETTINGS, RULES) == expected


def test_a_picture_of_a_parcel_that_the_eye_saw_without_length_disagrees() -> None:
    found = check_picture(parcel(length_counts=0), facts(), SETTINGS, RULES)
    assert found[2] == (check(K.PICTURE_LENGTH, DISAGREE, 300, 0, 15), DISAGREES)


# --- metal ----------------------------------------------------------------------------------------

HEADINGS = (MetalLimit("85", 500), MetalLimit("8516", 40_000), MetalLimit("851671", 50))


@pytest.mark.parametrize("limits", [HEADINGS, HEADINGS[::-1]])
@pytest.mark.parametrize(
    ("gcodes", "limit_mm2"),
    [
        (("1901101000",), 100),  # no heading fits: what any goods may show
        (("8504401400",), 500),
        (("8516601000",), 40_000),  # the longer heading wins, although it allows more
        (("8516719000",), 50),  # and although it allows less
        (("1901101000", "8504401400"), 500),  # several goods: the largest
        (("8516719000", "1901101000"), 100),
        ((), 100),  # no goods named: what any goods may show
    ],
)
def test_metal_that_the_declared_goods_may_show(
    limits: tuple[MetalLimit, ...], gcodes: tuple[str, ...], limit_mm2: int
) -> None:
    goods = tuple(GoodsRow(gcode, 100_000) for gcode in gcodes)
    rules = Rules(metal_limits=limits)
    assert metal_limit_mm2(facts(goods=goods), rules) == limit_mm2
    for area_mm2, reason in ((limit_mm2, None), (limit_mm2 + 1, Reason.UNDECLARED_METAL)):
        seen = parcel(picture=picture(metal_area_mm2=area_mm2))
        found = check_picture(seen, facts(goods=goods), SETTINGS, rules)
        assert found[4][1] is reason
