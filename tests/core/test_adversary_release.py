"""Attempts to keep a release standing that must be taken back, or to swallow an alarm."""

import pytest

from controller.core import events as e
from controller.core.commands import ClearAlarm, Command
from controller.core.vocabulary import (
    AlarmKind,
    DecisionResult,
    Destination,
    GatePhase,
    GatePosition,
    LineRequest,
    LineState,
    Reason,
)
from tests.core.story import BOOT, SESSION, Line, facts, held_for, sent_in
from tests.core.test_adversary import alarms_in

# --- places ---------------------------------------------------------------------------------------


def test_a_zone_was_open_where_parcels_lay_then_not_where_they_lie_now() -> None:
    """The link was away for two seconds; the record of the opened guard comes late."""
    line = Line()
    line.until_picture(100, 1)
    line.ring_seq += 1
    opened = e.ZoneOpened(BOOT, line.ring_seq, 1, 0, 1850, 1_850_000, 1700, 2000)
    assert Reason.ZONE_OPENED in held_for(line.tell(4000, opened))


def test_something_nobody_tracks_in_the_release_lane_stops_the_belt() -> None:
    line = Line()
    seen = line.record(4400, e.LaneSeen, 1, 0)
    assert AlarmKind.HELD_PARCEL_IN_RELEASE_LANE in alarms_in(seen)
    assert line.core.state.state is LineState.ABORTED


def test_a_parcel_in_the_release_lane_without_a_lease_stops_the_belt() -> None:
    """Judged release, its record not yet on the disk, and the gate still open for another."""
    line = Line()
    assert line.until_verdict(100, 1).destination is Destination.RELEASE
    seen = line.record(4400, e.LaneSeen, 1, 1)
    assert AlarmKind.HELD_PARCEL_IN_RELEASE_LANE in alarms_in(seen)


# --- taking a release back ------------------------------------------------------------------------


@pytest.mark.parametrize(("gate", "side"), [(2, GatePosition.LEFT), (1, GatePosition.RIGHT)])
def test_another_gates_movement_does_not_shut_out_bad_news(gate: int, side: GatePosition) -> None:
    line = Line()
    line.lease(100, 1)
    line.record(2600, e.GateMoved, gate, 1, GatePhase.BEGAN, side, 0)
    told = line.tell(2700, e.ListChanged(5, facts(status=500)))
    assert [decision.destination for decision in sent_in(told)] == [Destination.HOLD]


def test_the_release_gate_moving_for_a_parcel_that_is_to_be_inspected_is_an_alarm() -> None:
    line = Line(lists={"W1": (facts(status=500),)})
    line.until_verdict(100, 1)
    moved = line.record(3900, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    assert alarms_in(moved) == [AlarmKind.RELEASED_BUT_BAD_NEWS]


def test_a_hold_that_arrived_broken_is_sent_again() -> None:
    line = Line()
    line.lease(100, 1)
    line.tell(2700, e.ListChanged(5, facts(status=500)))
    again = sent_in(line.echo(2720, 1, DecisionResult.BAD_CRC))
    assert [decision.destination for decision in again] == [Destination.HOLD]
    assert again[0].decision_seq == line.core.state.parcels[1].decision_seq
    assert not sent_in(line.echo(2740, 1, DecisionResult.ACCEPTED))
    assert not sent_in(line.echo(2760, 1, DecisionResult.LATE))


def test_bad_news_from_a_restored_list_store_counts() -> None:
    """Its change numbers begin anew, below those of the store that was there before."""
    line = Line()
    line.lease(100, 1)
    parcel = line.core.state.parcels[1]
    parcel.store_seq = 900
    told = line.tell(2700, e.ListChanged(2, facts(status=500)))
    assert held_for(told) == (Reason.STATUS_INSPECT,)


def test_a_leased_parcel_that_is_pushed_out_of_the_table_is_held() -> None:
    line = Line()
    line.lease(100, 1)
    last: tuple[Command, ...] = ()
    for track_id in range(100, 148):
        last = line.record(2600, e.Inducted, 1, track_id, 0xFFFF_FFFF)
    assert 1 not in line.core.state.parcels
    assert [(d.track_id, d.destination) for d in sent_in(last)] == [(1, Destination.HOLD)]


def test_decision_numbers_go_on_across_their_wrap() -> None:
    """The journal lost its tail; block E shows numbers beyond the wrap."""
    line = Line()
    line.core.state.decision_seq = 0xFFFF_FFFE
    line.tell(50, e.PlcConnected(BOOT, SESSION, 1, 1, 3, ()))
    line.until_verdict(100, 1)
    assert sent_in(line.durable(2360, 1))[0].decision_seq == 4


def test_a_garbled_echo_does_not_turn_decision_numbers_back() -> None:
    line = Line()
    line.core.state.decision_seq = 500
    line.tell(50, e.PlcConnected(BOOT, SESSION, 1, 1, 0xFFFF_0000, ()))
    line.until_verdict(100, 1)
    assert sent_in(line.durable(2360, 1))[0].decision_seq == 501


# --- alarms ---------------------------------------------------------------------------------------


def test_the_second_parcel_in_a_wrong_lane_is_an_alarm_too() -> None:
    line = Line()
    for track_id, at_ms in ((1, 100), (2, 6000)):
        line.until_verdict(at_ms, track_id, f"W{track_id}")
        seen = line.record(at_ms + 4400, e.LaneSeen, 3, track_id)
        assert alarms_in(seen) == [AlarmKind.WRONG_LANE]
    assert len(line.core.state.alarms) == 1


def test_a_second_restart_of_the_plc_is_an_alarm_again_after_a_clear() -> None:
    line = Line()
    first = line.tell(50, e.PlcConnected(BOOT + 1, SESSION, 1, 1, 0, ()))
    assert AlarmKind.PLC_RESTARTED in alarms_in(first)
    cleared = line.tell(60, e.LineRequested(LineRequest.CLEAR, "S1"))
    assert ClearAlarm(AlarmKind.PLC_RESTARTED, 0) in cleared
    again = line.tell(70, e.PlcConnected(BOOT + 2, SESSION, 1, 1, 0, ()))
    assert AlarmKind.PLC_RESTARTED in alarms_in(again)
