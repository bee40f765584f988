"""Nothing leaves before its record is on the disk: neither a release nor an acknowledgement."""

from dataclasses import dataclass, field
from typing import cast

from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, LookUp, SendDecision
from controller.core.vocabulary import Destination, LookUpPurpose, LookUpResult
from controller.journal.writer import JournalWriter
from controller.runtime.dispatch import Dispatcher
from tests.core.evidence import picture
from tests.core.story import BOOT, MS, START_NS, Line, facts


@dataclass
class Plant:
    """Clock, link, lists and journal of one dispatcher: what each was told, and the last number."""

    at_ms: int = 2_400
    sent: list[SendDecision] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)
    asked: list[LookUp] = field(default_factory=list)
    journal_seq: int = 0
    commands: tuple[Command, ...] = ()
    snapshot_due: bool = False

    def monotonic_ns(self) -> int:
        return START_NS + self.at_ms * MS

    def utc_ns(self) -> int:
        return self.monotonic_ns()

    async def run(self, deliver: object) -> None:
        """No link runs."""

    def send(self, decision: SendDecision) -> None:
        self.sent.append(decision)

    def acknowledge(self, boot_id: int, ring_seq: int) -> None:
        assert boot_id == BOOT
        self.acknowledged.append(ring_seq)

    def permit(self, infeed: bool, belt: bool) -> None:
        """Not asked here."""

    def look_up(self, request: LookUp) -> None:
        self.asked.append(request)

    def watch(self, list_keys: frozenset[str]) -> None:
        """Not asked here."""

    def append(self, at_ns: int, event: e.Event, commands: tuple[Command, ...]) -> int:
        self.journal_seq += 1 + len(commands)
        self.commands = commands
        return self.journal_seq


def dispatching(line: Line) -> tuple[Dispatcher, Plant]:
    plant = Plant()
    journal = cast(JournalWriter, plant)
    return Dispatcher(line.core, plant, journal, plant, plant, lambda context: None), plant


def test_a_record_is_acknowledged_only_when_it_is_durable() -> None:
    dispatcher, plant = dispatching(Line())
    numbers = []
    for ring_seq in (1, 2, 3):
        dispatcher.dispatch(e.Inducted(BOOT, ring_seq, 1, ring_seq, 100, 100_000, 0xFFFF_FFFF))
        numbers.append(plant.journal_seq)
    dispatcher.durable(numbers[0] - 1)
    assert plant.acknowledged == []
    dispatcher.durable(numbers[1])
    assert plant.acknowledged == [2]
    dispatcher.durable(numbers[2])
    assert plant.acknowledged == [2, 3]


def test_a_release_is_sent_only_when_its_verdict_is_durable() -> None:
    line = Line()
    line.until_picture(100, 1)
    dispatcher, plant = dispatching(line)
    dispatcher.dispatch(picture(first_row_encoder_counts=1_840, outline_start_counts=1_900))
    assert [request.purpose for request in plant.asked] == [LookUpPurpose.DECIDE]
    answer = (LookUpPurpose.DECIDE, LookUpResult.ANSWERED, 1, (facts(),))
    dispatcher.dispatch(e.ListsAnswered(1, *answer))
    (verdict,) = [c for c in plant.commands if isinstance(c, CommitVerdict)]
    assert verdict.destination is Destination.RELEASE
    judged = plant.journal_seq
    dispatcher.durable(judged - 1)
    assert plant.sent == []
    dispatcher.durable(judged)
    assert [sent.destination for sent in plant.sent] == [Destination.RELEASE]
