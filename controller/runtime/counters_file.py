"""What the line process counts, in a file beside its state: now and then, and when it ends.

A killed process loses the last seconds of its counters and nothing else. The file is for reports and
people; nothing in the product reads it back.
"""

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from controller.runtime.loop_lag import LoopLag

log = logging.getLogger(__name__)

PERIOD_S = 10.0


class CountersFile:
    """Keeps `path` up to date from `start` to `stop`; `count` gives the link's counters.

    `pid` tells one life of the line process from the next, which begins at zero again.
    """

    def __init__(self, path: Path, count: Callable[[], dict[str, int]], lag: LoopLag) -> None:
        self._path = path
        self._count = count
        self._lag = lag
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Write every PERIOD_S from now on."""
        self._lag.start()
        self._timer = self._loop.call_later(PERIOD_S, self._write_on)

    def stop(self) -> None:
        """Write for the last time."""
        self._lag.stop()
        if self._timer is not None:
            self._timer.cancel()
        self._write(self._counted())

    def _write_on(self) -> None:
        # In a thread: a disk that stalls must not stall the loop.
        self._loop.run_in_executor(None, self._write, self._counted())
        self._timer = self._loop.call_later(PERIOD_S, self._write_on)

    def _counted(self) -> dict[str, Any]:
        return {**self._count(), "pid": os.getpid(), "loop_lag": self._lag.counted()}

    def _write(self, counted: dict[str, Any]) -> None:
        part = self._path.with_suffix(".part")
        try:
            part.write_bytes(msgspec.json.encode(counted))
            part.replace(self._path)
        except OSError as error:
            log.warning("%s cannot be written: %s", self._path.name, error.strerror)
