"""The one module that reads a clock. Everything else is given the time."""

import time


class SystemClock:
    """The machine's clocks: monotonic within one boot, UTC for labels only."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        return time.time_ns()
