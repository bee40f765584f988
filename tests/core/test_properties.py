"""Whatever is told in whatever order: the promises of a release hold, and the same story replays."""

import copy
from dataclasses import dataclass, field
from typing import Any

import msgspec
from hypothesis import event as note
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, LookUp, SendDecision
from controller.core.line import LineController
from controller.core.state import CoreState
from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    LinkFault,
    LookUpResult,
)
from tests.core.story import BOOT, SESSION, SETTINGS, Line, facts

TRACKS = st.integers(1, 3)


class Promises:
    """I1, I3 and I5 as DESIGN amends them, checked after every event."""

    def __init__(self) -> None:
        self.verdicts: dict[int, list[CommitVerdict]] = {}
        self.durable: set[int] = set()
        self.last_seq = 0
        self.released = 0

    def saw(self, event: e.Event, commands: tuple[Command, ...]) -> None:
        if isinstance(event, e.VerdictDurable) and event.pass_no in self.verdicts:
            self.durable.add(event.pass_no)
        for command in commands:
            if isinstance(command, CommitVerdict):
                given_so_far = self.verdicts.setdefault(command.pass_no, [])
                assert command.revision == len(given_so_far), "one verdict, at most one revocation"
                assert command.revision < 2
                if given_so_far:
                    assert command.destination is Destination.HOLD
                assert (command.destination is Destination.RELEASE) == (not command.reasons)
                given_so_far.append(command)
            elif isinstance(command, SendDecision):
                assert command.decision_seq > self.last_seq
                self.last_seq = command.decision_seq
                if command.destination is Destination.RELEASE:
                    self._released(command)

    def _released(self, command: SendDecision) -> None:
        passes = [p for p, v in self.verdicts.items() if v[0].track_id == command.track_id]
        verdicts = self.verdicts[passes[-1]]
        assert len(verdicts) == 1, "released after it was revoked"
        assert verdicts[0].destination is Destination.RELEASE
        assert passes[-1] in self.durable, "released before it was durable"
        assert command.session == SESSION
        self.released += 1


def _tellings() -> st.SearchStrategy[tuple[Any, ...]]:
    """(verb, arguments): records with plausible places, and everything else that may come."""
    verdict_actions = st.tuples(
        st.sampled_from(["durable", "accepted", "refused", "default", "gate", "lane"]),
        TRACKS,
        st.integers(0, 6),
    )
    readings = st.tuples(
        st.sampled_from(["induct", "scan", "weigh", "measure", "trigger", "picture", "eye"]),
        TRACKS,
        st.sampled_from([0, 0, 0, 1]),
    )
    line = st.tuples(
        st.sampled_from(
            "deadline lost back reboot restart bad_news gap stop go vision journal zone".split()
        ),
        TRACKS,
        st.integers(0, 3),
    )
    clean = st.tuples(st.just("clean"), TRACKS, st.integers(0, 2))
    answer = st.tuples(st.just("answer"), TRACKS, st.integers(0, 3))
    return st.one_of(readings, answer, clean, clean, verdict_actions, verdict_actions, line)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(_tellings(), st.integers(0, 700)), min_size=5, max_size=80))
def test_promises_hold_and_the_story_replays(story: list[tuple[tuple[Any, ...], int]]) -> None:
    line = Line(lists={f"W{n}": (facts(f"W{n}"),) for n in (1, 2, 3)})
    promises, teller = Promises(), Teller(line)
    before = copy.deepcopy(line.core.state)
    first = len(line.log)
    now_ms = 100
    for (verb, track, detail), wait_ms in story:
        now_ms += wait_ms
        log_at = len(line.log)
        teller.tell(verb, track, detail, now_ms)
        for _, event, commands in line.log[log_at:]:
            promises.saw(event, commands)
            teller.asked += [command for command in commands if isinstance(command, LookUp)]
    note(f"releases sent: {promises.released}")
    again = LineController(SETTINGS, before)
    for at_ns, event, commands in line.log[first:]:
        assert again.handle(at_ns, event) == commands
        again.state = msgspec.msgpack.decode(msgspec.msgpack.encode(again.state), type=CoreState)
    assert again.state == line.core.state


@dataclass
class Teller:
    """One verb a method: (track id, detail, time) told to the line."""

    line: Line
    entered: dict[int, int] = field(default_factory=dict)
    asked: list[LookUp] = field(default_factory=list)

    def tell(self, verb: str, track: int, detail: int, now_ms: int) -> None:
        getattr(self, verb)(track, detail, now_ms)

    def at(self, track: int, now_ms: int) -> int:
        return self.entered.get(track, now_ms)

    def induct(self, track: int, detail: int, now_ms: int) -> None:
        self.entered[track] = now_ms
        self.line.induct(now_ms, track, 300 + 50 * detail)

    def clean(self, track: int, detail: int, now_ms: int) -> None:
        self.entered[track] = now_ms
        self.line.until_picture(now_ms, track, f"W{track}")
        self.line.answer(now_ms + 2255, self.line.picture(now_ms, track))
        parcel = self.line.core.state.parcels.get(track)
        if detail and parcel:
            self.line.tell(now_ms + 2260, e.VerdictDurable(parcel.pass_no))

    def scan(self, track: int, detail: int, now_ms: int) -> None:
        self.line.scan(self.at(track, now_ms), track, f"W{track}", code_no=detail)

    def weigh(self, track: int, detail: int, now_ms: int) -> None:
        self.line.weigh(self.at(track, now_ms), track, 2_000_000 + 100_000 * detail)

    def measure(self, track: int, detail: int, now_ms: int) -> None:
        self.line.measure(self.at(track, now_ms), track, 300 + 20 * detail)

    def trigger(self, track: int, detail: int, now_ms: int) -> None:
        self.line.trigger(self.at(track, now_ms), track, track + 5 * detail)

    def picture(self, track: int, detail: int, now_ms: int) -> None:
        self.line.picture(self.at(track, now_ms), track, metal_area_mm2=5000 * detail)

    def eye(self, track: int, detail: int, now_ms: int) -> None:
        at_ms = self.at(track, now_ms)
        length = 300 + 20 * detail
        self.line.record(at_ms + 2700, e.EyePassed, 4, track, length, 0, counts=at_ms + 2400)

    def answer(self, track: int, detail: int, now_ms: int) -> None:
        if not self.asked:
            return
        look_up = self.asked.pop()
        found = tuple(f for code in look_up.codes for f in self.line.lists.get(code, ()))
        result = LookUpResult.UNAVAILABLE if detail == 3 else LookUpResult.ANSWERED
        found = found if detail < 3 else ()
        reply = e.ListsAnswered(look_up.pass_no, look_up.purpose, result, 1, found)
        self.line.tell(now_ms, reply)

    def durable(self, track: int, detail: int, now_ms: int) -> None:
        parcel = self.line.core.state.parcels.get(track)
        self.line.tell(now_ms, e.VerdictDurable(parcel.pass_no if parcel else detail))

    def accepted(self, track: int, detail: int, now_ms: int) -> None:
        self._echo(track, detail, now_ms, DecisionResult.ACCEPTED)

    def refused(self, track: int, detail: int, now_ms: int) -> None:
        self._echo(track, detail, now_ms, list(DecisionResult)[detail % len(DecisionResult)])

    def _echo(self, track: int, detail: int, now_ms: int, result: DecisionResult) -> None:
        parcel = self.line.core.state.parcels.get(track)
        seq = parcel.decision_seq if parcel else detail
        self.line.tell(now_ms, e.DecisionEchoed(seq, track, result))

    def default(self, track: int, detail: int, now_ms: int) -> None:
        self.line.record(now_ms, e.DefaultTaken, 1, track, list(DefaultCause)[detail])

    def gate(self, track: int, detail: int, now_ms: int) -> None:
        phase, position = list(GatePhase)[detail % 3], list(GatePosition)[detail % 2 + 1]
        self.line.record(now_ms, e.GateMoved, 1, track, phase, position, 0)

    def lane(self, track: int, detail: int, now_ms: int) -> None:
        self.line.record(now_ms, e.LaneSeen, detail % 5 + 1, track)

    def deadline(self, track: int, detail: int, now_ms: int) -> None:
        self.line.tell(now_ms, e.DeadlineReached())

    def lost(self, track: int, detail: int, now_ms: int) -> None:
        self.line.tell(now_ms, e.PlcLost(list(LinkFault)[detail]))

    def back(self, track: int, detail: int, now_ms: int, boot_id: int = BOOT) -> None:
        next_seq = self.line.ring_seq + 1 if boot_id == BOOT else 1
        self.line.tell(now_ms, e.PlcConnected(boot_id, SESSION, 1, next_seq, 0, ()))

    def reboot(self, track: int, detail: int, now_ms: int) -> None:
        """A PLC with another boot id, then ours again: both are restarts."""
        self.back(track, detail, now_ms, boot_id=BOOT + 1)
        self.back(track, detail, now_ms)

    def restart(self, track: int, detail: int, now_ms: int) -> None:
        self.line.tell(now_ms, e.HostStarted(SESSION, "test"))
        self.back(track, detail, now_ms)

    def bad_news(self, track: int, detail: int, now_ms: int) -> None:
        self.line.tell(now_ms, e.ListChanged(9, facts(f"W{track}", status=500)))

    def gap(self, track: int, detail: int, now_ms: int) -> None:
        self.line.ring_seq += detail

    def stop(self, track: int, detail: int, now_ms: int) -> None:
        stopped = (BeltMotion.STOPPED, 0, BeltCause.JAM)
        self.line.record(now_ms, e.BeltChanged, 0, 0, *stopped)

    def go(self, track: int, detail: int, now_ms: int) -> None:
        running = (BeltMotion.RUNNING, 1000, BeltCause.STARTED)
        self.line.record(now_ms, e.BeltChanged, 0, 0, *running)

    def vision(self, track: int, detail: int, now_ms: int) -> None:
        self.line.tell(now_ms, e.VisionDown(4, False) if detail else e.VisionUp(4))

    def journal(self, track: int, detail: int, now_ms: int) -> None:
        self.line.tell(now_ms, e.JournalFailed("full") if detail else e.JournalRecovered("S"))

    def zone(self, track: int, detail: int, now_ms: int) -> None:
        self.line.record(now_ms, e.ZoneOpened, 1, 0, 1000 * detail, 1000 * detail + 900)
