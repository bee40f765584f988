"""The PLC link whatever the protocol: carries `plc.exchange` over a `Wire`, one request at a time.

One monitor loop does everything: connect, shake hands, poll, give up, begin again with a new wire.
It has no second task and no callback that acts; `send` only wakes it. It never raises for what the
PLC does, says a loss once and a recovery once, and never blocks the event loop. What differs between
Modbus and OPC UA is behind `Wire`; every rule of the exchange is here and in `plc.exchange`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from typing import Final, Protocol

from controller.core.commands import SendDecision
from controller.core.events import PlcLost
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.core.vocabulary import DecisionResult, LinkFault
from controller.interfaces import Clock, Deliver
from plc import register_map as m
from plc.decision_slots import RowsToWrite
from plc.exchange import HEADER_AND_ECHO_RUN, Counters, Exchange
from plc.header import ExchangeFault
from plc.ring_reader import RegisterRun

_LOG: Final = logging.getLogger(__name__)

_T_ROWS_PER_READ: Final = m.FC3_REGISTERS_MAX // m.T_ROW_REGISTERS
# The life sign goes out between two bursts of record reads, at a PLC scan of 20 ms every 180 ms.
_RECORD_READS_PER_POLL: Final = 8
# Decisions wait for the next poll rather than keep the life sign from going out.
_POLL_GAP_MAX_MS: Final = m.LIFE_SIGN_LIMIT_MS // 2
# After these the same connection may serve again; the others need a new one or another PLC.
_MAY_RECOVER: Final = (LinkFault.SILENT, LinkFault.NO_ANSWER)


class Wire(Protocol):
    """One open connection. Registers are those of the map, relative to the line's base.

    A request that was not answered in time is None or False, because the next one may be; whatever
    else goes wrong leaves as ExchangeFault, and the connection is given up.
    """

    @property
    def connected(self) -> bool: ...

    @property
    def rows_per_write(self) -> int:
        """How many decisions one `submit` takes."""

    @property
    def silent_ms(self) -> int:
        """How long nothing was answered on this connection."""

    async def read(self, run: RegisterRun) -> list[int] | None:
        """The registers of `run`."""

    async def write_and_read(
        self, address: int, words: Sequence[int], run: RegisterRun
    ) -> list[int] | None:
        """Write `words` at `address`, then the registers of `run`."""

    async def write(self, address: int, words: Sequence[int]) -> bool:
        """True if the PLC confirmed."""

    async def submit(self, write: RowsToWrite) -> Mapping[int, DecisionResult] | None:
        """Hand over decisions. None: not confirmed, to be tried again. Otherwise what the PLC answered
        at once, by row number; the others are answered in block E."""


class Pauses(Protocol):
    """How the monitor loop waits: on the event loop, or in the simulator's virtual time."""

    async def sleep(self, ms: int) -> None:
        """Nothing for this long."""

    async def woken(self, within_ns: int) -> None:
        """Until `wake` was called since the last `forget`, or this long."""

    def wake(self) -> None: ...

    def forget(self) -> None: ...


class LoopPauses:
    """`Pauses` on the running event loop."""

    def __init__(self) -> None:
        self._wake = asyncio.Event()

    async def sleep(self, ms: int) -> None:
        await asyncio.sleep(ms / 1_000)

    async def woken(self, within_ns: int) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(within_ns / NS_PER_S):
                await self._wake.wait()

    def wake(self) -> None:
        self._wake.set()

    def forget(self) -> None:
        self._wake.clear()


Connect = Callable[[], AbstractAsyncContextManager[Wire]]


class PolledLink:
    """`controller.interfaces.PlcLink` over wires made by `connect`; `session` as `Exchange` says.

    `name` is how the log calls the PLC.
    """

    def __init__(
        self,
        name: str,
        clock: Clock,
        session: int,
        connect: Connect,
        pauses: Pauses | None = None,
    ) -> None:
        self._name = name
        self._clock = clock
        self._connect = connect
        self._exchange = Exchange(session)
        self._pauses = pauses or LoopPauses()
        self._reported: set[LinkFault] = set()
        self._poll_due_ns = 0
        self._deliver: Deliver = _nowhere

    @property
    def counters(self) -> Counters:
        return self._exchange.counters

    def send(self, decision: SendDecision) -> None:
        """As PlcLink: goes out at once if the connection is idle."""
        self._exchange.send(decision)
        self._pauses.wake()

    def acknowledge(self, boot_id: int, ring_seq: int) -> None:
        """As PlcLink: goes out with the next poll."""
        self._exchange.acknowledge(boot_id, ring_seq)

    def permit(self, infeed: bool, belt: bool) -> None:
        """As PlcLink: goes out with the next poll."""
        self._exchange.permit(infeed, belt)

    async def run(self, deliver: Deliver) -> None:
        """As PlcLink: poll until cancelled."""
        self._deliver = deliver
        try:
            while True:
                await self._one_connection()
                await self._pauses.sleep(m.RECONNECT_PERIOD_MS)
        finally:
            self._exchange.close()

    async def _one_connection(self) -> None:
        try:
            async with self._connect() as wire:
                while await self._exchange_again(wire):
                    await self._pauses.sleep(m.POLL_PERIOD_MS)
        except ExchangeFault as fault:
            self._lost(fault)

    async def _exchange_again(self, wire: Wire) -> bool:
        """One exchange until it breaks. True if the same connection is worth another try."""
        try:
            await self._open(wire)
            await self._poll(wire)
        except ExchangeFault as fault:
            self._lost(fault)
            return (
                fault.fault in _MAY_RECOVER
                and wire.connected
                and wire.silent_ms < m.SILENCE_RECONNECT_MS
            )
        raise AssertionError("polling ends only by a fault")

    # --- opening ----------------------------------------------------------------------------------

    async def _open(self, wire: Wire) -> None:
        """Shake hands; nothing is written before we know whose map and session it is."""
        exchange = self._exchange
        began_ns = self._clock.monotonic_ns()
        while not exchange.greet(
            self._clock.monotonic_ns(), await _must_read(wire, HEADER_AND_ECHO_RUN)
        ):
            if self._clock.monotonic_ns() - began_ns > m.LIFE_SIGN_LIMIT_MS * NS_PER_MS:
                raise ExchangeFault(LinkFault.SILENT, "the PLC's header stays torn or empty")
        while not await self._latch(wire):
            await self._pauses.sleep(m.POLL_PERIOD_MS)
        # A decision of a broken exchange that the PLC had not read yet must not count later.
        for address, count in _D_HALVES:
            if not await wire.write(address, [0] * count):
                raise ExchangeFault(LinkFault.NO_ANSWER, "the decision rows cannot be cleared")
        echoes, belt = await self._whole_tables(wire)
        self._recovered()
        for event in exchange.open(echoes, belt):
            self._deliver(event)

    async def _latch(self, wire: Wire) -> bool:
        exchange = self._exchange
        words = await wire.write_and_read(m.C_ADDRESS, exchange.host_words(), exchange.poll_run())
        now_ns = self._clock.monotonic_ns()
        if words is None:
            exchange.check(now_ns, answered=False)
            return False
        return exchange.latched(now_ns, words)

    async def _whole_tables(self, wire: Wire) -> tuple[list[int], list[int]]:
        """Blocks E and T, read until two reads agree: their rows have no CRC."""
        tables = await self._tables(wire)
        while True:
            await self._latch(wire)
            again = await self._tables(wire)
            if again == tables:
                return tables
            tables = again

    async def _tables(self, wire: Wire) -> tuple[list[int], list[int]]:
        belt: list[int] = []
        for first in range(0, m.T_ROWS, _T_ROWS_PER_READ):
            rows = min(_T_ROWS_PER_READ, m.T_ROWS - first)
            run = RegisterRun(m.T_ADDRESS + first * m.T_ROW_REGISTERS, rows * m.T_ROW_REGISTERS)
            belt += await _must_read(wire, run)
        return await _must_read(wire, _E_RUN), belt

    # --- polling ----------------------------------------------------------------------------------

    async def _poll(self, wire: Wire) -> None:
        exchange = self._exchange
        next_poll_ns = self._clock.monotonic_ns()
        while True:
            words = await wire.write_and_read(
                m.C_ADDRESS, exchange.host_words(), exchange.poll_run()
            )
            now_ns = self._clock.monotonic_ns()
            if words is None:
                exchange.check(now_ns, answered=False)
                continue
            self._poll_due_ns = now_ns + _POLL_GAP_MAX_MS * NS_PER_MS
            for event in exchange.take_header(now_ns, words):
                self._deliver(event)
            more = await self._read_records(wire)
            next_poll_ns = max(next_poll_ns + m.POLL_PERIOD_MS * NS_PER_MS, now_ns)
            await self._idle(wire, now_ns if more else next_poll_ns)

    async def _read_records(self, wire: Wire) -> bool:
        """Fetch what waits. True if more waits than fits between two life signs."""
        exchange = self._exchange
        for _ in range(_RECORD_READS_PER_POLL):
            await self._write_decisions(wire)
            run = exchange.next_read()
            if run is None:
                return False
            words = await wire.read(run)
            now_ns = self._clock.monotonic_ns()
            if words is None:
                exchange.check(now_ns, answered=False)
                return False
            taken = exchange.take_records(now_ns, words)
            for event in taken:
                self._deliver(event)
            if not taken:
                return False
        return True

    async def _idle(self, wire: Wire, until_ns: int) -> None:
        """Wait for the next poll; a decision that comes meanwhile goes out at once."""
        while True:
            self._pauses.forget()
            await self._write_decisions(wire)
            left_ns = until_ns - self._clock.monotonic_ns()
            if left_ns <= 0:
                return
            await self._pauses.woken(left_ns)

    async def _write_decisions(self, wire: Wire) -> None:
        while self._clock.monotonic_ns() < self._poll_due_ns:
            write = self._exchange.next_write(wire.rows_per_write)
            if write is None:
                return
            answers = await wire.submit(write)
            if answers is None:
                return
            self._exchange.written(write, self._clock.monotonic_ns())
            for row, result in answers.items():
                for event in self._exchange.answered(row, result):
                    self._deliver(event)

    # --- loss and recovery ------------------------------------------------------------------------

    def _lost(self, fault: ExchangeFault) -> None:
        """Each fault once per outage: a page must not keep showing the first of several causes."""
        self._exchange.close()
        if fault.fault in self._reported:
            return
        self._reported.add(fault.fault)
        _LOG.warning("PLC %s lost: %s", self._name, fault)
        self._deliver(PlcLost(fault.fault))

    def _recovered(self) -> None:
        if self._reported:
            _LOG.info("PLC %s is back", self._name)
            self.counters.reconnects += 1
        self._reported.clear()


_E_RUN: Final = RegisterRun(m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS)
_D_HALVES: Final = tuple(
    (m.D_ADDRESS + half * m.D_SLOTS // 2 * m.D_SLOT_REGISTERS, m.D_SLOTS // 2 * m.D_SLOT_REGISTERS)
    for half in range(2)
)


async def _must_read(wire: Wire, run: RegisterRun) -> list[int]:
    words = await wire.read(run)
    if words is None:
        raise ExchangeFault(LinkFault.NO_ANSWER, "the PLC does not answer")
    return words


def _nowhere(event: object) -> None:
    raise AssertionError(f"{event} before run")
