"""One seed, one run: the same on every machine, with and without what is left out to be quick."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from controller.config import LineConfig, load
from sim.sweep import faults_wire
from sim.sweep.faults import FAULTS
from sim.sweep.plan import make_plan
from sim.sweep.run import Run, RunResult
from sim.sweep.sweeping import REFERENCE_LINE

ROOT = Path(__file__).resolve().parents[2]
PRINT_HEADS = """
from controller.config import load
from sim.sweep.plan import make_plan
from sim.sweep.run import Run
from sim.sweep.sweeping import REFERENCE_LINE, every_fault
config = load(REFERENCE_LINE)
for seed in (11, 12, 16):
    result = Run(make_plan(seed, 30, every_fault()), config).play()
    print(result.head, result.events, result.released, sorted(result.injected.items()))
"""


@pytest.fixture(scope="module")
def config() -> LineConfig:
    return load(REFERENCE_LINE)


def _played(config: LineConfig, seed: int, parcels: int, names: tuple[str, ...]) -> RunResult:
    return Run(make_plan(seed, parcels, names), config).play()


def _heads(hash_seed: int) -> str:
    done = subprocess.run(
        (sys.executable, "-c", PRINT_HEADS),
        cwd=ROOT,
        env=os.environ | {"PYTHONHASHSEED": str(hash_seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def test_a_seed_gives_the_same_journal_whatever_the_hash_seed() -> None:
    first = _heads(1)
    assert len(first.splitlines()) == 3
    assert _heads(2) == first


def test_two_seeds_give_two_journals(config: LineConfig) -> None:
    assert _played(config, 1, 10, ()).head != _played(config, 2, 10, ()).head


@pytest.mark.parametrize("seed", range(30, 40))
def test_what_is_left_out_makes_no_difference(config: LineConfig, seed: int) -> None:
    """Every scan worked through and every poll made, or only those that can matter: the same journal,
    byte for byte. A fault of the wire shifts polls by a scan, so these stay out here."""
    well = tuple(name for name in FAULTS if FAULTS[name].begin.__module__ != faults_wire.__name__)
    plan = make_plan(seed, 20, well)
    quick = Run(plan, config).play()
    whole = Run(replace(plan, exhaustive=True), config).play()
    assert quick.ok, (quick.failures, quick.wrong_releases)
    assert (quick.head, quick.released, quick.held) == (whole.head, whole.released, whole.held)


def test_without_faults_all_clean_parcels_are_released(config: LineConfig) -> None:
    result = _played(config, 3, 60, ())
    assert result.ok, (result.failures, result.wrong_releases)
    assert result.clean == result.clean_released > 20
    assert not result.injected
    assert not result.missed


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_alone_happens_and_harms_nobody(config: LineConfig, name: str) -> None:
    """Each of the table, as the only kind of its run; some need a few seeds to meet a parcel."""
    for seed in range(40, 60, 4):
        result = _played(config, seed, 20, (name,))
        assert result.ok, (result.failures, result.wrong_releases)
        if result.injected[name]:
            return
    pytest.fail(f"{name} changed nothing in five runs")
