"""The machine that a figure was measured on, to be printed beside it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path

_CPU_FILE = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Machine:
    """`load` is the average over one minute, before and after."""

    cores: int
    cpu: str
    system: str
    python: str
    load: tuple[float, float]

    def __str__(self) -> str:
        """One line for people."""
        before, after = self.load
        return (
            f"{self.cores} cores, {self.cpu}, {self.system}, {self.python}, "
            f"load {before} before, {after} after"
        )


def load_now() -> float:
    """The average of the last minute."""
    return round(os.getloadavg()[0], 2)


def machine(load_before: float) -> Machine:
    """This one, now."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    load = (load_before, load_now())
    return Machine(os.cpu_count() or 0, _cpu(), platform.platform(), python, load)


def _cpu() -> str:
    if _CPU_FILE.exists():
        for line in _CPU_FILE.read_text("utf-8", "replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()
