"""An independent witness of the machine: wakes every millisecond and notes how late it was woken.

It runs above everything it watches (real-time where permitted), so that its lateness is the machine's
and not the controller's: the floor under every measured time. A wake-up more than 10 ms late is a
freeze; decisions that overlap one are left out of the net figures, and the excluded share is printed.

`python -m sim.witness FILE` watches until SIGTERM, then writes what it saw to FILE.
"""

import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Event

import msgspec

from controller import notify
from controller.clock import SystemClock
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.interfaces import Clock
from controller.priority import FIFO_PRIORITY, lock_memory, settle_garbage

PERIOD_NS = NS_PER_MS
FREEZE_NS = 10 * NS_PER_MS
# Lateness is counted in steps of 10 us up to 1 s: exact enough for a floor, and of fixed size.
STEP_NS = 10_000
STEPS = NS_PER_S // STEP_NS


@dataclass(frozen=True, slots=True)
class WitnessLog:
    """`lateness_steps[i]` counts wake-ups i x 10 us late; `freezes` are (from_ns, to_ns)."""

    lateness_steps: tuple[tuple[int, int], ...]
    freezes: tuple[tuple[int, int], ...]

    def samples_ns(self) -> list[int]:
        """Every lateness, rounded down to STEP_NS, in order of size."""
        return [step * STEP_NS for step, count in self.lateness_steps for _ in range(count)]

    def frozen(self, from_ns: int, to_ns: int) -> bool:
        """Whether the machine stood still at any time between."""
        return any(start <= to_ns and end >= from_ns for start, end in self.freezes)


class Witness:
    """Notes wake-ups; `sleep(seconds)` returns True when it is time to stop."""

    def __init__(self, clock: Clock, sleep: Callable[[float], bool]) -> None:
        self._clock = clock
        self._sleep = sleep
        self._counts = [0] * (STEPS + 1)
        self._freezes: list[tuple[int, int]] = []

    def watch(self) -> WitnessLog:
        """Until told to stop."""
        due_ns = self._clock.monotonic_ns() + PERIOD_NS
        while True:
            left_ns = due_ns - self._clock.monotonic_ns()
            if self._sleep(max(left_ns, 0) / NS_PER_S):
                return self.log()
            now_ns = self._clock.monotonic_ns()
            self.woken(due_ns, now_ns)
            # After a freeze the missed periods are one lateness, not a burst of them.
            due_ns = max(due_ns + PERIOD_NS, now_ns)

    def woken(self, due_ns: int, now_ns: int) -> None:
        """One wake-up, due and real."""
        late_ns = max(now_ns - due_ns, 0)
        self._counts[min(late_ns // STEP_NS, STEPS)] += 1
        if late_ns > FREEZE_NS:
            self._freezes.append((due_ns, now_ns))

    def log(self) -> WitnessLog:
        counted = tuple((step, count) for step, count in enumerate(self._counts) if count)
        return WitnessLog(counted, tuple(self._freezes))


def read_log(path: Path) -> WitnessLog:
    """OSError, msgspec.MsgspecError if there is none that can be read."""
    return msgspec.json.decode(path.read_bytes(), type=WitnessLog)


def main(argv: list[str]) -> int:
    """Watch, then write FILE."""
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    with suppress(OSError):  # above the processes it watches, which may have FIFO_PRIORITY
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(FIFO_PRIORITY + 1))
    lock_memory()
    witness = Witness(SystemClock(), stop.wait)
    settle_garbage()
    notify.ready("watching the machine")
    log = witness.watch()
    Path(argv[0]).write_bytes(msgspec.json.encode(log))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
