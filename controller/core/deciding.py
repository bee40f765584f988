"""From evidence to a verdict, from a verdict to a lease, and back when bad news comes.

The order is the safety argument: a look-up on what is durable now, the verdict committed, and only
after VerdictDurable a release sent. A hold may be sent at once. See parcel.py for the states.
"""

from typing import Final

from controller.core.commands import CommitVerdict, LookUp
from controller.core.identity import codes_are_whole, complete_codes, shown_codes
from controller.core.matching import parcel_length_mm
from controller.core.parcel import Parcel, ParcelState, Step
from controller.core.turn import Turn
from controller.core.units import NS_PER_MS
from controller.core.verdict import Judgement, judge
from controller.core.vocabulary import (
    AlarmKind,
    Destination,
    LookUpPurpose,
    LookUpResult,
    Reason,
)

# Something is awaited that may not come.
_WAITING: Final = (
    ParcelState.TRACKED,
    ParcelState.DECIDING,
    ParcelState.COMMITTING,
    ParcelState.UNSENT,
)
REVOCABLE: Final = (
    ParcelState.COMMITTING,
    ParcelState.UNSENT,
    ParcelState.SENT,
    ParcelState.LEASED,
    ParcelState.DOUBTED,
)


# --- when -----------------------------------------------------------------------------------------


def evidence_complete(parcel: Parcel) -> bool:
    """Every required reading is there; what they say is not asked here."""
    return (
        parcel.length_counts >= 0
        and (parcel.scanner_said_no_read or codes_are_whole(parcel.code_parts))
        and parcel.weight is not None
        and parcel.dimensions is not None
        and parcel.picture is not None
    )


def host_deadline_ns(turn: Turn, parcel: Parcel) -> int | None:
    """The last moment a decision can reach the PLC in time; None while the belt stands."""
    settings = turn.settings
    arrival_ns = turn.state.belt.arrival_ns(parcel.entered_counts, settings.decision_position_mm)
    return None if arrival_ns is None else arrival_ns - settings.link_margin_ms * NS_PER_MS


def left_sensors_ns(turn: Turn, parcel: Parcel) -> int | None:
    """When the trailing edge left (or will leave) the last required sensor; None while it cannot."""
    if parcel.left_sensors_at_ns >= 0:
        return parcel.left_sensors_at_ns
    length_mm = parcel_length_mm(parcel, turn.settings)
    if length_mm < 0:
        length_mm = turn.settings.parcel_length_max_mm
    travel_mm = turn.settings.xray_position_mm + length_mm
    return turn.state.belt.arrival_ns(parcel.entered_counts, travel_mm)


def due_ns(turn: Turn, parcel: Parcel) -> int | None:
    """When this parcel needs attention without any other event."""
    state = parcel.state
    if state not in _WAITING:
        return None
    due = host_deadline_ns(turn, parcel)
    other: int | None = None
    if state is ParcelState.TRACKED:
        other = left_sensors_ns(turn, parcel)
        if other is not None:
            other += turn.settings.evidence_limit_ms * NS_PER_MS
    elif state is ParcelState.DECIDING:
        other = parcel.decide_asked_at_ns + turn.settings.look_up_limit_ms * NS_PER_MS
    if due is None or other is None:
        return other if due is None else due
    return min(due, other)


def advance(turn: Turn, parcel: Parcel) -> None:
    """Do what the parcel's evidence and the time now call for."""
    if parcel.state is ParcelState.TRACKED and evidence_complete(parcel):
        _ask(turn, parcel)
    due = due_ns(turn, parcel)
    if due is None or turn.at_ns < due:
        return
    if parcel.state is ParcelState.TRACKED:
        _time_is_up(turn, parcel)
    elif parcel.state is ParcelState.DECIDING:
        parcel.lists_result = LookUpResult.UNAVAILABLE
        _flag_if_late(turn, parcel)
        conclude(turn, parcel)
    elif parcel.state in (ParcelState.COMMITTING, ParcelState.UNSENT):
        turn.state.tally.decisions_late += 1
        revoke(turn, parcel, _why_not_sent(turn, parcel))


def _why_not_sent(turn: Turn, parcel: Parcel) -> Reason:
    if parcel.state is ParcelState.COMMITTING:
        return Reason.RECORD_NOT_DURABLE
    return Reason.LATE if turn.state.plc_up else Reason.LINK_LOST


def _time_is_up(turn: Turn, parcel: Parcel) -> None:
    if _flag_if_late(turn, parcel) or not complete_codes(parcel.code_parts):
        conclude(turn, parcel)
    else:
        _ask(turn, parcel)


def _flag_if_late(turn: Turn, parcel: Parcel) -> bool:
    deadline_ns = host_deadline_ns(turn, parcel)
    late = deadline_ns is not None and turn.at_ns >= deadline_ns
    if late:
        parcel.flag(Reason.LATE)
        turn.state.tally.decisions_late += 1
    return late


def _ask(turn: Turn, parcel: Parcel) -> None:
    """The look-up that the verdict rests on: what is durable in the list store at this moment."""
    codes = complete_codes(parcel.code_parts)
    if not codes:
        conclude(turn, parcel)
        return
    turn.step(parcel, Step.ASK)
    parcel.decide_asked_at_ns = turn.at_ns
    parcel.lists, parcel.lists_result = (), None
    turn.emit(LookUp(parcel.pass_no, LookUpPurpose.DECIDE, codes))


# --- what -----------------------------------------------------------------------------------------


def conclude(turn: Turn, parcel: Parcel) -> None:
    """Judge and commit the one verdict of this pass."""
    judgement = judge(parcel, _line_reasons(turn, parcel), turn.settings, turn.rules_of(parcel))
    judgement = _with_lane(turn, judgement)
    release = judgement.destination is Destination.RELEASE
    if not turn.step(parcel, Step.JUDGE_RELEASE if release else Step.JUDGE_HOLD):
        return
    parcel.verdict = _verdict(turn, parcel, judgement)
    turn.emit(parcel.verdict)
    if not release:
        turn.send(parcel, judgement.destination, judgement.reasons[0])


def hold_at_once(turn: Turn, parcel: Parcel, reason: Reason) -> None:
    """For a parcel that tracking no longer vouches for: hold it, or revoke what it was given."""
    parcel.flag(reason)
    if parcel.state in (ParcelState.TRACKED, ParcelState.DECIDING):
        conclude(turn, parcel)
    else:
        revoke(turn, parcel, reason)


def durable(turn: Turn, parcel: Parcel) -> None:
    """The release verdict is on the disk."""
    if turn.step(parcel, Step.DURABLE):
        send_release(turn, parcel)


def send_release(turn: Turn, parcel: Parcel) -> None:
    """Command the release if the link is up, tells of now, nothing forbids releases, and it is not too
    late; else it waits for its deadline."""
    state, deadline_ns = turn.state, host_deadline_ns(turn, parcel)
    late = deadline_ns is not None and turn.at_ns >= deadline_ns
    up_to_date = state.plc_up and state.behind_until_seq is None
    allowed = state.journal_ok and state.abort_cause is None
    if up_to_date and allowed and not late and turn.step(parcel, Step.SEND):
        turn.send(parcel, Destination.RELEASE, 0)


def revoke(turn: Turn, parcel: Parcel, *reasons: Reason) -> None:
    """Take a release back: HOLD with a higher decision number, once. After the gate began: alarm."""
    verdict = parcel.verdict
    if verdict is None or verdict.destination is not Destination.RELEASE:
        return
    sent = parcel.state in (ParcelState.SENT, ParcelState.LEASED, ParcelState.DOUBTED)
    if not turn.step(parcel, Step.REVOKE):
        turn.raise_alarm(AlarmKind.RELEASED_BUT_BAD_NEWS, parcel.track_id, parcel.pass_no)
        return
    ordered = tuple(sorted(set(reasons)))
    facts = parcel.lists[0] if len(parcel.lists) == 1 else None
    judgement = Judgement(Destination.HOLD, ordered, verdict.checks, facts)
    parcel.verdict = _verdict(turn, parcel, judgement, revision=1)
    turn.emit(parcel.verdict)
    if sent or turn.state.plc_up:
        turn.send(parcel, Destination.HOLD, ordered[0])


def _line_reasons(turn: Turn, parcel: Parcel) -> tuple[Reason, ...]:
    """What forbids any release at this moment, whatever the parcel is."""
    state = turn.state
    reasons = []
    if not state.journal_ok:
        reasons.append(Reason.RECORD_NOT_DURABLE)
    if state.abort_cause is not None:
        reasons.append(Reason.LINE_ABORTED)
    if parcel.trigger is not None and not state.xray.proven:
        reasons.append(Reason.ASSOCIATION_UNPROVEN)
    if len(parcel.lists) == 1 and _has_twin(turn, parcel):
        reasons.append(Reason.DUPLICATE)
    return tuple(reasons)


def _has_twin(turn: Turn, parcel: Parcel) -> bool:
    """Another body on the belt names the same list, or shows its waybill: which one is it?

    Whatever else the other one names, and whether or not its look-up was answered.
    """
    key, waybill = parcel.lists[0].list_key, parcel.lists[0].waybill
    return any(
        any(facts.list_key == key for facts in other.lists)
        or waybill in shown_codes(other.code_parts)
        for other in turn.state.parcels.values()
        if other is not parcel
    )


def _with_lane(turn: Turn, judgement: Judgement) -> Judgement:
    """A missing, full or jammed lane means hold."""
    lane = turn.lane_for(judgement.destination)
    if lane is None:
        reason = Reason.LANE_MISSING
    else:
        health = turn.state.lanes.get(lane.number)
        if health is None or not (health.full or health.jammed) or lane.gate == 0:
            return judgement
        reason = Reason.LANE_FULL
    reasons = tuple(sorted({*judgement.reasons, reason}))
    return Judgement(Destination.HOLD, reasons, judgement.checks, judgement.facts)


def _verdict(turn: Turn, parcel: Parcel, judgement: Judgement, revision: int = 0) -> CommitVerdict:
    facts, dimensions, picture = judgement.facts, parcel.dimensions, parcel.picture
    return CommitVerdict(
        pass_no=parcel.pass_no,
        track_id=parcel.track_id,
        boot_id=parcel.boot_id,
        revision=revision,
        destination=judgement.destination,
        reasons=judgement.reasons,
        checks=judgement.checks,
        codes=complete_codes(parcel.code_parts),
        list_key=facts.list_key if facts else "",
        waybill=facts.waybill if facts else "",
        list_revision=facts.revision if facts else 0,
        list_status=facts.status if facts else 0,
        store_seq=parcel.store_seq,
        rules_id=parcel.rules_id,
        weight_mg=parcel.weight.weight_mg if parcel.weight else -1,
        length_mm=parcel_length_mm(parcel, turn.settings),
        width_mm=dimensions.width_mm if dimensions else -1,
        height_mm=dimensions.height_mm if dimensions else -1,
        trigger_no=parcel.trigger.trigger_no if parcel.trigger else 0,
        picture_sha256=picture.picture_sha256 if picture else "",
        entered_at_ns=parcel.entered_at_ns,
    )
