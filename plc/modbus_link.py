"""The PLC link over Modbus TCP: carries `plc.exchange` over one connection, one request at a time.

One monitor loop does everything: connect, shake hands, poll, give up, begin again with a new client
object. It has no second task and no callback that acts; `send` only wakes it. It never raises for
what the PLC does, says a loss once and a recovery once, and never blocks the event loop.
"""

import asyncio
import logging

from controller.core.commands import SendDecision
from controller.core.events import PlcLost
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.core.vocabulary import LinkFault
from controller.interfaces import Clock, Deliver
from plc import register_map as m
from plc.exchange import HEADER_AND_ECHO_RUN, Counters, Exchange
from plc.header import ExchangeFault
from plc.modbus_wire import ModbusWire, connected_wire
from plc.ring_reader import RegisterRun

_LOG = logging.getLogger(__name__)

_T_ROWS_PER_READ = m.FC3_REGISTERS_MAX // m.T_ROW_REGISTERS
# The life sign goes out between two bursts of record reads, at a PLC scan of 20 ms every 180 ms.
_RECORD_READS_PER_POLL = 8
# After these the same connection may serve again; the others need a new one or another PLC.
_MAY_RECOVER = (LinkFault.SILENT, LinkFault.NO_ANSWER)


class ModbusLink:
    """`controller.interfaces.PlcLink` over Modbus TCP; `session` as `Exchange` says."""

    def __init__(
        self,
        host: str,
        port: int,
        clock: Clock,
        session: int,
        *,
        device_id: int = 1,
        base_address: int = 0,
    ) -> None:
        self._host = host
        self._port = port
        self._clock = clock
        self._device_id = device_id
        self._base_address = base_address
        self._exchange = Exchange(session)
        self._wake = asyncio.Event()
        self._reported: set[LinkFault] = set()
        self._deliver: Deliver = _nowhere

    @property
    def counters(self) -> Counters:
        return self._exchange.counters

    def send(self, decision: SendDecision) -> None:
        """As PlcLink: goes out at once if the connection is idle."""
        self._exchange.send(decision)
        self._wake.set()

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
                await asyncio.sleep(m.RECONNECT_PERIOD_MS / 1_000)
        finally:
            self._exchange.close()

    async def _one_connection(self) -> None:
        try:
            async with connected_wire(
                self._host,
                self._port,
                self._clock,
                device_id=self._device_id,
                base_address=self._base_address,
            ) as wire:
                while await self._exchange_again(wire):
                    await _poll_pause()
        except ExchangeFault as fault:
            self._lost(fault)

    async def _exchange_again(self, wire: ModbusWire) -> bool:
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

    async def _open(self, wire: ModbusWire) -> None:
        """Shake hands; nothing is written before we know whose map and session it is."""
        exchange = self._exchange
        began_ns = self._clock.monotonic_ns()
        while not exchange.greet(
            self._clock.monotonic_ns(), await _must_read(wire, HEADER_AND_ECHO_RUN)
        ):
            if self._clock.monotonic_ns() - began_ns > m.LIFE_SIGN_LIMIT_MS * NS_PER_MS:
                raise ExchangeFault(LinkFault.SILENT, "the PLC's header stays torn or empty")
        while not await self._latch(wire):
            await _poll_pause()
        # A decision of a broken exchange that the PLC had not read yet must not count later.
        for address, count in _D_HALVES:
            if not await wire.write(address, [0] * count):
                raise ExchangeFault(LinkFault.NO_ANSWER, "the decision rows cannot be cleared")
        echoes, belt = await self._whole_tables(wire)
        self._recovered()
        for event in exchange.open(echoes, belt):
            self._deliver(event)

    async def _latch(self, wire: ModbusWire) -> bool:
        exchange = self._exchange
        words = await wire.write_and_read(m.C_ADDRESS, exchange.host_words(), exchange.poll_run())
        now_ns = self._clock.monotonic_ns()
        if words is None:
            exchange.check(now_ns, answered=False)
            return False
        return exchange.latched(now_ns, words)

    async def _whole_tables(self, wire: ModbusWire) -> tuple[list[int], list[int]]:
        """Blocks E and T, read until two reads agree: their rows have no CRC."""
        tables = await self._tables(wire)
        while True:
            await self._latch(wire)
            again = await self._tables(wire)
            if again == tables:
                return tables
            tables = again

    async def _tables(self, wire: ModbusWire) -> tuple[list[int], list[int]]:
        belt: list[int] = []
        for first in range(0, m.T_ROWS, _T_ROWS_PER_READ):
            rows = min(_T_ROWS_PER_READ, m.T_ROWS - first)
            run = RegisterRun(m.T_ADDRESS + first * m.T_ROW_REGISTERS, rows * m.T_ROW_REGISTERS)
            belt += await _must_read(wire, run)
        return await _must_read(wire, _E_RUN), belt

    # --- polling ----------------------------------------------------------------------------------

    async def _poll(self, wire: ModbusWire) -> None:
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
            for event in exchange.take_header(now_ns, words):
                self._deliver(event)
            more = await self._read_records(wire)
            next_poll_ns = max(next_poll_ns + m.POLL_PERIOD_MS * NS_PER_MS, now_ns)
            await self._idle(wire, now_ns if more else next_poll_ns)

    async def _read_records(self, wire: ModbusWire) -> bool:
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

    async def _idle(self, wire: ModbusWire, until_ns: int) -> None:
        """Wait for the next poll; a decision that comes meanwhile goes out at once."""
        while True:
            self._wake.clear()
            await self._write_decisions(wire)
            left_ns = until_ns - self._clock.monotonic_ns()
            if left_ns <= 0:
                return
            try:
                async with asyncio.timeout(left_ns / NS_PER_S):
                    await self._wake.wait()
            except TimeoutError:
                return

    async def _write_decisions(self, wire: ModbusWire) -> None:
        while (write := self._exchange.next_write()) is not None:
            if not await wire.write(write.address, write.words):
                return
            self._exchange.written(write, self._clock.monotonic_ns())

    # --- loss and recovery ------------------------------------------------------------------------

    def _lost(self, fault: ExchangeFault) -> None:
        """Each fault once per outage: a page must not keep showing the first of several causes."""
        self._exchange.close()
        if fault.fault in self._reported:
            return
        self._reported.add(fault.fault)
        _LOG.warning("PLC %s:%d lost: %s", self._host, self._port, fault)
        self._deliver(PlcLost(fault.fault))

    def _recovered(self) -> None:
        if self._reported:
            _LOG.info("PLC %s:%d is back", self._host, self._port)
            self.counters.reconnects += 1
        self._reported.clear()


_E_RUN = RegisterRun(m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS)
_D_HALVES = tuple(
    (m.D_ADDRESS + half * m.D_SLOTS // 2 * m.D_SLOT_REGISTERS, m.D_SLOTS // 2 * m.D_SLOT_REGISTERS)
    for half in range(2)
)


async def _poll_pause() -> None:
    await asyncio.sleep(m.POLL_PERIOD_MS / 1_000)


async def _must_read(wire: ModbusWire, run: RegisterRun) -> list[int]:
    words = await wire.read(run)
    if words is None:
        raise ExchangeFault(LinkFault.NO_ANSWER, "the PLC does not answer")
    return words


def _nowhere(event: object) -> None:
    raise AssertionError(f"{event} before run")
