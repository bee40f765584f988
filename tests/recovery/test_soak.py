"""The soak's own measures, and a short soak whose faults the line must not notice at all."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from controller.clock import SystemClock
from controller.config import load
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.runtime.loop_lag import EDGES_US, PERIOD_NS, LoopLag
from controller.supervisor import ProcessEvent
from sim.demo_files import write_lines
from sim.soak.faults import CONTROLLER, FAULTS
from sim.soak.lag import LagLog
from sim.soak.memory import WARM_UP_NS, Growth, MemoryLog
from sim.soak.run import Soak, SoakOptions
from sim.truth import REASONS_OF_FAULT

MB = 1 << 20
S = NS_PER_S


def lived(memory: MemoryLog, pid: int, from_s: int, sizes_mb: list[float]) -> None:
    for index, size_mb in enumerate(sizes_mb):
        memory.note("line-L1", pid, (from_s + 5 * index) * S, int(size_mb * MB))


def test_growth_is_of_the_longest_life_without_its_first_minute() -> None:
    memory = MemoryLog(["line-L1", "api"])
    lived(memory, 1, 0, [50.0] * 15 + [900.0] * 4)
    lived(memory, 2, 100, [40.0] * 12 + [100.0] * 10 + [120.0] * 10)
    found = memory.growth(from_ns=10 * S)
    assert found["line-L1"] == Growth(100.0, 120.0, 20.0)
    assert found["api"] is None
    assert memory.growth(from_ns=240 * S)["line-L1"] is None, "too short to tell"
    assert WARM_UP_NS == 60 * S


@pytest.mark.parametrize(
    ("from_mb", "to_mb", "too_much"),
    [(100.0, 104.9, False), (20.0, 24.0, False), (20.0, 26.0, True), (200.0, 207.0, False)],
)
def test_growth_is_too_much_over_five_percent_and_over_five_mb(
    from_mb: float, to_mb: float, too_much: bool
) -> None:
    growth = Growth(from_mb, to_mb, 100 * (to_mb - from_mb) / from_mb)
    assert growth.too_much is too_much


def test_a_process_is_looked_at_from_outside() -> None:
    memory = MemoryLog(["me", "gone", "absent"])
    for look in range(20):
        memory.look((100 + 5 * look) * S, {"me": os.getpid(), "gone": 2**22 + 1})
    found = memory.growth(0)
    assert found["gone"] is None and found["absent"] is None
    assert found["me"] is not None and found["me"].from_mb > 5


async def test_lateness_is_counted_in_steps_and_lives_are_added(tmp_path: Path) -> None:
    lag = LoopLag(asyncio.get_running_loop(), SystemClock())
    for late_ns in (-5, 0, 99_999, 100_000, 3 * NS_PER_MS, 20 * S):
        lag.note(late_ns)
    counted = lag.counted()
    assert counted == {
        "ticks": 6,
        "max_us": 20_000_000,
        "lateness_us": [[0, 3], [100, 1], [3_000, 1], [EDGES_US[-1], 1]],
    }
    log = LagLog(tmp_path / "counters.json")
    log.look()  # no line has written yet
    for pid in (1, 1, 2):
        body = {"pid": pid, "polls": 7, "loop_lag": {**counted, "lateness_us": [[100, 30]]}}
        (tmp_path / "counters.json").write_bytes(msgspec.json.encode(body))
        log.look()
    assert log.figures_ms() == {"n": 60, "p50": 0.1, "p99": None, "max": 20_000.0}
    assert PERIOD_NS == 50 * NS_PER_MS


def test_every_fault_says_what_it_makes_true_or_that_nothing_is() -> None:
    names = [fault.name for fault in FAULTS]
    assert len(set(names)) == len(names)
    assert {f"kill {name}" for name in CONTROLLER} | {f"freeze {name}" for name in CONTROLLER} <= {
        *names
    }
    unnoticed = {fault.name for fault in FAULTS if not fault.kinds}
    assert unnoticed == {
        f"{verb} {name}" for verb in ("kill", "freeze") for name in ("intake", "records", "api")
    }
    assert all(REASONS_OF_FAULT[kind] for fault in FAULTS for kind in fault.kinds)


@pytest.mark.live
@pytest.mark.timeout(120)
async def test_the_line_does_not_notice_when_intake_records_and_page_die(tmp_path: Path) -> None:
    """Killed and frozen in turn while parcels run: each clean one is released, none is lost."""
    told: list[ProcessEvent] = []
    plant = load(write_lines(tmp_path, 1, 5000, "modbus")[0])
    unnoticed = tuple(fault for fault in FAULTS if not fault.kinds)
    options = replace(SoakOptions(0.2, seed=3), quiet_s=(0.3, 1.0), faults=unnoticed)
    report = await Soak(tmp_path, options, told.append, lambda text: None).run(plant)
    assert report.ok, report.as_json()
    assert report.parcels == options.parcels
    assert report.clean and report.released_clean_share == 1.0
    assert {name.split()[1] for name in report.faults} == {"intake", "records", "api"}
    assert report.verify_ok and report.replay_differences == 0
    assert report.loop_lag_ms["max"] is not None
