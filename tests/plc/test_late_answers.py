"""The line stood still, and when it goes on the answer and the end of its time are there at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from controller.clock import SystemClock
from controller.core.units import NS_PER_MS
from plc import opcua_client
from plc import register_map as m
from plc.opcua_link import AsyncuaBackend
from plc.opcua_settings import OpcuaSettings
from plc.opcua_wire import OpcuaSession
from tests.plc.opcua_peer import connected_host, running

STANDSTILLS = 2


@dataclass
class Standstill:
    """Freezes the loop for so long, as SIGSTOP freezes the process, while the request is under way."""

    ms: int
    armed: bool = False
    happened: int = 0

    def request_goes_out(self) -> None:
        """The loop stops in the turn after this one, when the request is on its way."""
        if self.armed:
            self.armed = False
            asyncio.get_running_loop().call_soon(self._stand)

    def _stand(self) -> None:
        self.happened += 1
        clock = SystemClock()
        until_ns = clock.monotonic_ns() + self.ms * NS_PER_MS
        while clock.monotonic_ns() < until_ns:
            pass


class StandingSession:
    """A real session, its requests interrupted."""

    def __init__(self, session: OpcuaSession, standstill: Standstill) -> None:
        self._session, self._standstill = session, standstill

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    async def exchange(
        self, writes: Sequence[tuple[str, list[int]]], reads: Sequence[str]
    ) -> list[list[int]]:
        self._standstill.request_goes_out()
        return await self._session.exchange(writes, reads)


class StandingBackend(AsyncuaBackend):
    def __init__(self, standstill: Standstill) -> None:
        self._standstill = standstill

    @asynccontextmanager
    async def session(self, settings: OpcuaSettings) -> AsyncIterator[Any]:
        async with opcua_client.asyncua_session(settings) as session:
            yield StandingSession(session, self._standstill)


@pytest.mark.parametrize("ms", [m.REQUEST_TIMEOUT_MS + 20, m.LIFE_SIGN_LIMIT_MS + 50])
async def test_the_link_outlives_a_line_that_stood_still(opcua_plcs: Path, ms: int) -> None:
    standstill = Standstill(ms)
    async with running(opcua_plcs, records=100_000, rate_hz=50) as plc:
        async with connected_host(plc.port, backend=StandingBackend(standstill)) as host:
            for number in range(1, 1 + STANDSTILLS):
                await host.until_up()
                standstill.armed = True
                await host.until(lambda _, number=number: standstill.happened == number)
                seen = len(host.records)
                await host.until(lambda h, seen=seen: len(h.records) > seen)
