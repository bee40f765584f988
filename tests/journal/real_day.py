"""A scripted day of the real core, journalled as the line process does it; writes the fixture too.

    python -m tests.journal.real_day tests/journal/real_core/schema-1

Every parcel is inducted, measured, judged, and followed into its lane as its verdict commands, so that
the journal holds what followed from each verdict.
"""

import hashlib
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from controller.config import parse_rules
from controller.core import events as e
from controller.core.commands import Command, CommitVerdict
from controller.core.line import LineController
from controller.core.settings import Rules
from controller.core.state import first_state
from controller.core.vocabulary import Destination, GatePhase, GatePosition
from controller.journal.chain import FIRST_START
from controller.journal.records import SCHEMA, FileHeader, encode_state
from controller.journal.writer import JournalWriter
from tests.core import story
from tests.journal.story import DAY, KEY, Heard

SOFTWARE = "0.1.0"
# Of the software before the first release: what it wrote must stay readable.
FIXTURE_SOFTWARE = "0.1.0.dev0"
FIXTURE = Path(__file__).parent / "real_core" / "schema-1"
PITCH_MS = 1_000
UTC_NS = 1_772_323_200_000_000_000
LANE_OF = {lane.destinations[0]: lane for lane in story.SETTINGS.lanes}


def rules_text(**values: int) -> str:
    """A rule file that says these values and the reference tolerance, unless they say another."""
    stated = {"weight_tolerance_mg": 50_000, **values}
    return "".join(f"{key} = {value}\n" for key, value in stated.items())


def rules_id(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def rules_of(text: str) -> Rules:
    return parse_rules(text, "rules")


@dataclass(frozen=True)
class Body:
    """One parcel, number and track id alike; the rest is what the sensors and customs say of it."""

    number: int
    weight_mg: int = 2_000_000
    zero_mg: int = 0
    length_mm: int = 300
    picture_length_mm: int = 300
    metal_mm2: int = 0
    status: int = 800
    read: bool = True
    declared: bool = True
    late_status: int = 800

    @property
    def waybill(self) -> str:
        return f"YT{self.number:06d}"


@dataclass
class RecordedLine(story.Line):
    """The story's line with a journal; `directory` holds it."""

    directory: Path = Path()
    text: str = field(default_factory=rules_text)
    software: str = SOFTWARE

    def __post_init__(self) -> None:
        heard = Heard()
        self.writer = JournalWriter(
            self.directory, "L1", KEY, FIRST_START, heard.on_durable, heard.on_failed
        )
        state = first_state(story.SETTINGS, rules_id(self.text), rules_of(self.text))
        self.core = LineController(story.SETTINGS, state)
        self.begin_file()
        self.tell(0, e.HostStarted(story.SESSION, self.software))
        self.tell(0, e.ClockRead(UTC_NS, True))
        self.tell(0, e.VisionUp(4))
        self.tell(0, e.PlcConnected(story.BOOT, story.SESSION, 1, 1, 0, ()))

    def begin_file(self, day: str = DAY) -> None:
        at_ns = self.log[-1][0] if self.log else story.START_NS
        state = encode_state(self.core.state)
        header = FileHeader(
            schema=SCHEMA,
            software_version=self.software,
            line="L1",
            settings=story.SETTINGS,
            rules_id=rules_id(self.text),
            rules_text=self.text,
            state=state,
            utc_ns=UTC_NS + at_ns - story.START_NS,
        )
        self.writer.begin_file(at_ns, day, header)

    def tell(self, at_ms: int, event: e.Event) -> tuple[Command, ...]:
        commands = super().tell(at_ms, event)
        self.writer.append(self.log[-1][0], event, commands)
        return commands

    def activate(self, at_ms: int, text: str, who: str = "officer") -> None:
        """As the line process does: the event, then a new file."""
        self.text = text
        self.tell(at_ms, e.RulesActivated(rules_id(text), text, rules_of(text), who))
        self.begin_file()

    def verdict(self, number: int) -> CommitVerdict:
        parcel = self.core.state.parcels[number]
        assert parcel.verdict is not None
        return parcel.verdict


Step = tuple[int, Callable[[], object]]


def life(line: RecordedLine, body: Body) -> Iterator[Step]:
    """What happens to a parcel, by the time at which it happens."""
    at, track = body.number * PITCH_MS, body.number
    known = story.facts(body.waybill, status=body.status)
    line.lists[body.waybill] = (known,) if body.declared else ()
    unknown_gap = 0xFFFF_FFFF
    induct, eye = (e.Inducted, 1, track, unknown_gap), (e.EyePassed, 1, track, body.length_mm)
    yield at, lambda: line.record(at, *induct)
    yield (
        at + body.length_mm,
        lambda: line.record(at + body.length_mm, *eye, unknown_gap, counts=at),
    )
    if body.read:
        yield at + 350, lambda: line.answer(at + 365, line.scan(at, track, body.waybill))
    else:
        yield at + 350, lambda: line.record(at + 350, e.CodeRead, 1, track, 1, 0, 0, 0, "")
    weighed = (e.Weighed, 2, track, body.weight_mg, body.zero_mg, body.number, True, False)
    yield at + 1_050, lambda: line.record(at + 1_050, *weighed)
    yield at + 1_210, lambda: line.measure(at, track, body.length_mm)
    yield at + 1_740, lambda: line.trigger(at, track, body.number)
    yield at + 2_250, lambda: line.answer(at + 2_255, _picture(line, body))
    yield at + 2_260, lambda: _command(line, body)
    if body.late_status != 800:
        late = story.facts(body.waybill, status=body.late_status, revision=1)
        yield at + 2_600, lambda: line.tell(at + 2_600, e.ListChanged(2, late))
    yield at + 4_000, lambda: _leave(line, body)


def _picture(line: RecordedLine, body: Body) -> tuple[Command, ...]:
    return line.picture(
        body.number * PITCH_MS,
        body.number,
        body.picture_length_mm,
        metal_area_mm2=body.metal_mm2,
    )


def _command(line: RecordedLine, body: Body) -> None:
    at = body.number * PITCH_MS
    if line.verdict(body.number).destination is Destination.RELEASE:
        line.durable(at + 2_260, body.number)
    line.echo(at + 2_280, body.number)


def _leave(line: RecordedLine, body: Body) -> None:
    at, track = body.number * PITCH_MS, body.number
    lane = LANE_OF[line.verdict(track).destination]
    if lane.gate:
        position = GatePosition.LEFT if lane.side == "left" else GatePosition.RIGHT
        line.record(at + 4_000, e.GateMoved, lane.gate, track, GatePhase.BEGAN, position, 0)
    line.record(at + 4_600, e.LaneSeen, lane.number, track)


def run_day(line: RecordedLine, bodies: Iterable[Body], others: Iterable[Step] = ()) -> None:
    """All of it in order of time, then the journal is closed."""
    steps = [step for body in bodies for step in life(line, body)]
    for _, step in sorted([*steps, *others], key=lambda timed: timed[0]):
        step()
    assert line.writer.close()


def recorded(directory: Path, *bodies: Body, text: str = "", **more: int) -> RecordedLine:
    """A closed journal of these parcels in `directory`, under `text` or the reference rules."""
    line = RecordedLine(directory=directory, text=text or rules_text(**more))
    run_day(line, bodies)
    return line


def write_fixture(directory: Path) -> None:
    """Seven parcels over a change of rules and a change of day, both with parcels on the belt."""
    for path in directory.glob("*.journal*"):
        path.unlink()
    line = RecordedLine(directory=directory, software=FIXTURE_SOFTWARE)
    bodies = [
        Body(1),
        Body(2, weight_mg=2_080_000),
        Body(3, read=False),
        Body(4, declared=False),
        Body(5, weight_mg=2_080_000),  # after the change of rules
        Body(6, metal_mm2=5_000, status=500),
        Body(7, late_status=500),
    ]
    change = (4_700, lambda: line.activate(4_700, rules_text(weight_tolerance_mg=100_000)))
    midnight = (7_300, lambda: line.begin_file("20260302"))
    run_day(line, bodies, [change, midnight])
    pem = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (directory / "key.pub").write_bytes(pem)
    for beside in ("ballast", "writer.lock"):
        (directory / beside).unlink(missing_ok=True)


if __name__ == "__main__":
    write_fixture(Path(sys.argv[1]))
