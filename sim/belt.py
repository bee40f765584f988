"""The belt: exact travel in nanometres, encoder counts, and the way back from travel to time.

A speed of 1 mm/s moves the belt 1 nm in 1 us, so that travel is an exact integer. Speed is constant
within one `advance`; it never reads a clock. The drive starts and stops at once: a real ramp is left
out because the PLC judges everything by encoder, which a ramp does not change.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

from controller.core.units import u32_sum

NM_PER_MM: Final = 1_000_000
NM_PER_M: Final = 1_000_000_000
# Enough for every speed change that any parcel on the belt can have lived through.
_KNOTS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Knot:
    """From this moment and travel on, the belt moved at `speed_mm_per_s`."""

    at_us: int
    travel_nm: int
    speed_mm_per_s: int


@dataclass(slots=True)
class Belt:
    """`counts_start` is the encoder's 32-bit count at travel 0 (near the wrap, if a run wants that)."""

    counts_per_m: int
    counts_start: int = 0
    now_us: int = 0
    travel_nm: int = 0
    speed_mm_per_s: int = 0
    _knots: deque[Knot] = field(default_factory=lambda: deque(maxlen=_KNOTS_MAX))

    def set_speed(self, speed_mm_per_s: int) -> None:
        """Run at this speed (0 stops) from now on."""
        if speed_mm_per_s != self.speed_mm_per_s or not self._knots:
            self.speed_mm_per_s = speed_mm_per_s
            self._knots.append(Knot(self.now_us, self.travel_nm, speed_mm_per_s))

    def advance(self, to_us: int) -> None:
        """Move on to `to_us`, which must not lie in the past."""
        assert to_us >= self.now_us, "time moves forward"
        self.travel_nm += self.speed_mm_per_s * (to_us - self.now_us)
        self.now_us = to_us

    def counts_at(self, travel_nm: int) -> int:
        """Encoder counts, wrapped to 32 bits, when the belt has travelled `travel_nm`."""
        return u32_sum(self.counts_start, travel_nm * self.counts_per_m // NM_PER_M)

    @property
    def counts(self) -> int:
        return self.counts_at(self.travel_nm)

    def time_at_us(self, travel_nm: int) -> int:
        """When the belt reached `travel_nm` (not later than now), rounded up to the microsecond."""
        for knot in reversed(self._knots):
            if knot.travel_nm <= travel_nm and knot.speed_mm_per_s > 0:
                past_nm = travel_nm - knot.travel_nm
                return knot.at_us + -(-past_nm // knot.speed_mm_per_s)
        return self._knots[0].at_us if self._knots else self.now_us

    def steady_since(self, travel_nm: int) -> bool:
        """No stop and no speed change since the belt stood at `travel_nm`."""
        return not self._knots or self._knots[-1].travel_nm <= travel_nm
