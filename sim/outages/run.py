"""All trials of `torture plc`: a stage for each wire and case, and one outage after the other on it."""

from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from sim.outages.stage import a_stage
from sim.outages.table import Row, rows_of
from sim.outages.trial import Case, Trial, run_trial

WIRES = ("modbus", "opcua")
Tell = Callable[[str], None]


async def outages(
    directory: Path, wires: Sequence[str], cases: Sequence[Case], trials: int, seed: int, tell: Tell
) -> list[Row]:
    """`trials` of each case on each wire, in folders of `directory`; the rows of the table.

    SupervisorError: the processes cannot run.
    """
    rows: list[Row] = []
    for wire in wires:
        done: list[Trial] = []
        for case in cases:
            folder = directory / f"{wire}-{case.value}"
            folder.mkdir()
            done += await _trials(folder, wire, case, trials, seed, tell)
        rows += rows_of(wire, done)
    return rows


async def _trials(
    folder: Path, wire: str, case: Case, trials: int, seed: int, tell: Tell
) -> list[Trial]:
    """Until one did not come back: what follows it would say nothing."""
    rng = Random(f"outages {wire} {case.value} {seed}")
    done: list[Trial] = []
    async with a_stage(folder, wire, trials, seed) as stage:
        for number in range(trials):
            done.append(await run_trial(stage, case, number, rng))
            tell(f"{wire} {case.value} {number + 1}: {_said(done[-1])}")
            if done[-1].release_ns is None:
                break
    return done


def _said(trial: Trial) -> str:
    times = (("safe", trial.safe_ns), ("back", trial.back_ns), ("release", trial.release_ns))
    said = ", ".join(f"{name} {_ms(value)}" for name, value in times)
    return f"{said} (disturbed)" if trial.disturbed else said


def _ms(value_ns: int | None) -> str:
    return "never" if value_ns is None else f"{value_ns / 1_000_000:.0f} ms"
