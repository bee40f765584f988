"""Tells the core the story of a parcel, one record at a time, with true times and encoder counts."""

from dataclasses import dataclass, field, replace

from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, LookUp, SendDecision
from controller.core.line import LineController
from controller.core.settings import Eye, Gate, Lane, LineSettings, Rules
from controller.core.state import first_state
from controller.core.vocabulary import (
    DecisionResult,
    Destination,
    LookUpResult,
    Reason,
)

D = Destination
SETTINGS = LineSettings(
    name="L1",
    belt_speed_mm_per_s=1000,
    encoder_counts_per_m=1000,
    eyes=(Eye(1, 0), Eye(2, 800), Eye(3, 1740), Eye(4, 2400), Eye(5, 3600)),
    gates=(Gate(1, 4200), Gate(2, 5000)),
    lanes=(
        Lane(1, 1, "left", (D.RELEASE,)),
        Lane(2, 1, "right", (D.INSPECT,)),
        Lane(3, 2, "left", (D.DETAIN, D.RETURN)),
        Lane(4, 2, "right", (D.RECIRCULATE,)),
        Lane(5, 0, "straight", (D.HOLD,)),
    ),
    scanner_position_mm=300,
    scale_position_mm=900,
    dimensioner_position_mm=900,
    xray_position_mm=1800,
    decision_position_mm=3600,
    belt_end_mm=6000,
)
RULES = Rules()
BOOT, SESSION = 0xB007, 0x5E55
MS = 1_000_000
START_NS = 1_000_000_000


def facts(waybill: str = "W1", **changes: object) -> e.ListFacts:
    """A released list of 2 kg."""
    honest = e.ListFacts(
        list_key=f"LC/{waybill}/C1",
        waybill=waybill,
        revision=1,
        status=800,
        status_time="20261122100000000",
        gross_weight_mg=2_000_000,
        goods=(e.GoodsRow("1901101000", 300_000),),
        open_instructions=(),
        earlier_passes=(),
    )
    return replace(honest, **changes)  # type: ignore[arg-type]


@dataclass
class Line:
    """A core under test with a belt that runs at 1 count a millisecond from `START_NS`."""

    start_counts: int = 0
    ring_seq: int = 0
    lists: dict[str, tuple[e.ListFacts, ...]] = field(default_factory=dict)
    core: LineController = field(init=False)
    log: list[tuple[int, e.Event, tuple[Command, ...]]] = field(default_factory=list)
    measurement_no: int = 0

    def __post_init__(self) -> None:
        self.core = LineController(SETTINGS, first_state(SETTINGS, "rules-1", RULES))
        self.tell(0, e.HostStarted(SESSION, "test"))
        self.tell(0, e.VisionUp(4))
        self.tell(0, e.PlcConnected(BOOT, SESSION, 1, self.ring_seq + 1 or 1, 0, ()))

    def tell(self, at_ms: int, event: e.Event) -> tuple[Command, ...]:
        at_ns = START_NS + at_ms * MS
        commands = self.core.handle(at_ns, event)
        self.log.append((at_ns, event, commands))
        return commands

    def record(
        self, at_ms: int, kind: type, source: int, track_id: int, *payload: object, counts: int = -1
    ) -> tuple[Command, ...]:
        """A ring record whose encoder is where the belt is at `at_ms`, unless `counts` is given."""
        self.ring_seq = (self.ring_seq + 1) % (1 << 32) or 1
        encoder = (self.start_counts + (at_ms if counts < 0 else counts)) % (1 << 32)
        event = kind(BOOT, self.ring_seq, source, track_id, encoder, at_ms * 1000, *payload)
        return self.tell(at_ms + 12, event)

    def induct(self, at_ms: int, track_id: int, length_mm: int = 300) -> tuple[Command, ...]:
        self.record(at_ms, e.Inducted, 1, track_id, 0xFFFF_FFFF)
        return self.record(
            at_ms + length_mm, e.EyePassed, 1, track_id, length_mm, 0xFFFF_FFFF, counts=at_ms
        )

    def scan(self, at_ms: int, track_id: int, code: str, code_no: int = 1) -> tuple[Command, ...]:
        return self.record(at_ms + 350, e.CodeRead, 1, track_id, code_no, 0, 1, 0, code)

    def weigh(self, at_ms: int, track_id: int, weight_mg: int = 2_000_000) -> tuple[Command, ...]:
        self.measurement_no += 1
        return self.record(
            at_ms + 1050, e.Weighed, 2, track_id, weight_mg, 0, self.measurement_no, True, False
        )

    def measure(self, at_ms: int, track_id: int, length_mm: int = 300) -> tuple[Command, ...]:
        return self.record(at_ms + 1210, e.Dimensioned, 3, track_id, length_mm, 200, 150, 1, True)

    def trigger(self, at_ms: int, track_id: int, trigger_no: int) -> tuple[Command, ...]:
        return self.record(at_ms + 1740, e.Triggered, 4, track_id, trigger_no)

    def picture(
        self, at_ms: int, trigger_no: int, length_mm: int = 300, **changes: object
    ) -> tuple[Command, ...]:
        """Findings as the worker would send them for a parcel inducted at `at_ms`."""
        first = (self.start_counts + at_ms + 1740) % (1 << 32)
        honest = e.PictureFindings(
            source=4,
            trigger_no=trigger_no,
            first_row_encoder_counts=first,
            row_pitch_counts=2,
            row_count=(length_mm + 120) // 2,
            rows_missing=0,
            outline_start_counts=(self.start_counts + at_ms + 1800) % (1 << 32),
            length_mm=length_mm,
            width_mm=200,
            outline_count=1,
            mean_attenuation_milli=400,
            max_attenuation_milli=900,
            metal_area_mm2=0,
            opaque_area_mm2=0,
            usable=True,
            calibration_id="cal",
            profile_version="",
            picture_sha256="ab" * 32,
        )
        return self.tell(at_ms + 2250, replace(honest, **changes))  # type: ignore[arg-type]

    def answer(self, at_ms: int, commands: tuple[Command, ...]) -> tuple[Command, ...]:
        """Answer the look-ups among `commands` from `lists`."""
        for command in commands:
            if isinstance(command, LookUp):
                found = tuple(f for code in command.codes for f in self.lists.get(code, ()))
                reply = e.ListsAnswered(
                    command.pass_no, command.purpose, LookUpResult.ANSWERED, 1, found
                )
                return self.tell(at_ms, reply)
        return ()

    def until_picture(
        self, at_ms: int, track_id: int, code: str = "W1", length_mm: int = 300
    ) -> None:
        """A clean parcel up to everything but its picture."""
        self.lists.setdefault(code, (facts(code),))
        self.induct(at_ms, track_id, length_mm)
        self.answer(at_ms + 370, self.scan(at_ms, track_id, code))
        self.weigh(at_ms, track_id)
        self.measure(at_ms, track_id, length_mm)
        self.trigger(at_ms, track_id, track_id)

    def until_verdict(
        self, at_ms: int, track_id: int, code: str = "W1", length_mm: int = 300
    ) -> CommitVerdict:
        self.until_picture(at_ms, track_id, code, length_mm)
        asked = self.picture(at_ms, track_id, length_mm)
        return verdict_in(self.answer(at_ms + 2255, asked))

    def durable(self, at_ms: int, track_id: int) -> tuple[Command, ...]:
        parcel = self.core.state.parcels[track_id]
        return self.tell(at_ms, e.VerdictDurable(parcel.pass_no))

    def echo(
        self, at_ms: int, track_id: int, result: DecisionResult = DecisionResult.ACCEPTED
    ) -> tuple[Command, ...]:
        parcel = self.core.state.parcels[track_id]
        return self.tell(at_ms, e.DecisionEchoed(parcel.decision_seq, track_id, result))

    def lease(self, at_ms: int, track_id: int, code: str = "W1") -> None:
        """A clean parcel up to its accepted lease."""
        assert self.until_verdict(at_ms, track_id, code).destination is Destination.RELEASE
        self.durable(at_ms + 2260, track_id)
        self.echo(at_ms + 2280, track_id)


def verdict_in(commands: tuple[Command, ...]) -> CommitVerdict:
    found = [command for command in commands if isinstance(command, CommitVerdict)]
    assert len(found) == 1, commands
    return found[0]


def sent_in(commands: tuple[Command, ...]) -> list[SendDecision]:
    return [command for command in commands if isinstance(command, SendDecision)]


def held_for(commands: tuple[Command, ...]) -> tuple[Reason, ...]:
    verdict = verdict_in(commands)
    assert verdict.destination is not Destination.RELEASE
    return verdict.reasons
