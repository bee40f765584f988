"""What lanes and gates tell the core, and what it then lets in, releases or says."""

from controller.core import events as e
from controller.core.commands import RaiseAlarm, SetPermits
from controller.core.vocabulary import (
    AlarmKind,
    Destination,
    GatePhase,
    GatePosition,
    LineCause,
    LineState,
    PlcStateBit,
    Reason,
)
from tests.core.story import BOOT, SESSION, Line, held_for

HOLD_LANE, RELEASE_LANE = 5, 1


def condition(line: Line) -> tuple[LineState, LineCause]:
    return line.core.state.state, line.core.state.cause


def test_the_hold_lane_has_room_for_all_that_is_on_the_belt_or_the_belt_stands() -> None:
    line = Line()
    line.induct(100, 1)
    line.induct(900, 2)
    line.record(1_300, e.LaneChanged, HOLD_LANE, 0, False, False, 2)
    assert condition(line) == (LineState.EXECUTE, LineCause.NORMAL)
    commands = line.record(1_310, e.LaneChanged, HOLD_LANE, 0, False, False, 1)
    assert condition(line) == (LineState.SUSPENDED, LineCause.HOLD_LANE_FULL)
    assert SetPermits(infeed=False, belt=False) in commands


def test_a_jam_that_the_plc_sees_stops_the_infeed_until_it_is_gone() -> None:
    line = Line()
    running = PlcStateBit.BELT_RUNNING | PlcStateBit.INFEED_RUNNING
    jammed = line.tell(100, e.PlcStateSeen(running | PlcStateBit.JAM, 0))
    assert condition(line) == (LineState.SUSPENDED, LineCause.JAM)
    assert SetPermits(infeed=False, belt=True) in jammed
    assert SetPermits(infeed=True, belt=True) in line.tell(200, e.PlcStateSeen(running, 0))


def test_nothing_is_released_into_a_jammed_lane_that_has_room() -> None:
    line = Line()
    line.record(90, e.LaneChanged, RELEASE_LANE, 0, False, True, 10)
    line.until_picture(100, 1)
    asked = line.picture(100, 1)
    assert held_for(line.answer(2_355, asked)) == (Reason.LANE_FULL,)


def test_a_lane_full_before_the_plcs_restart_does_not_stop_the_line_for_good() -> None:
    """The PLC tells changes only: after its start it says nothing of a lane that is free."""
    line = Line()
    line.record(100, e.LaneChanged, HOLD_LANE, 0, True, False, 0)
    assert condition(line) == (LineState.SUSPENDED, LineCause.HOLD_LANE_FULL)
    line.tell(3_000, e.PlcConnected(BOOT + 1, SESSION, 1, 1, 0, ()))
    assert condition(line) == (LineState.EXECUTE, LineCause.NORMAL)


def test_a_gate_that_no_longer_moves_is_an_alarm_with_its_parcel() -> None:
    line = Line()
    line.lease(100, 1)
    stuck = line.record(4_300, e.GateMoved, 1, 1, GatePhase.STUCK, GatePosition.HOLD, 400)
    (alarm,) = [c for c in stuck if isinstance(c, RaiseAlarm)]
    assert (alarm.kind, alarm.subject, alarm.pass_no) == (AlarmKind.GATE_STUCK, 1, 1)
    assert condition(line) == (LineState.ABORTED, LineCause.GATE_FAULT), "ordered is not there"


def test_a_gate_stuck_open_aborts_the_line() -> None:
    line = Line()
    line.lease(100, 1)
    line.record(4_300, e.GateMoved, 1, 1, GatePhase.STUCK, GatePosition.LEFT, 400)
    assert condition(line) == (LineState.ABORTED, LineCause.GATE_FAULT)
    assert line.until_verdict(6_000, 2, "W2").destination is Destination.HOLD
