"""Checks of leases with a simulated parcel: taken, taken back, late, too close.

Where a check cannot be timed without luck it is repeated, and in the end not run, never failed.
"""

from controller.core import events
from controller.core.settings import LineSettings
from controller.core.units import U32_MAX, counts_from_mm, mm_from_counts, u32_difference
from controller.core.vocabulary import (
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
)
from plc import register_map as m
from plc.conformance.belt import (
    BOTH_PERMITS,
    SLACK_MS,
    accepted,
    defaulted,
    induct,
    lane_for,
    line_of,
    no_gate_began,
    of,
    parcel_mm,
    parcel_standing,
    release_gate,
    release_moves,
    row_becomes,
    run_out,
    seen_in,
    stand,
    travel_ms,
)
from plc.conformance.bench import Bench
from plc.conformance.checks_decisions import UNKNOWN_TRACK_ID, expect
from plc.conformance.checks_gates import why_not_begun
from plc.conformance.duties import Duty, DutyFailed, NotRun

_TRIES = 4
# Section 5, P19: a scan of 10 ms and a margin of 100 ms beside the gate's travel; how far behind the point
# the record may be written, for two scans and a machine that stalls.
_DECISION_MARGIN_MS = 110
_POINT_LATE_MS = 50
_ROUNDING_MM = 10


async def lease(bench: Bench) -> None:
    """Accepted, shown in T, kept without its row of D, acted on; a hold is late once the gate began."""
    track_id = await parcel_standing(bench)
    await accepted(bench, Duty.LEASE, track_id)
    wanted = "state 2 (leased), destination 2 (release)"
    fits = _leased_to_release
    await row_becomes(bench, Duty.LEASE, track_id, fits, wanted)
    await bench.wire.write(m.D_ADDRESS, [0] * (m.D_SLOTS * m.D_SLOT_REGISTERS))
    await bench.run_ms(100)
    await row_becomes(bench, Duty.LEASE, track_id, fits, f"{wanted}, after D was cleared")
    bench.permits = BOTH_PERMITS
    limit_ms = travel_ms(bench, release_gate(bench).position_mm)
    await bench.until(lambda: bool(release_moves(bench, track_id)), limit_ms)
    if not release_moves(bench, track_id):
        raise DutyFailed(
            Duty.GATE,
            f"no record of kind 7, phase 1, of the release lane's gate and side came for parcel {track_id}, "
            f"which holds a lease for release{why_not_begun(bench, track_id)}.",
        )
    await stand(bench)
    hold = bench.decision(track_id, Destination.HOLD)
    await expect(
        bench, Duty.LATE, hold, (DecisionResult.LATE,), "a hold after the gate has begun to move"
    )
    await seen_in(bench, Duty.GATE, track_id, Destination.RELEASE)
    await run_out(bench)
    await _gate_rests(bench, track_id)


def _leased_to_release(row: events.BeltRow) -> bool:
    return (row.state, row.destination) == (m.T_STATE_LEASED, Destination.RELEASE)


async def _gate_rests(bench: Bench, track_id: int) -> None:
    """After the last parcel the gate says that it arrived at hold."""
    gate = lane_for(bench, Destination.RELEASE).gate

    def last() -> events.GateMoved | None:
        moved = [r for r in bench.records if isinstance(r, events.GateMoved) and r.source == gate]
        return moved[-1] if moved else None

    def at_rest() -> bool:
        move = last()
        return move is not None and (move.phase, move.position) == (
            GatePhase.ARRIVED,
            GatePosition.HOLD,
        )

    if not await bench.until(at_rest, SLACK_MS):
        raise DutyFailed(
            Duty.GATE,
            f"the last record of kind 7 of gate {gate} says {_words(last())}: after parcel {track_id} it "
            "must say phase 2 (arrived), position 1 (hold).",
        )


def _words(move: events.GateMoved | None) -> str:
    if move is None:
        return "nothing"
    phase, position = move.phase, move.position
    return (
        f"phase {phase.value} ({phase.name.lower()}), position {position.value} "
        f"({position.name.lower()})"
    )


async def hold_replaces_release(bench: Bench) -> None:
    track_id = await parcel_standing(bench)
    early, early_hold = (
        bench.decision(track_id, each) for each in (Destination.RELEASE, Destination.HOLD)
    )
    await accepted(bench, Duty.LEASE, track_id)
    what = "a release with a lower decision sequence than the accepted one"
    await expect(bench, Duty.HOLD_WINS, early, (DecisionResult.REVOKED,), what)
    what = "a hold with a lower decision sequence than the accepted one"
    await expect(bench, Duty.HOLD_WINS, early_hold, (DecisionResult.REVOKED,), what)
    for _ in range(2):  # a hold may be said twice
        await accepted(bench, Duty.HOLD_WINS, track_id, Destination.HOLD)
    again = bench.decision(track_id)
    await expect(bench, Duty.HOLD_WINS, again, (DecisionResult.REVOKED,), "a release after a hold")
    await seen_in(bench, Duty.HOLD_WINS, track_id, Destination.HOLD)
    no_gate_began(bench, Duty.HOLD_WINS, track_id, "whose release was taken back by a hold")
    await run_out(bench)


async def sequences_wrap(bench: Bench) -> None:
    """4,294,967,295 is followed by 1: what is older is told by the wrapping difference."""
    track_id = await parcel_standing(bench)
    # one that E does not hold from before, where it would count as answered
    after = next(seq for seq in range(1, m.E_SLOTS + 2) if bench.echo(seq)[0] != seq)
    for destination, seq, result, said in (
        (Destination.RELEASE, U32_MAX, DecisionResult.ACCEPTED, "for a new parcel"),
        (Destination.HOLD, U32_MAX - 3, DecisionResult.REVOKED, f"behind the accepted {U32_MAX}"),
        (Destination.HOLD, after, DecisionResult.ACCEPTED, f"behind the accepted {U32_MAX}"),
    ):
        row = bench.decision(track_id, destination, seq=seq)
        what = f"a {destination.name.lower()} with decision sequence {seq} {said}"
        await expect(bench, Duty.HOLD_WINS, row, (result,), what)
    await run_out(bench)


async def no_destination(bench: Bench) -> None:
    """Destinations 0 and 8 in a row that is otherwise right."""
    track_id = await parcel_standing(bench)
    for destination in (0, max(Destination) + 1):
        row = bench.decision(track_id, destination)
        what = f"a decision with destination {destination}"
        await expect(bench, Duty.EMPTY, row, (DecisionResult.BAD_CRC,), what)
        row = bench.decision(UNKNOWN_TRACK_ID, destination, boot_id=bench.whole.boot_id ^ 1)
        what = f"a foreign decision with destination {destination}"
        await expect(bench, Duty.CRC, row, (DecisionResult.BAD_CRC,), what)
    await seen_in(bench, Duty.EMPTY, track_id, Destination.HOLD)
    no_gate_began(bench, Duty.EMPTY, track_id, "which was given no destination")
    await run_out(bench)


async def late_is_hold(bench: Bench) -> None:
    """Undecided at the decision point: default, and what comes after is late."""
    track_id = (await induct(bench)).track_id
    limit_ms = travel_ms(bench, line_of(bench).decision_position_mm)
    if not await bench.until(lambda: bool(of(bench, events.DefaultTaken, track_id)), limit_ms):
        raise DutyFailed(
            Duty.DEFAULT,
            f"parcel {track_id} passed the decision point undecided and no record of kind 9 came.",
        )
    await stand(bench)
    defaulted(bench, Duty.DEFAULT, track_id, DefaultCause.UNDECIDED)
    what = "a release after the decision point"
    await expect(bench, Duty.LATE, bench.decision(track_id), (DecisionResult.LATE,), what)
    hold = bench.decision(track_id, Destination.HOLD)
    what = "a hold after the default was taken"
    await expect(bench, Duty.LATE, hold, (DecisionResult.LATE,), what)
    await seen_in(bench, Duty.DEFAULT, track_id, Destination.HOLD)
    no_gate_began(bench, Duty.LATE, track_id, "whose decision was late")
    await run_out(bench)


async def decision_point(bench: Bench) -> None:
    """An undecided parcel is held when its leading edge passes the decision point, by encoder."""
    line = line_of(bench)
    point_mm = _decision_point_mm(line)
    speed = line.belt_speed_mm_per_s
    for tries_left in reversed(range(_TRIES)):
        parcel = await induct(bench)
        await seen_in(bench, Duty.DEFAULT, parcel.track_id, Destination.HOLD)
        await run_out(bench)
        defaulted(bench, Duty.DEFAULT, parcel.track_id, DefaultCause.UNDECIDED)
        (record,) = of(bench, events.DefaultTaken, parcel.track_id)
        moved = u32_difference(record.encoder_counts, parcel.encoder_counts)
        at_mm = mm_from_counts(moved, line.encoder_counts_per_m)
        least_mm = point_mm - _ROUNDING_MM
        most_mm = point_mm + speed * _POINT_LATE_MS // 1_000 + _ROUNDING_MM
        if least_mm <= at_mm <= most_mm:
            return
        if not tries_left:
            raise DutyFailed(
                Duty.LATE,
                f"the record of kind 9 of an undecided parcel says that it was {at_mm} mm behind induct; the "
                f"decision point of this line is {point_mm} mm (allowed are {least_mm} to {most_mm} mm).",
            )


def _decision_point_mm(line: LineSettings) -> int:
    """Section 5, P19."""
    speed = line.belt_speed_mm_per_s
    starts = (
        gate.position_mm + -speed * (gate.travel_ms + _DECISION_MARGIN_MS) // 1_000
        for gate in line.gates
    )
    return min(line.decision_position_mm, *starts)


async def gap(bench: Bench) -> None:
    """Two released parcels too close together: both are held."""
    line = line_of(bench)
    travel = max(gate.travel_ms for gate in line.gates)
    least = counts_from_mm(line.belt_speed_mm_per_s * travel // 1_000, line.encoder_counts_per_m)
    for _ in range(_TRIES):
        first = await induct(bench)
        way_mm = parcel_mm(bench) + line.belt_speed_mm_per_s * travel // 4_000
        await bench.run_ms(way_mm * 1_000 // line.belt_speed_mm_per_s)
        second = await induct(bench)
        await stand(bench)
        if second.gap_before_counts < least * 3 // 4:
            break
        await run_out(bench)
    else:
        raise NotRun("this host was too slow to put two parcels close together.")
    tracks = (first.track_id, second.track_id)
    for track_id in tracks:
        await accepted(bench, Duty.LEASE, track_id)
    for track_id in tracks:
        await seen_in(bench, Duty.GAP, track_id, Destination.HOLD)
        defaulted(bench, Duty.GAP, track_id, DefaultCause.GAP)
        why = f"with a gap of {second.gap_before_counts} counts behind it"
        no_gate_began(bench, Duty.GAP, track_id, why)
    await run_out(bench)
