"""Where things are: encoder counts, PLC time and host time of one belt.

The PLC's clock is mapped to ours by the smallest difference seen, which a late record can only make
larger; it may grow by 50 ppm for drift. Positions are extrapolated at the last known speed, so that a
silent link makes every deadline earlier, never later, than a belt that has slowed down would.
"""

from dataclasses import dataclass
from typing import Final

from controller.core.units import (
    NS_PER_S,
    NS_PER_US,
    counts_from_mm,
    mm_from_counts,
    u32_difference,
)

# PLC time counts from any start, 1601 for one: this much of it goes with its offset into 64 bits of ns.
_PLC_TIME_SPAN_US: Final = 1 << 53
# Two quartz clocks drift apart by less than this; 1/20,000 = 50 ppm.
_DRIFT_DIVISOR: Final = 20_000


@dataclass(slots=True)
class Belt:
    """`offset_ns` is host time minus PLC time, None before the first record of a PLC boot."""

    counts_per_m: int
    speed_mm_per_s: int
    running: bool = True
    counts: int = 0
    counts_at_ns: int = 0
    offset_ns: int | None = None
    offset_at_ns: int = 0

    def forget_clock(self) -> None:
        """A new PLC boot or a new host boot: clocks and encoder start anew."""
        self.offset_ns = None
        self.counts_at_ns = 0

    def forget_motion(self, speed_mm_per_s: int) -> None:
        """Word of a start or of another speed may be lost: it moves, and not slower than it should."""
        self.running = True
        self.speed_mm_per_s = max(self.speed_mm_per_s, speed_mm_per_s)

    def sample(self, at_ns: int, plc_time_us: int, counts: int) -> None:
        """The encoder stood at `counts` at PLC time `plc_time_us`; we learn it at host time `at_ns`."""
        plc_time_us %= _PLC_TIME_SPAN_US
        seen_ns = at_ns - plc_time_us * NS_PER_US
        if self.offset_ns is None:
            self.offset_ns = seen_ns
        else:
            grown_ns = self.offset_ns + (at_ns - self.offset_at_ns) // _DRIFT_DIVISOR
            self.offset_ns = min(seen_ns, grown_ns)
        self.offset_at_ns = at_ns
        then_ns = plc_time_us * NS_PER_US + self.offset_ns
        if self.counts_at_ns == 0 or then_ns >= self.counts_at_ns:
            self.counts = counts
            self.counts_at_ns = then_ns

    def counts_now(self, at_ns: int) -> int:
        """Estimated encoder counts at host time `at_ns`, wrapped to 32 bits."""
        if not self.running:
            return self.counts
        moved_mm = self.speed_mm_per_s * max(0, at_ns - self.counts_at_ns) // NS_PER_S
        return (self.counts + counts_from_mm(moved_mm, self.counts_per_m)) % (1 << 32)

    def travelled_mm(self, counts: int, since_counts: int) -> int:
        """Belt travel from `since_counts` to `counts`, signed."""
        return mm_from_counts(u32_difference(counts, since_counts), self.counts_per_m)

    def arrival_ns(self, since_counts: int, travel_mm: int) -> int | None:
        """Host time at which the travel since `since_counts` is (or was) `travel_mm`.

        Rounded down (earlier). None while the belt stands.
        """
        if not self.running or self.speed_mm_per_s <= 0:
            return None
        to_go_mm = travel_mm - self.travelled_mm(self.counts, since_counts)
        return self.counts_at_ns + to_go_mm * NS_PER_S // self.speed_mm_per_s
