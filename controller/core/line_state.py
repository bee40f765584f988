"""The line's PackML state, its cause and the permits, as one pure function of the core's state."""

from typing import Final

from controller.core.commands import EnterLineState, SetPermits
from controller.core.deciding import revoke
from controller.core.parcel import ParcelState
from controller.core.state import CoreState
from controller.core.turn import Turn
from controller.core.vocabulary import (
    AlarmKind,
    Destination,
    LineCause,
    LineRequest,
    LineState,
    PlcStateBit,
    Reason,
)

Condition = tuple[LineState, LineCause]
_E_STOP: Final = LineCause.EMERGENCY_STOP
# What happened once and stands until a person has seen it; the others end with their cause.
_OCCURRENCES: Final = frozenset(
    {
        AlarmKind.WRONG_LANE,
        AlarmKind.HELD_PARCEL_IN_RELEASE_LANE,
        AlarmKind.RELEASED_BUT_BAD_NEWS,
        AlarmKind.PARCEL_LOST,
        AlarmKind.EXTRA_PARCEL,
        AlarmKind.RECORD_AFTER_END,
        AlarmKind.RECORDS_LOST,
        AlarmKind.PLC_RESTARTED,
        AlarmKind.HOST_RESTARTED,
    }
)


def line_condition(turn: Turn) -> Condition:
    """State and cause; the first that applies, worst first."""
    state = turn.state
    if state.abort_cause is not None:
        return LineState.ABORTED, state.abort_cause
    if not state.wanted_running:
        return LineState.STOPPED, LineCause.OFFICER
    if not state.plc_up:
        if state.boot_id == 0:
            return LineState.STOPPED, LineCause.NOT_STARTED
        return LineState.HELD, LineCause.PLC_LINK
    if not state.journal_ok:
        return LineState.HELD, LineCause.JOURNAL
    if _hold_lane_short(turn):
        return LineState.SUSPENDED, LineCause.HOLD_LANE_FULL
    if _blocked(turn, Destination.RELEASE):
        return LineState.SUSPENDED, LineCause.RELEASE_LANE_FULL
    if state.plc_state_bits & PlcStateBit.JAM:
        return LineState.SUSPENDED, LineCause.JAM
    return LineState.EXECUTE, LineCause.NORMAL


def permits_for(condition: Condition) -> tuple[bool, bool]:
    """(infeed, belt): infeed only in EXECUTE; the belt stops where moving on could do harm."""
    state, cause = condition
    belt = state is not LineState.ABORTED and cause is not LineCause.HOLD_LANE_FULL
    return state is LineState.EXECUTE, belt


def settle_line(turn: Turn) -> None:
    """Emit what changed: state with its cause, and permits."""
    state = turn.state
    condition = line_condition(turn)
    if condition[0] is LineState.ABORTED and state.state is not LineState.ABORTED:
        _take_back_releases(turn)
    if condition != (state.state, state.cause):
        state.state, state.cause = condition
        turn.emit(EnterLineState(*condition))
    permits = permits_for(condition)
    if permits != (state.infeed_permit, state.belt_permit):
        state.infeed_permit, state.belt_permit = permits
        turn.emit(SetPermits(*permits))


def _take_back_releases(turn: Turn) -> None:
    """What went wrong with one body may have gone wrong with those behind it, and a person who clears
    the abort has measured none of them anew."""
    for parcel in list(turn.state.parcels.values()):
        if parcel.state is not ParcelState.DIVERTING:
            revoke(turn, parcel, Reason.LINE_ABORTED)


def requested(turn: Turn, request: LineRequest) -> None:
    """START and STOP; CLEAR ends an abort whose cause is gone, and the alarms of what happened once."""
    state = turn.state
    if request is LineRequest.START:
        state.wanted_running = True
    elif request is LineRequest.STOP:
        state.wanted_running = False
    elif request is LineRequest.CLEAR:
        if not _abort_stands(state):
            state.abort_cause = None
        for alarm in [alarm for alarm in state.alarms if alarm.kind in _OCCURRENCES]:
            turn.clear_alarm(alarm.kind, alarm.subject)


def _abort_stands(state: CoreState) -> bool:
    bit = {
        _E_STOP: PlcStateBit.EMERGENCY_STOP,
        LineCause.GATE_FAULT: PlcStateBit.GATE_FAULT,
    }.get(state.abort_cause or LineCause.NORMAL)
    return bit is not None and bool(state.plc_state_bits & bit)


def _blocked(turn: Turn, destination: Destination) -> bool:
    lane = turn.lane_for(destination)
    health = turn.state.lanes.get(lane.number) if lane else None
    return health is not None and (health.full or health.jammed)


def _hold_lane_short(turn: Turn) -> bool:
    """The hold lane must have room for every parcel that is on the belt: those whose last record was lost
    have left it, and while it stands nothing else forgets them."""
    lane = turn.lane_for(Destination.HOLD)
    health = turn.state.lanes.get(lane.number) if lane else None
    if health is None:
        return False
    belt, end_mm = turn.state.belt, turn.settings.belt_end_mm + turn.settings.parcel_length_max_mm
    on_belt = sum(
        belt.travelled_mm(belt.counts, parcel.entered_counts) <= end_mm
        for parcel in turn.state.parcels.values()
    )
    short = 0 <= health.room_parcels < on_belt
    return health.full or health.jammed or short
