"""One frame to the numbers that the core compares. Pure: a frame and a flat field in, integers out.

The limits that decide about parcels are rules of the core; the constants here only say what can be
measured. A picture that cannot be judged says so (`faults`), it never guesses.
"""

from dataclasses import dataclass
from enum import StrEnum

import cv2
import numpy as np
from numpy.typing import NDArray

from controller.core.events import PictureFindings
from controller.core.units import mm_from_counts, u32_sum
from vision.calibration import (
    FlatField,
    has_drifted,
    is_black,
    reference_transmission,
    transmission,
)
from vision.frame_assembly import HIGH, LOW, ScanFrame
from vision.outline import (
    Floats,
    Mask,
    area_mm2,
    bounding_region,
    count_along_belt,
    ends_unproven,
    majority,
    outline_mask,
    reaches_border,
)

# The vision process is one of several on two cores; OpenCV's own threads would only fight them.
cv2.setNumThreads(1)


# LL/LH is 1.15 for thin plastic, 1.2 for organics, 1.9 for steel; 1.5 lies 2 to 4 sigma of one pixel
# from both, which a majority of 9 makes certain. Over goods, steel is seen while it takes at least
# 3/4 of what they take; behind denser goods it is not, at this ratio or any safe one.
METAL_RATIO_MIN = 1.5
# Below this the noise of LH (0.03) makes the ratio meaningless: nothing so thin is called metal.
RATIO_ATTENUATION_MIN = 0.25
# No material passes less than this measurably: 30 mm of steel or 2 mm of lead.
OPAQUE_BELOW = 0.004
# Below this a transmission is noise; -ln T ends at 7.6.
TRANSMISSION_FLOOR = 0.0005
SATURATED_COUNTS = 65_535
SATURATED_MAX_PERMILLE = 1
# More lost rows than this are no picture, wherever they lie. Fewer are counted and left to a rule.
ROWS_MISSING_MAX_PERMILLE = 50
# `profile_version` while no profiles of goods are in use.
NO_PROFILE = "none"


class PictureFault(StrEnum):
    """Why a picture cannot be judged; the value is the sentence for the log."""

    NO_ROWS = "no row was received"
    NO_CALIBRATION = "no usable calibration"
    NOT_ENDED = "the source never said how many rows it scanned"
    CONTRADICTORY = "two packets disagree about a row"
    ROWS_MISSING = "too many rows are missing, or one at an end of the outline"
    FROZEN = "identical to the picture before"
    BLACK = "no radiation reached the detector"
    SATURATED = "the detector was saturated"
    EMPTY = "nothing lies on the belt in it"
    EVIDENCE_LOST = "its raw rows could not be stored"
    DRIFTED = "the reference columns no longer read air"
    CUT = "the outline reaches the border of the picture"


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, in PictureFindings' units; all 0 where nothing could be."""

    faults: tuple[PictureFault, ...]
    start_row: int = 0
    length_rows: int = 0
    width_columns: int = 0
    outline_count: int = 0
    mean_attenuation_milli: int = 0
    max_attenuation_milli: int = 0
    metal_area_mm2: int = 0
    opaque_area_mm2: int = 0


def measure(frame: ScanFrame, field: FlatField | None, previous: ScanFrame | None) -> Measurement:
    """Everything one frame can tell. `previous` is the source's last frame, to see a freeze."""
    faults = received_faults(frame, previous)
    if field is None:
        return Measurement((*faults, PictureFault.NO_CALIBRATION))
    if PictureFault.NO_ROWS in faults:
        return Measurement(faults)
    reference = reference_transmission(frame, field)
    if is_black(reference):
        return Measurement((*faults, PictureFault.BLACK))
    if has_drifted(reference):
        return Measurement((*faults, PictureFault.DRIFTED))
    air = reference.mean(axis=0)
    outline = outline_mask(frame, field, air)
    region = bounding_region(outline)
    if region is None:
        return Measurement((*faults, PictureFault.EMPTY))
    return _measure_outline(frame, field, air, outline, region, faults)


def received_faults(frame: ScanFrame, previous: ScanFrame | None) -> tuple[PictureFault, ...]:
    """What is wrong with the frame as received, before any calibration."""
    if not frame.row_present.any():
        return (PictureFault.NO_ROWS,)
    saturated = np.count_nonzero(frame.samples == SATURATED_COUNTS)
    found = {
        PictureFault.NOT_ENDED: not frame.ended,
        PictureFault.CONTRADICTORY: frame.contradictory,
        PictureFault.ROWS_MISSING: (
            1000 * frame.rows_missing > ROWS_MISSING_MAX_PERMILLE * frame.row_count
        ),
        PictureFault.FROZEN: (
            previous is not None and np.array_equal(frame.samples, previous.samples)
        ),
        PictureFault.SATURATED: 1000 * saturated > SATURATED_MAX_PERMILLE * frame.samples.size,
    }
    return tuple(fault for fault, holds in found.items() if holds)


def _measure_outline(
    frame: ScanFrame,
    field: FlatField,
    air: Floats,
    outline: Mask,
    region: tuple[slice, slice],
    faults: tuple[PictureFault, ...],
) -> Measurement:
    rows, columns = region
    passed = transmission(frame.samples[rows, columns], field, columns) / air
    high, low = attenuation(passed[..., HIGH]), attenuation(passed[..., LOW])
    inside = outline[region] > 0
    opaque = majority(passed[..., HIGH] < OPAQUE_BELOW) & outline[region]
    metal = majority(metal_like(passed, high, low)) & outline[region]
    cut = reaches_border(outline, rows, columns)
    torn = ends_unproven(frame, rows)
    found = (PictureFault.CUT,) * cut + (PictureFault.ROWS_MISSING,) * torn
    return Measurement(
        faults=tuple(dict.fromkeys(faults + found)),
        start_row=rows.start,
        length_rows=rows.stop - rows.start,
        width_columns=columns.stop - columns.start,
        outline_count=count_along_belt(frame, outline),
        mean_attenuation_milli=_milli(high[inside].mean()),
        max_attenuation_milli=_milli(cv2.medianBlur(high, 3)[inside].max()),
        metal_area_mm2=area_mm2(frame, int(np.count_nonzero(metal))),
        opaque_area_mm2=area_mm2(frame, int(np.count_nonzero(opaque))),
    )


def attenuation(passed: Floats) -> Floats:
    """-ln T, T clipped to TRANSMISSION_FLOOR from below; slightly negative on clear belt."""
    return -np.log(np.maximum(passed, np.float32(TRANSMISSION_FLOOR)))


def metal_like(passed: Floats, high: Floats, low: Floats) -> NDArray[np.bool_]:
    """Pixels whose LL/LH only metal has. Where the low energy no longer gets through, the ratio is
    only bounded from below; nothing organic in a parcel stops it (300 mm of water), so it counts.
    """
    measurable = high >= RATIO_ATTENUATION_MIN
    return (measurable & (low >= METAL_RATIO_MIN * high)) | (passed[..., LOW] < OPAQUE_BELOW)


def _milli(value: float) -> int:
    """Thousandths, rounded half up, never negative."""
    return max(0, int(value * 1000 + 0.5))


def findings_of(
    frame: ScanFrame, measured: Measurement, calibration_id: str, picture_sha256: str
) -> PictureFindings:
    """The message for the core. Length and width in mm are rounded half up."""
    source = frame.source
    start_counts = measured.start_row * source.row_pitch_counts
    return PictureFindings(
        source=source.source,
        trigger_no=frame.trigger_no,
        first_row_encoder_counts=frame.first_row_encoder_counts,
        row_pitch_counts=source.row_pitch_counts,
        row_count=frame.row_count,
        rows_missing=frame.rows_missing,
        outline_start_counts=u32_sum(frame.first_row_encoder_counts, start_counts),
        length_mm=mm_from_counts(
            measured.length_rows * source.row_pitch_counts, source.encoder_counts_per_m
        ),
        width_mm=(measured.width_columns * source.pixel_pitch_um + 500) // 1000,
        outline_count=measured.outline_count,
        mean_attenuation_milli=measured.mean_attenuation_milli,
        max_attenuation_milli=measured.max_attenuation_milli,
        metal_area_mm2=measured.metal_area_mm2,
        opaque_area_mm2=measured.opaque_area_mm2,
        usable=not measured.faults,
        calibration_id=calibration_id,
        profile_version=NO_PROFILE,
        picture_sha256=picture_sha256,
    )
