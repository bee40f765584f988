"""DESIGN 5 as a state machine: a lease, its revocation, and the doubt after a restart.

Whatever the order of parcels, syncs, crashes, broken links, PLC restarts and bad news: a gate opens only
for a release that was durable before it was sent, once, to this boot and session, never after a hold.
"""

from collections import Counter
from typing import cast

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.core import events as e
from controller.core.commands import CommitVerdict, RaiseAlarm, RecordOutcome, SendDecision
from controller.core.parcel import ParcelState
from controller.core.vocabulary import (
    AlarmKind,
    BeltCause,
    BeltMotion,
    DecisionResult,
    Destination,
    LinkFault,
    PassEnd,
    Reason,
)
from tests.core.story import facts
from tests.fuzz.lease_model import HOLD_LANE, RELEASE_LANE, ModelLine, ModelPlc, OnBelt
from tests.fuzz.looking import looked_at

# From induct to the findings of its picture.
SEEN_MS = 2_255
RELEASED = Destination.RELEASE
ALL = 1_000_000
ENTRIES = st.sampled_from([0, 1, 3, 10, ALL])
UNPROVEN_AFTER_RESTART = (
    ParcelState.HELD,
    ParcelState.DOUBTED,
    ParcelState.DIVERTING,
)


class LeaseMachine(RuleBasedStateMachine):
    """Model state: what is durable (`line`), what is under way (`wire`, `echoes`), what the PLC has."""

    @initialize()
    def start(self) -> None:
        self.line = ModelLine()
        self.plc = ModelPlc()
        self.wire: list[SendDecision] = []
        self.echoes: list[e.DecisionEchoed] = []
        self.looked_up_to = 0
        self.up = True
        self.tracks = 0
        self.restarts = 0
        self.entered_in: dict[int, int] = {}
        self.held_sends: set[tuple[int, int]] = set()
        self.awaiting: list[int] = []
        running = (BeltMotion.RUNNING, 1000, BeltCause.STARTED)
        self.line.record(1, e.BeltChanged, 0, 0, *running)
        self.line.sync(100)
        self._carry_out()

    # --- what happens ---------------------------------------------------------------------------

    @precondition(lambda self: self.up and len(self.plc.on_belt) < 4)
    @rule(clean=st.booleans())
    def parcel_passes_the_sensors(self, clean: bool) -> None:
        """Up to its picture and its look-ups; `clean` ones will be released."""
        self.tracks += 1
        track, code = self.tracks, f"W{self.tracks}"
        line = self.line
        line.lists[code] = (facts(code, status=800 if clean else 500),)
        line.now_ms += 720
        began_ms = line.now_ms - SEEN_MS
        self.plc.on_belt[track] = OnBelt()
        self.entered_in[track] = self.restarts
        line.induct(began_ms, track)
        line.answered(line.scan(began_ms, track, code))
        line.weigh(began_ms, track)
        line.measure(began_ms, track)
        line.trigger(began_ms, track, track)
        line.answered(line.picture(began_ms, track))
        self._carry_out()

    @precondition(lambda self: self.up and len(self.plc.on_belt) < 4)
    @rule(as_far_as=st.integers(1, 4))
    def parcel_is_on_its_way_to_a_lease(self, as_far_as: int) -> None:
        """The usual course without anything between: durable, sent, scanned, answered."""
        self.parcel_passes_the_sensors(clean=True)
        self.disk_syncs(ALL)
        while as_far_as > 1 and self.awaiting:
            self.host_hears_of_the_sync()
        while as_far_as > 2 and self.wire:
            self.plc_scans_a_decision()
        while as_far_as > 3 and self.echoes:
            self.echo_comes_back()

    @rule(entries=ENTRIES)
    def disk_syncs(self, entries: int) -> None:
        self.awaiting += self.line.sync(entries)

    @precondition(lambda self: self.awaiting)
    @rule()
    def host_hears_of_the_sync(self) -> None:
        self.line.tell(self.line.now_ms, e.VerdictDurable(self.awaiting.pop(0)))
        self._carry_out()

    @precondition(lambda self: self.wire)
    @rule()
    def plc_scans_a_decision(self) -> None:
        decision = self.wire.pop(0)
        result = self.plc.take(decision)
        self.echoes.append(e.DecisionEchoed(decision.decision_seq, decision.track_id, result))

    @precondition(lambda self: self.echoes)
    @rule()
    def echo_comes_back(self) -> None:
        echo = self.echoes.pop(0)
        parcel = self.line.core.state.parcels.get(echo.track_id)
        doubted = parcel is not None and parcel.state is ParcelState.DOUBTED
        self.line.tell(self.line.now_ms, echo)
        self._carry_out()
        if parcel is not None and doubted and parcel.decision_seq == echo.decision_seq:
            settled = echo.result is DecisionResult.ACCEPTED
            assert parcel.state is (ParcelState.HELD if settled else ParcelState.DOUBTED)

    @precondition(lambda self: self._before_gate())
    @rule(which=st.integers(0, 3))
    def parcel_reaches_the_gate(self, which: int) -> None:
        tracks = self._before_gate()
        track = tracks[which % len(tracks)]
        record = self.plc.at_gate(track)
        if self.plc.on_belt[track].began:
            self._gate_opens_rightly(track)
        if record is not None:
            self._ring(record[0], 1, track, *record[1])

    @precondition(lambda self: self._after_gate())
    @rule(which=st.integers(0, 3))
    def parcel_enters_a_lane(self, which: int) -> None:
        tracks = self._after_gate()
        track = tracks[which % len(tracks)]
        began = self.plc.on_belt.pop(track).began
        parcel = self.line.core.state.parcels.get(track)
        verdict = parcel.verdict if parcel else None
        commands = self._ring(e.LaneSeen, RELEASE_LANE if began else HOLD_LANE, track)
        if parcel is not None:
            (outcome,) = [c for c in commands if isinstance(c, RecordOutcome)]
            assert (outcome.end is PassEnd.RELEASED) == began
            alarms = {c.kind for c in commands if isinstance(c, RaiseAlarm)}
            wrong = began and (verdict is None or verdict.destination is not RELEASED)
            standing = {alarm.kind for alarm in self.line.core.state.alarms}
            assert not wrong or AlarmKind.HELD_PARCEL_IN_RELEASE_LANE in alarms | standing

    @rule(which=st.integers(0, 5), status=st.sampled_from([500, 501, 700]))
    def customs_change_their_mind(self, which: int, status: int) -> None:
        if self.tracks:
            code = f"W{max(1, self.tracks - which)}"
            self.line.tell(self.line.now_ms, e.ListChanged(9, facts(code, status=status)))
            self._carry_out()

    @rule(wait_ms=st.sampled_from([1, 200, 900, 3_000]))
    def time_passes(self, wait_ms: int) -> None:
        self.line.tell(self.line.now_ms + wait_ms, e.DeadlineReached())
        self._carry_out()

    @rule(fails=st.booleans())
    def journal_fails_or_recovers(self, fails: bool) -> None:
        event = e.JournalFailed("full") if fails else e.JournalRecovered("S")
        self.line.tell(self.line.now_ms, event)
        self._carry_out()

    # --- what breaks ----------------------------------------------------------------------------

    @precondition(lambda self: self.up)
    @rule(arrive=st.integers(0, 3))
    def link_breaks(self, arrive: int) -> None:
        """Some of what was under way still arrives; no answer comes back."""
        for decision in self.wire[:arrive]:
            self.plc.take(decision)
        self.up = False
        self.line.tell(self.line.now_ms, e.PlcLost(LinkFault.NO_ANSWER))
        self._carry_out()
        self.wire, self.echoes = [], []

    @precondition(lambda self: not self.up)
    @rule(tripped=st.booleans())
    def link_is_back(self, tripped: bool) -> None:
        if tripped:
            self.plc.end_leases()
        self._connect()

    @rule(arrive=st.integers(0, 3), entries=ENTRIES)
    def host_is_killed_and_starts_again(self, arrive: int, entries: int) -> None:
        """At any moment: some records had reached the disk, some decisions the PLC."""
        self.line.sync(entries)
        for decision in self.wire[:arrive]:
            self.plc.take(decision)
        self.wire, self.echoes, self.awaiting, self.up = [], [], [], False
        lost = self.line.crash()
        self.looked_up_to = len(self.line.log)
        self.restarts += 1
        # A new session is latched only after the life sign of the old one has ended.
        self.plc.end_leases()
        self.plc.session += 1
        line = self.line
        line.tell(line.now_ms, e.HostStarted(self.plc.session, "test"))
        line.tell(line.now_ms, e.VisionUp(4))
        self._carry_out()
        for parcel in line.core.state.parcels.values():
            assert parcel.state in UNPROVEN_AFTER_RESTART
        again = [record for record in lost if record.boot_id == self.plc.boot_id]
        self._connect(again[0].ring_seq if again else 0)
        for record in again:
            line.tell(line.now_ms, cast(e.Event, record))
        self._carry_out()

    @rule()
    def plc_restarts(self) -> None:
        self.plc = ModelPlc(self.plc.boot_id + 1, self.plc.session)
        self.wire, self.echoes = [], []
        self.line.ring_seq = 0
        self.line.boot_id = self.plc.boot_id
        self._connect()
        assert not self.line.core.state.parcels

    # --- what must hold -------------------------------------------------------------------------

    @invariant()
    def one_verdict_and_at_most_one_revocation(self) -> None:
        if not hasattr(self, "line"):
            return
        verdicts: dict[int, list[CommitVerdict]] = {}
        outcomes: Counter[int] = Counter()
        for _, _, commands in self.line.log:
            for command in commands:
                if isinstance(command, CommitVerdict):
                    verdicts.setdefault(command.pass_no, []).append(command)
                elif isinstance(command, RecordOutcome):
                    outcomes[command.pass_no] += 1
        for given in verdicts.values():
            assert [verdict.revision for verdict in given] == list(range(len(given)))
            assert len(given) <= 2
            assert len(given) == 1 or (given[0].destination, given[1].destination) == (
                RELEASED,
                Destination.HOLD,
            )
        on_belt = {parcel.pass_no for parcel in self.line.core.state.parcels.values()}
        assert set(outcomes.values()) <= {1}, "a pass ends once"
        assert on_belt.isdisjoint(outcomes)
        assert verdicts.keys() <= on_belt | outcomes.keys(), "a pass that ended left no outcome"

    @invariant()
    def a_doubted_parcel_is_settled_by_the_plc_alone(self) -> None:
        if not hasattr(self, "line"):
            return
        for parcel in self.line.core.state.parcels.values():
            if parcel.state is ParcelState.DOUBTED:
                assert Reason.HOST_RESTARTED in parcel.flags
                assert parcel.verdict is not None and parcel.verdict.destination is RELEASED

    # --- how it is done -------------------------------------------------------------------------

    def _carry_out(self) -> None:
        """What the shell does with the commands of everything told since the last time."""
        for index in range(self.looked_up_to, len(self.line.log)):
            for command in self.line.log[index][2]:
                if isinstance(command, SendDecision):
                    self._sent(command)
                elif (
                    isinstance(command, CommitVerdict) and Reason.HOST_RESTARTED in command.reasons
                ):
                    parcel = self.plc.on_belt.get(command.track_id)
                    assert parcel is None or not parcel.began, "held, while its gate has opened"
        self.looked_up_to = len(self.line.log)

    def _sent(self, decision: SendDecision) -> None:
        key = (decision.boot_id, decision.track_id)
        if decision.destination is RELEASED:
            assert (decision.boot_id, decision.session) == (self.plc.boot_id, self.plc.session)
            assert key not in self.held_sends, "released after a hold was sent"
            assert self.entered_in[decision.track_id] == self.restarts, "released in doubt"
            assert self._durable_release(decision.track_id), "released before it was durable"
        else:
            self.held_sends.add(key)
        if self.up:
            self.wire.append(decision)

    def _durable_release(self, track_id: int) -> bool:
        return any(
            isinstance(command, CommitVerdict)
            and (command.track_id, command.destination) == (track_id, RELEASED)
            for _, _, commands in self.line.on_disk
            for command in commands
        )

    def _gate_opens_rightly(self, track_id: int) -> None:
        assert self._durable_release(track_id), "a gate opened for what was never durable"
        assert not self.plc.on_belt[track_id].held

    def _ring(
        self, kind: type[e.PlcRecord], source: int, track_id: int, *payload: object
    ) -> tuple[object, ...]:
        commands = self.line.record(self.line.now_ms, kind, source, track_id, *payload)
        self._carry_out()
        return commands

    def _connect(self, next_ring_seq: int = 0) -> None:
        self.up = True
        plc, line = self.plc, self.line
        connected = e.PlcConnected(
            plc.boot_id,
            plc.session,
            1,
            next_ring_seq or line.ring_seq + 1,
            plc.decision_seq_max,
            (),
        )
        line.tell(line.now_ms, connected)
        self._carry_out()

    def _before_gate(self) -> list[int]:
        return [track for track, parcel in self.plc.on_belt.items() if not parcel.decided]

    def _after_gate(self) -> list[int]:
        return [track for track, parcel in self.plc.on_belt.items() if parcel.decided]


TestLeaseMachine = LeaseMachine.TestCase
TestLeaseMachine.settings = looked_at(300, steps=40)
