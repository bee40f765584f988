"""What every torture hands back: counts, and a sentence for each failure. No failure is the pass."""

import json
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

# Failures repeat; the first ones tell.
FAILURES_KEPT = 20
_MEMORY_DISK = Path("/dev/shm")


@dataclass(slots=True)
class Report:
    """`counts` by name in the order they are shown; `failed` counts every failure."""

    torture: str
    seed: int
    counts: dict[str, int] = field(default_factory=dict)
    failed: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return self.failed == 0

    def count(self, name: str, by: int = 1) -> None:
        self.counts[name] = self.counts.get(name, 0) + by

    def fail(self, sentence: str) -> None:
        self.failed += 1
        if len(self.failures) < FAILURES_KEPT:
            self.failures.append(sentence)

    def expect(self, holds: bool, sentence: str) -> bool:
        """Fail unless `holds`; gives `holds` back."""
        if not holds:
            self.fail(sentence)
        return holds


def show(report: Report, as_json: bool) -> str:
    """The report for a machine or for a person."""
    if as_json:
        answer: dict[str, Any] = asdict(report)
        return json.dumps({**answer, "ok": report.ok}, ensure_ascii=False)
    rows = [("torture", report.torture), ("seed", report.seed), *report.counts.items()]
    lines = [f"{name.replace('_', ' '):32}{value}" for name, value in rows]
    lines.append(f"{'failures':32}{report.failed}")
    return "\n".join([*lines, *(f"  {sentence}" for sentence in report.failures)])


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory for simulated disks: in memory where the machine has room there, since the medium
    is simulated anyway."""
    in_memory = _MEMORY_DISK if os.access(_MEMORY_DISK, os.W_OK) else None
    with tempfile.TemporaryDirectory(prefix="parcelgate-", dir=in_memory) as name:
        yield Path(name)


def say(text: str) -> None:
    """Progress, for people, beside the report."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201
