"""Virtual time: what is to happen when, in order, and a clock that shows no more than it is told.

Two things at the same instant happen in the order in which they were put down, so that a run is the
same on every machine.
"""

import heapq
from collections.abc import Callable
from typing import Final

Act = Callable[[], None]
NEVER_NS: Final = 1 << 62


class Agenda:
    """`now_ns` is the machine's monotonic time; only `advance` moves it."""

    def __init__(self, now_ns: int) -> None:
        self.now_ns = now_ns
        self._serial = 0
        self._waiting: list[tuple[int, int, Act]] = []

    def at(self, at_ns: int, act: Act) -> None:
        """`act` at `at_ns`, or now if that has passed."""
        self._serial += 1
        heapq.heappush(self._waiting, (at_ns, self._serial, act))

    def after(self, wait_ns: int, act: Act) -> None:
        self.at(self.now_ns + wait_ns, act)

    @property
    def next_ns(self) -> int:
        """When the next thing is due; NEVER_NS if nothing is."""
        return self._waiting[0][0] if self._waiting else NEVER_NS

    def step(self) -> None:
        """Do the next thing, at its time."""
        at_ns, _, act = heapq.heappop(self._waiting)
        self.now_ns = max(self.now_ns, at_ns)
        act()


class VirtualClock:
    """`controller.interfaces.Clock` of one process. Its monotonic time starts anew with the PC."""

    def __init__(self, agenda: Agenda, boot_ns: int, utc_offset_ns: int) -> None:
        self._agenda = agenda
        self.boot_ns = boot_ns
        self.utc_offset_ns = utc_offset_ns

    def monotonic_ns(self) -> int:
        return self._agenda.now_ns - self.boot_ns

    def utc_ns(self) -> int:
        return self._agenda.now_ns + self.utc_offset_ns
