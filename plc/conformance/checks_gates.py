"""Checks of the gates by the PLC's own records: when they begin, when they return, who holds for them.

Places are taken from the encoder in the records, so that a slow host never makes a PLC look late. A
machine that stalled may still spoil one parcel; a fault shows with every one.
"""

from controller.core import events
from controller.core.settings import Lane
from controller.core.units import mm_from_counts, u32_difference
from controller.core.vocabulary import DefaultCause, Destination, GatePhase, GatePosition
from plc.conformance.belt import (
    accepted,
    defaulted,
    lane_for,
    lead_mm,
    leased_pair,
    line_of,
    no_gate_began,
    of,
    parcel_standing,
    release_gate,
    release_moves,
    run_out,
    seen_in,
    told_of,
)
from plc.conformance.bench import Bench
from plc.conformance.duties import DoesNotApply, Duty, DutyFailed

_TRIES = 3
# A gate begins within a scan of its lead; two scans are the tolerance of section 5, P25.
_EARLY_MS = 20
# Rounding of millimetres and counts.
_ROUNDING_MM = 5


async def timing(bench: Bench) -> None:
    """A gate begins at its lead, can be there in time, and stays while the parcel is in it."""
    for tries_left in reversed(range(_TRIES)):
        track_id = await parcel_standing(bench)
        await accepted(bench, Duty.LEASE, track_id)
        try:
            await seen_in(bench, Duty.GATE, track_id, Destination.RELEASE)
            await run_out(bench)
            _began_in_time(bench, track_id)
            _stayed(bench, track_id)
            return
        except DutyFailed:
            if not tries_left:
                raise
            await run_out(bench)


def _before_gate_mm(bench: Bench, track_id: int, record: events.PlcRecord) -> int:
    """Leading edge before the release gate at the record's encoder, reckoned from the pre-gate eye."""
    line, gate = line_of(bench), release_gate(bench)
    eye = line.eyes[-1]
    (seen,) = [r for r in of(bench, events.EyePassed, track_id) if r.source == eye.number]
    moved = u32_difference(record.encoder_counts, seen.encoder_counts)
    return gate.position_mm - eye.position_mm - mm_from_counts(moved, line.encoder_counts_per_m)


def _began_in_time(bench: Bench, track_id: int) -> None:
    gate, speed = release_gate(bench), line_of(bench).belt_speed_mm_per_s
    moves = release_moves(bench, track_id)
    if len(moves) != 1:
        raise DutyFailed(
            Duty.GATE,
            f"{len(moves)} records of kind 7, phase 1, to the release lane's side came for parcel "
            f"{track_id}; it must be one.",
        )
    before_mm = _before_gate_mm(bench, track_id, moves[0])
    most_mm = lead_mm(bench, gate) + speed * _EARLY_MS // 1_000 + _ROUNDING_MM
    least_mm = speed * gate.travel_ms // 1_000 - _ROUNDING_MM
    if not least_mm <= before_mm <= most_mm:
        early = "early" if before_mm > most_mm else "late"
        raise DutyFailed(
            Duty.GATE,
            f"gate {gate.number} began {before_mm} mm before parcel {track_id} (kind 7, record "
            f"{moves[0].ring_seq}), which is too {early}: its lead is {lead_mm(bench, gate)} mm, allowed "
            f"are {least_mm} to {most_mm} mm.",
        )


def _stayed(bench: Bench, track_id: int) -> None:
    """The next movement of this gate is the return to hold, behind the parcel's trailing edge."""
    gate, line = release_gate(bench), line_of(bench)
    moved = [r for r in bench.records if type(r) is events.GateMoved and r.source == gate.number]
    began = moved.index(release_moves(bench, track_id)[0])  # type: ignore[arg-type]
    back = [
        r for r in moved[began:] if (r.phase, r.position) == (GatePhase.BEGAN, GatePosition.HOLD)
    ]
    length = of(bench, events.EyePassed, track_id)[-1].length_counts  # type: ignore[attr-defined]
    length_mm = mm_from_counts(length, line.encoder_counts_per_m)
    if not back:
        raise DutyFailed(
            Duty.GATE,
            f"after parcel {track_id} no record of kind 7 says that gate {gate.number} began to return "
            "to hold (phase 1, position 1).",
        )
    in_gate_mm = -_before_gate_mm(bench, track_id, back[0])
    if in_gate_mm < length_mm - _ROUNDING_MM:
        raise DutyFailed(
            Duty.GATE,
            f"gate {gate.number} moved (kind 7, record {back[0].ring_seq}) when {in_gate_mm} mm of parcel "
            f"{track_id}, which is {length_mm} mm long, had passed it: nothing moves while a parcel is "
            "in the gate.",
        )


async def two_releases(bench: Bench) -> None:
    """Two parcels for one lane, too close for the gate to close between them: it stays, both go."""
    lead = lead_mm(bench, release_gate(bench))
    for tries_left in reversed(range(_TRIES)):
        tracks = await leased_pair(bench, lead * 11 // 10, lead * 18 // 10, Destination.RELEASE)
        try:
            for track_id in tracks:
                await seen_in(bench, Duty.GATE, track_id, Destination.RELEASE)
            await run_out(bench)
            for track_id in tracks:
                _its_own_record(bench, track_id)
            return
        except DutyFailed:
            if not tries_left:
                raise
            await run_out(bench)


def _its_own_record(bench: Bench, track_id: int) -> None:
    if len(release_moves(bench, track_id)) != 1:
        raise DutyFailed(
            Duty.GATE,
            f"{len(release_moves(bench, track_id))} records of kind 7, phase 1, came for parcel {track_id}, "
            "one of two released in a row: each parcel gets its own, even if the gate already stands there.",
        )


async def other_side(bench: Bench) -> None:
    """Two parcels for the two sides of one gate that cannot swing in time: one of them holds."""
    release = lane_for(bench, Destination.RELEASE)
    other = _opposite(bench, release)
    if other is None:
        raise DoesNotApply("no lane is on the other side of the release lane's gate.")
    lead = lead_mm(bench, release_gate(bench))
    for tries_left in reversed(range(_TRIES)):
        first, second = await leased_pair(bench, lead * 11 // 10, lead * 18 // 10, other)
        try:
            await seen_in(bench, Duty.GATE, first, Destination.RELEASE)
            await seen_in(bench, Duty.GATE, second, Destination.HOLD)
            defaulted(bench, Duty.GATE, second, DefaultCause.GATE_BUSY)
            no_gate_began(bench, Duty.GATE, second, "which it cannot reach in time")
            await run_out(bench)
            return
        except DutyFailed:
            if not tries_left:
                raise
            await run_out(bench)


def _opposite(bench: Bench, release: Lane) -> Destination | None:
    """A destination on the other side of the release lane's gate."""
    for lane in line_of(bench).lanes:
        if lane.gate == release.gate and lane.number != release.number:
            return next(iter(lane.destinations), None)
    return None


def why_not_begun(bench: Bench, track_id: int) -> str:
    """What came instead of the gate's first record, for the end of a sentence."""
    moved = [r for r in of(bench, events.GateMoved, track_id) if isinstance(r, events.GateMoved)]
    if moved:
        return f"; gate {moved[0].source} moved to {moved[0].position.name.lower()} instead"
    return told_of(bench, track_id)
