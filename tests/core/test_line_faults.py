"""What happens around the parcels: restarts, broken links, lanes, belt, scale, journal, people."""

import pytest

from controller.core import events as e
from controller.core.commands import (
    ClearAlarm,
    Command,
    CommitVerdict,
    RaiseAlarm,
    RecordOutcome,
    SetPermits,
)
from controller.core.parcel import ParcelState
from controller.core.vocabulary import (
    AlarmKind,
    BeltCause,
    BeltMotion,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    LineRequest,
    LineState,
    LinkFault,
    OutcomeKind,
    PassEnd,
    Reason,
)
from tests.core.story import BOOT, SESSION, Line, facts, held_for, sent_in, verdict_in


def restarted(line: Line, at_ms: int) -> list[CommitVerdict]:
    """Our process dies and comes back; what it concludes at once."""
    commands = line.tell(at_ms, e.HostStarted(77, "test"))
    return [command for command in commands if isinstance(command, CommitVerdict)]


def connected(line: Line, at_ms: int, session: int = SESSION) -> tuple[Command, ...]:
    return line.tell(at_ms, e.PlcConnected(BOOT, session, 1, line.ring_seq + 1, 0, ()))


def test_host_restart_holds_the_undecided_and_doubts_the_released() -> None:
    line = Line()
    line.lease(100, 1)
    line.until_picture(1100, 2, "W2")
    verdicts = restarted(line, 3300)
    assert [(v.track_id, v.revision) for v in verdicts] == [(2, 0)]
    assert Reason.HOST_RESTARTED in verdicts[0].reasons
    # nothing is released again: the PLC is asked to hold, and its answer decides
    holds = sent_in(connected(line, 3400, 77))
    assert [(d.track_id, d.destination) for d in holds] == [
        (1, Destination.HOLD),
        (2, Destination.HOLD),
    ]
    assert held_for(line.echo(3420, 1)) == (Reason.HOST_RESTARTED,)


def test_lease_that_ended_with_our_session_is_a_hold() -> None:
    line = Line()
    line.lease(100, 1)
    restarted(line, 3300)
    connected(line, 3400, 77)
    assert line.echo(3420, 1, DecisionResult.LATE) == ()
    commands = line.record(3430, e.DefaultTaken, 1, 1, DefaultCause.LEASE_ENDED)
    assert held_for(commands) == (Reason.HOST_RESTARTED,)


def test_gate_that_began_before_our_restart_stays_a_release() -> None:
    line = Line()
    line.lease(100, 1)
    restarted(line, 4020)
    connected(line, 4500, 77)
    line.record(4000, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    done = line.record(4400, e.LaneSeen, 1, 1)
    assert not any(isinstance(c, CommitVerdict | RaiseAlarm) for c in done)
    outcome = next(c for c in done if isinstance(c, RecordOutcome))
    assert outcome.kind is OutcomeKind.IN_PLANNED_LANE


@pytest.mark.parametrize("durable", [False, True])
def test_nothing_is_sent_after_a_restart_that_was_not_sent_before(durable: bool) -> None:
    line = Line()
    line.until_verdict(100, 1)
    if durable:
        line.tell(2361, e.PlcLost(LinkFault.NO_ANSWER))
        line.durable(2362, 1)
    restarted(line, 2400)
    assert [d.destination for d in sent_in(connected(line, 2500, 77))] == [Destination.HOLD]
    assert sent_in(line.durable(2600, 1)) == []


def test_hold_that_came_after_the_gate_began_is_an_alarm() -> None:
    line = Line()
    line.lease(100, 1)
    line.tell(3990, e.ListChanged(9, facts(status=500)))
    commands = line.record(4000, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    assert [c.kind for c in commands if isinstance(c, RaiseAlarm)] == [
        AlarmKind.RELEASED_BUT_BAD_NEWS
    ]


def test_plc_restart_ends_every_pass_as_not_seen() -> None:
    line = Line()
    line.lease(100, 1)
    commands = line.tell(3300, e.PlcConnected(BOOT + 1, SESSION, 1, 1, 0, ()))
    (outcome,) = [c for c in commands if isinstance(c, RecordOutcome)]
    assert (outcome.kind, outcome.destination) == (OutcomeKind.NOT_SEEN, Destination.HOLD)
    assert line.core.state.parcels == {}
    # records of the old boot mean nothing any more
    assert line.record(3310, e.LaneSeen, 1, 1) == ()


def test_short_break_of_the_link_carries_on_and_sends_again() -> None:
    line = Line()
    line.until_verdict(100, 1)
    line.tell(2361, e.PlcLost(LinkFault.NO_ANSWER))
    assert line.core.state.state is LineState.HELD
    assert sent_in(line.durable(2362, 1)) == []
    connected = e.PlcConnected(BOOT, SESSION, 1, line.ring_seq + 1, 0, ())
    (release,) = sent_in(line.tell(2600, connected))
    assert release.destination is Destination.RELEASE
    assert line.core.state.state is LineState.EXECUTE


def test_long_break_of_the_link_revokes_what_was_not_sent() -> None:
    line = Line()
    line.until_verdict(100, 1)
    line.tell(2361, e.PlcLost(LinkFault.NO_ANSWER))
    line.durable(2362, 1)
    assert held_for(line.tell(3700, e.DeadlineReached())) == (Reason.LINK_LOST,)
    connected = e.PlcConnected(BOOT, SESSION, 1, line.ring_seq + 1, 0, ())
    assert [d.destination for d in sent_in(line.tell(3800, connected))] == [Destination.HOLD]


def test_duplicate_records_change_nothing_and_a_gap_holds() -> None:
    line = Line()
    line.lease(100, 1)
    again = next(event for _, event, _ in line.log if isinstance(event, e.Weighed))
    assert line.tell(3000, again) == ()
    line.ring_seq += 5
    assert held_for(line.record(3000, e.LaneChanged, 5, 0, False, False, 40)) == (
        Reason.RECORDS_LOST,
    )


def test_length_changed_on_the_way_revokes() -> None:
    line = Line()
    line.lease(100, 1)
    commands = line.record(2800, e.EyePassed, 4, 1, 280, 0, counts=2500)
    assert held_for(commands) == (Reason.LENGTH_CHANGED,)


def test_belt_stop_spoils_the_reading_in_progress() -> None:
    line = Line()
    line.induct(100, 1)
    stop = (BeltMotion.STOPPED, 0, BeltCause.JAM)
    line.record(1100, e.BeltChanged, 0, 0, *stop)
    assert Reason.STOPPED_IN_SENSOR in line.core.state.parcels[1].flags
    assert line.core.next_deadline_ns() is None


def test_stuck_scale_and_second_weight_are_not_valid() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.measurement_no -= 1  # the counter stands still
    line.until_picture(1100, 2, "W2")
    asked = line.picture(1100, 2)
    assert held_for(line.answer(3360, asked)) == (Reason.WEIGHT_NOT_VALID,)


def test_full_release_lane_stops_the_infeed_and_revokes() -> None:
    line = Line()
    line.lease(100, 1)
    commands = line.record(3000, e.LaneChanged, 1, 0, True, False, 0)
    assert held_for(commands) == (Reason.LANE_FULL,)
    assert SetPermits(infeed=False, belt=True) in commands


def test_a_lane_believed_full_does_not_stop_the_line_for_good_when_records_are_lost() -> None:
    """Found by the sweep: the record that freed the lane was in a file that was set aside."""
    line = Line()
    line.record(100, e.LaneChanged, 1, 0, True, True, 0)
    assert not line.core.state.infeed_permit
    told = line.tell(3000, e.RingGap(BOOT, line.ring_seq + 1, line.ring_seq + 5))
    assert SetPermits(infeed=True, belt=True) in told
    cleared = {c.kind for c in told if isinstance(c, ClearAlarm)}
    assert cleared == {AlarmKind.LANE_FULL, AlarmKind.LANE_JAM}


def test_records_that_only_an_earlier_life_had_are_missed_at_once() -> None:
    """Found by the sweep: its journal was set aside, and a line that stands sends no later record."""
    line = Line()
    line.lease(100, 1)
    line.record(2900, e.LaneChanged, 5, 0, True, False, 0)
    line.tell(3000, e.PlcLost(LinkFault.REFUSED))
    back = e.PlcConnected(BOOT, SESSION, 1, line.ring_seq + 3, 9, ())
    told = line.tell(3300, back)
    assert held_for(told) == (Reason.RECORDS_LOST,)
    assert all(sent.destination is Destination.HOLD for sent in sent_in(told))
    assert AlarmKind.RECORDS_LOST in [c.kind for c in told if isinstance(c, RaiseAlarm)]
    assert AlarmKind.LANE_FULL in [c.kind for c in told if isinstance(c, ClearAlarm)]


def test_held_parcel_in_release_lane_stops_the_belt() -> None:
    line = Line(lists={"W1": (facts(status=399),)})
    line.until_verdict(100, 1)
    commands = line.record(4400, e.LaneSeen, 1, 1)
    assert AlarmKind.HELD_PARCEL_IN_RELEASE_LANE in [
        c.kind for c in commands if isinstance(c, RaiseAlarm)
    ]
    assert SetPermits(infeed=False, belt=False) in commands
    assert line.core.state.state is LineState.ABORTED


def test_record_of_a_parcel_never_inducted_is_held_as_unknown() -> None:
    line = Line()
    assert Reason.UNKNOWN_PARCEL in held_for(line.scan(100, 9, "W1"))


def test_reading_out_of_place_is_not_attached() -> None:
    line = Line()
    line.lists["W1"] = (facts(),)
    line.induct(100, 1)
    # the scale's window is 750 .. 1,450 mm after induct
    assert Reason.UNKNOWN_PARCEL in held_for(line.weigh(700, 1))
    assert line.core.state.parcels[1].weight is None


def test_broken_association_holds_all_before_the_gate_until_two_agree() -> None:
    line = Line()
    line.lease(100, 1)
    line.until_picture(900, 2, "W2")
    asked = line.picture(900, 2, first_row_encoder_counts=5)
    revoked = verdict_in(tuple(c for c in asked if isinstance(c, CommitVerdict)))
    assert (revoked.track_id, revoked.reasons) == (1, (Reason.ASSOCIATION_UNPROVEN,))
    assert Reason.ASSOCIATION_UNPROVEN in held_for(line.answer(3200, asked))
    assert line.until_verdict(6000, 3, "W3").reasons == (Reason.ASSOCIATION_UNPROVEN,)
    assert line.until_verdict(9000, 4, "W4").reasons == ()


def test_restart_of_vision_must_prove_itself_again() -> None:
    line = Line()
    line.lease(100, 1)
    line.tell(2500, e.VisionDown(4, source_silent=False))
    line.tell(2600, e.VisionUp(4))
    assert line.until_verdict(6000, 3, "W3").reasons == (Reason.ASSOCIATION_UNPROVEN,)
    assert line.until_verdict(9000, 4, "W4").reasons == ()


def test_pictures_must_prove_themselves_again_after_our_own_restart() -> None:
    line = Line()
    line.lease(100, 1)
    restarted(line, 3300)
    connected(line, 3400, 77)
    assert line.until_verdict(6000, 3, "W3").reasons == (Reason.ASSOCIATION_UNPROVEN,)
    assert line.until_verdict(9000, 4, "W4").reasons == ()


def test_a_second_picture_of_one_trigger_takes_the_lease_back() -> None:
    """Which of the two shows this parcel, nobody knows, however well both of them fit."""
    line = Line()
    line.lease(100, 1)
    revoked = verdict_in(line.picture(100, 1))
    assert (revoked.revision, revoked.reasons) == (1, (Reason.ASSOCIATION_UNPROVEN,))


@pytest.mark.parametrize("leased", [False, True])
def test_another_label_that_is_told_late_takes_the_release_back(leased: bool) -> None:
    """Read in its place on the belt, but told only after the look-up that the verdict rests on."""
    line = Line()
    if leased:
        line.lease(100, 1)
    else:
        assert line.until_verdict(100, 1).destination is Destination.RELEASE
    told = line.record(2_900, e.CodeRead, 1, 1, 2, 0, 1, 0, "X1", counts=450)
    assert held_for(told) == (Reason.AMBIGUOUS,)


def test_a_release_that_is_durable_too_late_is_not_sent_though_no_timer_rang() -> None:
    line = Line()
    line.until_verdict(100, 1)
    assert sent_in(line.durable(3_660, 1)) == []
    assert held_for(line.tell(3_661, e.DeadlineReached())) == (Reason.LATE,)


def test_counters_and_encoder_wrap() -> None:
    line = Line(start_counts=(1 << 32) - 500, ring_seq=(1 << 32) - 4)
    line.lease(100, 1)
    assert line.core.state.parcels[1].state is ParcelState.LEASED


def test_failed_journal_stops_releases_and_infeed() -> None:
    line = Line()
    commands = line.tell(50, e.JournalFailed("disk full"))
    assert SetPermits(infeed=False, belt=True) in commands
    assert line.until_verdict(100, 1).reasons == (Reason.RECORD_NOT_DURABLE,)
    line.tell(5000, e.JournalRecovered("supervisor"))
    assert line.until_verdict(6000, 2, "W2").destination is Destination.RELEASE


def test_opened_zone_holds_who_lay_in_it() -> None:
    line = Line()
    line.lease(100, 1)
    line.until_picture(1500, 2, "W2")
    commands = line.record(3300, e.ZoneOpened, 1, 0, 1500, 2000)
    assert [v.track_id for v in commands if isinstance(v, CommitVerdict)] == [2]


def test_emergency_stop_holds_all_and_needs_a_clear() -> None:
    line = Line()
    line.lease(100, 1)
    line.tell(3000, e.PlcStateSeen(0x0008, 0))
    assert line.core.state.state is LineState.ABORTED
    assert line.core.state.parcels[1].state is ParcelState.HELD
    clear = e.LineRequested(LineRequest.CLEAR, "officer")
    line.tell(3100, clear)
    assert line.core.state.state is LineState.ABORTED  # the button is still pressed
    line.tell(3200, e.PlcStateSeen(0x0003, 0))
    line.tell(3300, clear)
    assert line.core.state.state is LineState.EXECUTE


def test_officers_lane_that_the_plc_could_not_serve_is_no_alarm() -> None:
    line = Line(lists={"W1": (facts(status=500),)})
    assert line.until_verdict(100, 1).destination is Destination.INSPECT
    line.record(3900, e.DefaultTaken, 1, 1, DefaultCause.GATE_BUSY)
    done = line.record(6100, e.LaneSeen, 5, 1)
    outcome = next(c for c in done if isinstance(c, RecordOutcome))
    assert (outcome.kind, outcome.end) == (OutcomeKind.IN_OTHER_LANE, PassEnd.HELD)
    assert not any(isinstance(c, RaiseAlarm) for c in done)
