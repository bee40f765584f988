"""What the ends of our links tell: PLC, vision, journal, rules (the lists: list_news.py)."""

from typing import Final

from controller.core.deciding import (
    advance,
    durable,
    hold_at_once,
    revoke,
    send_release,
)
from controller.core.events import (
    BeltChanged,
    DecisionEchoed,
    DeviceChanged,
    HostStarted,
    LaneChanged,
    PlcConnected,
    PlcLost,
    PlcStateSeen,
    RingGap,
    RulesActivated,
    VisionDown,
    VisionUp,
)
from controller.core.parcel import Parcel, ParcelState, Step
from controller.core.readings import unprove
from controller.core.state import LaneHealth, RuleVersion
from controller.core.tracking import end_pass, note_sensor_exits, spoil_readings
from controller.core.turn import Turn
from controller.core.units import u32_difference, u32_sum
from controller.core.vocabulary import (
    AlarmKind,
    BeltCause,
    BeltMotion,
    DecisionResult,
    Destination,
    LineCause,
    OutcomeKind,
    PlcStateBit,
    Reason,
)

# A change of more than a tenth spoils a reading in progress.
_SPEED_CHANGE_DIVISOR: Final = 10
# A full ring (plc/register_map.py: R_SLOTS) and the program's queue before it (interface P5) hold this many
# together: what waits in them is older than their loss.
WAITING_RECORDS_MAX: Final = 110 + 64


def host_started(turn: Turn, event: HostStarted) -> None:
    """After our own restart nobody vouches for what is on the belt."""
    turn.state.session = event.session
    turn.state.plc_up = False
    turn.state.xray.up = False
    turn.state.early_pictures.clear()
    turn.state.belt.forget_clock()
    turn.state.utc_ns = 0
    if turn.state.parcels:
        turn.raise_alarm(AlarmKind.HOST_RESTARTED)
        unprove(turn)
    for parcel in list(turn.state.parcels.values()):
        parcel.flag(Reason.HOST_RESTARTED)
        if not turn.step(parcel, Step.DOUBT):
            hold_at_once(turn, parcel, Reason.HOST_RESTARTED)


def plc_connected(turn: Turn, event: PlcConnected) -> None:
    state = turn.state
    new_boot = event.boot_id != state.boot_id
    if new_boot:
        _forget_boot(turn, event)
    # acknowledged by an earlier life whose journal is gone: no later record may come to show the gap
    expected = u32_sum(state.last_ring_seq, 1) or 1
    lost = u32_difference(event.next_ring_seq, expected) > 0
    state.session = event.session
    state.plc_up = True
    state.behind_until_seq = event.head_ring_seq or None
    state.plc_fault = None
    turn.clear_alarm(AlarmKind.PLC_LINK_LOST)
    # 0 says that block E is empty. Numbers wrap, and what lies half the circle ahead is garbled.
    newest = event.decision_seq_max
    if newest and u32_difference(newest, state.decision_seq) > 0:
        state.decision_seq = newest
    for parcel in list(state.parcels.values()):
        if parcel.state is ParcelState.DOUBTED:
            turn.send(parcel, Destination.HOLD, Reason.HOST_RESTARTED)
        elif parcel.state is ParcelState.HELD and parcel.verdict is not None:
            reason = parcel.verdict.reasons[0]
            turn.send(parcel, parcel.verdict.destination, reason)
    if lost:
        ring_gap(turn, RingGap(event.boot_id, state.last_ring_seq, event.next_ring_seq))
    else:
        _release_what_waited(turn)


def catch_up(turn: Turn) -> None:
    """After each record: once all that was written in the outage is known, releases may go out."""
    if turn.state.behind_until_seq is not None:
        _release_what_waited(turn)


def _release_what_waited(turn: Turn) -> None:
    """Unless records of the outage are to come: a belt that ran faster meanwhile has carried the parcels
    further than we reckon."""
    state = turn.state
    until = state.behind_until_seq
    if until is not None and u32_difference(until, state.last_ring_seq) > 0:
        return
    state.behind_until_seq = None
    for parcel in state.parcels.values():
        if parcel.state in (ParcelState.UNSENT, ParcelState.SENT):
            send_release(turn, parcel)


def _forget_boot(turn: Turn, event: PlcConnected) -> None:
    """The PLC restarted: its tracking table is empty, every parcel on the belt is unknown to it."""
    state = turn.state
    if state.boot_id:
        turn.raise_alarm(AlarmKind.PLC_RESTARTED)
        unprove(turn)
    for parcel in list(state.parcels.values()):
        hold_at_once(turn, parcel, Reason.PLC_RESTARTED)
        end_pass(turn, parcel, OutcomeKind.NOT_SEEN, 0)
    state.boot_id = event.boot_id
    state.ended_ids.clear()
    state.shown_labels.clear()
    state.last_ring_seq = (event.next_ring_seq - 1) % (1 << 32)
    state.belt.forget_clock()
    _forget_lanes(turn)
    state.scale_measurement_no = -1
    state.early_pictures.clear()
    state.overflow_count, state.suspect_until_seq = 0, None


def plc_lost(turn: Turn, event: PlcLost) -> None:
    turn.state.plc_up = False
    turn.state.plc_fault = event.fault
    turn.raise_alarm(AlarmKind.PLC_LINK_LOST)


def plc_state_seen(turn: Turn, event: PlcStateSeen) -> None:
    state = turn.state
    state.plc_state_bits = event.state_bits
    if event.overflow_count != state.overflow_count:
        state.overflow_count = event.overflow_count
        state.suspect_until_seq = u32_sum(state.last_ring_seq, WAITING_RECORDS_MAX)
        records_lost(turn)
    if event.state_bits & PlcStateBit.EMERGENCY_STOP:
        emergency_stop(turn)
    else:
        turn.clear_alarm(AlarmKind.EMERGENCY_STOP)
    if event.certificate_days_left is not None:
        turn.raise_alarm(AlarmKind.CERTIFICATE_ENDS)
    else:
        turn.clear_alarm(AlarmKind.CERTIFICATE_ENDS)


def emergency_stop(turn: Turn) -> None:
    turn.raise_alarm(AlarmKind.EMERGENCY_STOP)
    turn.state.abort_cause = LineCause.EMERGENCY_STOP
    for parcel in list(turn.state.parcels.values()):
        hold_at_once(turn, parcel, Reason.EMERGENCY_STOP)


def ring_gap(turn: Turn, event: RingGap) -> None:
    turn.state.last_ring_seq = (event.next_seq - 1) % (1 << 32)
    records_lost(turn)
    catch_up(turn)


def records_lost(turn: Turn) -> None:
    """Records are gone for good: nothing on the belt is proven any more."""
    turn.raise_alarm(AlarmKind.RECORDS_LOST)
    turn.state.belt.forget_motion(turn.settings.belt_speed_mm_per_s)
    _forget_lanes(turn)
    for parcel in list(turn.state.parcels.values()):
        hold_at_once(turn, parcel, Reason.RECORDS_LOST)


def _forget_lanes(turn: Turn) -> None:
    """What was known of the lanes may be old. The PLC tells changes only, and keeps parcels out of a full
    lane by itself; a lane believed full for good would stop the line for good."""
    for lane in turn.state.lanes:
        turn.clear_alarm(AlarmKind.LANE_FULL, lane)
        turn.clear_alarm(AlarmKind.LANE_JAM, lane)
    turn.state.lanes.clear()


def decision_echoed(turn: Turn, event: DecisionEchoed) -> None:
    parcel = turn.state.parcels.get(event.track_id)
    if parcel is None or parcel.decision_seq != event.decision_seq:
        return
    accepted = event.result is DecisionResult.ACCEPTED
    if event.result is DecisionResult.BAD_CRC and parcel.state is not ParcelState.SENT:
        _send_hold_again(turn, parcel)
    elif parcel.state is ParcelState.DOUBTED:
        if accepted:  # our hold was in time; otherwise the PLC's own records will tell
            revoke(turn, parcel, Reason.HOST_RESTARTED)
    elif accepted:
        turn.step(parcel, Step.ACCEPTED)
    elif parcel.state is ParcelState.SENT:
        revoke(turn, parcel, _REASON_OF_REFUSAL.get(event.result, Reason.REFUSED_BY_PLC))


def _send_hold_again(turn: Turn, parcel: Parcel) -> None:
    """It arrived broken, and the lease that it was to end stands. Each answer asks once more."""
    if parcel.state is ParcelState.DOUBTED:
        turn.send(parcel, Destination.HOLD, Reason.HOST_RESTARTED)
    elif parcel.state is ParcelState.HELD and parcel.verdict is not None:
        turn.send(parcel, parcel.verdict.destination, parcel.verdict.reasons[0])


_REASON_OF_REFUSAL: Final = {
    DecisionResult.LATE: Reason.LATE,
    DecisionResult.UNKNOWN_ID: Reason.UNKNOWN_PARCEL,
    DecisionResult.LANE_FULL: Reason.LANE_FULL,
}


def belt_changed(turn: Turn, event: BeltChanged) -> None:
    state, belt = turn.state, turn.state.belt
    note_sensor_exits(turn)
    running = event.motion is BeltMotion.RUNNING
    change = abs(event.speed_mm_per_s - belt.speed_mm_per_s) * _SPEED_CHANGE_DIVISOR
    if running != belt.running or change > belt.speed_mm_per_s:
        spoil_readings(turn, event.encoder_counts)
    belt.sample(turn.at_ns, event.plc_time_us, event.encoder_counts)
    belt.running = running
    if running:
        belt.speed_mm_per_s = event.speed_mm_per_s
    if event.cause is BeltCause.EMERGENCY_STOP:
        emergency_stop(turn)
    for parcel in list(state.parcels.values()):
        advance(turn, parcel)


def lane_changed(turn: Turn, event: LaneChanged) -> None:
    turn.state.lanes[event.source] = LaneHealth(event.full, event.jammed, event.room_parcels)
    for kind, raised in ((AlarmKind.LANE_FULL, event.full), (AlarmKind.LANE_JAM, event.jammed)):
        if raised:
            turn.raise_alarm(kind, event.source)
        else:
            turn.clear_alarm(kind, event.source)
    lane = turn.lane_number(event.source)
    if lane and Destination.RELEASE in lane.destinations and (event.full or event.jammed):
        for parcel in list(turn.state.parcels.values()):
            if parcel.state is not ParcelState.DIVERTING:
                revoke(turn, parcel, Reason.LANE_FULL)


def device_changed(turn: Turn, event: DeviceChanged) -> None:
    if event.fault or not event.on or not event.interlock_closed:
        turn.raise_alarm(AlarmKind.DEVICE_FAULT, event.source)
    else:
        turn.clear_alarm(AlarmKind.DEVICE_FAULT, event.source)


def vision_up(turn: Turn, event: VisionUp) -> None:
    """A first start on an empty belt needs no proof; a restart does, noticed or not: who says so
    while the source is up is another worker."""
    turn.clear_alarm(AlarmKind.VISION_LOST, event.source)
    if event.source != turn.settings.xray_source:
        return
    source = turn.state.xray
    if source.ever_up and turn.state.tally.inducted:
        unprove(turn)
    source.up = source.ever_up = True


def vision_down(turn: Turn, event: VisionDown) -> None:
    if event.source == turn.settings.xray_source:
        turn.state.xray.up = False
    turn.raise_alarm(AlarmKind.VISION_LOST, event.source)


def verdict_durable(turn: Turn, pass_no: int) -> None:
    parcel = turn.of_pass(pass_no)
    if parcel is not None:
        durable(turn, parcel)


def rules_activated(turn: Turn, event: RulesActivated) -> None:
    """New rules for new parcels; versions that no parcel carries any more are dropped."""
    carried = {parcel.rules_id for parcel in turn.state.parcels.values()}
    kept = [version for version in turn.state.rule_versions if version.rules_id in carried]
    kept = [version for version in kept if version.rules_id != event.rules_id]
    turn.state.rule_versions = [*kept, RuleVersion(event.rules_id, event.rules)]


def journal_failed(turn: Turn) -> None:
    turn.state.journal_ok = False
    turn.raise_alarm(AlarmKind.JOURNAL_FAILED)


def journal_recovered(turn: Turn) -> None:
    turn.state.journal_ok = True
    turn.clear_alarm(AlarmKind.JOURNAL_FAILED)
    for parcel in turn.state.parcels.values():
        if parcel.state is ParcelState.UNSENT:
            send_release(turn, parcel)
