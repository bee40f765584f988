"""Where something lies on the belt: the outline of one frame. Pure.

The outline is everything that is not belt, not the largest blob: a thin mailer breaks into many.
Each mask is "threshold per pixel, then 3 x 3 majority": the majority removes noise and single dead
columns without moving a straight edge, which a blur would do by a pixel on each side.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from controller.core.units import mm_from_counts
from vision.calibration import REFERENCE_COLUMNS, FlatField
from vision.frame_assembly import LOW, ScanFrame

Mask = NDArray[np.uint8]  # 0 or 1
Floats = NDArray[np.float32]

# Low energy sees thin things best: 1 mm of cardboard takes 2 to 4 %, its noise is 0.8 to 1.6 %.
FOREGROUND_LOW_BELOW = 0.96
# Dust, a crumb, a noise cluster: smaller than this is no part of a parcel.
SPECK_AREA_MM2 = 25
# Belt that must be seen empty between two objects; less is a fold, a tape, or touching.
CLEAR_BELT_MM_MIN = 6


def outline_mask(frame: ScanFrame, field: FlatField, air: Floats) -> Mask:
    """1 where something lies on the belt: low-energy transmission under FOREGROUND_LOW_BELOW.

    Compared in raw counts, one limit a column, so that the empty belt costs no arithmetic. Missing
    rows are 0. Components smaller than SPECK_AREA_MM2 are removed.
    """
    with np.errstate(divide="ignore"):
        net = np.where(field.dead[:, LOW], 0, 1 / field.gain[:, LOW])
    limit = np.where(
        field.dead[:, LOW], 0, field.dark[:, LOW] + FOREGROUND_LOW_BELOW * air[LOW] * net
    )
    below = frame.samples[..., LOW] < limit.astype(np.uint16)
    mask = majority(below & frame.row_present[:, np.newaxis])
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    keep = np.array(
        [area_mm2(frame, int(stats[i, cv2.CC_STAT_AREA])) >= SPECK_AREA_MM2 for i in range(count)]
    )
    keep[0] = False
    return np.asarray(keep[labels], np.uint8)


def majority(mask: NDArray[np.bool_]) -> Mask:
    """3 x 3 majority of a boolean mask; borders repeat their edge."""
    return np.asarray(cv2.medianBlur(np.ascontiguousarray(mask).view(np.uint8), 3), np.uint8)


def bounding_region(mask: Mask) -> tuple[slice, slice] | None:
    """Rows and columns that hold every 1 of the mask; None if it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return slice(int(rows[0]), int(rows[-1]) + 1), slice(int(columns[0]), int(columns[-1]) + 1)


def reaches_border(mask: Mask, rows: slice, columns: slice) -> bool:
    """Whether the outline may go on outside the picture or covers a reference column."""
    row_count, column_count = int(mask.shape[0]), int(mask.shape[1])
    along = rows.start == 0 or rows.stop == row_count
    right = column_count - REFERENCE_COLUMNS
    return bool(along or columns.start < REFERENCE_COLUMNS or columns.stop > right)


def ends_unproven(frame: ScanFrame, rows: slice) -> bool:
    """A row lost right before or after the outline may have belonged to it."""
    outer = [row for row in (rows.start - 1, rows.stop) if 0 <= row < frame.row_count]
    return not bool(np.all(frame.row_present[outer]))


def count_along_belt(frame: ScanFrame, mask: Mask) -> int:
    """Objects with at least CLEAR_BELT_MM_MIN of belt seen clear between them. A missing row is
    never clear belt.
    """
    covered = mask.any(axis=1)
    clear_so_far = np.cumsum(~covered & frame.row_present)
    clear_rows_between = np.diff(clear_so_far[covered])
    pitch_counts, per_m = frame.source.row_pitch_counts, frame.source.encoder_counts_per_m
    gaps_mm = [mm_from_counts(int(rows) * pitch_counts, per_m) for rows in clear_rows_between]
    return int(covered.any()) + sum(gap_mm >= CLEAR_BELT_MM_MIN for gap_mm in gaps_mm)


def area_mm2(frame: ScanFrame, pixels: int) -> int:
    """Pixels to mm2 in the belt plane, rounded half up."""
    source = frame.source
    area = pixels * source.pixel_pitch_um * source.row_pitch_counts
    return (2 * area + source.encoder_counts_per_m) // (2 * source.encoder_counts_per_m)
