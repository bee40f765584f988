"""How the link opens an exchange: on a wire of plain registers, without a network."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from controller.clock import SystemClock
from controller.core.events import BeltRow, DecisionEchoed, Event, PlcConnected
from controller.core.vocabulary import DecisionResult
from plc import register_map as m
from plc.decision_slots import RowsToWrite
from plc.polled_link import PolledLink
from plc.record_codec import encode_belt_row, encode_echo, u32_at
from plc.ring_reader import RegisterRun
from tests.plc.register_plc import SESSION, Registers


class RegisterWire:
    """`plc.polled_link.Wire` on a `Registers`. Tables E and T are other ones at each of the next
    `unrest` reads."""

    connected = True
    rows_per_write = 10
    silent_ms = 0

    def __init__(self, plc: Registers, unrest: int = 0) -> None:
        self._plc = plc
        self._unrest = unrest
        self._e_reads = self._t_reads = 0

    async def read(self, run: RegisterRun) -> list[int] | None:
        if run.address == m.E_ADDRESS:
            self._e_reads += 1
            seq = min(self._e_reads, self._unrest)
            echo = DecisionEchoed(seq, 7, DecisionResult.ACCEPTED)
            self._put(m.E_ADDRESS, encode_echo(echo))
        if run.address == m.T_ADDRESS:
            self._t_reads += 1
            track_id = min(self._t_reads, self._unrest)
            self._put(m.T_ADDRESS, encode_belt_row(BeltRow(track_id, 100, 300, 1, 0)))
        return self._plc.read(run)

    async def write_and_read(
        self, address: int, words: Sequence[int], run: RegisterRun
    ) -> list[int] | None:
        self._put(address, words)
        self._plc.latch(u32_at(words, m.C_SESSION))
        self._plc.beat()
        self._plc.settle()
        return self._plc.read(run)

    async def write(self, address: int, words: Sequence[int]) -> bool:
        self._put(address, words)
        return True

    async def submit(self, write: RowsToWrite) -> Mapping[int, DecisionResult] | None:
        return {}

    def _put(self, address: int, words: Sequence[int]) -> None:
        self._plc.words[address : address + len(words)] = words


async def opened_on(wire: RegisterWire) -> PlcConnected:
    """Run a link until it is connected."""
    connected: asyncio.Future[PlcConnected] = asyncio.get_running_loop().create_future()

    def deliver(event: Event) -> None:
        if isinstance(event, PlcConnected) and not connected.done():
            connected.set_result(event)

    @asynccontextmanager
    async def connect() -> AsyncIterator[RegisterWire]:
        yield wire

    link = PolledLink("registers", SystemClock(), SESSION, connect)
    async with asyncio.timeout(20), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(link.run(deliver))
        event = await connected
        running.cancel()
    return event


async def test_decisions_that_an_earlier_exchange_left_in_the_plc_are_wiped_out() -> None:
    plc = Registers()
    rows = slice(m.D_ADDRESS, m.D_ADDRESS + m.D_SLOTS * m.D_SLOT_REGISTERS)
    plc.words[rows] = [0xABCD] * (rows.stop - rows.start)
    await opened_on(RegisterWire(plc))
    assert not any(plc.words[rows])


async def test_tables_without_a_crc_are_read_until_two_reads_agree() -> None:
    connected = await opened_on(RegisterWire(Registers(), unrest=4))
    assert [row.track_id for row in connected.on_belt] == [4]
    assert connected.decision_seq_max == 4
