"""Checks of what must happen when the host falls silent or the PLC starts anew, with a parcel on the belt."""

from controller.core import events
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import DecisionResult, DefaultCause, Destination, PlcStateBit
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.conformance.belt import (
    BOTH_PERMITS,
    accepted,
    belt_ms,
    defaulted,
    induct,
    line_of,
    no_gate_began,
    of,
    parcel_mm,
    parcel_standing,
    release_moves,
    row_of,
    run_out,
    seen_in,
    stand,
    sweep,
    travel_ms,
)
from plc.conformance.bench import Bench
from plc.conformance.checks_decisions import expect
from plc.conformance.checks_session import SAFE_LIMIT_MS, latched
from plc.conformance.checks_tracking import restarted
from plc.conformance.duties import Duty, DutyFailed, NotRun
from plc.ring_reader import RegisterRun

_STATE = m.H_STATE_BITS


async def watchdog_ends_leases(bench: Bench) -> None:
    """Host gone: the lease ends within 500 ms and no gate moves; an undecided parcel goes on."""
    leased = (await induct(bench)).track_id
    await bench.run_ms(belt_ms(bench, 2 * parcel_mm(bench)))
    undecided = await parcel_standing(bench)
    await accepted(bench, Duty.LEASE, leased)
    bench.alive = False
    silent_ns = bench.life_done_ns
    while bench.now_ns - silent_ns < SAFE_LIMIT_MS * NS_PER_MS:
        await bench.wire.pause(m.POLL_PERIOD_MS)
        await bench.look()
    if not bench.has(PlcStateBit.WATCHDOG_TRIPPED):
        raise DutyFailed(
            Duty.WATCHDOG, f"bit 0x0004 of {bench.at(_STATE)} is not set 500 ms after the fault."
        )
    row = await row_of(bench, leased)
    if row is not None and row.state in (m.T_STATE_LEASED, m.T_STATE_DIVERTING):
        raise DutyFailed(
            Duty.WATCHDOG,
            f"500 ms after the last life sign table T (from {bench.at(m.T_ADDRESS)} on) still shows parcel "
            f"{leased} with a lease: every lease whose gate has not begun to move must end.",
        )
    bench.permits = 0
    await latched(bench)
    await accepted(bench, Duty.WATCHDOG, undecided, Destination.RELEASE)
    what = "a release for a parcel whose lease ended with its host"
    await expect(bench, Duty.WATCHDOG, bench.decision(leased), (DecisionResult.REVOKED,), what)
    hold = bench.decision(leased, Destination.HOLD)
    what = "a hold for a parcel that the PLC holds already"
    await expect(bench, Duty.LATE, hold, (DecisionResult.LATE,), what)
    await seen_in(bench, Duty.WATCHDOG, leased, Destination.HOLD)
    defaulted(bench, Duty.WATCHDOG, leased, DefaultCause.LEASE_ENDED)
    no_gate_began(bench, Duty.WATCHDOG, leased, "whose lease had ended with its host")
    await run_out(bench)


async def nobody_there(bench: Bench) -> None:
    """The host falls silent for good while a lease approaches its gate: the belt may run, no gate moves."""
    track_id = (await induct(bench)).track_id
    row = bench.decision(track_id)
    if await bench.submit(row) != DecisionResult.ACCEPTED:
        raise NotRun("this host was too slow to release a parcel on the running belt.")
    bench.alive = False
    await bench.wire.pause(belt_ms(bench, line_of(bench).belt_end_mm) + SAFE_LIMIT_MS)
    await latched(bench)
    began_us = [r.plc_time_us for r in release_moves(bench, track_id)]
    if began_us:
        inducted = of(bench, events.Inducted, track_id)[0].plc_time_us
        if began_us[0] - inducted < (SAFE_LIMIT_MS + 100) * 1_000:
            raise NotRun(
                "the gate stands too close to the induct eye to be later than the watchdog."
            )
    no_gate_began(bench, Duty.WATCHDOG, track_id, "more than 500 ms after the host fell silent")
    await seen_in(bench, Duty.WATCHDOG, track_id, Destination.HOLD)
    await run_out(bench)


async def plc_restart(bench: Bench) -> None:
    """A start wipes everything: new boot id, no session, no lease, no row, sequences from 1."""
    track_id = await parcel_standing(bench)
    await accepted(bench, Duty.LEASE, track_id)
    old_row = bench.decision(track_id)
    bench.alive = False
    await bench.order(t.TestOrder.RESTART)
    if await bench.until(lambda: bench.latched_low != 0, 300):
        raise DutyFailed(
            Duty.START,
            f"after a start the PLC latched the session that stood in {bench.at(m.C_ADDRESS)} although "
            "its life sign did not move.",
        )
    await _wiped(bench)
    await _c_is_empty(bench)
    bench.records.clear()
    bench.permits = 0
    bench.follow_ring()
    await latched(bench)
    foreign = (DecisionResult.WRONG_BOOT_OR_SESSION,)
    await expect(bench, Duty.STRANGER, old_row, foreign, "a decision of the boot before")
    # what lies on the belt is nobody's now; it must be gone before the next check
    await sweep(bench)


async def _wiped(bench: Bench) -> None:
    head, ack = bench.whole.head_seq, bench.whole.accepted_ack
    if ack or head > m.R_SLOTS:
        raise DutyFailed(
            Duty.START,
            f"after a start {bench.at(m.H_HEAD_SEQ)} is {head} and {bench.at(m.H_ACCEPTED_ACK)} {ack}: "
            "both begin at 0.",
        )
    for name, address, count in (
        ("E", m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS),
        ("D", m.D_ADDRESS, m.D_SLOTS * m.D_SLOT_REGISTERS),
        ("T", m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS),
    ):
        words = await bench.wire.read(RegisterRun(address, count))
        left = next((at for at, word in enumerate(words) if word), None)
        if left is not None:
            raise DutyFailed(
                Duty.START,
                f"after a start block {name} is not empty: see {bench.at(address + left)}.",
            )


async def _c_is_empty(bench: Bench) -> None:
    """Nobody has written since the start; the test order may stand."""
    words = await bench.wire.read(RegisterRun(m.C_ADDRESS, m.C_COUNT))
    left = next((at for at, word in enumerate(words[: m.C_SPARE]) if word), None)
    if left is not None:
        raise DutyFailed(
            Duty.START,
            f"after a start {bench.at(m.C_ADDRESS + left)} is {words[left]:#06x}: block C is cleared but "
            "for the test order.",
        )


async def gates_locked(bench: Bench) -> None:
    """After a start gates stay at hold until the belt has moved its whole length."""
    await restarted(bench)
    track_id = (await induct(bench)).track_id
    await stand(bench)
    row = bench.decision(track_id)
    await bench.submit(row)
    bench.permits = BOTH_PERMITS
    limit_ms = travel_ms(bench, line_of(bench).belt_end_mm)
    ends = (events.LaneSeen, events.GateMoved)
    await bench.until(lambda: any(of(bench, kind, track_id) for kind in ends), limit_ms)
    no_gate_began(bench, Duty.START, track_id, "before the belt had moved its whole length")
    await seen_in(bench, Duty.START, track_id, Destination.HOLD)
