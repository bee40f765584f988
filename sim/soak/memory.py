"""Does a process grow? The resident set of each life of each process, looked at from outside.

A process that was started again begins anew, and its first minute, in which it fills caches that then
stay, does not count. Compared are the medians of the first and the last fifth of its longest life.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from controller.core.units import NS_PER_S

WARM_UP_NS = 60 * NS_PER_S
# Fewer looks than this (5 s apart) show nothing.
LOOKS_MIN = 6
GROWTH_PERCENT_MAX = 5.0
GROWTH_MB_MAX = 5.0
_MB = 1 << 20
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True)
class Growth:
    """Of one process; `percent` of `from_mb`."""

    from_mb: float
    to_mb: float
    percent: float

    @property
    def too_much(self) -> bool:
        """More than 5 % and more than 5 MB."""
        return self.percent > GROWTH_PERCENT_MAX and self.to_mb - self.from_mb > GROWTH_MB_MAX


class MemoryLog:
    """`look` now and then; `growth` at the end. Times are monotonic."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = tuple(names)
        self._lives: dict[tuple[str, int], list[tuple[int, int]]] = {}

    def look(self, at_ns: int, pids: Mapping[str, int]) -> None:
        """Note the resident set of every process that lives now."""
        for name in self._names:
            pid = pids.get(name)
            # A process may end between being named and being looked at.
            with suppress(OSError, IndexError):
                if pid is not None:
                    pages = Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]
                    self.note(name, pid, at_ns, int(pages) * _PAGE_BYTES)

    def note(self, name: str, pid: int, at_ns: int, size_bytes: int) -> None:
        """One look at one life."""
        self._lives.setdefault((name, pid), []).append((at_ns, size_bytes))

    def growth(self, from_ns: int) -> dict[str, Growth | None]:
        """By process, from `from_ns` on; None where no life was long enough to tell."""
        return {name: self._growth(name, from_ns) for name in self._names}

    def _growth(self, name: str, from_ns: int) -> Growth | None:
        longest: list[int] = []
        for (owner, _), life in self._lives.items():
            start_ns = max(from_ns, life[0][0] + WARM_UP_NS)
            sizes = [size for at_ns, size in life if at_ns >= start_ns]
            if owner == name and len(sizes) > len(longest):
                longest = sizes
        if len(longest) < LOOKS_MIN:
            return None
        fifth = max(1, len(longest) // 5)
        first, last = median(longest[:fifth]), median(longest[-fifth:])
        percent = 100 * (last - first) / first
        return Growth(round(first / _MB, 1), round(last / _MB, 1), round(percent, 1))
