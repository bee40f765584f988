"""How late the loop of the line process runs what is due: a tick every 50 ms, its lateness counted.

It costs one timer in 50 ms and a fixed few kilobytes, so that it may run for as long as the line does. It
counts and decides nothing; a lateness that matters to a parcel reaches the core as the time of its
events.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

from controller.core.units import NS_PER_MS, NS_PER_S, NS_PER_US
from controller.interfaces import Clock

PERIOD_NS = 50 * NS_PER_MS


def _edges_us() -> Iterator[int]:
    """Steps of 1 % of the range at most: 0.1 ms up to 10 ms, 1 ms up to 100 ms, and so on to 10 s."""
    yield 0
    for step_us in (100, 1_000, 10_000, 100_000):
        yield from range(step_us if step_us == 100 else 11 * step_us, 101 * step_us, step_us)


EDGES_US = tuple(_edges_us())


class LoopLag:
    """Ticks on `loop` from `start` to `stop`; `counted` is what the counters file holds."""

    def __init__(self, loop: asyncio.AbstractEventLoop, clock: Clock) -> None:
        self._loop = loop
        self._clock = clock
        self._due_ns = 0
        self._timer: asyncio.TimerHandle | None = None
        self._counts = [0] * len(EDGES_US)
        self._max_us = 0

    def start(self) -> None:
        """The next tick is due a period from now."""
        self._due_ns = self._clock.monotonic_ns() + PERIOD_NS
        self._timer = self._loop.call_later(PERIOD_NS / NS_PER_S, self._tick)

    def stop(self) -> None:
        """No more ticks."""
        if self._timer is not None:
            self._timer.cancel()

    def note(self, late_ns: int) -> None:
        """A tick came `late_ns` after it was due (below 0: a timer may ring a moment early)."""
        late_us = max(0, late_ns) // NS_PER_US
        self._counts[bisect_right(EDGES_US, late_us) - 1] += 1
        self._max_us = max(self._max_us, late_us)

    def counted(self) -> dict[str, Any]:
        """`ticks`, `max_us`, and `lateness_us`: [lower edge, count] of every step that was met."""
        met = [[edge, count] for edge, count in zip(EDGES_US, self._counts, strict=True) if count]
        return {"ticks": sum(self._counts), "max_us": self._max_us, "lateness_us": met}

    def _tick(self) -> None:
        self.note(self._clock.monotonic_ns() - self._due_ns)
        self.start()
