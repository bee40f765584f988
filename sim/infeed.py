"""The infeed: parcels wait in order and are set on the belt with their own gaps.

It stops when it is not permitted, except that the second of a touching pair comes with the first.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sim.belt import NM_PER_MM, Belt
from sim.parcels import SimParcel

_US_PER_H: Final = 3_600_000_000


@dataclass(slots=True)
class Infeed:
    """`parcels_per_h` > 0 also keeps parcels at least that far apart in time; 0: gaps alone decide."""

    parcels_per_h: int = 0
    waiting: deque[SimParcel] = field(default_factory=deque)
    _tail_nm: int = 0
    _earliest_us: int = 0
    _pair_open: bool = False

    @property
    def next_nm(self) -> int:
        """Belt travel before which nothing is set on the belt; -1 if that is not known from travel."""
        if self.parcels_per_h or not self.waiting:
            return -1
        return self._tail_nm + self.waiting[0].gap_before_mm * NM_PER_MM

    def add(self, parcels: Sequence[SimParcel]) -> None:
        self.waiting.extend(parcels)

    def place(self, belt: Belt, to_us: int, permitted: bool) -> Iterator[tuple[SimParcel, int]]:
        """Parcels whose leading edge reaches induct until `to_us` (of a touching pair: the first's), with
        the belt's travel then.

        `belt` stands at the beginning of the stretch.
        """
        end_nm = belt.travel_nm + belt.speed_mm_per_s * (to_us - belt.now_us)
        while self.waiting and belt.speed_mm_per_s > 0:
            parcel = self.waiting[0]
            pair = parcel.gap_before_mm == 0 and self._pair_open
            if not (permitted or pair):
                return
            start_nm = self._tail_nm + parcel.gap_before_mm * NM_PER_MM
            if not pair:
                earliest_nm = belt.speed_mm_per_s * max(0, self._earliest_us - belt.now_us)
                start_nm = max(start_nm, belt.travel_nm + earliest_nm)
            # the second of a pair hangs on the first: it is on its way as soon as the first is
            if start_nm > end_nm and not pair:
                return
            self.waiting.popleft()
            self._pair_open = True
            self._tail_nm = start_nm + parcel.length_mm * NM_PER_MM
            if self.parcels_per_h:
                reached_us = (start_nm - belt.travel_nm) // belt.speed_mm_per_s
                self._earliest_us = belt.now_us + reached_us + _US_PER_H // self.parcels_per_h
            yield parcel, start_nm
