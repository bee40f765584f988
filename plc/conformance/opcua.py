"""The suite's wire over OPC UA, on the session of plc/opcua_client.py.

A decision goes by the method where the PLC has one; a row that no method call can carry (a wrong CRC,
another layout, an empty one) goes as a row of block D where the PLC has those.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from typing import Any, TypeVar

from controller.interfaces import Clock
from plc import opcua_nodes as nodes
from plc import register_map as m
from plc.conformance.duties import NotRun
from plc.conformance.wire import WireLost, WriteWay, block_name
from plc.header import ExchangeFault
from plc.opcua_client import asyncua_session
from plc.opcua_settings import OpcuaSettings
from plc.opcua_wire import OpcuaSession
from plc.record_codec import crc16_modbus, u32_at, words_bytes
from plc.ring_reader import RegisterRun

# A PLC may take this long for one service call; the life sign has 400 ms.
_CALL_LIMIT_S = 2 * m.REQUEST_TIMEOUT_MS / 1_000

Answer = TypeVar("Answer")


class OpcuaTarget:
    """`Wire` over OPC UA."""

    ways = (WriteWay.WHOLE,)

    def __init__(self, session: OpcuaSession, clock: Clock) -> None:
        self._session = session
        self._clock = clock

    @property
    def has_rows(self) -> bool:
        return self._session.has_rows

    async def read(self, run: RegisterRun) -> list[int]:
        """As Wire, in one Read of the nodes that hold `run`."""
        if self._is_absent(run.address):
            return [0] * run.count
        blocks = nodes.blocks_over(run)
        names = [block.name for block in blocks]
        values = await self._ask(self._session.exchange((), names))
        for block, value in zip(blocks, values, strict=True):
            if len(value) != block.count:
                raise WireLost(f"node {block.name} holds {len(value)} values, not {block.count}")
        return nodes.words_of(run, blocks, values)

    async def write(self, address: int, words: Sequence[int]) -> None:
        if not self._is_absent(address):
            await self._ask(self._session.exchange(_named(address, words), ()))

    async def refuses(
        self, address: int, words: Sequence[int], way: WriteWay = WriteWay.WHOLE
    ) -> bool:
        """The whole node that holds the register, with what stands in it."""
        (block,) = nodes.blocks_over(RegisterRun(address, 1))
        there = await self.read(RegisterRun(block.address, block.count))
        try:
            async with asyncio.timeout(_CALL_LIMIT_S):
                await self._session.exchange([(block.name, there)], ())
        except ExchangeFault:
            return True
        except TimeoutError as error:
            raise WireLost("the PLC does not answer") from error
        return False

    async def submit(self, row: Sequence[int]) -> int | None:
        if self._session.has_method and _fits_a_call(row):
            arguments = (
                u32_at(row, m.D_BOOT_ID),
                u32_at(row, m.D_SESSION),
                u32_at(row, m.D_TRACK_ID),
                row[m.D_DESTINATION],
                row[m.D_REASON],
                u32_at(row, m.D_DECISION_SEQ),
            )
            return await self._ask(self._session.submit(arguments))
        if not self._session.has_rows:
            raise NotRun("a call of SubmitDecision cannot say this, and the PLC has no rows of D.")
        slot = u32_at(row, m.D_DECISION_SEQ) % m.D_SLOTS
        await self.write(m.D_ADDRESS + slot * m.D_SLOT_REGISTERS, row)
        return None

    async def pause(self, ms: int) -> None:
        await asyncio.sleep(ms / 1_000)

    def now_ns(self) -> int:
        return self._clock.monotonic_ns()

    def place(self, address: int) -> str:
        """The node, and which of its values."""
        (block,) = nodes.blocks_over(RegisterRun(address, 1))
        return f"{block_name(address)} (node {block.name}[{address - block.address}])"

    def _is_absent(self, address: int) -> bool:
        """A row of D where the PLC takes decisions by method only."""
        return m.D_ADDRESS <= address < m.T_ADDRESS and not self._session.has_rows

    async def _ask(self, call: Coroutine[Any, Any, Answer]) -> Answer:
        try:
            async with asyncio.timeout(_CALL_LIMIT_S):
                return await call
        except ExchangeFault as fault:
            raise WireLost(f"{fault}") from fault
        except TimeoutError as error:
            limit_ms = int(_CALL_LIMIT_S * 1_000)
            raise WireLost(f"no answer within {limit_ms} ms") from error


@asynccontextmanager
async def opcua_target(settings: OpcuaSettings, clock: Clock) -> AsyncIterator[OpcuaTarget]:
    """A connected wire, closed on leaving. WireLost if it cannot connect."""
    try:
        async with asyncua_session(settings) as session:
            yield OpcuaTarget(session, clock)
    except ExchangeFault as fault:
        raise WireLost(f"{fault}") from fault


def _fits_a_call(row: Sequence[int]) -> bool:
    """A call has no CRC, no layout and no empty row."""
    whole = crc16_modbus(words_bytes(row[: m.D_CRC])) == row[m.D_CRC]
    return whole and row[m.D_LAYOUT] == m.LAYOUT_VERSION and u32_at(row, m.D_DECISION_SEQ) != 0


def _named(address: int, words: Sequence[int]) -> list[tuple[str, list[int]]]:
    return [(block.name, part) for block, part in nodes.split(address, words)]
