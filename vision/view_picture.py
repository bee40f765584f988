"""The picture for people: the usual colours of X-ray consoles, one PNG beside the raw rows.

Orange is organic, green mixed or light metal, blue metal, near black not penetrated; the more
radiation is taken, the deeper the colour. It is drawn after the findings were sent, decides nothing
and can be drawn again from the evidence at any time, so it is not synced and may be dropped.
"""

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.analysis import METAL_RATIO_MIN, OPAQUE_BELOW, attenuation
from vision.calibration import FlatField, transmission
from vision.frame_assembly import HIGH, LOW, ScanFrame

# Organics reach 1.3 (water 1.2), aluminium starts at 1.4.
ORGANIC_RATIO_MAX = 1.35
# Colours at full depth, BGR.
ORGANIC_BGR = (0, 110, 235)
MIXED_BGR = (50, 140, 30)
METAL_BGR = (190, 60, 10)
OPAQUE_BGR = (30, 10, 25)
MISSING_ROW_BGR = (190, 190, 190)
# -ln T (mean of both energies) at which a colour has 63 % of its depth.
DEPTH_ATTENUATION = 0.9
PNG_COMPRESSION = 1

Picture = NDArray[np.uint8]


def view_picture(frame: ScanFrame, field: FlatField) -> Picture:
    """BGR, uint8, square pixels (rows are stretched or shrunk to the pixel pitch), belt is white.

    The ratio is smoothed over 3 x 3 pixels: people look at areas, not at pixels.
    """
    passed = transmission(frame.samples, field, slice(None))
    passed[~frame.row_present] = 1  # or the smoothing would darken their neighbours
    high = cv2.blur(attenuation(passed[..., HIGH]), (3, 3))
    low = cv2.blur(attenuation(passed[..., LOW]), (3, 3))
    ratio = low / np.maximum(high, np.float32(0.02))
    class_no = (ratio > ORGANIC_RATIO_MAX).astype(np.uint8) + (ratio >= METAL_RATIO_MIN)
    # Thin things have no measurable ratio; they are drawn as organic, pale as they are.
    class_no[high < 0.1] = 0
    full_depth = np.array([ORGANIC_BGR, MIXED_BGR, METAL_BGR], np.float32)[class_no]
    depth = 1 - np.exp(-np.maximum(high + low, 0) / (2 * DEPTH_ATTENUATION))
    picture = 255 - (255 - full_depth) * depth[..., np.newaxis]
    picture[passed[..., HIGH] < OPAQUE_BELOW] = OPAQUE_BGR
    picture[~frame.row_present] = MISSING_ROW_BGR
    return _square_pixels(picture.astype(np.uint8), frame)


def _square_pixels(picture: Picture, frame: ScanFrame) -> Picture:
    source = frame.source
    row_um = source.row_pitch_counts * 1_000_000 / source.encoder_counts_per_m
    height = max(1, round(len(picture) * row_um / source.pixel_pitch_um))
    resized = cv2.resize(picture, (picture.shape[1], height), interpolation=cv2.INTER_NEAREST)
    return np.asarray(resized, np.uint8)


def write_view(path: Path, frame: ScanFrame, field: FlatField) -> None:
    """Draw and write `path` whole or not at all (no reader ever sees half a picture). OSError."""
    encoded, png = cv2.imencode(
        ".png", view_picture(frame, field), (cv2.IMWRITE_PNG_COMPRESSION, PNG_COMPRESSION)
    )
    if not encoded:
        raise OSError(f"{path.name}: the picture could not be encoded")
    part = path.with_suffix(".png.part")
    part.write_bytes(png.data)
    part.replace(path)
