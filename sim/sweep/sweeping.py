"""Many runs, over as many processes as asked for, and what they came to together."""

import gc
import hashlib
import multiprocessing
import resource
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import sim
from controller.config import LineConfig, load
from controller.interfaces import Clock
from sim.sweep.failure_files import write_failure
from sim.sweep.faults import FAULTS, NOT_INJECTABLE
from sim.sweep.plan import Plan, make_plan
from sim.sweep.run import Run, RunResult
from sim.sweep.shrink import shrink

REFERENCE_LINE = Path(sim.__file__).parent / "reference_line.toml"
# After so many the point is made; each costs dozens of runs to shorten.
FAILURES_SHOWN = 5


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """`seeds` runs from `seed` on; faults by name; `directory` takes what failing runs leave.
    `until_failure`: the first failing run is the last, and is written down as it came."""

    seed: int
    seeds: int
    parcels: int
    faults: tuple[str, ...]
    jobs: int
    directory: Path
    until_failure: bool = False


@dataclass(frozen=True, slots=True)
class Failure:
    """One failing run: as it came, and as short as it could be made."""

    seed: int
    event: int
    failures: tuple[str, ...]
    shortest: Plan
    shortest_failures: tuple[str, ...]
    journal: Path


@dataclass(slots=True)
class SweepReport:
    """Totals. `wrong_releases` counts parcels; `failures` are the first FAILURES_SHOWN failing runs."""

    options: SweepOptions
    runs: int = 0
    parcels: int = 0
    released: int = 0
    held: int = 0
    events: int = 0
    clean: int = 0
    clean_released: int = 0
    wrong_releases: int = 0
    failing_runs: int = 0
    injected: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    heads: list[str] = field(default_factory=list)
    cpu_s: float = 0.0
    wall_s: float = 0.0

    @property
    def ok(self) -> bool:
        return self.parcels > 0 and self.failing_runs == 0

    def add(self, result: RunResult) -> None:
        self.runs += 1
        for name in ("parcels", "released", "held", "events", "clean", "clean_released"):
            setattr(self, name, getattr(self, name) + getattr(result, name))
        self.wrong_releases += len(result.wrong_releases)
        self.failing_runs += not result.ok
        self.injected += result.injected
        self.missed += result.missed
        self.heads.append(f"{result.seed} {result.head}")

    def journals_sha256(self, runs: int) -> str:
        """One hash over the last records' hashes of the first `runs` runs: what their journals hold."""
        return hashlib.sha256("\n".join(self.heads[:runs]).encode()).hexdigest()

    def as_json(self) -> dict[str, Any]:
        """The keys that people and machines read."""
        return {
            "ok": self.ok,
            "seed": self.options.seed,
            "runs": self.runs,
            "parcels": self.parcels,
            "released": self.released,
            "held": self.held,
            "events": self.events,
            "wrong_releases": self.wrong_releases,
            "invariant_failures": [_failure_json(failure) for failure in self.failures],
            "failing_runs": self.failing_runs,
            "released_clean_share": _share(self.clean_released, self.clean),
            "clean": self.clean,
            "missed": dict(sorted(self.missed.items())),
            "faults_injected": {
                name: self.injected[name] for name in sorted({*self.options.faults, *self.injected})
            },
            "not_injectable": NOT_INJECTABLE,
            "cpu_ms_per_parcel": _rounded(1_000 * self.cpu_s, self.parcels),
            "journals_sha256": self.journals_sha256(self.runs),
            "events_per_parcel": _rounded(self.events, self.parcels),
            "parcels_per_s": _rounded(self.parcels, self.wall_s),
        }


def sweep(options: SweepOptions, clock: Clock, tell: Callable[[int], None]) -> SweepReport:
    """All runs; `tell` hears how many are done. Failing ones are shortened and written down."""
    config = load(REFERENCE_LINE)
    report = SweepReport(options)
    began_ns = clock.monotonic_ns()
    seeds = range(options.seed, options.seed + options.seeds)
    for result, cpu_s in _results(options, config, seeds):
        report.add(result)
        report.cpu_s += cpu_s
        if not result.ok and len(report.failures) < FAILURES_SHOWN:
            report.failures.append(_looked_into(options, config, result))
        tell(report.runs)
        if options.until_failure and not result.ok:
            break
    report.wall_s = (clock.monotonic_ns() - began_ns) / 1e9
    return report


def _results(
    options: SweepOptions, config: LineConfig, seeds: Sequence[int]
) -> Iterator[tuple[RunResult, float]]:
    play = partial(_play_seed, options, config)
    if options.jobs == 1 or len(seeds) == 1:
        yield from map(play, seeds)
        return
    _Worker.play = play  # inherited by the fork: a compiled frozen class cannot be pickled
    with multiprocessing.get_context("fork").Pool(options.jobs, gc.freeze) as pool:
        yield from pool.imap(_Worker.run, seeds, chunksize=1)


class _Worker:
    """What each process of the pool was forked with."""

    play: Callable[[int], tuple[RunResult, float]]

    @classmethod
    def run(cls, seed: int) -> tuple[RunResult, float]:
        return cls.play(seed)


def _play_seed(options: SweepOptions, config: LineConfig, seed: int) -> tuple[RunResult, float]:
    """In a process of its own: the result and the CPU time it took."""
    before = _cpu_s()
    gc.disable()  # a run is a circle of parts that ends as a whole: one look at its end is enough
    try:
        result = Run(make_plan(seed, options.parcels, options.faults), config).play()
    finally:
        gc.enable()
        gc.collect()
    return result, _cpu_s() - before


def _looked_into(options: SweepOptions, config: LineConfig, result: RunResult) -> Failure:
    plan = make_plan(result.seed, options.parcels, options.faults)
    shortest, short_result = plan, result
    if not options.until_failure:
        shortest, short_result = shrink(plan, result, config)
    run = Run(shortest, config)
    run.play()
    journal = write_failure(options.directory, run)
    return Failure(
        seed=result.seed,
        event=result.failed_at,
        failures=_sentences(result),
        shortest=shortest,
        shortest_failures=_sentences(short_result),
        journal=journal,
    )


def every_fault() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(FAULTS)


def _sentences(result: RunResult) -> tuple[str, ...]:
    return (*result.failures, *(f"wrong release: {case}" for case in result.wrong_releases))


def _failure_json(failure: Failure) -> dict[str, Any]:
    shortest = failure.shortest
    return {
        "seed": failure.seed,
        "event": failure.event,
        "failures": list(failure.failures),
        "reproduction": {
            "failures": list(failure.shortest_failures),
            "parcels_fed": shortest.fed,
            "faults": [f"{each.name} at {each.at_ms} ms" for each in shortest.injections],
            "plan": str(failure.journal.parents[1] / "plan.json"),
        },
        "journal": str(failure.journal),
    }


def _cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


def _rounded(amount: float, by: float) -> float | None:
    return round(amount / by, 3) if by else None
