"""Checks of tracking: what the records of a parcel say, compared with the line's geometry and clock."""

from itertools import pairwise

from controller.core import events
from controller.core.units import U32_MAX, mm_from_counts, u32_difference
from controller.core.vocabulary import DefaultCause, Destination
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.conformance.belt import (
    BOTH_PERMITS,
    belt_ms,
    defaulted,
    in_counts,
    induct,
    line_of,
    of,
    parcel_mm,
    row_becomes,
    run_out,
    seen_in,
    stand,
    travel_ms,
)
from plc.conformance.bench import Bench
from plc.conformance.checks_session import latched
from plc.conformance.duties import DoesNotApply, Duty, DutyFailed

# An edge is latched at its instant; this much is a scan of 10 ms and rounding.
_EDGE_MS = 10
# Beside a parcel that is to stand between two eyes.
_ROOM_MM = 150


async def induct_and_track(bench: Bench) -> None:
    """Each parcel gets a record, a new id and a row with its length; its edges lie where the eyes are."""
    first = await induct(bench)
    await stand(bench)
    await row_becomes(
        bench,
        Duty.TRACK,
        first.track_id,
        lambda row: row.state == m.T_STATE_TRACKED and row.encoder_counts == first.encoder_counts,
        f"state 1 (tracked) and the encoder of its record of kind 1, {first.encoder_counts}",
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
    _lengths(bench, first.track_id)
    for parcel in (first, second):
        _eyes_where_they_are(bench, parcel)
    _clear_belt(bench, first.track_id, second.track_id)
    _time(bench, second)


def _passed(bench: Bench, track_id: int) -> list[events.EyePassed]:
    return [r for r in of(bench, events.EyePassed, track_id) if isinstance(r, events.EyePassed)]


def _mm(bench: Bench, counts: int) -> int:
    return mm_from_counts(counts, line_of(bench).encoder_counts_per_m)


def _edge_mm(bench: Bench) -> int:
    return line_of(bench).belt_speed_mm_per_s * _EDGE_MS // 1_000 + 1


def _lengths(bench: Bench, track_id: int) -> None:
    counts, eyes = in_counts(bench, parcel_mm(bench)), len(line_of(bench).eyes)
    lengths = [record.length_counts for record in _passed(bench, track_id)]
    if len(lengths) != eyes or any(abs(each - counts) > counts // 10 + 5 for each in lengths):
        shown = ", ".join(map(str, lengths)) or "none"
        raise DutyFailed(
            Duty.TRACK,
            f"{len(lengths)} records of kind 2 came for a parcel of {parcel_mm(bench)} mm that passed "
            f"{eyes} eyes, with the lengths {shown}; by encoder_counts_per_m = "
            f"{line_of(bench).encoder_counts_per_m} it must be {eyes} times {counts} counts.",
        )


def _eyes_where_they_are(bench: Bench, parcel: events.Inducted) -> None:
    """The encoder of a record of kind 2 is that of the leading edge at its eye."""
    for eye, record in zip(line_of(bench).eyes, _passed(bench, parcel.track_id), strict=False):
        at_mm = _mm(bench, u32_difference(record.encoder_counts, parcel.encoder_counts))
        if record.source != eye.number or abs(at_mm - eye.position_mm) > _edge_mm(bench):
            raise DutyFailed(
                Duty.TRACK,
                f"a record of kind 2 puts the leading edge of parcel {parcel.track_id} at eye "
                f"{record.source} {at_mm} mm behind induct; line.toml has eye {eye.number} at "
                f"{eye.position_mm} mm (allowed are {_edge_mm(bench)} mm more or less).",
            )


def _clear_belt(bench: Bench, first: int, second: int) -> None:
    """From the trailing edge of the first parcel to the leading edge of the second, at every eye."""
    for before, record in zip(_passed(bench, first), _passed(bench, second), strict=False):
        moved = u32_difference(record.encoder_counts, before.encoder_counts)
        clear = _mm(bench, moved - before.length_counts)
        told = [("kind 2", record.gap_before_counts)]
        if record.source == line_of(bench).eyes[0].number:
            (inducted,) = of(bench, events.Inducted, second)
            told.append(("kind 1", inducted.gap_before_counts))  # type: ignore[attr-defined]
        for kind, counts in told:
            if counts == U32_MAX or abs(_mm(bench, counts) - clear) > _edge_mm(bench):
                shown = "unknown" if counts == U32_MAX else f"{_mm(bench, counts)} mm"
                raise DutyFailed(
                    Duty.TRACK,
                    f"the clear belt before parcel {second} in its record of {kind} at eye "
                    f"{record.source} is {shown}; by the encoders of the edges it is {clear} mm.",
                )


def _time(bench: Bench, parcel: events.Inducted) -> None:
    """The PLC's clock counts microseconds: the belt ran without a stop."""
    last = _passed(bench, parcel.track_id)[-1]
    moved_mm = _mm(bench, u32_difference(last.encoder_counts, parcel.encoder_counts))
    belt = belt_ms(bench, moved_mm + parcel_mm(bench))
    told_us = last.plc_time_us - parcel.plc_time_us
    if not belt * 1_000 // 2 <= told_us <= belt * 3_000 + 1_000_000:
        raise DutyFailed(
            Duty.TRACK,
            f"{told_us} us lie between two records of parcel {parcel.track_id} (kind 1 and kind 2, "
            f"offset 8 of the slot); the belt needs {belt} ms for that way.",
        )


async def unknown_on_the_belt(bench: Bench) -> None:
    """What lies on the belt at a start is an extra at the next eye: record 11, then held."""
    eyes = line_of(bench).eyes
    ways = [after.position_mm - before.position_mm for before, after in pairwise(eyes)]
    widest = ways.index(max(ways)) if ways else 0
    if not ways or ways[widest] < parcel_mm(bench) + _ROOM_MM:
        raise DoesNotApply("no two eyes are far enough apart for a parcel to stand between them.")
    here, there = eyes[widest], eyes[widest + 1]
    track_id = (await induct(bench)).track_id
    limit_ms = travel_ms(bench, there.position_mm)
    await bench.until(
        lambda: any(r.source == here.number for r in _passed(bench, track_id)), limit_ms
    )
    await stand(bench)
    await restarted(bench)
    bench.permits = BOTH_PERMITS
    extras: list[events.PlcRecord] = []

    def seen() -> bool:
        extras[:] = [r for r in bench.records if isinstance(r, events.ExtraSeen)]
        return bool(extras)

    if not await bench.until(seen, travel_ms(bench, there.position_mm + parcel_mm(bench))):
        raise DutyFailed(
            Duty.TRACK,
            f"a parcel that lay on the belt at a start passed eye {there.number}, and no record of kind 11 "
            "came: an edge of no tracked parcel is one.",
        )
    extra = extras[0]
    if extra.source != there.number or any(
        r.source == extra.source for r in _passed(bench, extra.track_id)
    ):
        raise DutyFailed(
            Duty.TRACK,
            f"the record of kind 11 for parcel {extra.track_id} came from eye {extra.source} "
            f"and stands instead of a record of kind 2 there; the edge was at eye {there.number}.",
        )
    await seen_in(bench, Duty.TRACK, extra.track_id, Destination.HOLD)
    defaulted(bench, Duty.TRACK, extra.track_id, DefaultCause.UNKNOWN_PARCEL)


async def restarted(bench: Bench) -> None:
    """A new start of the PLC program; then our session is latched again and the ring read from its start."""
    bench.alive = False
    await bench.order(t.TestOrder.RESTART)
    bench.records.clear()
    bench.follow_ring()
    await latched(bench)
