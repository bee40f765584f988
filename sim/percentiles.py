"""Percentiles that are only given where enough samples lie beyond them.

A p99 of 300 samples is three samples' word and would be printed as if it were a measurement: a
percentile needs at least 20 samples beyond it (p50: 40, p99: 2,000, p99.9: 20,000), else it is null.
"""

from collections.abc import Sequence

from controller.core.units import NS_PER_US

BEYOND_MIN = 20
# name, share of the samples below it in permille
PERCENTILES = (("p50", 500), ("p99", 990), ("p99_9", 999))
INFINITE = "infinite"

Figure = float | int | str | None


def percentile_ns(sorted_ns: Sequence[int], permille: int) -> int | None:
    """Nearest-rank percentile of sorted samples; None without BEYOND_MIN samples beyond it."""
    count = len(sorted_ns)
    if count * (1000 - permille) < BEYOND_MIN * 1000:
        return None
    rank = -(-count * permille // 1000)
    return sorted_ns[rank - 1]


def figures_ms(samples_ns: Sequence[int], undecided: int = 0) -> dict[str, Figure]:
    """`n`, percentiles and `max` in milliseconds; `undecided` samples count as infinite."""
    endless = 1 << 63
    ordered = sorted(samples_ns) + [endless] * undecided
    figures: dict[str, Figure] = {"n": len(ordered)}
    for name, permille in PERCENTILES:
        figures[name] = _ms(percentile_ns(ordered, permille), endless)
    figures["max"] = _ms(ordered[-1] if ordered else None, endless)
    return figures


def _ms(value_ns: int | None, endless: int) -> Figure:
    if value_ns is None:
        return None
    return INFINITE if value_ns >= endless else round(value_ns / NS_PER_US) / 1000
