"""A host for link tests: takes what the link delivers, acknowledges it, and may decide on it.

It stands where the core and the journal stand: a record is acknowledged only some records after it
was delivered ("durable"), and every new parcel gets a release, some of them a hold after it.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from controller.clock import SystemClock
from controller.core.commands import SendDecision
from controller.core.events import (
    DecisionEchoed,
    Event,
    PlcConnected,
    PlcLost,
    PlcRecord,
    PlcStateSeen,
    RingGap,
)
from controller.core.vocabulary import Destination, LinkFault
from plc.modbus_link import ModbusLink
from plc.polled_link import PolledLink

SESSION = 0x0BAD_CAFE


@dataclass(slots=True)
class Host:
    """What was delivered, in order, and when. `decides`: release every parcel on its
    first record, hold every fifth on its tenth."""

    link: PolledLink
    acknowledge_every: int = 1
    decides: bool = False
    events: list[Event] = field(default_factory=list)
    records: list[PlcRecord] = field(default_factory=list)
    delivered_ns: dict[int, int] = field(default_factory=dict)
    sent: dict[int, SendDecision] = field(default_factory=dict)
    echoes: list[DecisionEchoed] = field(default_factory=list)
    up: PlcConnected | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _seen: Counter[int] = field(default_factory=Counter)
    _clock: SystemClock = field(default_factory=SystemClock)

    def deliver(self, event: Event) -> None:
        """The `deliver` of PlcLink.run."""
        self.events.append(event)
        match event:
            case PlcConnected():
                self.up = event
            case PlcLost():
                self.up = None
            case DecisionEchoed():
                self.echoes.append(event)
            case PlcRecord():
                self._take_record(event)
            case _:
                pass
        self._changed.set()

    def decide(self, track_id: int, destination: Destination, reason: int = 0) -> SendDecision:
        """Send a decision under the exchange that is open now."""
        assert self.up is not None, "no exchange is open"
        seq = max([self.up.decision_seq_max, *self.sent]) + 1
        decision = SendDecision(
            seq, self.up.boot_id, self.up.session, track_id, destination, reason
        )
        self.sent[seq] = decision
        self.link.send(decision)
        return decision

    async def until(self, condition: Callable[["Host"], object], limit_s: float = 10) -> None:
        """Wait for a condition on what was delivered."""
        async with asyncio.timeout(limit_s):
            while not condition(self):
                self._changed.clear()
                await self._changed.wait()

    async def until_up(self) -> PlcConnected:
        await self.until(lambda host: host.up is not None)
        assert self.up is not None
        return self.up

    async def until_lost(self, fault: LinkFault) -> None:
        await self.until(lambda host: fault in host.faults)

    @property
    def faults(self) -> list[LinkFault]:
        return [event.fault for event in self.events if isinstance(event, PlcLost)]

    @property
    def gaps(self) -> list[RingGap]:
        return [event for event in self.events if isinstance(event, RingGap)]

    @property
    def states(self) -> list[PlcStateSeen]:
        return [event for event in self.events if isinstance(event, PlcStateSeen)]

    @property
    def sequences(self) -> list[int]:
        return [record.ring_seq for record in self.records]

    def _take_record(self, record: PlcRecord) -> None:
        self.records.append(record)
        self.delivered_ns[record.ring_seq] = self._clock.monotonic_ns()
        if len(self.records) % self.acknowledge_every == 0:
            self.link.acknowledge(record.boot_id, record.ring_seq)
        if self.decides and self.up is not None:
            self._decide_on(record.track_id)

    def _decide_on(self, track_id: int) -> None:
        self._seen[track_id] += 1
        if self._seen[track_id] == 1:
            self.decide(track_id, Destination.RELEASE)
        elif self._seen[track_id] == 10 and track_id % 5 == 0:
            self.decide(track_id, Destination.HOLD, reason=31)


@asynccontextmanager
async def connected_host(
    port: int, session: int = SESSION, **options: bool | int
) -> AsyncIterator[Host]:
    """A host whose link runs against `port`; cancelled on leaving."""
    base_address = int(options.pop("base_address", 0))
    link = ModbusLink("127.0.0.1", port, SystemClock(), session, base_address=base_address)
    host = Host(link, **options)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(link.run(host.deliver))
        try:
            yield host
        finally:
            task.cancel()
