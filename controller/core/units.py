"""Units and wrap-around counters.

The core counts in integers only: nanoseconds, millimetres, milligrams, encoder counts. Conversions
state their rounding. Encoder counts, ring sequences and trigger numbers are 32-bit counters of the
PLC that wrap; compare them only through the functions here.
"""

from typing import Final

NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
MG_PER_G: Final = 1_000
MG_PER_KG: Final = 1_000_000
MM_PER_M: Final = 1_000

U16_MAX: Final = 0xFFFF
U32_MAX: Final = 0xFFFF_FFFF
_U32_SPAN: Final = 1 << 32
_U32_HALF: Final = 1 << 31


def u32_difference(later: int, earlier: int) -> int:
    """Signed distance from `earlier` to `later` on a wrapping 32-bit counter (-2**31 .. 2**31-1)."""
    distance = (later - earlier) % _U32_SPAN
    return distance - _U32_SPAN if distance >= _U32_HALF else distance


def u32_sum(counter: int, step: int) -> int:
    """`counter` moved on by `step` (may be negative), wrapped to 32 bits."""
    return (counter + step) % _U32_SPAN


def mm_from_counts(counts: int, counts_per_m: int) -> int:
    """Encoder counts to millimetres, rounded half away from zero."""
    doubled = 2 * abs(counts) * MM_PER_M
    mm = (doubled + counts_per_m) // (2 * counts_per_m)
    return mm if counts >= 0 else -mm


def counts_from_mm(mm: int, counts_per_m: int) -> int:
    """Millimetres to encoder counts, rounded half away from zero."""
    doubled = 2 * abs(mm) * counts_per_m
    counts = (doubled + MM_PER_M) // (2 * MM_PER_M)
    return counts if mm >= 0 else -counts


def travel_ns(distance_mm: int, speed_mm_per_s: int) -> int:
    """Time to move `distance_mm` at `speed_mm_per_s` (> 0), rounded down: never later than true."""
    return distance_mm * NS_PER_S // speed_mm_per_s
