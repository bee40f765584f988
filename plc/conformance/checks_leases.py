"""Checks of leases with a simulated parcel: taken, taken back, late, too close, lane full.

Where a check cannot be timed without luck it is repeated, and in the end not run, never failed.
"""

from controller.core import events
from controller.core.units import counts_from_mm
from controller.core.vocabulary import (
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    PlcStateBit,
)
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.conformance.belt import (
    BOTH_PERMITS,
    SLACK_MS,
    accepted,
    belt_ms,
    defaulted,
    gate_mm,
    induct,
    lane_for,
    line_of,
    no_gate_began,
    of,
    parcel_mm,
    parcel_standing,
    release_moves,
    row_becomes,
    run_out,
    seen_in,
    stand,
    travel_ms,
)
from plc.conformance.bench import Bench
from plc.conformance.checks_decisions import expect
from plc.conformance.duties import Duty, DutyFailed, NotRun

_STATE = m.H_STATE_BITS
_TRIES = 4


async def induct_and_track(bench: Bench) -> None:
    """Each parcel gets a record, a new id and a row with its length; ids are never used twice."""
    first = await induct(bench)
    await stand(bench)
    await row_becomes(
        bench,
        Duty.TRACK,
        first.track_id,
        lambda row: row.state == m.T_STATE_TRACKED and row.encoder_counts == first.encoder_counts,
        f"state 1 (tracked) and the encoder of its record, {first.encoder_counts}",
    )
    bench.permits = BOTH_PERMITS
    await bench.run_ms(belt_ms(bench, 2 * parcel_mm(bench)))
    second = await induct(bench)
    if 0 in (first.track_id, second.track_id) or first.track_id == second.track_id:
        raise DutyFailed(
            Duty.TRACK,
            f"two parcels got the tracking ids {first.track_id} and {second.track_id} in their records of "
            "kind 1: every parcel gets a new one, never 0.",
        )
    await run_out(bench)
    counts = counts_from_mm(parcel_mm(bench), line_of(bench).encoder_counts_per_m)
    passed = of(bench, events.EyePassed, first.track_id)
    lengths = [record.length_counts for record in passed if isinstance(record, events.EyePassed)]
    eyes = len(line_of(bench).eyes)
    if len(lengths) != eyes or any(abs(each - counts) > counts // 10 + 5 for each in lengths):
        raise DutyFailed(
            Duty.TRACK,
            f"{len(lengths)} records of kind 2 came for a parcel of {counts} counts that passed {eyes} "
            f"eyes, with the lengths {lengths}.",
        )


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
    await bench.until(
        lambda: bool(release_moves(bench, track_id)), travel_ms(bench, gate_mm(bench))
    )
    if not release_moves(bench, track_id):
        raise DutyFailed(
            Duty.GATE,
            f"no record of kind 7, phase 1, came for parcel {track_id}, which holds a lease for release.",
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
            f"the last record of kind 7 of gate {gate} is {last()}: after parcel {track_id} it must "
            "arrive (phase 2) at hold (position 1).",
        )


async def hold_replaces_release(bench: Bench) -> None:
    track_id = await parcel_standing(bench)
    early = bench.decision(track_id)
    await accepted(bench, Duty.LEASE, track_id)
    what = "a release with a lower decision sequence than the accepted one"
    await expect(bench, Duty.HOLD_WINS, early, (DecisionResult.REVOKED,), what)
    await accepted(bench, Duty.HOLD_WINS, track_id, Destination.HOLD)
    again = bench.decision(track_id)
    await expect(bench, Duty.HOLD_WINS, again, (DecisionResult.REVOKED,), "a release after a hold")
    await seen_in(bench, Duty.HOLD_WINS, track_id, Destination.HOLD)
    no_gate_began(bench, Duty.HOLD_WINS, track_id, "whose release was taken back by a hold")
    await run_out(bench)


async def no_destination(bench: Bench) -> None:
    """Destinations 0 and 8 in a row that is otherwise right."""
    track_id = await parcel_standing(bench)
    for destination in (0, max(Destination) + 1):
        row = bench.decision(track_id, destination)
        what = f"a decision with destination {destination}"
        await expect(
            bench, Duty.EMPTY, row, (DecisionResult.BAD_CRC, DecisionResult.LANE_FULL), what
        )
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
            f"parcel {track_id} passed the decision point undecided and no record of kind 9 came at "
            f"{bench.at(m.R_ADDRESS)}.",
        )
    await stand(bench)
    defaulted(bench, Duty.DEFAULT, track_id, DefaultCause.UNDECIDED)
    what = "a release after the decision point"
    await expect(bench, Duty.LATE, bench.decision(track_id), (DecisionResult.LATE,), what)
    await seen_in(bench, Duty.DEFAULT, track_id, Destination.HOLD)
    no_gate_began(bench, Duty.LATE, track_id, "whose decision was late")
    await run_out(bench)


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


async def lane_full(bench: Bench) -> None:
    """A decision for a full lane is refused, the infeed stops for the release lane, the parcel holds."""
    lane = lane_for(bench, Destination.RELEASE)
    track_id = await parcel_standing(bench)
    await bench.order(t.TestOrder.LANE, t.LANE_FULL | lane.number)
    try:
        full = (DecisionResult.LANE_FULL,)
        what = f"a release while its lane {lane.number} is full"
        await expect(bench, Duty.LANE, bench.decision(track_id), full, what)
        bench.permits = BOTH_PERMITS
        await bench.until(lambda: bench.has(PlcStateBit.BELT_RUNNING))
        if not await bench.until(lambda: not bench.has(PlcStateBit.INFEED_RUNNING)):
            raise DutyFailed(
                Duty.LANE,
                f"the release lane is full and the infeed (bit 0x0002 of {bench.at(_STATE)}) runs on.",
            )
        await seen_in(bench, Duty.LANE, track_id, Destination.HOLD)
    finally:
        await bench.order(t.TestOrder.LANE, lane.number)
    no_gate_began(bench, Duty.LANE, track_id, "whose lane is full")
    await run_out(bench)
