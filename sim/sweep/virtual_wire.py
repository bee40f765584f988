"""The wire between a simulated host and the soft PLC: requests, and everything that goes wrong with them.

A request is carried out at one instant or not at all; its answer comes at once, late, or never. What a
poll sees of a scan whose writes are half done is decided here too. A coroutine that has to wait says so
by yielding a `Wait` to whoever drives it (virtual_link.py).
"""

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from types import coroutine
from typing import Final, NamedTuple

from controller.core.units import NS_PER_MS
from controller.core.vocabulary import DecisionResult, LinkFault
from plc import register_map as m
from plc.decision_slots import ROWS_PER_WRITE, RowsToWrite
from plc.header import ExchangeFault
from plc.ring_reader import RegisterRun
from sim.plc_io import RegisterWrite
from sim.sweep.agenda import Agenda

# A request takes next to no time here; a host that asks and asks must not stop time altogether.
BURST_MAX: Final = 64
BURST_PAUSE_NS: Final = NS_PER_MS
REQUEST_LIMIT_NS: Final = m.REQUEST_TIMEOUT_MS * NS_PER_MS


class Wait(NamedTuple):
    """A coroutine's wish: `for_ns`, or until woken or the next poll is worth it if `idle`."""

    for_ns: int
    idle: bool = False


@coroutine
def wait(wish: Wait) -> Generator[Wait, None, None]:
    """Hand `wish` to the driver."""
    yield wish


@dataclass(slots=True)
class WireFaults:
    """What is wrong with the wire now."""

    cut: bool = False  # connections are refused and die
    mute: bool = False  # requests vanish, the connection stays
    lose_answers: bool = False  # requests are carried out, answers vanish
    delay_ns: int = 0
    jitter_ns: int = 0

    @property
    def any(self) -> bool:
        return self.cut or self.mute or self.lose_answers or self.delay_ns > 0


@dataclass(slots=True)
class Medium:
    """What both ends share. `image` is the PLC's registers, None while it is off.

    `on_fault` and `on_torn` are called when a request really met a fault or a half-written scan.
    """

    rng: Random
    image: list[int] | None = None
    faults: WireFaults = field(default_factory=WireFaults)
    on_fault: Callable[[], None] = field(default=lambda: None)
    on_torn: Callable[[], None] = field(default=lambda: None)
    torn: list[int] | None = None
    host_spoke_ns: int = 0

    @property
    def reachable(self) -> bool:
        """Whether a connection can be had or kept."""
        return self.image is not None and not self.faults.cut

    @property
    def steady(self) -> bool:
        """Nothing is wrong with the wire now."""
        return self.reachable and self.torn is None and not self.faults.any

    def tear(self, before: list[int], commits: Sequence[RegisterWrite]) -> None:
        """Requests meet the image `before` a scan, with a part of its `commits` done, until `whole`."""
        done = self.rng.randrange(sum(len(write.words) for write in commits) + 1)
        for write in commits:
            part = write.words[:done]
            before[write.address : write.address + len(part)] = part
            done -= len(part)
            if done <= 0:
                break
        self.torn = before

    def whole(self) -> None:
        """The scan's writes are all done."""
        self.torn = None


class VirtualWire:
    """`plc.polled_link.Wire` on a `Medium`; `silent_ms` counts from the last answer."""

    rows_per_write = ROWS_PER_WRITE

    def __init__(self, medium: Medium, agenda: Agenda) -> None:
        self._medium = medium
        self._agenda = agenda
        self._image = medium.image
        self._answered_ns = agenda.now_ns
        self._asked_ns = agenda.now_ns
        self._burst = 0

    @property
    def connected(self) -> bool:
        """A PLC that was off since knows nothing of this connection."""
        return self._medium.reachable and self._medium.image is self._image

    @property
    def silent_ms(self) -> int:
        return (self._agenda.now_ns - self._answered_ns) // NS_PER_MS

    async def read(self, run: RegisterRun) -> list[int] | None:
        return await self._request(0, (), run)

    async def write_and_read(
        self, address: int, words: Sequence[int], run: RegisterRun
    ) -> list[int] | None:
        return await self._request(address, words, run)

    async def write(self, address: int, words: Sequence[int]) -> bool:
        return await self._request(address, words, None) is not None

    async def submit(self, write: RowsToWrite) -> Mapping[int, DecisionResult] | None:
        return {} if await self.write(write.address, write.words) else None

    async def _request(
        self, address: int, words: Sequence[int], run: RegisterRun | None
    ) -> list[int] | None:
        """Write, then read: at one instant."""
        if not self.connected:
            self._medium.on_fault()
            raise ExchangeFault(LinkFault.REFUSED, "the PLC closed the connection")
        self._burst = self._burst + 1 if self._agenda.now_ns == self._asked_ns else 0
        self._asked_ns = self._agenda.now_ns
        if self._burst > BURST_MAX:
            await wait(Wait(BURST_PAUSE_NS))
        faults = self._medium.faults
        if not faults.any:
            self._answered_ns = self._agenda.now_ns
            return self._carried_out(address, words, run)
        self._medium.on_fault()
        if faults.mute:
            await wait(Wait(REQUEST_LIMIT_NS))
            return None
        answer = self._carried_out(address, words, run)
        late_ns = faults.delay_ns + self._medium.rng.randrange(faults.jitter_ns + 1)
        if faults.lose_answers or late_ns >= REQUEST_LIMIT_NS:
            await wait(Wait(REQUEST_LIMIT_NS))
            return None
        await wait(Wait(late_ns))
        self._answered_ns = self._agenda.now_ns
        return answer

    def _carried_out(
        self, address: int, words: Sequence[int], run: RegisterRun | None
    ) -> list[int]:
        image, torn = self._medium.image, self._medium.torn
        assert image is not None, "connected"
        if words:
            image[address : address + len(words)] = words
            if address == m.C_ADDRESS:
                self._medium.host_spoke_ns = self._agenda.now_ns
            if torn is not None:
                torn[address : address + len(words)] = words
        if run is None:
            return []
        if torn is not None:
            self._medium.on_torn()
            image = torn
        return image[run.address : run.address + run.count]


class VirtualConnection:
    """As `plc.modbus_wire.connected_wire`."""

    def __init__(self, medium: Medium, agenda: Agenda) -> None:
        self._medium = medium
        self._agenda = agenda

    async def __aenter__(self) -> VirtualWire:
        medium = self._medium
        if not medium.reachable:
            medium.on_fault()
            raise ExchangeFault(LinkFault.REFUSED, "the PLC does not listen")
        if medium.faults.mute:
            medium.on_fault()
            await wait(Wait(REQUEST_LIMIT_NS))
            raise ExchangeFault(LinkFault.NO_ANSWER, "the PLC does not answer")
        return VirtualWire(medium, self._agenda)

    async def __aexit__(self, *_: object) -> None:
        """Nothing is open."""
