"""Checks of lanes: full ones, and decisions for another lane than the one before."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from controller.core import events
from controller.core.settings import Lane
from controller.core.vocabulary import DecisionResult, DefaultCause, Destination, PlcStateBit
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.conformance.belt import (
    BOTH_PERMITS,
    accepted,
    defaulted,
    lane_for,
    line_of,
    no_gate_began,
    of,
    parcel_standing,
    run_out,
    seen_in,
)
from plc.conformance.bench import Bench
from plc.conformance.checks_decisions import expect
from plc.conformance.duties import DoesNotApply, Duty, DutyFailed

_STATE = m.H_STATE_BITS
_OFFICERS = (Destination.INSPECT, Destination.DETAIN, Destination.RETURN, Destination.RECIRCULATE)


@asynccontextmanager
async def full(bench: Bench, lane: Lane) -> AsyncIterator[None]:
    """The lane is full, and free again on leaving. DutyFailed P20 unless the PLC reports both."""
    await bench.order(t.TestOrder.LANE, t.LANE_FULL | lane.number)
    try:
        await _reported(bench, lane, is_full=True)
        yield
    finally:
        await bench.order(t.TestOrder.LANE, lane.number)
    await _reported(bench, lane, is_full=False)


async def _reported(bench: Bench, lane: Lane, *, is_full: bool) -> None:
    def told() -> bool:
        changes = [r for r in bench.records if isinstance(r, events.LaneChanged)]
        of_lane = [r.full for r in changes if r.source == lane.number]
        return of_lane[-1:] == [is_full]

    if not await bench.until(told):
        became = "full" if is_full else "free again"
        raise DutyFailed(
            Duty.LANE,
            f"lane {lane.number} became {became} and no record of kind 14 says so (offset 0: "
            f"{int(is_full)}).",
        )


async def lane_full(bench: Bench) -> None:
    """A decision for a full lane is refused, the infeed stops for the release lane, the parcel holds."""
    lane = lane_for(bench, Destination.RELEASE)
    track_id = await parcel_standing(bench)
    async with full(bench, lane):
        refused = (DecisionResult.LANE_FULL,)
        what = f"a release while its lane {lane.number} is full"
        await expect(bench, Duty.LANE, bench.decision(track_id), refused, what)
        bench.permits = BOTH_PERMITS
        await bench.until(lambda: bench.has(PlcStateBit.BELT_RUNNING))
        if not await bench.until(lambda: not bench.has(PlcStateBit.INFEED_RUNNING)):
            raise DutyFailed(
                Duty.LANE,
                f"the release lane is full and the infeed (bit 0x0002 of {bench.at(_STATE)}) runs on.",
            )
        await seen_in(bench, Duty.LANE, track_id, Destination.HOLD)
    no_gate_began(bench, Duty.LANE, track_id, "whose lane is full")
    defaulted(bench, Duty.DEFAULT, track_id, DefaultCause.LANE_FULL)
    await run_out(bench)


async def full_lane_ends_lease(bench: Bench) -> None:
    """A lease whose lane becomes full ends, for good; a hold is never refused for a full lane."""
    lane = lane_for(bench, Destination.RELEASE)
    leased = await parcel_standing(bench)
    await accepted(bench, Duty.LEASE, leased)
    async with full(bench, lane):
        if not await bench.until(lambda: bool(of(bench, events.DefaultTaken, leased))):
            raise DutyFailed(
                Duty.LANE,
                f"lane {lane.number} became full, and no record of kind 9 ended the lease of parcel "
                f"{leased} for it.",
            )
    defaulted(bench, Duty.LANE, leased, DefaultCause.LANE_FULL)
    over = (DecisionResult.REVOKED,)
    what = "a release for a parcel whose lease ended with a full lane"
    await expect(bench, Duty.HOLD_WINS, bench.decision(leased), over, what)
    hold = bench.decision(leased, Destination.HOLD)
    what = "a hold for a parcel that the PLC holds already"
    await expect(bench, Duty.LATE, hold, (DecisionResult.LATE,), what)
    await seen_in(bench, Duty.LANE, leased, Destination.HOLD)
    no_gate_began(bench, Duty.LANE, leased, "whose lease ended with a full lane")
    await run_out(bench)
    held = await parcel_standing(bench)
    async with full(bench, lane_for(bench, Destination.HOLD)):
        await accepted(bench, Duty.LANE, held, Destination.HOLD)
    await run_out(bench)


async def another_destination(bench: Bench) -> None:
    """It replaces a release; nothing but a hold replaces it; refused with 7, it ends the release too."""
    other, lane = _officers_lane(bench)
    track_id = await parcel_standing(bench)
    await accepted(bench, Duty.LEASE, track_id)
    await accepted(bench, Duty.HOLD_WINS, track_id, other)
    revoked = (DecisionResult.REVOKED,)
    name = other.name.lower()
    what = f"a release after '{name}' was accepted"
    await expect(bench, Duty.HOLD_WINS, bench.decision(track_id), revoked, what)
    again = bench.decision(track_id, other)
    what = f"'{name}' after '{name}' was accepted"
    await expect(bench, Duty.HOLD_WINS, again, revoked, what)
    await seen_in(bench, Duty.HOLD_WINS, track_id, other)
    await run_out(bench)
    track_id = await parcel_standing(bench)
    await accepted(bench, Duty.LEASE, track_id)
    async with full(bench, lane):
        refused, decision = (DecisionResult.LANE_FULL,), bench.decision(track_id, other)
        what = f"'{name}' while its lane {lane.number} is full"
        await expect(bench, Duty.LANE, decision, refused, what)
    await seen_in(bench, Duty.LANE, track_id, Destination.HOLD)
    defaulted(bench, Duty.LANE, track_id, DefaultCause.LANE_FULL)
    await run_out(bench)


def _officers_lane(bench: Bench) -> tuple[Destination, Lane]:
    """A destination with a lane of its own at a gate."""
    release = lane_for(bench, Destination.RELEASE)
    for destination in _OFFICERS:
        for lane in line_of(bench).lanes:
            if destination in lane.destinations and lane.gate and lane.number != release.number:
                return destination, lane
    raise DoesNotApply("no destination but release has a lane at a gate.")
