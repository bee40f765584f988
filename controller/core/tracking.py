"""From induct to lane: what the PLC's records about the parcel itself mean."""

from typing import Final

from controller.core.commands import CommitVerdict, OpenPass, RecordOutcome
from controller.core.deciding import (
    REVOCABLE,
    advance,
    conclude,
    hold_at_once,
    left_sensors_ns,
    revoke,
)
from controller.core.events import (
    DefaultTaken,
    ExtraSeen,
    EyePassed,
    GateMoved,
    Inducted,
    LaneSeen,
    ParcelLost,
    PlcRecord,
    ZoneOpened,
)
from controller.core.identity import shown_codes
from controller.core.labels import remember_labels
from controller.core.matching import parcel_length_mm
from controller.core.parcel import Parcel, ParcelState, Step
from controller.core.turn import Turn
from controller.core.units import mm_from_counts, u32_difference
from controller.core.vocabulary import (
    AlarmKind,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    LineCause,
    OutcomeKind,
    PassEnd,
    Reason,
)

_REASON_OF_DEFAULT: Final = {
    DefaultCause.UNDECIDED: Reason.LATE,
    DefaultCause.GAP: Reason.GAP,
    DefaultCause.LANE_FULL: Reason.LANE_FULL,
    DefaultCause.LEASE_ENDED: Reason.LINK_LOST,
    DefaultCause.UNKNOWN_PARCEL: Reason.UNKNOWN_PARCEL,
    DefaultCause.GATE_FAULT: Reason.REFUSED_BY_PLC,
    DefaultCause.GATE_BUSY: Reason.GAP,
}

# A late record comes within seconds of its body's end; in those seconds no more parcels end than this.
ENDED_IDS_MAX: Final = 64


def begin_pass(turn: Turn, record: PlcRecord, entered_counts: int, gap_counts: int) -> Parcel:
    """A new pass under the rules active now."""
    state = turn.state
    previous = state.parcels.get(record.track_id)
    if previous is not None:
        _give_up(turn, previous)
    while len(state.parcels) >= turn.settings.parcels_on_belt_max:
        _give_up(turn, next(iter(state.parcels.values())))
    parcel = Parcel(
        pass_no=state.next_pass_no,
        track_id=record.track_id,
        boot_id=record.boot_id,
        rules_id=state.rule_versions[-1].rules_id,
        entered_at_ns=turn.at_ns,
        entered_counts=entered_counts,
        gap_before_counts=gap_counts,
    )
    until = state.suspect_until_seq
    if until is not None:
        if u32_difference(until, record.ring_seq) >= 0:
            parcel.flag(Reason.RECORDS_LOST)
        else:
            state.suspect_until_seq = None  # half a circle of numbers later it would count again
    if record.track_id in state.ended_ids:
        state.ended_ids.remove(record.track_id)
    state.next_pass_no += 1
    state.tally.inducted += 1
    state.parcels[record.track_id] = parcel
    turn.emit(OpenPass(parcel.pass_no, parcel.track_id, parcel.boot_id, parcel.rules_id))
    return parcel


def adopt(turn: Turn, record: PlcRecord) -> Parcel:
    """A record names a parcel that we never saw enter: hold it, whatever it is."""
    parcel = begin_pass(turn, record, record.encoder_counts, -1)
    hold_at_once(turn, parcel, Reason.UNKNOWN_PARCEL)
    return parcel


def inducted(turn: Turn, record: Inducted) -> None:
    turn.state.belt.sample(turn.at_ns, record.plc_time_us, record.encoder_counts)
    _forget_carried_off(turn, record.encoder_counts)
    begin_pass(turn, record, record.encoder_counts, record.gap_before_counts)


def _forget_carried_off(turn: Turn, counts: int) -> None:
    """Whose last record was lost is on no belt once it has moved twice its length; else it would take up
    room in the hold lane, and show its label, for good."""
    for parcel in list(turn.state.parcels.values()):
        travelled_mm = turn.state.belt.travelled_mm(counts, parcel.entered_counts)
        if travelled_mm > 2 * turn.settings.belt_end_mm:
            _give_up(turn, parcel)


def _give_up(turn: Turn, parcel: Parcel) -> None:
    """No record of it will come, or none can be told from another's: nobody saw it go."""
    if parcel.state is not ParcelState.DIVERTING:
        hold_at_once(turn, parcel, Reason.UNKNOWN_PARCEL)
    remember_labels(turn, shown_codes(parcel.code_parts), parcel.entered_counts)
    end_pass(turn, parcel, OutcomeKind.NOT_SEEN, 0)


def eye_passed(turn: Turn, parcel: Parcel, record: EyePassed) -> None:
    """Length at the induct eye, re-checked at every later one (swap, merge, insertion)."""
    trailing_counts = record.encoder_counts + record.length_counts
    turn.state.belt.sample(turn.at_ns, record.plc_time_us, trailing_counts % (1 << 32))
    if record.source == turn.settings.eyes[0].number:
        if parcel.length_counts >= 0:  # a second body under one id
            hold_at_once(turn, parcel, Reason.LENGTH_CHANGED)
            return
        parcel.length_counts = record.length_counts
    elif not _same_parcel(turn, parcel, record):
        hold_at_once(turn, parcel, Reason.LENGTH_CHANGED)
        return
    advance(turn, parcel)


def _same_parcel(turn: Turn, parcel: Parcel, record: EyePassed) -> bool:
    """Length within tolerance and the leading edge where the encoder puts it."""
    settings = turn.settings
    eye_mm = next((eye.position_mm for eye in settings.eyes if eye.number == record.source), None)
    if eye_mm is None or parcel.length_counts < 0:
        return False
    travelled_mm = turn.state.belt.travelled_mm(record.encoder_counts, parcel.entered_counts)
    apart_mm = mm_from_counts(
        record.length_counts - parcel.length_counts, settings.encoder_counts_per_m
    )
    return (
        abs(apart_mm) <= settings.length_tolerance_mm
        and abs(travelled_mm - eye_mm) <= settings.attach_window_mm
    )


def gate_moved(turn: Turn, record: GateMoved) -> None:
    parcel = turn.state.parcels.get(record.track_id) if record.track_id else None
    if record.phase is GatePhase.STUCK:
        turn.raise_alarm(AlarmKind.GATE_STUCK, record.source, parcel.pass_no if parcel else 0)
        # The record names what was ordered: wherever it stands, it is not known to be there.
        turn.state.abort_cause = LineCause.GATE_FAULT
    elif record.phase is GatePhase.BEGAN and parcel is not None:
        if record.position is not GatePosition.HOLD:
            _gate_began(turn, parcel, record)
    elif record.phase is GatePhase.ARRIVED:
        turn.clear_alarm(AlarmKind.GATE_STUCK, record.source)


def _gate_began(turn: Turn, parcel: Parcel, record: GateMoved) -> None:
    """From here on nothing takes the release back; another gate's movement is none of its business.

    If our hold came too late, the alarm is out within this poll, with the parcel and its record.
    """
    planned = _planned(parcel)
    if _opens(turn, record, planned) and turn.step(parcel, Step.GATE_BEGAN):
        return
    wrongly = planned is not Destination.RELEASE and _opens(turn, record, Destination.RELEASE)
    if wrongly or planned is Destination.HOLD:
        turn.raise_alarm(AlarmKind.RELEASED_BUT_BAD_NEWS, parcel.track_id, parcel.pass_no)


def _opens(turn: Turn, record: GateMoved, destination: Destination) -> bool:
    """Whether this movement opens the way to the lane of `destination`."""
    lane = turn.lane_for(destination)
    if lane is None:
        return False
    return (lane.gate, lane.side) == (record.source, record.position.name.lower())


def default_taken(turn: Turn, parcel: Parcel, record: DefaultTaken) -> None:
    """The PLC holds by itself: what we gave is void, and the record must say so."""
    reason = _REASON_OF_DEFAULT[record.cause]
    parcel.default = record.cause
    if parcel.state in (ParcelState.TRACKED, ParcelState.DECIDING):
        parcel.flag(reason)
        conclude(turn, parcel)
    elif parcel.state is ParcelState.DOUBTED:
        revoke(turn, parcel, Reason.HOST_RESTARTED)
    elif parcel.state in REVOCABLE:
        revoke(turn, parcel, reason)


def lane_seen(turn: Turn, parcel: Parcel, record: LaneSeen) -> None:
    """The only proof of where a parcel went."""
    if parcel.verdict is None:
        hold_at_once(turn, parcel, Reason.LATE)
    elif parcel.state in (ParcelState.COMMITTING, ParcelState.UNSENT):
        revoke(turn, parcel, Reason.LATE)  # wherever it went, no lease of ours took it there
    lane = turn.lane_number(record.source)
    destinations = lane.destinations if lane else ()
    planned = _planned(parcel)
    kind = OutcomeKind.IN_PLANNED_LANE
    if planned not in destinations:
        kind = OutcomeKind.IN_OTHER_LANE
        # An officers' lane that could not be served in time: the PLC said so, and hold is as safe.
        if parcel.default is None or Destination.HOLD not in destinations:
            turn.raise_alarm(AlarmKind.WRONG_LANE, record.source, parcel.pass_no)
    if Destination.RELEASE in destinations and planned is not Destination.RELEASE:
        turn.raise_alarm(AlarmKind.HELD_PARCEL_IN_RELEASE_LANE, record.source, parcel.pass_no)
        turn.state.abort_cause = LineCause.HELD_PARCEL_IN_RELEASE_LANE
    end_pass(turn, parcel, kind, record.source)


def untracked_seen(turn: Turn, record: LaneSeen) -> None:
    """A body that the PLC has no id for went into a lane: only elsewhere than release is that harmless."""
    lane = turn.lane_number(record.source)
    if lane is not None and Destination.RELEASE in lane.destinations:
        turn.raise_alarm(AlarmKind.HELD_PARCEL_IN_RELEASE_LANE, record.source)
        turn.state.abort_cause = LineCause.HELD_PARCEL_IN_RELEASE_LANE


def parcel_lost(turn: Turn, parcel: Parcel, record: ParcelLost) -> None:
    turn.raise_alarm(AlarmKind.PARCEL_LOST, record.source, parcel.pass_no)
    hold_at_once(turn, parcel, Reason.UNKNOWN_PARCEL)
    remember_labels(turn, shown_codes(parcel.code_parts), record.encoder_counts)
    end_pass(turn, parcel, OutcomeKind.LOST, 0)


def extra_seen(turn: Turn, record: ExtraSeen) -> None:
    """Something that nobody inducted: hold, and say so."""
    eyes = {eye.number: eye.position_mm for eye in turn.settings.eyes}
    per_m = turn.settings.encoder_counts_per_m
    travelled = eyes.get(record.source, 0) * per_m // 1000
    entered_counts = (record.encoder_counts - travelled) % (1 << 32)
    parcel = begin_pass(turn, record, entered_counts, -1)
    parcel.length_counts = record.length_counts
    turn.raise_alarm(AlarmKind.EXTRA_PARCEL, record.source, parcel.pass_no)
    hold_at_once(turn, parcel, Reason.EXTRA_PARCEL)


def zone_opened(turn: Turn, record: ZoneOpened) -> None:
    """Hands may have been in there: every parcel that lay in the zone is unproven.

    It lay where the encoder stood when the zone was opened; the record may come late, so that what
    passed through since counts, too.
    """
    belt = turn.state.belt
    now_counts = belt.counts_now(turn.at_ns)
    for parcel in list(turn.state.parcels.values()):
        then_mm = belt.travelled_mm(record.encoder_counts, parcel.entered_counts)
        now_mm = max(then_mm, belt.travelled_mm(now_counts, parcel.entered_counts))
        length_mm = max(parcel_length_mm(parcel, turn.settings), turn.settings.parcel_length_max_mm)
        window_mm = turn.settings.attach_window_mm
        reached = now_mm + window_mm >= record.from_mm
        if reached and then_mm - length_mm - window_mm <= record.to_mm:
            hold_at_once(turn, parcel, Reason.ZONE_OPENED)


def note_sensor_exits(turn: Turn) -> None:
    """Before the belt changes: fix when each parcel left the last sensor under the old speed."""
    for parcel in turn.state.parcels.values():
        if parcel.left_sensors_at_ns < 0:
            left_ns = left_sensors_ns(turn, parcel)
            if left_ns is not None and left_ns <= turn.at_ns:
                parcel.left_sensors_at_ns = left_ns


def spoil_readings(turn: Turn, at_counts: int) -> None:
    """The belt stopped or changed speed: whoever lay in a sensor loses that reading."""
    settings = turn.settings
    sensors_mm = (
        settings.scale_position_mm,
        settings.dimensioner_position_mm,
        settings.xray_position_mm,
    )
    for parcel in turn.undecided():
        lead_mm = turn.state.belt.travelled_mm(at_counts, parcel.entered_counts)
        length_mm = parcel_length_mm(parcel, settings)
        if length_mm < 0:
            length_mm = settings.parcel_length_max_mm
        margin_mm = settings.attach_window_mm // 2
        for sensor_mm in sensors_mm:
            if sensor_mm - margin_mm <= lead_mm <= sensor_mm + length_mm + margin_mm:
                parcel.flag(Reason.STOPPED_IN_SENSOR)


def end_pass(turn: Turn, parcel: Parcel, kind: OutcomeKind, lane_number: int) -> None:
    """The final record of a pass."""
    if parcel.verdict is None:
        hold_at_once(turn, parcel, Reason.UNKNOWN_PARCEL)
    verdict = parcel.verdict
    assert verdict is not None
    end = _end_of(turn, verdict, lane_number)
    turn.emit(
        RecordOutcome(
            pass_no=parcel.pass_no,
            track_id=parcel.track_id,
            waybill=verdict.waybill,
            list_key=verdict.list_key,
            destination=verdict.destination,
            kind=kind,
            lane=lane_number,
            end=end,
        )
    )
    _count(turn, verdict, end)
    turn.step(parcel, Step.END)
    turn.state.parcels.pop(parcel.track_id, None)
    if kind is not OutcomeKind.NOT_SEEN:  # one that nobody saw go may lie on the belt still
        turn.state.ended_ids.append(parcel.track_id)
        del turn.state.ended_ids[:-ENDED_IDS_MAX]


def _end_of(turn: Turn, verdict: CommitVerdict, lane_number: int) -> PassEnd:
    """What a later pass of the list is told.

    OPEN where a release may have gone its way unseen, and in the officers' lanes: laying a parcel on
    again is no review. Only what is known to be on our side of the line may come again.
    """
    if lane_number == 0:
        was_release = verdict.destination is Destination.RELEASE or verdict.revision > 0
        return PassEnd.OPEN if was_release else PassEnd.HELD
    lane = turn.lane_number(lane_number)
    destinations = lane.destinations if lane else ()
    if Destination.RELEASE in destinations:
        return PassEnd.RELEASED
    if Destination.RECIRCULATE in destinations:
        return PassEnd.RECIRCULATED
    return PassEnd.HELD if Destination.HOLD in destinations else PassEnd.OPEN


def _count(turn: Turn, verdict: CommitVerdict, end: PassEnd) -> None:
    tally = turn.state.tally
    if end is PassEnd.RELEASED:
        tally.released += 1
    else:
        tally.held += 1
    destination = verdict.destination
    tally.by_destination[destination] = tally.by_destination.get(destination, 0) + 1
    for reason in verdict.reasons:
        tally.by_reason[reason] = tally.by_reason.get(reason, 0) + 1


def _planned(parcel: Parcel) -> Destination:
    return parcel.verdict.destination if parcel.verdict else Destination.HOLD
