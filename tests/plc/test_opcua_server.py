"""The soft PLC's OPC UA port: what a host may not write, and a PLC that is switched off and on."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.core.vocabulary import LinkFault
from plc import register_map as m
from plc.header import ExchangeFault
from plc.opcua_client import asyncua_session
from sim.opcua_server import OpcuaPlcServer
from tests.plc.opcua_peer import running, settings_for


@pytest.mark.parametrize("name", ["HP", "E", "T", "R0", "R109"])
async def test_what_the_plc_writes_takes_no_writes(opcua_plcs: Path, name: str) -> None:
    count = {"HP": 20, "E": 80, "T": 288}.get(name, m.R_SLOT_REGISTERS)
    async with running(opcua_plcs) as plc, asyncua_session(settings_for(plc.port)) as session:
        before = await session.exchange([], ["R109"])
        with pytest.raises(ExchangeFault) as refused:
            await session.exchange([(name, [7] * count)], [])
        assert refused.value.fault is LinkFault.EXCEPTION_ANSWER
        assert await session.exchange([], ["R109"]) == before


@pytest.mark.parametrize("count", [0, 11, 13, 200])
async def test_a_write_of_another_length_is_refused(opcua_plcs: Path, count: int) -> None:
    async with running(opcua_plcs) as plc, asyncua_session(settings_for(plc.port)) as session:
        with pytest.raises(ExchangeFault) as refused:
            await session.exchange([("C", [7] * count)], [])
    assert refused.value.fault is LinkFault.NOT_OUR_MAP


@pytest.fixture
async def server() -> AsyncIterator[OpcuaPlcServer]:
    made = OpcuaPlcServer("127.0.0.1", 0)
    await made.start()
    yield made
    assert made._server is not None
    await made._server.stop()


async def test_a_plc_that_was_off_comes_back_on_its_port(server: OpcuaPlcServer) -> None:
    port = server.port
    settings = settings_for(port, node_prefix="")
    async with asyncua_session(settings) as session:
        await server.stop()
        async with asyncio.timeout(5):
            while session.connected:
                await asyncio.sleep(0.01)
        with pytest.raises(ExchangeFault) as gone:
            await session.exchange([], ["HP"])
        assert gone.value.fault is LinkFault.REFUSED
    with pytest.raises(ExchangeFault):
        async with asyncua_session(settings):
            raise AssertionError("it is off")
    await server.start()
    assert server.port == port
    server.image[m.H_MAGIC] = m.MAGIC
    async with asyncua_session(settings) as session:
        assert (await session.exchange([], ["HP"]))[0][m.H_MAGIC] == m.MAGIC
    other = OpcuaPlcServer("127.0.0.1", port)
    with pytest.raises(RuntimeError, match="listen"):
        await other.start()
