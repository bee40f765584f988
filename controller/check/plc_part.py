"""The PLC's part of the check: order, points, life signs, latch, watchdog, clock.

It gives no permit and acknowledges nothing, so that nothing moves and no record is taken from the line's
journal. A PLC that another host controls is left alone.
"""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from controller.check.findings import Finding, State, Tell
from controller.check.points import Point, header_points, host_points, table_points
from controller.core.units import NS_PER_S, NS_PER_US
from controller.core.vocabulary import PlcStateBit
from controller.interfaces import Clock
from plc import register_map as m
from plc.conformance import checks_map, checks_session
from plc.conformance.bench import Bench
from plc.conformance.duties import DutyFailed
from plc.conformance.suite import greet
from plc.conformance.wire import Wire, WireLost
from plc.record_codec import RecordFault, decode_record
from plc.ring_reader import RegisterRun

_US_PER_S = NS_PER_S // NS_PER_US
# A PLC whose clock is set counts from 1970; anything under 2001 is the time since its start.
_UTC_US_MIN = 1_000_000_000 * _US_PER_S
CLOCK_DIFFERENCE_S_MAX = 2


@dataclass(slots=True)
class PlcCheck:
    """`points` are what was read last, for a live table; `changed` is called after every read."""

    wire: Wire
    session: int
    clock: Clock
    tell: Tell
    changed: Callable[[Iterable[Point]], None] = lambda points: None
    points: dict[int, Point] = field(default_factory=dict)
    bench: Bench = field(init=False)

    def __post_init__(self) -> None:
        self.bench = Bench(self.wire, self.session, on_look=self._looked)
        self.bench.acknowledges = False

    async def run(self) -> None:
        """Every part in order; one that fails does not stop the others, a foreign map does.

        SecondHost: another host controls the PLC, nothing was written. WireLost: it does not answer.
        """
        refused = await greet(self.bench)
        if refused:
            self._tell("map and order", State.FAILED, f"{refused[0].upper()}{refused[1:]}")
            return
        await self._part("map and order", checks_map.map_and_order, _map_sentence)
        await self._tables()
        self._mode()
        moved = "the PLC's life sign was seen to move {} times in a second."
        await self._part("PLC life sign", checks_map.life_sign, moved.format)
        latched = "the PLC latched our session when our life sign moved."
        await self._part("host life sign", checks_session.latch, lambda _: latched)
        pulled = (
            "our life sign pulled: WATCHDOG_TRIPPED after {} ms, and gone with the next session."
        )
        await self._part("watchdog", checks_session.watchdog, pulled.format)
        await self._clock()
        await self._tables()
        await self._part("release", checks_session.no_session, lambda _: "our session has ended.")

    async def _part(
        self,
        name: str,
        check: Callable[[Bench], Awaitable[object]],
        sentence: Callable[[object], str],
    ) -> None:
        self.bench.begin_check(permits=0)
        self.bench.acknowledges = False
        try:
            result = await check(self.bench)
        except DutyFailed as failure:
            self._tell(name, State.FAILED, str(failure))
        else:
            self._tell(name, State.OK, sentence(result))

    async def _tables(self) -> None:
        """Read C, D and T back."""
        words = [
            await self.wire.read(RegisterRun(address, count))
            for address, count in (
                (m.C_ADDRESS, m.C_COUNT),
                (m.D_ADDRESS, m.D_SLOTS * m.D_SLOT_REGISTERS),
                (m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS),
            )
        ]
        self._note([*host_points(words[0]), *table_points(words[1], words[2])])

    def _looked(self) -> None:
        self._note(header_points(self.bench.words))

    def _note(self, points: Iterable[Point]) -> None:
        self.points.update((point.address, point) for point in points)
        self.changed(sorted(self.points.values()))

    def _mode(self) -> None:
        if self.bench.in_test_mode:
            at = self.bench.at(m.H_STATE_BITS)
            sentence = f"the PLC is in test mode (bit 0x0080 of {at}): switch it off at the PLC."
            self._tell("mode", State.FAILED, sentence)
        if self.bench.whole.overflow_count:
            at = self.bench.at(m.H_OVERFLOW_COUNT)
            sentence = f"{at} is {self.bench.whole.overflow_count}: records have been refused."
            self._tell("overflow", State.WARNING, sentence)
        if self.bench.has(PlcStateBit.EMERGENCY_STOP):
            self._tell("emergency stop", State.WARNING, "the emergency stop is pressed.")

    async def _clock(self) -> None:
        """The newest record's PLC time against this PC, as far as one record can tell."""
        head = self.bench.whole.head_seq
        slot = m.R_ADDRESS + head % m.R_SLOTS * m.R_SLOT_REGISTERS
        words = await self.wire.read(RegisterRun(slot, m.R_SLOT_REGISTERS))
        try:
            record = decode_record(self.bench.whole.boot_id, head, words) if head else None
        except RecordFault as fault:
            self._tell("clock", State.FAILED, f"{fault}, in {self.bench.at(slot)}.")
            return
        if record is None:
            sentence = "the ring holds no record yet, so the PLC's clock was not seen."
            self._tell("clock", State.WARNING, sentence)
            return
        plc_s = record.plc_time_us // _US_PER_S
        if record.plc_time_us < _UTC_US_MIN:
            sentence = f"the PLC counts from its start; its newest record is of second {plc_s}."
            self._tell("clock", State.OK, sentence)
            return
        ahead_s = plc_s - self.clock.utc_ns() // NS_PER_S
        state = State.WARNING if ahead_s > CLOCK_DIFFERENCE_S_MAX else State.OK
        sentence = f"the newest record of the PLC is {-ahead_s} s old by this PC's UTC."
        self._tell("clock", state, sentence)

    def _tell(self, name: str, state: State, sentence: str) -> None:
        self.tell(Finding("plc", name, state, sentence))


def _map_sentence(_: object) -> str:
    return "magic, layout, word order and every block are those of docs/plc-interface.md."


async def check_plc(check: PlcCheck) -> None:
    """Run it; a PLC that falls silent is one more finding."""
    try:
        await check.run()
    except WireLost as lost:
        check.tell(Finding("plc", "exchange", State.FAILED, f"the exchange broke off: {lost}."))
