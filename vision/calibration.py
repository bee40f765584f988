"""Dark and air rows to a flat field, and the proof on every frame that it still holds.

Without a calibration that passes here nothing is measured: a picture through a stale flat field
looks plausible and is wrong. The reference columns at both edges of the belt never see a parcel;
where they no longer read air, tube or detector have drifted and the frame is not judged.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.frame_assembly import HIGH, LOW, ScanFrame
from vision.scan_rows import Calibration

# Columns at each edge that no parcel covers (docs/xray-source.md asks for them).
REFERENCE_COLUMNS = 8
COLUMNS_MIN = 4 * REFERENCE_COLUMNS
# Air minus dark that a column must reach: "opaque" is 0.4 % of it, 8 counts, the least a 16-bit
# detector tells from its own noise over a few pixels. Real ones have 10,000 to 18,000.
NET_AIR_COUNTS_MIN = 2000
# Air this high clips on the brighter half of the tube's flicker.
AIR_COUNTS_MAX = 64_000
# Two dead neighbours leave a hole that the 3 x 3 majority of the analysis cannot fill.
DEAD_COLUMNS_MAX_PERMILLE = 20
# The whole frame is rescaled by its reference columns up to this; the outline's threshold is at
# 40 permille, so a drift beyond would show as a parcel of its own.
DRIFT_MAX_PERMILLE = 30
# An empty belt passes about everything; half of it gone means that the tube is off, not drifted.
BLACK_BELOW_PERMILLE = 500


class CalibrationRefused(ValueError):
    """This calibration cannot be used; the sentence says why."""


@dataclass(frozen=True, slots=True, eq=False)
class FlatField:
    """`transmission = (sample - dark) * gain`, float32, columns x 2. Dead columns: gain 0."""

    calibration_id: str
    taken_utc_ns: int
    dark: NDArray[np.float32]
    gain: NDArray[np.float32]
    dead: NDArray[np.bool_]


def flat_field(packet: Calibration) -> FlatField:
    """The flat field of a CALIBRATION packet. CalibrationRefused if its curves cannot carry one."""
    dark = _curves(packet.dark_high, packet.dark_low)
    air = _curves(packet.air_high, packet.air_low)
    if len(dark) < COLUMNS_MIN:
        raise CalibrationRefused(f"{len(dark)} columns, at least {COLUMNS_MIN} are needed")
    net = air - dark
    dead = (net < NET_AIR_COUNTS_MIN) | (air > AIR_COUNTS_MAX)
    dead_columns: NDArray[np.bool_] = np.any(dead, axis=1)
    if 1000 * np.count_nonzero(dead_columns) > DEAD_COLUMNS_MAX_PERMILLE * len(dark):
        raise CalibrationRefused(
            f"{np.count_nonzero(dead_columns)} of {len(dark)} columns are dead"
        )
    if np.any(dead_columns[1:] & dead_columns[:-1]):
        raise CalibrationRefused("two neighbouring columns are dead")
    gain = np.where(dead, 0, 1 / np.where(dead, 1, net)).astype(np.float32)
    return FlatField(packet.calibration_id, packet.taken_utc_ns, dark, gain, dead)


def _curves(high: bytes, low: bytes) -> NDArray[np.float32]:
    pair = [np.frombuffer(curve, ">u2") for curve in (high, low)]
    return np.stack(pair, axis=1).astype(np.float32)


def reference_transmission(frame: ScanFrame, field: FlatField) -> NDArray[np.float32]:
    """Median transmission of each edge's reference columns, shape 2 edges x 2 energies.

    1.0 where nothing has drifted; 0 for a frame without rows.
    """
    if not frame.row_present.any():
        return np.zeros((2, 2), np.float32)
    edges = (slice(0, REFERENCE_COLUMNS), slice(-REFERENCE_COLUMNS, None))
    medians = []
    for edge in edges:
        samples = frame.samples[frame.row_present, edge]
        passed = transmission(samples, field, edge)
        # Medians over rows, then over columns: one dead column or one disturbed row is nothing.
        medians.append(np.median(np.median(passed, axis=0), axis=0))
    return np.array(medians, np.float32)


def transmission(
    samples: NDArray[np.uint16], field: FlatField, columns: slice
) -> NDArray[np.float32]:
    """Flat-fielded samples (rows x columns x 2), 1.0 is air; dead columns read 1.0."""
    passed = (samples - field.dark[columns]) * field.gain[columns]
    passed[:, field.dead[columns]] = 1
    return passed


def has_drifted(reference: NDArray[np.float32]) -> bool:
    """Whether any edge of any energy left the band in which rescaling the frame is honest."""
    return bool((np.abs(reference - 1) * 1000 > DRIFT_MAX_PERMILLE).any())


def is_black(reference: NDArray[np.float32]) -> bool:
    """Whether the tube was off: neither edge passed half of what air passes."""
    return bool((reference[:, [HIGH, LOW]] * 1000 < BLACK_BELOW_PERMILLE).all(axis=0).any())
