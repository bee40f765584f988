"""Scanner, scale and dimensioner: a body that passed becomes a telegram, some time later.

Each `read(body, ...)` is pure but for its own counter and the run's random numbers. The noise of
scale and dimensioner is bounded (a sum of three uniform draws, sigma a third of the bound), so that an
honest parcel never leaves the tolerances through noise alone. Integers only: one seed, one run.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from controller.core.units import MG_PER_G, MG_PER_KG
from sim.beams import BeltParcel, Body, overlap_mm
from sim.belt import NM_PER_MM, Belt
from sim.plc_io import CodeSeen, DimensionReading, ScaleReading

SCALE_HALF_LENGTH_MM: Final = 250
SCALE_NOISE_MG_MIN: Final = 20 * MG_PER_G
SCALE_NOISE_PERMILLE: Final = 5
SCALE_OVER_RANGE_MG: Final = 60 * MG_PER_KG
ZERO_NOISE_MG: Final = 2 * MG_PER_G
DIMENSION_NOISE_MM: Final = 5
SYMBOLOGY_CODE128: Final = 1
# A label wants this much paper around its code.
LABEL_EDGE_MM: Final = 20


def bounded_noise(rng: Random, bound: int) -> int:
    """Bell-shaped, never beyond `bound`, sigma a third of it."""
    third = bound // 3
    return sum(rng.randint(-third, third) for _ in range(3))


def label_places_mm(rng: Random, labels: int, length_mm: int) -> tuple[int, ...]:
    """Where the labels of a parcel sit, from its leading edge."""
    edge_mm = min(LABEL_EDGE_MM, length_mm // 2)
    return tuple(rng.randint(edge_mm, length_mm - edge_mm) for _ in range(labels))


def read_labels(body: Body, belt: Belt, scanner_mm: int) -> tuple[CodeSeen, ...]:
    """Every distinct code on the body, where it was read; else one telegram that says nothing read."""
    seen: list[CodeSeen] = []
    for parcel in body.parcels:
        for text, offset_mm in zip(parcel.parcel.labels, parcel.label_mm, strict=True):
            if any(code.text == text for code in seen):
                continue
            at_nm = parcel.leading_nm(scanner_mm) + offset_mm * NM_PER_MM
            counts, at_us = belt.counts_at(at_nm), belt.time_at_us(at_nm)
            seen.append(CodeSeen(counts, at_us, len(seen) + 1, SYMBOLOGY_CODE128, text))
    if seen:
        return tuple(seen)
    middle_nm = body.middle_nm
    return (CodeSeen(belt.counts_at(middle_nm), belt.time_at_us(middle_nm), 0, 0, ""),)


@dataclass(slots=True)
class Scale:
    """A checkweigher. `stuck` repeats its last answer, counter included; `residue_mg` lies on it."""

    position_mm: int
    measurement_no: int = 0
    residue_mg: int = 0
    stuck: bool = False
    _last: ScaleReading | None = None

    def read(
        self, body: Body, on_belt: Sequence[BeltParcel], belt: Belt, rng: Random
    ) -> ScaleReading:
        """Everything on the platform at the body's middle counts, neighbours by the part that lies on
        it. Not stable if the belt changed while any of the body was on the platform."""
        middle_nm = body.middle_nm
        counts, at_us = belt.counts_at(middle_nm), belt.time_at_us(middle_nm)
        from_mm, to_mm = (
            self.position_mm + d for d in (-SCALE_HALF_LENGTH_MM, SCALE_HALF_LENGTH_MM)
        )
        true_mg = self.residue_mg + sum(p.parcel.weight_mg for p in body.parcels)
        for other in on_belt:
            if other not in body.parcels:
                on_mm = overlap_mm(other, from_mm, to_mm, middle_nm)
                true_mg += other.parcel.weight_mg * on_mm // other.parcel.length_mm
        bound_mg = max(SCALE_NOISE_MG_MIN, true_mg * SCALE_NOISE_PERMILLE // 1000)
        shown_mg = max(0, true_mg + bounded_noise(rng, bound_mg)) // MG_PER_G * MG_PER_G
        zero_mg = self.residue_mg + bounded_noise(rng, ZERO_NOISE_MG)
        if self.stuck and self._last is not None:
            last = self._last
            return ScaleReading(
                counts, at_us, last.weight_mg, last.zero_mg, last.measurement_no, True, False
            )
        self.measurement_no = (self.measurement_no + 1) & 0xFFFF
        entered_nm = body.leading_nm - SCALE_HALF_LENGTH_MM * NM_PER_MM
        over_range = shown_mg > SCALE_OVER_RANGE_MG
        self._last = ScaleReading(
            counts,
            at_us,
            min(shown_mg, SCALE_OVER_RANGE_MG),
            zero_mg,
            self.measurement_no,
            belt.steady_since(entered_nm),
            over_range,
        )
        return self._last


@dataclass(slots=True)
class Dimensioner:
    """Measures the outer box of what it sees: touching parcels are one long object."""

    position_mm: int
    measurement_no: int = 0

    def read(self, body: Body, belt: Belt, rng: Random) -> DimensionReading:
        """`measurable` is false if the belt changed under the body."""
        true_mm = (
            (body.trailing_nm - body.leading_nm) // NM_PER_MM,
            max(p.parcel.width_mm for p in body.parcels),
            max(p.parcel.height_mm for p in body.parcels),
        )
        length, width, height = (
            max(1, mm + bounded_noise(rng, DIMENSION_NOISE_MM)) for mm in true_mm
        )
        self.measurement_no = (self.measurement_no + 1) & 0xFFFF
        middle_nm = body.middle_nm
        return DimensionReading(
            belt.counts_at(middle_nm),
            belt.time_at_us(middle_nm),
            length,
            width,
            height,
            self.measurement_no,
            belt.steady_since(body.leading_nm),
        )
