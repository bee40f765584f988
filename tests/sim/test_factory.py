"""The factory process without a controller: what it needs, what it leaves behind, how it fails."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from controller.clock import SystemClock
from controller.config import LineConfig, check_together, load
from controller.declared_lists.intake import run_intake
from sim.demo import NUMBERS_PER_LINE, DemoOptions, demo_specs, truth_file
from sim.demo_files import REFERENCE, free_ports, with_values, write_lines
from sim.factory import Factory, FactoryOptions, wait_for_intake, with_touching
from sim.truth import PassTruth, read_truth
from sim.workload import make_workload


@asynccontextmanager
async def site() -> AsyncIterator[LineConfig]:
    """A line's configuration with its intake process's part running."""
    with TemporaryDirectory(prefix="pg") as directory:
        (file,) = write_lines(Path(directory), 1, 5000, "modbus")
        config = load(file)
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            intake = tasks.create_task(run_intake(config.paths.state_dir, ready.set))
            await ready.wait()
            yield config
            intake.cancel()


def options(config: LineConfig) -> FactoryOptions:
    return FactoryOptions(10, 7, 5000, truth_file(config))


async def test_stopped_before_a_controller_came_it_leaves_its_truth() -> None:
    async with site() as config:
        stop = asyncio.Event()
        stop.set()
        await Factory(config, options(config), SystemClock()).run(stop)
        truth = read_truth(truth_file(config))
    assert truth.line == "L1"
    assert truth.interrupted_ns > 0
    assert truth.inducted == ()
    expected = make_workload(10, 7, rate_parcels_per_h=5000, speed_mm_per_s=1000)
    assert truth.declarations == expected.declarations


async def test_an_xray_port_in_use_ends_it_with_the_reason() -> None:
    async with site() as config:
        with socket.create_server((config.xray.host, config.xray.port)):
            with pytest.raises(ExceptionGroup) as caught:
                await Factory(config, options(config), SystemClock()).run(asyncio.Event())
        (error,) = caught.value.exceptions
        assert isinstance(error, OSError)
        assert str(config.xray.port) in str(error)


async def test_a_plc_port_in_use_ends_it_with_the_reason() -> None:
    async with site() as config:
        with socket.create_server((config.plc.host, config.plc.port)):
            with pytest.raises(OSError, match=f"cannot listen at 127.0.0.1:{config.plc.port}"):
                await Factory(config, options(config), SystemClock()).run(asyncio.Event())


async def test_without_a_controller_it_says_what_to_start() -> None:
    with pytest.raises(TimeoutError, match=r"no controller took the lists .* `parcelgate run`"):
        await wait_for_intake(Path("/nowhere/intake.sock"), 0, SystemClock())


def test_a_touching_follower_belongs_to_the_pass_of_its_leader() -> None:
    parcels = make_workload(40, 7, rate_parcels_per_h=5000, speed_mm_per_s=1000).parcels
    passes = [
        PassTruth(1, parcel.number, (parcel.number,), 0)
        for parcel in parcels
        if parcel.gap_before_mm > 0
    ]
    whole = with_touching(passes, parcels)
    assert sorted(n for entry in whole for n in entry.parcel_numbers) == [p.number for p in parcels]
    assert max(len(entry.parcel_numbers) for entry in whole) == 2
    assert with_touching(whole, parcels) == whole


def test_lines_of_a_demo_can_run_together(tmp_path: Path) -> None:
    configs = [load(file) for file in write_lines(tmp_path, 3, 4500, "modbus")]
    check_together(configs)
    assert [config.line.name for config in configs] == ["L1", "L2", "L3"]
    assert {config.rate_parcels_per_h for config in configs} == {4500}
    assert {config.paths.state_dir for config in configs} == {tmp_path}
    names = [spec.name for spec in demo_specs(configs, DemoOptions(300, 7))]
    assert names[0] == "witness"
    assert names[-3:] == ["factory-L1", "factory-L2", "factory-L3"]
    assert len(set(names)) == len(names)


def test_waybills_of_two_lines_never_meet() -> None:
    first = make_workload(50, 7, 5000, 1000, first_number=1)
    second = make_workload(50, 8, 5000, 1000, first_number=1 + NUMBERS_PER_LINE)
    waybills = {item.waybill for item in first.declarations}
    assert waybills.isdisjoint(item.waybill for item in second.declarations)


def test_a_value_that_the_reference_does_not_have_is_a_mistake_of_ours() -> None:
    with pytest.raises(KeyError, match="no_such_key"):
        with_values(REFERENCE.read_text("utf-8"), {("line", "no_such_key"): "1"})


def test_free_ports_are_all_different() -> None:
    assert len(set(free_ports(12))) == 12
