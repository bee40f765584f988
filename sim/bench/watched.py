"""The production links with a stop-watch: when a poll began and had its records, when a decision was out.

A poll is what `PolledLink` makes of it: the header read with the life sign written, and every record that
waits. Polls that met no record are not counted, they are no full poll.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controller.clock import SystemClock
from controller.config.model import PlcConfig
from controller.core.vocabulary import DecisionResult
from controller.interfaces import Clock
from plc.decision_slots import RowsToWrite
from plc.modbus_link import ModbusLink
from plc.opcua_choice import opcua_settings
from plc.opcua_legacy import LegacyBackend
from plc.opcua_link import AsyncuaBackend, OpcuaLink
from plc.opcua_settings import OpcuaSettings
from plc.polled_link import Connect, PolledLink, Wire
from plc.ring_reader import RegisterRun

# One for all links: a PLC that still has it latched takes the next one at once.
SESSION = 0x00BE_7C4B
Span = tuple[int, int]


@dataclass(slots=True)
class StopWatch:
    """(begin, end) of full polls and of handing over decisions, in ns, while `on`."""

    on: bool = False
    polls: list[Span] = field(default_factory=list)
    submits: list[Span] = field(default_factory=list)
    _began_ns: int = 0
    _ended_ns: int = 0

    def poll_begins(self, at_ns: int) -> None:
        """The poll before it is over."""
        if self.on and self._ended_ns:
            self.polls.append((self._began_ns, self._ended_ns))
        self._began_ns, self._ended_ns = at_ns, 0

    def records_read(self, at_ns: int) -> None:
        self._ended_ns = at_ns

    def submitted(self, began_ns: int, ended_ns: int) -> None:
        self.submits.append((began_ns, ended_ns))


class WatchedWire:
    """`plc.polled_link.Wire` as it is, timed."""

    def __init__(self, wire: Wire, clock: Clock, watch: StopWatch) -> None:
        self._wire = wire
        self._clock = clock
        self._watch = watch

    @property
    def connected(self) -> bool:
        return self._wire.connected

    @property
    def rows_per_write(self) -> int:
        return self._wire.rows_per_write

    @property
    def silent_ms(self) -> int:
        return self._wire.silent_ms

    async def read(self, run: RegisterRun) -> list[int] | None:
        """As Wire."""
        words = await self._wire.read(run)
        self._watch.records_read(self._clock.monotonic_ns())
        return words

    async def write_and_read(
        self, address: int, words: Sequence[int], run: RegisterRun
    ) -> list[int] | None:
        """As Wire."""
        self._watch.poll_begins(self._clock.monotonic_ns())
        return await self._wire.write_and_read(address, words, run)

    async def write(self, address: int, words: Sequence[int]) -> bool:
        """As Wire."""
        return await self._wire.write(address, words)

    async def submit(self, write: RowsToWrite) -> Mapping[int, DecisionResult] | None:
        """As Wire."""
        began_ns = self._clock.monotonic_ns()
        answers = await self._wire.submit(write)
        self._watch.submitted(began_ns, self._clock.monotonic_ns())
        return answers


def _watched(connect: Connect, clock: Clock, watch: StopWatch) -> Connect:
    @asynccontextmanager
    async def connection() -> AsyncIterator[Wire]:
        async with connect() as wire:
            yield WatchedWire(wire, clock, watch)

    return connection


class _Modbus(ModbusLink):
    def __init__(self, plc: PlcConfig, clock: Clock, watch: StopWatch) -> None:
        super().__init__(plc.host, plc.port, clock, SESSION, device_id=plc.device_id)
        self._connect = _watched(self._connect, clock, watch)


class _Opcua(OpcuaLink):
    def __init__(
        self,
        settings: OpcuaSettings,
        clock: Clock,
        backend: AsyncuaBackend | LegacyBackend,
        watch: StopWatch,
    ) -> None:
        super().__init__(settings, clock, SESSION, backend)
        self._connect = _watched(self._connect, clock, watch)


def watched_link(plc: PlcConfig, watch: StopWatch) -> PolledLink:
    """The link that this [plc] asks for, timed. ConfigError if its library is not installed."""
    clock = SystemClock()
    if plc.protocol == "modbus":
        return _Modbus(plc, clock, watch)
    backend = LegacyBackend() if plc.opcua_backend == "opcua" else AsyncuaBackend()
    return _Opcua(opcua_settings(plc, clock), clock, backend, watch)
