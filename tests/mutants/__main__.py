"""`make mutants`: plants each bug of table.py in a copy of the tree and sees who catches it.

    python -m tests.mutants [--only TEXT] [--jobs N] [--sweep-seeds N]

Prints who caught each, `tests` (the first failing test) or `sweep`, and the count at the end. Exit code 0
only if every mutant was caught, at least SWEEP_CATCHES_MIN of them by the sweep alone.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.planted import Mutant
from tests.mutants.table import MUTANTS

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "plc", "sim", "vision", "api", "tests", "pyproject.toml", "docs")
# Fast and near: what a developer would run. Slower suites only where these let a bug pass.
SUITES = (
    ("tests/core", "tests/plc/test_record_codec.py", "tests/plc/test_exchange.py"),
    ("tests/sim/test_soft_plc_decisions.py", "tests/journal", "tests/runtime"),
)
LIMIT_S = 240
SWEEP_CATCHES_MIN = 10


@dataclass(frozen=True, slots=True)
class Catch:
    """`tests` is the first failing test ("" if none), `sweep` whether the sweep alone found it."""

    mutant: Mutant
    tests: str
    sweep: bool | None

    @property
    def caught(self) -> bool:
        return bool(self.tests) or bool(self.sweep)


class OutOfDate(ValueError):
    """A mutant's text is absent or not unique."""


def mutated(mutant: Mutant, text: str) -> str:
    """`text` with the bug in it. OutOfDate unless the old text stands there exactly once."""
    found = text.count(mutant.old)
    if found != 1:
        raise OutOfDate(f"{mutant.file}: {mutant.row}: the old text stands there {found} times")
    return text.replace(mutant.old, mutant.new)


def check_table() -> list[str]:
    """What is out of date, one sentence each."""
    wrong = []
    for mutant in MUTANTS:
        try:
            mutated(mutant, (ROOT / mutant.file).read_text("utf-8"))
        except (OutOfDate, OSError) as error:
            wrong.append(str(error))
    return wrong


@contextmanager
def _copied() -> Iterator[Path]:
    """A copy of the tree to plant in; this one is never touched."""
    with tempfile.TemporaryDirectory(prefix="pgm") as folder:
        copy = Path(folder)
        for name in PACKAGES:
            source = ROOT / name
            if source.is_dir():
                shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(source, copy / name)
        yield copy


def hunt(mutant: Mutant, sweep_seeds: int) -> Catch:
    """Plant one bug in a copy and run the suites until one fails, then the sweep."""
    with _copied() as copy:
        target = copy / mutant.file
        target.write_text(mutated(mutant, target.read_text("utf-8")), "utf-8")
        found = ""
        for suite in SUITES:
            found = found or _first_failure(copy, suite)
        sweep = _sweep_fails(copy, sweep_seeds) if sweep_seeds else None
    return Catch(mutant, found, sweep)


def sound(sweep_seeds: int) -> str:
    """Without a bug everything passes, or a catch would mean nothing. The failing test, or ""."""
    with _copied() as copy:
        for suite in SUITES:
            if failure := _first_failure(copy, suite):
                return failure
        return "sweep" if sweep_seeds and _sweep_fails(copy, sweep_seeds) else ""


def _first_failure(copy: Path, suite: tuple[str, ...]) -> str:
    existing = [name for name in suite if (copy / name).exists()]
    command = (sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *existing)
    try:
        run = subprocess.run(
            command, cwd=copy, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{suite[0]} (never ended)"
    failures = [line for line in run.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    if failures:
        return failures[0].split(" - ")[0].split(" ", 1)[1]
    return "" if run.returncode == 0 else f"{suite[0]} (exit {run.returncode})"


def _sweep_fails(copy: Path, seeds: int) -> bool:
    arguments = (
        "sweep",
        "--seeds",
        str(seeds),
        "--parcels",
        "40",
        "--faults",
        "all",
        "--jobs",
        "1",
    )
    command = (sys.executable, "-m", "controller.cli", *arguments)
    try:
        run = subprocess.run(command, cwd=copy, capture_output=True, timeout=LIMIT_S, check=False)
    except subprocess.TimeoutExpired:
        return True
    return run.returncode != 0


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(
        description="plant every bug of the table and see who catches it"
    )
    parser.add_argument("--only", default="", help="mutants whose row or file contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--sweep-seeds", type=int, default=0, help="0: without the sweep")
    options = parser.parse_args()
    if wrong := check_table():
        print("\n".join(wrong), file=sys.stderr)
        return 1
    if failure := sound(options.sweep_seeds):
        print(f"without any planted bug {failure} fails: nothing can be concluded", file=sys.stderr)
        return 1
    chosen = [m for m in MUTANTS if options.only in m.row or options.only in m.file]
    caught = by_sweep = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        for catch in pool.map(lambda mutant: hunt(mutant, options.sweep_seeds), chosen):
            caught += catch.caught
            by_sweep += bool(catch.sweep)
            who = catch.tests or ("sweep" if catch.sweep else "NOBODY")
            also = ", sweep" if catch.sweep and catch.tests else ""
            print(f"{catch.mutant.row:38} {catch.mutant.file:34} {who}{also}", flush=True)
    print(f"caught {caught} of {len(chosen)}, by the sweep alone {by_sweep}")
    enough = not options.sweep_seeds or options.only or by_sweep >= SWEEP_CATCHES_MIN
    return 0 if caught == len(chosen) and enough else 1


if __name__ == "__main__":
    sys.exit(main())
