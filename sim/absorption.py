"""What a dual-energy line scanner would see of a parcel: a simple absorption model.

Two energies, two materials, straight parallel rays, no scatter and no blur. Each pixel's count is
`dark + air x exp(-sum mu_i d_i)` with photon and electronic noise. The numbers follow a real raw
scan (dark 2,250, net air 10.2 k high and 17.9 k low energy) and a 160 kV source at 1 m/s (air
signal to noise 38 and 63); attenuation low / high is 1.2 for organic material, 1.9 for steel.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.parcels import Content, Material, SimParcel

COLUMNS = 480
PIXEL_PITCH_UM = 1250
PIXEL_PITCH_MM = PIXEL_PITCH_UM / 1000
ROW_PITCH_COUNTS = 2
BELT_WIDTH_MM = COLUMNS * PIXEL_PITCH_MM
# The trigger eye stands this far before the beam; the frame goes on as far behind the parcel.
LEAD_MM = 60
TAIL_MM = 60
# Attenuation per mm of solid material, high energy then low.
MU_PER_MM = {Material.ORGANIC: (0.018, 0.0216), Material.METAL: (0.200, 0.380)}
CARTON_MM = 7  # both walls, padding and filling, as solid organic material over the whole footprint
DARK_COUNTS = 2250.0
NET_AIR_COUNTS = (10_200.0, 17_900.0)
AIR_SIGNAL_TO_NOISE = (38.0, 63.0)
ELECTRONIC_NOISE_COUNTS = 4.0
HEEL_SHARE = 0.08  # how much the beam weakens towards the edges of the belt

Counts = NDArray[np.uint16]
Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Detector:
    """One detector array: `dark` and `net_air` are float32, 2 energies x columns."""

    dark: Floats
    net_air: Floats


@dataclass(frozen=True, slots=True)
class PlacedParcel:
    """A parcel in a frame: `x_mm` of its leading edge behind the first parcel's leading edge."""

    parcel: SimParcel
    x_mm: int


def make_detector(seed: int) -> Detector:
    """A detector with its own pixel-to-pixel gain and dark level."""
    rng = np.random.default_rng([seed, 1])
    across = np.linspace(-1, 1, COLUMNS)
    heel = 1 - HEEL_SHARE * across**2
    gain = heel * rng.normal(1, 0.02, (2, COLUMNS))
    net_air = np.array(NET_AIR_COUNTS)[:, np.newaxis] * gain
    dark = rng.normal(DARK_COUNTS, 15, (2, COLUMNS))
    return Detector(dark.astype(np.float32), net_air.astype(np.float32))


def calibration_rows(detector: Detector) -> tuple[Counts, Counts]:
    """Dark and air, 2 x columns each, averaged over so many rows that no noise is left."""
    air = np.rint(detector.dark + detector.net_air)
    return np.rint(detector.dark).astype(np.uint16), air.astype(np.uint16)


def row_count(placed: Sequence[PlacedParcel], counts_per_m: int = 1000) -> int:
    """Rows from the trigger to TAIL_MM behind the last trailing edge, rounded up."""
    length_mm = max(place.x_mm + place.parcel.length_mm for place in placed)
    counts = (LEAD_MM + length_mm + TAIL_MM) * counts_per_m
    return -(-counts // (1000 * ROW_PITCH_COUNTS))


def render(placed: Sequence[PlacedParcel], detector: Detector, seed: int) -> Counts:
    """The frame of one body, rows x 2 energies x columns. Same arguments, same frame."""
    rows = row_count(placed)
    attenuation = np.zeros((rows, 2, COLUMNS), np.float32)
    for place in placed:
        for box in _boxes(place.parcel):
            _add_box(attenuation, place, box)
    rng = np.random.default_rng([seed, placed[0].parcel.number])
    return _with_noise(detector, np.exp(-attenuation), rng)


def _boxes(parcel: SimParcel) -> tuple[Content, ...]:
    carton = Content(0, 0, parcel.length_mm, parcel.width_mm, CARTON_MM, Material.ORGANIC)
    return (carton, *parcel.contents)


def _add_box(attenuation: Floats, place: PlacedParcel, box: Content) -> None:
    """Pixels at the border of a box hold the share of it that they cover."""
    near_side_mm = (BELT_WIDTH_MM - place.parcel.width_mm) / 2
    x_mm = LEAD_MM + place.x_mm + box.x_mm
    along = _coverage(len(attenuation), ROW_PITCH_COUNTS, x_mm, box.length_mm)
    across = _coverage(COLUMNS, PIXEL_PITCH_MM, near_side_mm + box.y_mm, box.width_mm)
    path_mm = np.outer(along, across) * np.float32(box.thickness_mm)
    for energy, mu in enumerate(MU_PER_MM[box.material]):
        attenuation[:, energy] += np.float32(mu) * path_mm


def _coverage(cells: int, pitch_mm: float, start_mm: float, length_mm: float) -> Floats:
    """The share of each cell of `pitch_mm` that lies in start_mm .. start_mm + length_mm."""
    edges = np.arange(cells + 1) * pitch_mm
    covered = np.minimum(edges[1:], start_mm + length_mm) - np.maximum(edges[:-1], start_mm)
    share: Floats = np.clip(covered / pitch_mm, 0, 1).astype(np.float32)
    return share


def _with_noise(detector: Detector, passed: Floats, rng: np.random.Generator) -> Counts:
    signal = passed * detector.net_air
    per_count = np.array(NET_AIR_COUNTS, np.float32) / np.square(AIR_SIGNAL_TO_NOISE)
    variance = signal * per_count.astype(np.float32)[:, np.newaxis] + ELECTRONIC_NOISE_COUNTS**2
    noise = rng.standard_normal(signal.shape, np.float32) * np.sqrt(variance)
    counts: Counts = np.clip(np.rint(detector.dark + signal + noise), 0, 65_535).astype(np.uint16)
    return counts
