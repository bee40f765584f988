"""Integers as people read them, and the drawing of a belt."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import formats, i18n, mimic
from api.check_rows import check_rows, status_text
from api.priorities import priority, state_priorities
from api.timeline_words import details, title
from controller import wire
from controller.core.commands import Check
from controller.core.settings import Eye, Gate, Lane, LineSettings
from controller.core.vocabulary import AlarmKind, CheckKind, CheckResult, Destination, LineState
from tests.api.synthetic import run_story
from tests.core.story import SETTINGS

EN = i18n.load()["en"]


@pytest.mark.parametrize(
    ("weight_mg", "text"),
    [
        (0, "0.000 kg"),
        (499, "0.000 kg"),
        (500, "0.001 kg"),
        (2_340_000, "2.340 kg"),
        (-1_500_000, "−1.500 kg"),
        (12_345_678_900, "12,345.679 kg"),
    ],
)
def test_kilograms(weight_mg: int, text: str) -> None:
    assert formats.kg(weight_mg) == text


@given(st.integers(-(10**12), 10**12))
def test_kilograms_never_lie_by_more_than_half_a_gram(weight_mg: int) -> None:
    text = formats.kg(weight_mg, signed=True).removesuffix(" kg").replace(",", "")
    grams = int(text.replace("−", "-").replace(".", ""))
    assert abs(grams * 1_000 - weight_mg) <= 500


def test_other_numbers() -> None:
    assert formats.percent(1_180_000, 2_000_000) == "+59.0 %"
    assert formats.percent(-1, 2_000_000) == ""
    assert formats.percent(5, 0) == ""
    assert formats.e5(300_000) == "3"
    assert formats.e5(1_250_000) == "12.5"
    assert formats.money(29_700_000, "142") == "297.00 CNY"
    assert formats.utc_iso(0) is None
    assert formats.utc_iso(1_795_312_800_123_999_999) == "2026-11-22T02:00:00.123Z"
    assert formats.customs_time("20261122091000000") == "2026-11-22 09:10:00"
    assert formats.customs_time("nonsense") == "nonsense"
    assert formats.local_time(0) == "–"


def test_what_disagrees_comes_first_and_nothing_is_invented() -> None:
    rows = check_rows(
        (
            Check(CheckKind.CUSTOMS_STATUS, CheckResult.AGREE, 800, 800, 0),
            Check(CheckKind.WEIGHT, CheckResult.NOT_MEASURABLE, -1, 2_000_000, 0),
            Check(CheckKind.METAL_AREA, CheckResult.DISAGREE, 1_850, 100, 0),
        ),
        EN,
    )
    assert [row.kind for row in rows] == ["METAL_AREA", "CUSTOMS_STATUS", "WEIGHT"]
    assert [row.outside for row in rows] == [True, False, False]
    weight = rows[2]
    assert (weight.measured, weight.difference, weight.tolerance) == ("–", "–", "–")
    assert (rows[0].expected, rows[0].difference) == ("≤ 100 mm²", "+1,750 mm²")


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (800, "800 released"),
        (0, "no receipt yet"),
        (123, "unknown status 123"),
        (-301004, "processing error -301004"),
    ],
)
def test_customs_statuses_have_words(status: int, text: str) -> None:
    assert status_text(status, EN) == text


def test_everything_has_a_priority() -> None:
    assert {priority(kind) for kind in AlarmKind} == {1, 2, 3}
    assert set(state_priorities()) == set(LineState.__members__)
    assert state_priorities()["EXECUTE"] == 0


def test_every_journalled_message_has_a_sentence() -> None:
    line, _ = run_story(20)
    for _, event, commands in line.log:
        for message in (event, *commands):
            assert title(message, EN) != f"event.{type(message).__name__}"
            assert "{" not in details(message, EN)
            assert wire.kind_of(message) < 150


def line_with(gates: tuple[Gate, ...], lanes: tuple[Lane, ...], xray_mm: int) -> LineSettings:
    return LineSettings(
        name="X", belt_speed_mm_per_s=500, encoder_counts_per_m=1_000, eyes=(Eye(1, 0),),
        gates=gates, lanes=lanes, scanner_position_mm=100, scale_position_mm=200,
        dimensioner_position_mm=300, xray_position_mm=xray_mm, decision_position_mm=9_000,
        belt_end_mm=20_000,
    )  # fmt: skip


@pytest.mark.parametrize(
    "line",
    [
        SETTINGS,
        line_with((), (Lane(1, 0, "straight", (Destination.HOLD,)),), 400),
        line_with(
            tuple(Gate(n, 10_000 + n * 900) for n in range(1, 9)),
            tuple(Lane(n, n, "left", (Destination.RELEASE,)) for n in range(1, 9)),
            8_000,
        ),
    ],
)
def test_a_drawing_stays_in_its_frame_and_boxes_apart(line: LineSettings) -> None:
    drawing = mimic.draw(line)
    boxes = [(d.box_x, d.box_x + 118, 26) for d in drawing.devices]
    boxes += [(lane.x, lane.x + lane.width, lane.y) for lane in drawing.lanes]
    for left, right, _ in boxes:
        assert 0 <= left < right <= drawing.width
    for n, (left, right, y) in enumerate(boxes):
        for other_left, other_right, other_y in boxes[n + 1 :]:
            assert y != other_y or right <= other_left or other_right <= left
    assert drawing.belt_left < drawing.x_at_induct < drawing.belt_right < drawing.width
