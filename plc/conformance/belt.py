"""The simulated belt of the suite: put a parcel on it, stop it, run it, and see where the parcel went.

Decisions are given while the belt stands, which the suite does by withholding its permit, so that a slow
host never makes a PLC look late.
"""

from collections.abc import Callable

from controller.core import events
from controller.core.settings import Gate, Lane, LineSettings
from controller.core.units import counts_from_mm, u32_difference
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
from plc.conformance.bench import Bench
from plc.conformance.checks_decisions import expect
from plc.conformance.duties import Duty, DutyFailed, NotRun

BOTH_PERMITS = m.C_BIT_INFEED_PERMIT | m.C_BIT_BELT_PERMIT
_STATE = m.H_STATE_BITS
_T_STATES = {1: "tracked", 2: "leased", 3: "diverting", 4: "defaulted"}
# For the start of the belt, the PLC's scan and a slow host.
SLACK_MS = 3_000
SWEEP_MARGIN_MS = 500
_TRIES = 5
# What a gate needs beside its travel: a scan of 10 ms and 5 ms of margin (section 5, P25).
LEAD_MARGIN_MS = 15


def line_of(bench: Bench) -> LineSettings:
    assert bench.line is not None, "a check that needs the line runs only with one"
    return bench.line


def belt_ms(bench: Bench, distance_mm: int) -> int:
    """How long the belt takes for it."""
    return distance_mm * 1_000 // line_of(bench).belt_speed_mm_per_s


def travel_ms(bench: Bench, distance_mm: int) -> int:
    """The same with slack, for waiting."""
    return belt_ms(bench, distance_mm) + SLACK_MS


def parcel_mm(bench: Bench) -> int:
    """A short parcel, so that two fit before the decision point."""
    return min(150, line_of(bench).parcel_length_max_mm)


def lane_for(bench: Bench, destination: Destination) -> Lane:
    lanes = line_of(bench).lanes
    return next(lane for lane in lanes if destination in lane.destinations)


def of(bench: Bench, kind: type[events.PlcRecord], track_id: int) -> list[events.PlcRecord]:
    return [r for r in bench.records if type(r) is kind and r.track_id == track_id]


async def stand(bench: Bench) -> None:
    """Stop the belt."""
    bench.permits = 0
    if not await bench.until(lambda: not bench.has(PlcStateBit.BELT_RUNNING)):
        raise DutyFailed(
            Duty.PERMIT, f"without a permit bit 0x0001 of {bench.at(_STATE)} (belt) stays set."
        )


async def induct(bench: Bench) -> events.Inducted:
    """One parcel at the induct eye, belt running; its record. DutyFailed P22 if none comes."""
    bench.permits = BOTH_PERMITS
    before = sum(isinstance(r, events.Inducted) for r in bench.records)

    def inducted() -> list[events.Inducted]:
        return [r for r in bench.records if isinstance(r, events.Inducted)][before:]

    await bench.order(t.TestOrder.INDUCT, parcel_mm(bench))
    await bench.until(lambda: bool(inducted()), SLACK_MS)
    if not inducted():
        raise DutyFailed(
            Duty.TRACK,
            f"test order 1 (INDUCT, {parcel_mm(bench)} mm) was carried out, the belt may run, and no "
            "record of kind 1 came.",
        )
    return inducted()[0]


async def parcel_standing(bench: Bench) -> int:
    """Tracking id of a new parcel that stands just behind the induct eye."""
    track_id = (await induct(bench)).track_id
    await stand(bench)
    return track_id


async def run_out(bench: Bench) -> None:
    """Run the belt until table T is empty."""
    bench.permits = BOTH_PERMITS
    end_ms = travel_ms(bench, 2 * line_of(bench).belt_end_mm)
    for _ in range(end_ms // 200):
        if not await bench.belt_rows():
            return
        await bench.run_ms(200)
    raise DutyFailed(
        Duty.TRACK,
        f"after a belt length and more, table T (from {bench.at(m.T_ADDRESS)} on) still holds a parcel.",
    )


async def sweep(bench: Bench) -> None:
    """Move the belt its whole length, once for each start of the PLC: until then gates stay locked."""
    if bench.swept_boot_id == bench.whole.boot_id:
        return
    bench.permits = BOTH_PERMITS
    await bench.until(lambda: bench.has(PlcStateBit.BELT_RUNNING), SLACK_MS)
    await bench.run_ms(belt_ms(bench, line_of(bench).belt_end_mm) + SWEEP_MARGIN_MS)
    bench.swept_boot_id = bench.whole.boot_id


async def row_of(bench: Bench, track_id: int) -> events.BeltRow | None:
    rows = await bench.belt_rows()
    return next((row for row in rows if row.track_id == track_id), None)


async def row_becomes(
    bench: Bench, duty: Duty, track_id: int, fits: Callable[[events.BeltRow], bool], wanted: str
) -> None:
    """DutyFailed unless the parcel's row in T comes to fit. `wanted` says what it must show."""
    row = None
    for _ in range(10):
        row = await row_of(bench, track_id)
        if row is not None and fits(row):
            return
        await bench.run_ms(40)
    place = f"table T (from {bench.at(m.T_ADDRESS)} on)"
    if row is None:
        raise DutyFailed(duty, f"{place} has no row for parcel {track_id}, which is on the belt.")
    state = _T_STATES.get(row.state, "unknown")
    shown = (
        f"state {row.state} ({state}), destination {row.destination}, encoder {row.encoder_counts}"
    )
    raise DutyFailed(duty, f"{place} shows parcel {track_id} with {shown}, not {wanted}.")


async def seen_in(bench: Bench, duty: Duty, track_id: int, destination: Destination) -> None:
    """Run the belt; DutyFailed unless the parcel is seen in the lane of `destination`, and nowhere else."""
    lane = lane_for(bench, destination)
    bench.permits = BOTH_PERMITS
    limit_ms = travel_ms(bench, line_of(bench).belt_end_mm + 1_000)
    await bench.until(lambda: bool(of(bench, events.LaneSeen, track_id)), limit_ms)
    seen = [record.source for record in of(bench, events.LaneSeen, track_id)]
    if seen != [lane.number]:
        if not seen:
            raise DutyFailed(
                Duty.TRACK,
                f"no record of kind 8 came for parcel {track_id}, which was to go to lane {lane.number}"
                f"{told_of(bench, track_id)}.",
            )
        raise DutyFailed(
            duty,
            f"parcel {track_id} was to go to {destination.name.lower()}, lane {lane.number}, and was seen "
            f"in lane {', '.join(map(str, seen))} (records of kind 8){told_of(bench, track_id)}.",
        )


def no_gate_began(bench: Bench, duty: Duty, track_id: int, why: str) -> None:
    """DutyFailed if a gate began to move to a side for this parcel."""
    for record in of(bench, events.GateMoved, track_id):
        assert isinstance(record, events.GateMoved)
        if record.phase is GatePhase.BEGAN and record.position is not GatePosition.HOLD:
            raise DutyFailed(
                duty,
                f"gate {record.source} began to move to {record.position.name.lower()} for parcel "
                f"{track_id} (record {record.ring_seq}, kind 7), {why}.",
            )


def defaulted(bench: Bench, duty: Duty, track_id: int, cause: DefaultCause) -> None:
    """DutyFailed unless the PLC reported this default once."""
    found = [r.cause for r in of(bench, events.DefaultTaken, track_id)]  # type: ignore[attr-defined]
    if found != [cause]:
        shown = ", ".join(f"{each.value}" for each in found) or "none"
        raise DutyFailed(
            duty,
            f"the causes in the records of kind 9 for parcel {track_id} are: {shown}; it must be "
            f"{cause.value} ({cause.name.lower().replace('_', ' ')}), once.",
        )


async def accepted(
    bench: Bench, duty: Duty, track_id: int, destination: Destination = Destination.RELEASE
) -> None:
    what = f"a {destination.name.lower()} in time for parcel {track_id}"
    await expect(
        bench, duty, bench.decision(track_id, destination), (DecisionResult.ACCEPTED,), what
    )


def release_gate(bench: Bench) -> Gate:
    """The gate of the release lane."""
    lane = lane_for(bench, Destination.RELEASE)
    return next(gate for gate in line_of(bench).gates if gate.number == lane.gate)


def lead_mm(bench: Bench, gate: Gate) -> int:
    """How long before its gate a leading edge is when the gate begins; also the least gap behind."""
    speed = line_of(bench).belt_speed_mm_per_s
    return -(-speed * (gate.travel_ms + LEAD_MARGIN_MS) // 1_000)


def in_counts(bench: Bench, mm: int) -> int:
    return counts_from_mm(mm, line_of(bench).encoder_counts_per_m)


def told_of(bench: Bench, track_id: int) -> str:
    """The PLC's own word on why it holds the parcel, as the end of a sentence; empty without one."""
    causes = [r.cause for r in of(bench, events.DefaultTaken, track_id)]  # type: ignore[attr-defined]
    if not causes:
        return ""
    name = causes[0].name.lower().replace("_", " ")
    return f"; a record of kind 9 says cause {causes[0].value} ({name})"


async def leased_pair(
    bench: Bench, least_mm: int, most_mm: int, destination: Destination
) -> tuple[int, int]:
    """Tracking ids of two parcels with so much clear belt between them, the belt standing: the first is
    released, the second has a lease for `destination`. NotRun if this host cannot place them."""
    length_mm, middle_mm = parcel_mm(bench), (least_mm + most_mm) // 2
    least, most = in_counts(bench, least_mm), in_counts(bench, most_mm)
    for _ in range(_TRIES):
        first = await induct(bench)
        await stand(bench)
        await accepted(bench, Duty.LEASE, first.track_id)
        bench.permits = BOTH_PERMITS
        await bench.run_ms(belt_ms(bench, length_mm + middle_mm) - 2 * m.POLL_PERIOD_MS)
        second = await induct(bench)
        await stand(bench)
        clear = u32_difference(second.encoder_counts, first.encoder_counts)
        if least <= clear - in_counts(bench, length_mm) <= most:
            await accepted(bench, Duty.LEASE, second.track_id, destination)
            return first.track_id, second.track_id
        await run_out(bench)
    raise NotRun(f"this host was too slow to put two parcels {least_mm} to {most_mm} mm apart.")


def release_moves(bench: Bench, track_id: int) -> list[events.PlcRecord]:
    """The gate of the release lane began to move to that lane's side for this parcel."""
    lane = lane_for(bench, Destination.RELEASE)
    side = GatePosition.LEFT if lane.side == "left" else GatePosition.RIGHT
    return [
        r
        for r in of(bench, events.GateMoved, track_id)
        if isinstance(r, events.GateMoved)
        and (r.source, r.phase, r.position) == (lane.gate, GatePhase.BEGAN, side)
    ]
