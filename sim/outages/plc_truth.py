"""What the PLC itself says of a trial: one line of numbers for each thing that happened in it.

The plant's process appends, the torture reads along. A file, because what was written before a SIGKILL
stays. Each word carries two times on the machine's monotonic clock: when the scan's writes were visible,
and the scan's own time, which goes on at its own pace while a process that was frozen catches up.
"""

import asyncio
import os
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NamedTuple

LOOK_S = 0.004


class What(Enum):
    """What happened; the values that go with it."""

    BOOT = "boot"  # boot id: a start, its first scan is visible
    STATE = "state"  # session latched, infeed permitted, leases whose gate has not begun to move
    TRACKED = "tracked"  # tracking id: a parcel came in
    INDUCTED = "inducted"  # number of the true parcel
    TRIGGER = "trigger"  # trigger number, encoder counts, number of the true parcel
    ACCEPTED = "accepted"  # tracking id: a release was accepted
    LATE = "late"  # ms: the scan was not the PLC's fault but its machine's
    GATE = "gate"  # gate, belt moved since the boot in mm: it was sent to a side that is not hold


class Word(NamedTuple):
    """`at_ns` is when it could be seen, `plc_ns` the time of the scan that did it."""

    what: What
    at_ns: int
    plc_ns: int
    values: tuple[int, ...]

    @property
    def free(self) -> bool:
        """A state in which the PLC feeds on its host's word."""
        return self.what is What.STATE and bool(self.values[0] and self.values[1])

    @property
    def shut(self) -> bool:
        """A state in which nothing can be released: no session, no lease."""
        return self.what is What.STATE and not self.values[0] and not self.values[2]


class TruthFile:
    """The writing end. A half line of a killed process is ended first, and then means nothing."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(self._file, b"\n")

    def say(self, what: What, at_ns: int, plc_ns: int, *values: int) -> None:
        """One write, whole or not at all for a reader that waits for the end of the line."""
        os.write(
            self._file, f"{what.value} {at_ns} {plc_ns} {' '.join(map(str, values))}\n".encode()
        )


class Truth:
    """The reading end. `words` is everything so far, in order."""

    def __init__(self, path: Path, on_word: Callable[[Word], None] = lambda word: None) -> None:
        self.words: list[Word] = []
        self._path = path
        self._on_word = on_word
        self._read_bytes = 0

    def look(self) -> None:
        """Take what was written since."""
        if not self._path.exists():
            return
        with self._path.open("rb") as file:
            file.seek(self._read_bytes)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self._read_bytes += len(whole)
        for line in whole.decode().splitlines():
            word = _word(line)
            if word is not None:
                self.words.append(word)
                self._on_word(word)

    async def until(self, found: Callable[[], bool], limit_s: float) -> None:
        """Look until `found`. TimeoutError after `limit_s`."""
        async with asyncio.timeout(limit_s):
            while not found():
                await asyncio.sleep(LOOK_S)
                self.look()


def _word(line: str) -> Word | None:
    try:
        what, *numbers = line.split()
        at_ns, plc_ns, *values = map(int, numbers)
        return Word(What(what), at_ns, plc_ns, tuple(values))
    except ValueError:
        return None  # the end of a killed process's last line
