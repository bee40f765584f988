"""The parcels of a run and what was declared of them, out of one seed.

A workload is ground truth: nothing here is ever shown to the controller, which learns of a parcel
only through the customs side's messages and the plant's sensors. Every planted lie is well outside
the tolerances, so that letting it pass is always wrong; every honest parcel is well inside.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Final

from controller.core.units import MG_PER_G
from sim.contents import goods_contents, undeclared_metal
from sim.goods import CATALOGUE, GOODS_WITHOUT_METAL, Goods
from sim.parcels import ParcelKind, SimParcel
from sim.people import Person, make_person

LENGTH_MM_MIN, LENGTH_MM_MAX = 150, 400
WIDTH_MM_MIN, WIDTH_MM_MAX = 120, 300
HEIGHT_MM_MIN, HEIGHT_MM_MAX = 60, 250
# A gate needs 300 ms to return; at 1,000 mm/s that is 300 mm of clear belt, and 20 mm of margin.
GAP_MM_MIN: Final = 320
# The share of each of the eight dishonest kinds: 12 parcels in 300, together 32 %.
KIND_SHARE_PERMILLE: Final = 40
DISHONEST_SHARE_PERMILLE: Final = 320
WEIGHT_TOLERANCE_MG: Final = 50_000
WEIGHT_TOLERANCE_PERMILLE: Final = 30
# Where the leading edge is when the late 500 is sent: early enough to be revoked before any gate.
LATE_POSITION_MM: Final = (300, 3_000)
UNRELEASED_STATUSES: Final = (120, 300, 399, 500, 100, 501, 700, None)
DISHONEST_KINDS: Final = (
    ParcelKind.WEIGHT_OFF,
    ParcelKind.NOT_DECLARED,
    ParcelKind.NOT_RELEASED,
    ParcelKind.LATE_INSPECT,
    ParcelKind.NO_READ,
    ParcelKind.TWO_LABELS,
    ParcelKind.UNDECLARED_METAL,
    ParcelKind.TOUCHING,
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """One declared list. `statuses` are the receipts customs gives before the run, in order (none:
    the list was declared and never answered).
    """

    number: int
    waybill: str
    goods: Goods
    qty: int
    gross_weight_mg: int
    buyer: Person
    statuses: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class LateReceipt:
    """A receipt that customs sends when this parcel's leading edge is at `position_mm`."""

    parcel_number: int
    waybill: str
    status: int
    position_mm: int


@dataclass(frozen=True, slots=True)
class Workload:
    """Parcels in belt order, every list declared of them, what customs says during the run."""

    seed: int
    parcels: tuple[SimParcel, ...]
    declarations: tuple[Declaration, ...]
    late_receipts: tuple[LateReceipt, ...]


def weight_tolerance_mg(declared_mg: int) -> int:
    """max(50 g, 3 %) of the declared gross weight."""
    return max(WEIGHT_TOLERANCE_MG, declared_mg * WEIGHT_TOLERANCE_PERMILLE // 1000)


def kind_counts(count: int) -> dict[ParcelKind, int]:
    """How many parcels of each dishonest kind a run of `count` has; the rest is honest.

    TOUCHING comes in pairs. A run too short for a share of every kind has the first kinds only.
    """
    counts = {kind: count * KIND_SHARE_PERMILLE // 1000 for kind in DISHONEST_KINDS}
    counts[ParcelKind.TOUCHING] -= counts[ParcelKind.TOUCHING] % 2
    target = -(-count * DISHONEST_SHARE_PERMILLE // 1000)
    while True:
        room = target - sum(counts.values())
        steps = {kind: 2 if kind is ParcelKind.TOUCHING else 1 for kind in DISHONEST_KINDS}
        fitting = [kind for kind in DISHONEST_KINDS if steps[kind] <= room]
        if not fitting:
            return counts
        rarest = min(fitting, key=lambda kind: counts[kind])
        counts[rarest] += steps[rarest]


def make_workload(
    count: int, seed: int, rate_parcels_per_h: int, speed_mm_per_s: int, first_number: int = 1
) -> Workload:
    """A run of `count` parcels at `rate_parcels_per_h`; the same arguments give the same run.

    ValueError if the rate leaves less than the longest parcel and the least gap per parcel.
    """
    pitch_mm = speed_mm_per_s * 3600 // rate_parcels_per_h
    if pitch_mm < LENGTH_MM_MAX + GAP_MM_MIN:
        raise ValueError(
            f"{rate_parcels_per_h} parcels/h at {speed_mm_per_s} mm/s leave {pitch_mm} mm a "
            f"parcel; the longest parcel and the least gap need {LENGTH_MM_MAX + GAP_MM_MIN} mm"
        )
    maker = _Maker(Random(f"parcelgate workload {seed} {first_number}"), seed, pitch_mm)
    for kind in _kind_order(maker.rng, count):
        maker.add(first_number + len(maker.parcels), kind)
    return Workload(
        seed, tuple(maker.parcels), tuple(maker.declarations), tuple(maker.late_receipts)
    )


def _kind_order(rng: Random, count: int) -> Iterator[ParcelKind]:
    """Kinds in belt order; TOUCHING appears twice in a row."""
    counts = kind_counts(count)
    units = [kind for kind in DISHONEST_KINDS for _ in range(counts[kind])]
    pairs = counts[ParcelKind.TOUCHING] // 2
    units = units[: len(units) - pairs]  # TOUCHING is last: one unit stands for a pair
    units += [ParcelKind.HONEST] * (count - sum(counts.values()))
    rng.shuffle(units)
    for kind in units:
        yield kind
        if kind is ParcelKind.TOUCHING:
            yield kind


class _Maker:
    """Collects a run parcel by parcel, so that belt positions and numbers follow on."""

    def __init__(self, rng: Random, seed: int, pitch_mm: int) -> None:
        self.rng = rng
        self.parcels: list[SimParcel] = []
        self.declarations: list[Declaration] = []
        self.late_receipts: list[LateReceipt] = []
        self._seed = seed
        self._pitch_mm = pitch_mm
        self._tail_mm = -GAP_MM_MIN  # where the trailing edge of the last parcel lies
        self._pair_open = False

    def add(self, number: int, kind: ParcelKind) -> None:
        """One more parcel of `kind`, behind the last."""
        rng = self.rng
        planted_metal = kind is ParcelKind.UNDECLARED_METAL
        goods = rng.choice(GOODS_WITHOUT_METAL if planted_metal else CATALOGUE)
        length = rng.randint(LENGTH_MM_MIN, LENGTH_MM_MAX)
        width = rng.randint(WIDTH_MM_MIN, WIDTH_MM_MAX)
        height = rng.randint(HEIGHT_MM_MIN, HEIGHT_MM_MAX)
        declared_mg = rng.randint(goods.weight_g_min, goods.weight_g_max) * MG_PER_G
        waybill = self._waybill(number)
        thin = planted_metal or goods.metal_pieces > 0
        contents = goods_contents(rng, goods.metal_pieces, thin, length, width)
        if planted_metal:
            contents += (undeclared_metal(rng, length, width),)
        self.parcels.append(
            SimParcel(
                number=number,
                kind=kind,
                waybill=waybill,
                labels=self._labels(number, kind, waybill),
                weight_mg=self._true_weight_mg(kind, declared_mg),
                declared_weight_mg=declared_mg,
                length_mm=length,
                width_mm=width,
                height_mm=height,
                gap_before_mm=self._gap_mm(kind, length),
                gcode=goods.gcode,
                contents=contents,
            )
        )
        self._declare(number, kind, waybill, goods, declared_mg)

    def _waybill(self, number: int, second: bool = False) -> str:
        return f"{'YX' if second else 'YT'}{self._seed % 1000:03d}{number:010d}"

    def _labels(self, number: int, kind: ParcelKind, waybill: str) -> tuple[str, ...]:
        if kind is ParcelKind.NO_READ:
            return ()
        if kind is ParcelKind.TWO_LABELS:
            return (waybill, self._waybill(number, second=True))
        return (waybill,)

    def _true_weight_mg(self, kind: ParcelKind, declared_mg: int) -> int:
        """Honest: within 40 % of the tolerance. WEIGHT_OFF: 2.5 to 8 tolerances off."""
        tolerance = weight_tolerance_mg(declared_mg)
        if kind is not ParcelKind.WEIGHT_OFF:
            return declared_mg + self.rng.randint(-tolerance * 2 // 5, tolerance * 2 // 5)
        off_mg = tolerance * self.rng.randint(25, 80) // 10
        lighter = off_mg < declared_mg // 2 and self.rng.random() < 0.5
        return declared_mg - off_mg if lighter else declared_mg + off_mg

    def _gap_mm(self, kind: ParcelKind, length_mm: int) -> int:
        """Clear belt before this parcel. Leading edges follow a fixed timetable, up to 40 mm late,
        as far as the least gap allows; what a long body takes is made up behind it.
        """
        if self._pair_open:
            self._pair_open = False
            gap = 0
        else:
            self._pair_open = kind is ParcelKind.TOUCHING
            due_mm = len(self.parcels) * self._pitch_mm + self.rng.randint(0, 40)
            gap = max(GAP_MM_MIN, due_mm - self._tail_mm)
        self._tail_mm += gap + length_mm
        return gap

    def _declare(
        self, number: int, kind: ParcelKind, waybill: str, goods: Goods, declared_mg: int
    ) -> None:
        rng = self.rng
        if kind is ParcelKind.NOT_DECLARED:
            return
        statuses: tuple[int, ...] = (120, 800)
        if kind is ParcelKind.NOT_RELEASED:
            planned = sum(1 for p in self.parcels if p.kind is ParcelKind.NOT_RELEASED) - 1
            status = UNRELEASED_STATUSES[planned % len(UNRELEASED_STATUSES)]
            statuses = () if status is None else (120, status) if status != 120 else (120,)
        self.declarations.append(
            Declaration(
                number, waybill, goods, rng.randint(1, 3), declared_mg, make_person(rng), statuses
            )
        )
        if kind is ParcelKind.TWO_LABELS:
            other = rng.choice(CATALOGUE)
            other_mg = rng.randint(other.weight_g_min, other.weight_g_max) * MG_PER_G
            self.declarations.append(
                Declaration(
                    number,
                    self._waybill(number, second=True),
                    other,
                    1,
                    other_mg,
                    make_person(rng),
                    statuses,
                )
            )
        if kind is ParcelKind.LATE_INSPECT:
            position = rng.randint(*LATE_POSITION_MM)
            self.late_receipts.append(LateReceipt(number, waybill, 500, position))


def belt_length_mm(workload: Workload) -> int:
    """From the first leading edge to the last trailing edge."""
    first = workload.parcels[0].gap_before_mm
    return sum(p.gap_before_mm + p.length_mm for p in workload.parcels) - first


def run_seconds(workload: Workload, speed_mm_per_s: int, belt_end_mm: int) -> int:
    """How long the belt needs for the whole run, rounded up to whole seconds."""
    return -(-(belt_length_mm(workload) + belt_end_mm) // speed_mm_per_s)
