"""The same suite over OPC UA, and a fault there named by its node."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest

from controller.clock import SystemClock
from controller.core.commands import SendDecision
from controller.core.vocabulary import DecisionResult
from plc.conformance.duties import NotRun
from plc.conformance.opcua import opcua_target
from plc.conformance.suite import CHECKS, Outcome, Result, passed, run_suite
from plc.conformance.wire import WireLost
from plc.opcua_settings import OpcuaSettings
from plc.record_codec import encode_decision
from sim.conformance_target import serve
from sim.opcua_server import OpcuaPlcServer
from sim.plc_test_mode import TestModePlc
from tests.plc import broken_leases
from tests.plc.virtual_target import LINE

SESSION = 0x0BAD_CAFE
QUICK = (
    *("map and word order", "writes refused", "session latch", "bad CRC", "foreign session"),
    *("unknown parcel", "one answer", "zero is empty", "ring under load"),
)


@asynccontextmanager
async def soft_plc(*, has_rows: bool = True, has_method: bool = True) -> AsyncIterator[str]:
    server = OpcuaPlcServer("127.0.0.1", 0, has_rows=has_rows, has_method=has_method)
    await server.start()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        plc = TestModePlc(LINE, Random(3))
        group.create_task(serve(plc, server, SystemClock(), stop))
        try:
            yield f"opc.tcp://127.0.0.1:{server.port}/"
        finally:
            stop.set()
    await server.stop()


async def tried(url: str, *names: str) -> list[Outcome]:
    checks = [check for check in CHECKS if check.name in names]
    async with opcua_target(OpcuaSettings(url), SystemClock()) as wire:
        return await run_suite(wire, SESSION, LINE, checks)


@pytest.mark.parametrize("has_method", [True, False])
async def test_the_soft_plc_passes_what_is_quick(has_method: bool) -> None:
    async with soft_plc(has_method=has_method) as url:
        outcomes = await tried(url, *QUICK)
    assert [o for o in outcomes if o.result is not Result.PASSED] == []
    assert len(outcomes) == len(QUICK)


async def test_a_plc_with_the_method_only_need_not_have_rows() -> None:
    about_rows = ("bad CRC", "wrong layout", "misplaced row", "zero is empty")
    async with soft_plc(has_rows=False) as url:
        outcomes = await tried(url, *about_rows, "foreign boot id", "one answer")
        async with opcua_target(OpcuaSettings(url), SystemClock()) as wire:
            no_destination = encode_decision(SendDecision(9, 1, 2, 3, 0, 0))  # type: ignore[arg-type]
            assert await wire.submit(no_destination) == DecisionResult.BAD_CRC
            with pytest.raises(NotRun, match="the PLC has no rows of D"):
                await wire.submit([*no_destination[:-1], 0])
    results = {o.name: o.result for o in outcomes}
    not_run = dict.fromkeys(about_rows, Result.NOT_RUN)
    assert results == not_run | dict.fromkeys(("foreign boot id", "one answer"), Result.PASSED)
    assert passed(outcomes)
    assert {o.sentence for o in outcomes if o.result is Result.NOT_RUN} == {
        "does not apply: the PLC takes decisions by method only and has no rows of D."
    }


async def test_a_fault_is_named_by_its_node(monkeypatch: pytest.MonkeyPatch) -> None:
    broken_leases.crc_ignored(monkeypatch, None)  # type: ignore[arg-type]
    async with soft_plc() as url:
        (outcome,) = await tried(url, "bad CRC")
    assert outcome.result is Result.FAILED
    assert outcome.sentence.startswith(
        "P15 bad row: a decision row with a wrong CRC was answered 3 in"
    )
    assert "(node E[" in outcome.sentence


async def test_nobody_there() -> None:
    with pytest.raises(WireLost):
        await tried("opc.tcp://127.0.0.1:1/", "bad CRC")
