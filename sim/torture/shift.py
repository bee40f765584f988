"""A shift of parcels told to the production core: real events, and the commands it really answers.

What the torture commands put into journals. The belt runs at one count a millisecond, the PLC accepts
every decision, the lists answer at once; some parcels are too heavy, some nobody can read, some are not
released and some get bad news on their way. One seed is one shift. It judges nothing.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from random import Random

from controller.config import LineConfig, load
from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, LookUp, SendDecision
from controller.core.line import LineController
from controller.core.state import first_state
from controller.core.vocabulary import (
    DecisionResult,
    Destination,
    GatePhase,
    GatePosition,
    LookUpResult,
)

REFERENCE_LINE = Path(__file__).resolve().parents[1] / "reference_line.toml"
NS_PER_MS = 1_000_000
START_NS = 1_000_000_000
PITCH_MS = 720
LENGTH_MM = 300
U32_MAX = 0xFFFF_FFFF
# An honest clock label; nothing decides on it.
UTC_NS = 1_772_323_200_000_000_000
_FATES = ("clean",) * 6 + ("heavy", "unread", "unreleased", "bad news")


@dataclass(frozen=True, slots=True)
class Turn:
    """One event at its time, and what the core answered."""

    at_ns: int
    event: e.Event
    commands: tuple[Command, ...]


@cache
def reference_line() -> LineConfig:
    """The line that the shift runs on."""
    return load(REFERENCE_LINE)


def fresh_core(config: LineConfig) -> LineController:
    """A line that has never run."""
    return LineController(config.line, first_state(config.line, config.rules_id, config.rules))


class Shift:
    """`core` goes on from wherever it is, under a new PLC boot. With `durable_at_once` every release
    is told durable 3 ms after its verdict; else whoever keeps the journal tells."""

    def __init__(
        self, core: LineController, seed: int, parcels: int, durable_at_once: bool = True
    ) -> None:
        self.core = core
        self.now_ns = START_NS
        self._rng = Random(f"shift {seed}")
        self._durable_at_once = durable_at_once
        self._boot_id = self._rng.randrange(1, U32_MAX)
        self._session = self._rng.randrange(1, U32_MAX)
        self._ring_seq = 0
        self._measurement_no = 0
        self._lists: dict[str, e.ListFacts] = {}
        self._destinations: dict[int, Destination] = {}
        self._waiting: list[tuple[int, int, Callable[[], e.Event | None]]] = []
        self._order = 0
        self._tag = f"{self._boot_id:08X}"
        self._prologue()
        for number in range(parcels):
            self._parcel(500 + number * PITCH_MS, number + 1)

    def turns(self) -> Iterator[Turn]:
        """Every turn of the shift."""
        while (turn := self.step()) is not None:
            yield turn

    def step(self) -> Turn | None:
        """The next event, or None when every parcel is off the belt."""
        while self._waiting:
            due_ns = self.core.next_deadline_ns()
            if due_ns is not None and due_ns <= self._waiting[0][0]:
                self.now_ns = max(self.now_ns, due_ns)
                return self.tell(e.DeadlineReached())
            at_ns, _, make = heapq.heappop(self._waiting)
            self.now_ns = max(self.now_ns, at_ns)
            event = make()
            if event is not None:
                return self.tell(event)
        return None

    def tell(self, event: e.Event) -> Turn:
        """An event from outside the shift (a journal's), or from within, now."""
        commands = self.core.handle(self.now_ns, event)
        for command in commands:
            self._answer(command)
        return Turn(self.now_ns, event, commands)

    # --- the world's answers --------------------------------------------------------------------

    def _answer(self, command: Command) -> None:
        match command:
            case LookUp():
                self._after(2, partial(self._lists_answer, command))
            case SendDecision():
                self._after(10, partial(self._accept, command))
            case CommitVerdict(destination=Destination.RELEASE) if self._durable_at_once:
                durable = e.VerdictDurable(command.pass_no)
                self._after(3, lambda: durable)
            case _:
                pass

    def _lists_answer(self, request: LookUp) -> e.Event:
        found = tuple(self._lists[code] for code in request.codes if code in self._lists)
        return e.ListsAnswered(request.pass_no, request.purpose, LookUpResult.ANSWERED, 7, found)

    def _accept(self, sent: SendDecision) -> e.Event:
        self._destinations[sent.track_id] = sent.destination
        return e.DecisionEchoed(sent.decision_seq, sent.track_id, DecisionResult.ACCEPTED)

    # --- the script -----------------------------------------------------------------------------

    def _prologue(self) -> None:
        for event in (
            e.HostStarted(self._session, "torture"),
            e.ClockRead(UTC_NS + self.now_ns, synchronised=True),
            e.VisionUp(self.core.settings.xray_source),
            e.PlcConnected(self._boot_id, self._session, 1, 1, self.core.state.decision_seq, ()),
        ):
            self._after(0, lambda event=event: event)  # type: ignore[misc]

    def _parcel(self, t0_ms: int, number: int) -> None:
        """One parcel whose leading edge is at induct at `t0_ms`; the belt is at that count then."""
        line = self.core.settings
        fate = self._rng.choice(_FATES)
        code = f"WB{self._tag}{number:06}"
        self._lists[code] = _facts(code, status=100 if fate == "unreleased" else 800)
        weight_mg = (
            2_400_000 if fate == "heavy" else 2_000_000 + self._rng.randrange(-20_000, 20_000)
        )
        record = partial(self._record, t0_ms, number)
        record(0, e.Inducted, 1, U32_MAX if number == 1 else PITCH_MS - LENGTH_MM)
        for eye in line.eyes:
            at_ms = eye.position_mm + LENGTH_MM
            gap = PITCH_MS - LENGTH_MM
            record(at_ms, e.EyePassed, eye.number, LENGTH_MM, gap, counts=t0_ms + eye.position_mm)
        if fate == "unread":
            record(350, e.CodeRead, line.scanner_source, 1, 0, 0, 0, "")
        else:
            record(350, e.CodeRead, line.scanner_source, 1, 0, 1, 0, code)
        self._measurement_no = (self._measurement_no + 1) % 65_536
        weighing = (weight_mg, 0, self._measurement_no, True, False)
        record(1_050, e.Weighed, line.scale_source, *weighing)
        record(1_210, e.Dimensioned, line.dimensioner_source, LENGTH_MM, 200, 150, number, True)
        record(1_740, e.Triggered, line.xray_source, number)
        findings = _findings(line.xray_source, t0_ms, number, self._rng)
        self._at(t0_ms + 2_260, lambda: findings)
        if fate == "bad news":
            worse = _facts(code, status=500, revision=2)
            self._at(t0_ms + 3_000, lambda: e.ListChanged(8, worse))
        self._at(t0_ms + 3_850, partial(self._leave, t0_ms, number))

    def _leave(self, t0_ms: int, number: int) -> None:
        """At the gates: what the last accepted decision says, else straight on."""
        line = self.core.settings
        destination = self._destinations.get(number, Destination.HOLD)
        lane = next(lane for lane in line.lanes if destination in lane.destinations)
        record = partial(self._record, t0_ms, number)
        if not lane.gate:
            record(line.belt_end_mm, e.LaneSeen, lane.number)
            return
        gate = next(gate for gate in line.gates if gate.number == lane.gate)
        position = GatePosition[lane.side.upper()]
        begins_ms = gate.position_mm - gate.travel_ms
        record(begins_ms, e.GateMoved, gate.number, GatePhase.BEGAN, position, 0)
        arrived = (GatePhase.ARRIVED, position, gate.travel_ms)
        record(gate.position_mm, e.GateMoved, gate.number, *arrived)
        record(gate.position_mm + 400, e.LaneSeen, lane.number)

    def _record(
        self,
        t0_ms: int,
        track_id: int,
        at_ms: int,
        kind: type[e.PlcRecord],
        source: int,
        *payload: object,
        counts: int = -1,
    ) -> None:
        """A ring record of `at_ms` after induct; the host reads it 12 ms later."""
        encoder = (t0_ms + at_ms if counts < 0 else counts) % (1 << 32)

        def make() -> e.Event:
            self._ring_seq += 1
            about = (self._boot_id, self._ring_seq, source, track_id, encoder)
            record: e.Event = kind(*about, (t0_ms + at_ms) * 1_000, *payload)  # type: ignore[assignment]
            return record

        self._at(t0_ms + at_ms + 12, make)

    def _at(self, at_ms: int, make: Callable[[], e.Event | None]) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (START_NS + at_ms * NS_PER_MS, self._order, make))

    def _after(self, wait_ms: int, make: Callable[[], e.Event | None]) -> None:
        self._order += 1
        heapq.heappush(self._waiting, (self.now_ns + wait_ms * NS_PER_MS, self._order, make))


def _facts(waybill: str, status: int, revision: int = 1) -> e.ListFacts:
    return e.ListFacts(
        list_key=f"LC/{waybill}/C1",
        waybill=waybill,
        revision=revision,
        status=status,
        status_time="20260301100000000",
        gross_weight_mg=2_000_000,
        goods=(e.GoodsRow("1901101000", 300_000),),
        open_instructions=(),
        earlier_passes=(),
    )


def _findings(source: int, t0_ms: int, trigger_no: int, rng: Random) -> e.PictureFindings:
    return e.PictureFindings(
        source=source,
        trigger_no=trigger_no,
        first_row_encoder_counts=(t0_ms + 1_740) % (1 << 32),
        row_pitch_counts=2,
        row_count=(LENGTH_MM + 120) // 2,
        rows_missing=0,
        outline_start_counts=(t0_ms + 1_800) % (1 << 32),
        length_mm=LENGTH_MM,
        width_mm=200,
        outline_count=1,
        mean_attenuation_milli=400,
        max_attenuation_milli=900,
        metal_area_mm2=0,
        opaque_area_mm2=0,
        usable=True,
        calibration_id="calibration",
        profile_version="",
        picture_sha256=rng.randbytes(32).hex(),
    )
