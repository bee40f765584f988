"""The loop lag of every life of the line process, out of the counters file it keeps."""

from collections import Counter
from contextlib import suppress
from pathlib import Path

import msgspec

from controller.core.units import NS_PER_US
from sim.percentiles import Figure, percentile_ns


class _Lag(msgspec.Struct):
    ticks: int
    max_us: int
    lateness_us: list[tuple[int, int]]


class _Counters(msgspec.Struct):
    pid: int
    loop_lag: _Lag


class LagLog:
    """`look` at least as often as the file is written, and once at the end."""

    def __init__(self, counters: Path) -> None:
        self._path = counters
        self._lives: dict[int, _Lag] = {}

    def look(self) -> None:
        """Keep the newest words of the life that writes now; before the first there are none."""
        with suppress(OSError):
            found = msgspec.json.decode(self._path.read_bytes(), type=_Counters)
            self._lives[found.pid] = found.loop_lag

    def figures_ms(self) -> dict[str, Figure]:
        """`n`, `p50`, `p99` (lower edges of their steps) and `max`, over all lives."""
        steps: Counter[int] = Counter()
        for lag in self._lives.values():
            steps.update(dict(lag.lateness_us))
        ordered = [edge * NS_PER_US for edge in sorted(steps) for _ in range(steps[edge])]
        highest_us = max((lag.max_us for lag in self._lives.values()), default=None)
        return {
            "n": len(ordered),
            "p50": _ms(percentile_ns(ordered, 500)),
            "p99": _ms(percentile_ns(ordered, 990)),
            "max": _ms(None if highest_us is None else highest_us * NS_PER_US),
        }


def _ms(value_ns: int | None) -> Figure:
    return None if value_ns is None else round(value_ns / NS_PER_US) / 1000
