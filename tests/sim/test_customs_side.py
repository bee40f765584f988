"""The customs side against the real intake process's socket, in this process."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from controller.clock import SystemClock
from controller.declared_lists.intake import run_intake
from sim.customs_side import CustomsSide
from sim.workload import make_workload

RUN = make_workload(120, 7, rate_parcels_per_h=5000, speed_mm_per_s=1000)


@asynccontextmanager
async def intake() -> AsyncIterator[Path]:
    # A short path: a Unix socket's name has at most 107 bytes.
    with TemporaryDirectory(prefix="pg") as directory:
        ready = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            task = tasks.create_task(run_intake(Path(directory), ready.set))
            await ready.wait()
            yield Path(directory)
            task.cancel()


async def test_everything_is_imported_before_the_run() -> None:
    done: list[int] = []
    async with intake() as state_dir:
        customs = CustomsSide(state_dir, SystemClock())
        await customs.import_all(RUN.declarations, done.append)
        customs.close()
    assert done[-1] == len(RUN.declarations)
    assert len(done) == 2
    assert customs.receipts == []


async def test_a_late_receipt_is_sent_when_its_parcel_gets_there_and_becomes_durable() -> None:
    late = RUN.late_receipts[0]
    position = {"mm": 0}

    def position_of(number: int) -> int | None:
        if number != late.parcel_number:
            return None
        position["mm"] += 400
        return position["mm"]

    async with intake() as state_dir:
        customs = CustomsSide(state_dir, SystemClock())
        await customs.import_all(RUN.declarations, lambda done: None)
        await customs.follow([late], position_of)
        customs.close()
    (sent,) = customs.receipts
    assert (sent.waybill, sent.status) == (late.waybill, 500)
    assert sent.durable_ns >= sent.sent_ns
    assert late.position_mm <= position["mm"] < late.position_mm + 800


async def test_a_receipt_survives_a_restart_of_intake() -> None:
    clock = SystemClock()
    async with intake() as state_dir:
        customs = CustomsSide(state_dir, clock)
        await customs.import_all(RUN.declarations[:5], lambda done: None)
        socket = state_dir / "intake.sock"
        hidden = state_dir / "hidden.sock"
        customs.close()
        socket.rename(hidden)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(customs.send_now(RUN.declarations[0].waybill, 500))
            while not customs.receipts:
                await asyncio.sleep(0)
            assert customs.receipts[0].durable_ns < 0
            hidden.rename(socket)
        assert customs.receipts[0].durable_ns > 0
        customs.close()


async def test_without_intake_it_says_so() -> None:
    with TemporaryDirectory(prefix="pg") as directory:
        customs = CustomsSide(Path(directory), SystemClock())
        with pytest.raises(OSError, match="No such file"):
            await customs.import_all(RUN.declarations[:1], lambda done: None)
