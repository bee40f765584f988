"""One planted bug, hunted: by the tests, those nearest to its file first, then by the sweep alone.

Every bug gets a copy of the tree of its own; the tree itself is never touched. Tests and sweep run with
fixed seeds, so that who caught what is the same the next time.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.planted import Mutant, mutated

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("controller", "plc", "sim", "vision", "api", "tests", "pyproject.toml", "docs")
# What lies beside a file, then the others; quick ones first.
SUITES: dict[str, tuple[str, ...]] = {
    "controller/core": ("tests/core",),
    "sim": (
        *(f"tests/sim/test_soft_plc_{part}.py" for part in ("decisions", "ring", "tracking")),
        *("tests/sim/test_soft_plc_gates.py", "tests/sim/test_sweep_plc_findings.py"),
        *("tests/sim/test_soft_plc_run.py", "tests/sim/test_soft_plc_slips.py"),
        "tests/sim/test_soft_plc_tables.py",
    ),
    "plc": (
        *("tests/plc/test_record_codec.py", "tests/plc/test_decision_slots.py"),
        *("tests/plc/test_ring_reader.py", "tests/plc/test_exchange.py"),
        *("tests/plc/test_polled_link.py", "tests/plc/test_modbus_link.py"),
    ),
    "controller": ("tests/runtime", "tests/adversary"),
    "controller/journal": ("tests/journal",),
    "": ("tests/recovery",),
}
SUITE_LIMIT_S, SWEEP_LIMIT_S = 240, 150
TRIES = 3
SWEEP_PARCELS = 40
# Its journal, host and wire stand in for these (sim/sweep/virtual_*.py).
NOT_IN_VIRTUAL_TIME = (
    *("controller/journal/committer.py", "controller/journal/day_file.py"),
    *("controller/runtime/line_socket.py", "controller/runtime/line_process.py"),
    *("controller/config/", "controller/supervisor/"),
)


@dataclass(frozen=True, slots=True)
class SweepSize:
    """`runs` 0: without the sweep."""

    runs: int
    seed: int

    def reaches(self, file: str) -> bool:
        """Whether the sweep runs any code of `file`."""
        return self.runs > 0 and not file.startswith(NOT_IN_VIRTUAL_TIME)


@dataclass(frozen=True, slots=True)
class Catch:
    """`tests` is the first failing test, `sweep` what the sweep alone found; "" where nothing."""

    mutant: Mutant
    tests: str
    sweep: str

    @property
    def caught(self) -> bool:
        return bool(self.tests or self.sweep)


@contextmanager
def copied(tree: Path) -> Iterator[Path]:
    """A copy of `tree`, compiled files included: those of a changed file are found to be out of date."""
    with tempfile.TemporaryDirectory(prefix="pgm") as folder:
        copy = Path(folder)
        for name in PACKAGES:
            source = tree / name
            if source.is_dir():
                shutil.copytree(source, copy / name)
            else:
                shutil.copy(source, copy / name)
        yield copy


def soundness(tree: Path, sweep: SweepSize) -> str:
    """What fails without any bug, or "": else a catch would mean nothing. `tree` may be littered."""
    for suite in SUITES.values():
        if failure := _first_failure(tree, suite):
            return failure
    return _sweep_finds(tree, sweep) if sweep.runs else ""


def hunt(tree: Path, mutant: Mutant, sweep: SweepSize) -> Catch:
    """Plant one bug in a copy of `tree` and run the suites until one fails, then the sweep."""
    with copied(tree) as copy:
        target = copy / mutant.file
        target.write_text(mutated(mutant, target.read_text("utf-8")), "utf-8")
        found = ""
        for suite in _nearest_first(mutant.file):
            found = found or _first_failure(copy, suite)
        reached = sweep.reaches(mutant.file)
        return Catch(mutant, found, _sweep_finds(copy, sweep) if reached else "")


def _nearest_first(file: str) -> list[tuple[str, ...]]:
    near = [folder for folder in SUITES if file.startswith(folder)]
    order = sorted(SUITES, key=lambda folder: (folder not in near, -len(folder) * (folder in near)))
    return [SUITES[folder] for folder in order]


def _first_failure(tree: Path, suite: tuple[str, ...]) -> str:
    """The first test that fails, and fails again by itself: a machine under load has caught nothing."""
    for _ in range(TRIES):
        failing = _failing(tree, suite)
        if "::" not in failing or _failing(tree, (failing,)):
            return failing
    return ""


def _failing(tree: Path, suite: tuple[str, ...]) -> str:
    options = ("-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0")
    command = (sys.executable, "-m", "pytest", *options, *suite)
    try:
        run = subprocess.run(
            command, cwd=tree, capture_output=True, text=True, timeout=SUITE_LIMIT_S, check=False
        )
    except subprocess.TimeoutExpired:
        return f"{suite[0]} (never ended)"
    failures = [
        line
        for line in run.stdout.splitlines()
        if line.startswith(("FAILED tests/", "ERROR tests/"))
    ]
    if failures:
        return failures[0].split(" - ")[0].split(" ", 1)[1]
    return "" if run.returncode == 0 else f"{suite[0]} (exit {run.returncode})"


def _sweep_finds(tree: Path, sweep: SweepSize) -> str:
    """The kinds of failure of the first failing run, or how the sweep itself failed."""
    with tempfile.TemporaryDirectory(prefix="pgs") as keep:
        sizes = ("--seed", str(sweep.seed), "--seeds", str(sweep.runs))
        how = ("--parcels", str(SWEEP_PARCELS), "--faults", "all", "--jobs", "1")
        ends = ("--until-failure", "--json", "--keep", keep)
        command = (sys.executable, "-m", "controller.cli", "sweep", *sizes, *how, *ends)
        try:
            run = subprocess.run(
                command, cwd=tree, capture_output=True, timeout=SWEEP_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return "never ended"
    if run.returncode == 0:
        return ""
    try:
        report = json.loads(run.stdout)
        failing = report["invariant_failures"][0]["failures"]
    except (ValueError, LookupError):
        last = run.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
        return f"ended with {last[:60] or run.returncode}"
    kinds = "+".join(sorted({sentence.partition(":")[0] for sentence in failing}))
    return f"{kinds} in run {report['runs']}"
