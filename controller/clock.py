"""The one module that reads a clock. Everything else is given the time."""

import ctypes
import time

_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 256  # at least sizeof(struct timex); all zero asks and changes nothing


class SystemClock:
    """The machine's clocks: monotonic within one boot, UTC for labels only."""

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()

    def utc_ns(self) -> int:
        return time.time_ns()

    def utc_day(self) -> str:
        """Today as YYYYMMDD, the name of a journal file."""
        return time.strftime("%Y%m%d", time.gmtime())

    def synchronised(self) -> bool:
        """Whether the kernel says that UTC is kept by NTP or PTP."""
        state: int = ctypes.CDLL(None).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
        return 0 <= state < _TIME_ERROR
