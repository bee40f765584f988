from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.synthetic import (
    COLUMN_MM,
    HELLO,
    ROW_MM,
    STEEL,
    Box,
    assembled,
    calibration,
    field,
    frame,
    frame_packets,
    samples,
)
from vision.analysis import Measurement, PictureFault, findings_of, measure
from vision.calibration import REFERENCE_COLUMNS, CalibrationRefused, flat_field
from vision.frame_assembly import ScanFrame
from vision.scan_rows import Calibration, FrameBegin, FrameEnd, Rows

FIELD = field()
PARCEL = Box(60, 100, 120, 160)


def measured(picture: ScanFrame, previous: ScanFrame | None = None) -> Measurement:
    return measure(picture, FIELD, previous)


@given(
    row=st.integers(4, 100),
    column=st.integers(REFERENCE_COLUMNS, 200),
    rows=st.integers(15, 150),
    columns=st.integers(15, 260),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_a_box_is_measured_to_the_row_and_column(
    row: int, column: int, rows: int, columns: int, seed: int
) -> None:
    picture = frame([Box(row, column, rows, columns)], seed=seed)
    found = findings_of(picture, measured(picture), "cal-1", "0" * 64)
    assert found.usable
    assert found.outline_count == 1
    assert found.length_mm == rows * ROW_MM
    assert abs(found.width_mm - columns * COLUMN_MM) <= 0.5
    assert found.outline_start_counts == 1_000 + 2 * row
    assert abs(found.mean_attenuation_milli - 400) <= 8
    assert 390 <= found.max_attenuation_milli <= 480
    assert (found.metal_area_mm2, found.opaque_area_mm2) == (0, 0)


@given(
    row=st.integers(62, 120),
    column=st.integers(102, 200),
    rows=st.integers(6, 50),
    columns=st.integers(6, 55),
    seed=st.integers(0, 1000),
)
@settings(max_examples=60, deadline=None)
def test_steel_under_goods_is_measured_within_its_edge(
    row: int, column: int, rows: int, columns: int, seed: int
) -> None:
    metal = Box(row, column, rows, columns, STEEL)
    found = measured(frame([PARCEL, metal], seed=seed))
    true_mm2 = rows * ROW_MM * columns * COLUMN_MM
    corners_mm2 = 4 * ROW_MM * COLUMN_MM  # the majority rounds them off
    assert abs(found.metal_area_mm2 - true_mm2) <= max(0.01 * true_mm2, corners_mm2)
    assert found.opaque_area_mm2 == 0
    assert found.faults == ()
    assert 1_450 <= found.max_attenuation_milli <= 1_700


def test_a_thin_sheet_of_paper_is_an_outline_and_never_metal() -> None:
    found = measured(frame([replace(PARCEL, attenuation=(0.05, 0.06))]))
    assert (found.length_rows, found.width_columns) == (120, 160)
    assert found.metal_area_mm2 == 0


def test_what_nothing_passes_is_opaque_and_metal_like() -> None:
    found = measured(frame([PARCEL, Box(80, 120, 20, 40, (9.0, 15.0))]))
    assert abs(found.opaque_area_mm2 - 2_400) <= 24
    assert abs(found.metal_area_mm2 - 2_400) <= 24
    # Low energy gone, high energy not: the ratio is only a lower bound, and must not read organic.
    thick = measured(frame([PARCEL, Box(80, 120, 20, 40, (4.0, 7.6))]))
    assert abs(thick.metal_area_mm2 - 2_400) <= 48
    assert thick.opaque_area_mm2 == 0


@pytest.mark.parametrize(
    ("gap_rows", "outlines"),
    [(0, 1), (2, 1), (3, 2), (40, 2)],  # 6 mm of clear belt are 3 rows
)
def test_two_parcels_are_two_outlines_only_with_clear_belt_between(
    gap_rows: int, outlines: int
) -> None:
    second = Box(PARCEL.row + 60 + gap_rows, 130, 60, 90)
    found = measured(frame([replace(PARCEL, rows=60), second]))
    assert found.outline_count == outlines
    assert found.length_rows == 120 + gap_rows


def test_the_outline_is_all_foreground_and_no_speck() -> None:
    """A mailer of two contents side by side is one parcel as wide as both; dust is none."""
    parts = [Box(60, 60, 100, 60), Box(80, 300, 100, 60), Box(20, 240, 2, 3), Box(250, 240, 1, 1)]
    found = measured(frame(parts))
    assert (found.start_row, found.length_rows, found.width_columns) == (60, 120, 300)
    assert found.outline_count == 1


def test_an_empty_belt_is_no_picture_of_a_parcel() -> None:
    found = measured(frame([]))
    assert found == Measurement((PictureFault.EMPTY,))


def test_the_encoder_may_wrap_inside_a_frame() -> None:
    picture = assembled(frame_packets(samples([PARCEL]), first_row_encoder_counts=2**32 - 50))
    found = findings_of(picture, measured(picture), "cal-1", "0" * 64)
    assert found.outline_start_counts == 2 * 60 - 50


# --- pictures that cannot be judged ---------------------------------------------------------------


def with_counts(wire: np.ndarray) -> ScanFrame:
    return assembled(frame_packets(wire.astype(np.uint16)))


def without_rows(*lost: int) -> ScanFrame:
    """The parcel's frame with single rows lost."""
    wire = samples([PARCEL])
    sent = [
        Rows(7, row, 1, 480, wire[row].astype(">u2").tobytes())
        for row in range(len(wire))
        if row not in lost
    ]
    return assembled([FrameBegin(7, 1_000), *sent, FrameEnd(7, len(wire))])


def test_a_frozen_picture() -> None:
    first, again = frame([PARCEL], seed=5), frame([PARCEL], seed=5)
    assert measured(again, previous=first).faults == (PictureFault.FROZEN,)
    assert measured(again, previous=frame([PARCEL], seed=6)).faults == ()


def test_black_and_saturated_pictures() -> None:
    wire = samples([PARCEL])
    assert measured(with_counts(np.full_like(wire, 2250))).faults == (PictureFault.BLACK,)
    assert measured(with_counts(np.zeros_like(wire))).faults == (PictureFault.BLACK,)
    one_energy = wire.copy()
    one_energy[:, 0] = 2250
    assert PictureFault.BLACK in measured(with_counts(one_energy)).faults
    assert PictureFault.SATURATED in measured(with_counts(np.full_like(wire, 65_535))).faults
    clipped = wire.copy()
    clipped[10:30, :, 200:300] = 65_535
    assert measured(with_counts(clipped)).faults == (PictureFault.SATURATED,)


@pytest.mark.parametrize(
    ("flux", "drifted"), [(0.96, True), (0.98, False), (1.02, False), (1.04, True)]
)
def test_drift_is_rescaled_or_refused(flux: float, drifted: bool) -> None:
    found = measured(frame([PARCEL], flux=flux))
    assert (found.faults == (PictureFault.DRIFTED,)) is drifted
    if not drifted:
        assert (found.length_rows, found.width_columns) == (120, 160)
        assert abs(found.mean_attenuation_milli - 400) <= 8


def test_no_calibration_measures_nothing() -> None:
    found = measure(frame([PARCEL]), None, None)
    assert found == Measurement((PictureFault.NO_CALIBRATION,))


def test_a_lost_row_inside_the_outline_is_counted_and_changes_no_length() -> None:
    picture = without_rows(100, 101)
    found = measured(picture)
    assert picture.rows_missing == 2
    assert (found.faults, found.length_rows, found.outline_count) == ((), 120, 1)


def test_lost_rows_are_never_clear_belt() -> None:
    """Ten lost rows inside one parcel must not make it two, nor hide that belt was between two."""
    assert measured(without_rows(*range(100, 110))).outline_count == 1


@pytest.mark.parametrize("lost", [59, 60, 179, 180])
def test_a_lost_row_at_an_end_leaves_the_length_unproven(lost: int) -> None:
    assert measured(without_rows(lost)).faults == (PictureFault.ROWS_MISSING,)


def test_many_lost_rows_and_a_missing_end() -> None:
    assert PictureFault.ROWS_MISSING in measured(without_rows(*range(200, 214))).faults
    unended = assembled(frame_packets(samples([PARCEL]))[:-1])
    assert measured(unended).faults == (PictureFault.NOT_ENDED,)
    empty = assembled([FrameBegin(7, 0), FrameEnd(7, 0)])
    assert measured(empty).faults == (PictureFault.NO_ROWS,)
    nothing_came = assembled([FrameBegin(7, 0), FrameEnd(7, 300)])
    assert measured(nothing_came).faults == (PictureFault.NO_ROWS,)


@pytest.mark.parametrize(
    "box",
    [
        Box(0, 100, 120, 160),
        Box(140, 100, 120, 160),
        Box(60, 4, 120, 160),
        Box(60, 330, 120, 145),
    ],
)
def test_a_parcel_that_leaves_the_picture_is_cut(box: Box) -> None:
    assert PictureFault.CUT in measured(frame([box])).faults


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_no_content_makes_the_analysis_raise(data: st.DataObject) -> None:
    """Whatever samples come, in whatever small frame, the answer is a measurement with bounds."""
    row_count = data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 2**32 - 1)))
    low, high = sorted(data.draw(st.tuples(st.integers(0, 65_535), st.integers(0, 65_535))))
    wire = rng.integers(low, high + 1, (row_count, 2, 480), np.uint16)
    picture = assembled(frame_packets(wire))
    found = findings_of(picture, measured(picture), "cal-1", "0" * 64)
    assert 0 <= found.metal_area_mm2 <= row_count * ROW_MM * 720
    assert 0 <= found.length_mm <= row_count * ROW_MM
    assert 0 <= found.mean_attenuation_milli <= found.max_attenuation_milli + 7_700 <= 2 * 7_700


# --- calibrations ---------------------------------------------------------------------------------


def with_dead(*columns: int) -> Calibration:
    """The calibration of a detector whose `columns` see nothing in either energy."""
    good = calibration()
    air = np.array([np.frombuffer(c, ">u2") for c in (good.air_high, good.air_low)], ">u2")
    air[:, list(columns)] = 2250
    return replace(good, air_high=air[0].tobytes(), air_low=air[1].tobytes())


def test_single_dead_columns_are_bridged() -> None:
    wire = samples([PARCEL, Box(80, 150, 30, 40, STEEL)])
    wire[:, :, 160] = 2250
    found = measure(with_counts(wire), flat_field(with_dead(160)), None)
    assert (found.faults, found.length_rows, found.width_columns) == ((), 120, 160)
    assert abs(found.metal_area_mm2 - 3_600) <= 72
    assert found.opaque_area_mm2 == 0


def test_a_column_that_died_since_is_no_parcel() -> None:
    wire = samples([PARCEL])
    wire[:, :, 300] = 2250
    found = measured(with_counts(wire))
    assert (found.faults, found.length_rows, found.width_columns) == ((), 120, 160)
    wire[:, :, 300:304] = 2250  # four of them cannot be told from a rod along the whole belt
    assert PictureFault.CUT in measured(with_counts(wire)).faults


def test_calibrations_that_cannot_carry_a_measurement() -> None:
    with pytest.raises(CalibrationRefused, match="neighbouring"):
        flat_field(with_dead(10, 11))
    with pytest.raises(CalibrationRefused, match="10 of 480 columns are dead"):
        flat_field(with_dead(*range(20, 60, 4)))
    with pytest.raises(CalibrationRefused, match="480 of 480"):
        flat_field(replace(calibration(), air_low=b"\xff\xff" * HELLO.columns))
    with pytest.raises(CalibrationRefused, match="at least 32"):
        flat_field(calibration(20))
