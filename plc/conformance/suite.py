"""The whole suite: which checks there are, what each needs, and how they are run one after the other.

A check passes only if it ran to its end. What could not be run is listed as such, with the reason, and the
suite then does not pass as a whole.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from enum import Enum, IntEnum

from controller.core.settings import LineSettings
from controller.core.units import U16_MAX
from controller.core.vocabulary import PlcStateBit
from plc import register_map as m
from plc.conformance import checks_decisions as decisions
from plc.conformance import checks_faults as faults
from plc.conformance import checks_leases as leases
from plc.conformance import checks_map as identity
from plc.conformance import checks_ring as ring
from plc.conformance import checks_session as session
from plc.conformance import test_mode as t
from plc.conformance.belt import BOTH_PERMITS, run_out, sweep
from plc.conformance.bench import Bench
from plc.conformance.duties import DutyFailed, NotRun
from plc.conformance.wire import Wire, WireLost
from plc.ring_reader import RegisterRun

# Another host that is alive keeps its latch longer than this.
_FOREIGN_LATCH_MS = 700


class Needs(IntEnum):
    """What a check needs beyond a PLC that answers."""

    WIRE = 1  # not even a session
    SESSION = 2
    TEST_MODE = 3
    PARCELS = 4  # test mode and the line's geometry


# Duties about rows of block D, which a PLC with a decision method need not have.
_ABOUT_ROWS = ("bad CRC", "wrong layout", "zero is empty")


class Result(Enum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Check:
    name: str
    needs: Needs
    run: Callable[[Bench], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """`sentence` is empty for a passed check."""

    name: str
    result: Result
    sentence: str = ""


class SecondHost(Exception):
    """Another host controls the PLC: nothing was written."""


CHECKS = (
    Check("map and word order", Needs.WIRE, identity.map_and_order),
    Check("writes refused", Needs.WIRE, identity.writes_refused),
    Check("PLC life sign", Needs.WIRE, identity.life_sign),
    Check("session latch", Needs.SESSION, session.latch),
    Check("watchdog", Needs.SESSION, session.watchdog),
    Check("second host", Needs.SESSION, session.second_host),
    Check("acknowledgement", Needs.SESSION, decisions.acknowledgement),
    Check("bad CRC", Needs.SESSION, decisions.bad_crc),
    Check("wrong layout", Needs.SESSION, decisions.wrong_layout),
    Check("foreign boot id", Needs.SESSION, decisions.foreign_boot),
    Check("foreign session", Needs.SESSION, decisions.foreign_session),
    Check("no session", Needs.SESSION, decisions.decision_without_session),
    Check("unknown parcel", Needs.SESSION, decisions.unknown_parcel),
    Check("one answer", Needs.SESSION, decisions.one_answer),
    Check("zero is empty", Needs.SESSION, decisions.zero_row),
    Check("ring under load", Needs.TEST_MODE, ring.under_load),
    Check("commit order", Needs.TEST_MODE, ring.commit_order),
    Check("acknowledgement of waiting records", Needs.TEST_MODE, ring.waiting_acknowledgement),
    Check("foreign permit and acknowledgement", Needs.TEST_MODE, ring.foreign_c),
    Check("host restart", Needs.TEST_MODE, ring.host_restart),
    Check("permits", Needs.TEST_MODE, ring.permits),
    Check("back-pressure", Needs.TEST_MODE, ring.back_pressure),
    Check("ring overflow", Needs.TEST_MODE, ring.overflow),
    Check("tracking", Needs.PARCELS, leases.induct_and_track),
    Check("lease and gate", Needs.PARCELS, leases.lease),
    Check("hold replaces release", Needs.PARCELS, leases.hold_replaces_release),
    Check("no destination", Needs.PARCELS, leases.no_destination),
    Check("late is hold", Needs.PARCELS, leases.late_is_hold),
    Check("gap", Needs.PARCELS, leases.gap),
    Check("lane full", Needs.PARCELS, leases.lane_full),
    Check("watchdog ends leases", Needs.PARCELS, faults.watchdog_ends_leases),
    Check("host gone for good", Needs.PARCELS, faults.nobody_there),
    Check("PLC restart", Needs.PARCELS, faults.plc_restart),
    Check("gates locked after a start", Needs.PARCELS, faults.gates_locked),
)


async def greet(bench: Bench) -> str:
    """Meet the PLC, read only. Why no more than its map can be checked, or empty.

    SecondHost if another host is alive there. WireLost if the PLC does not answer.
    """
    c = await bench.wire.read(RegisterRun(m.C_ADDRESS, m.C_COUNT))
    try:
        while bench.header is None:
            await bench.look()
            await bench.wire.pause(m.POLL_PERIOD_MS)
        await bench.until_looking(lambda: bench.latched_low == 0, _FOREIGN_LATCH_MS)
    except DutyFailed as failure:
        return f"the map is not that of docs/plc-interface.md: {failure}"
    if bench.latched_low:
        raise SecondHost(
            f"Another host (session ..{bench.latched_low:04x} in "
            f"{bench.at(m.P_ADDRESS + m.P_LATCHED_SESSION_LOW)}) controls this PLC: stop it first."
        )
    bench.continue_numbers(c, bench.words[m.E_ADDRESS :])
    bench.follow_ring()
    return ""


async def run_suite(
    wire: Wire,
    session_id: int,
    line: LineSettings | None = None,
    checks: Sequence[Check] = CHECKS,
    tell: Callable[[Outcome], None] = lambda outcome: None,
) -> list[Outcome]:
    """Run `checks` in order. SecondHost, and nothing written, if another host is alive there.

    `session_id` is random for every run; neither it nor its low word is 0. WireLost only where the PLC
    never answered at all.
    """
    bench = Bench(wire, session_id, line)
    outcomes: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        tell(outcome)

    known = await greet(bench)
    for check in checks:
        if check.name in _ABOUT_ROWS and not wire.has_rows:
            continue
        reason = known if check.needs > Needs.WIRE else ""
        reason = reason or _missing(bench, check.needs)
        if reason:
            note(Outcome(check.name, Result.NOT_RUN, reason))
        else:
            note(await _run_one(bench, check))
    return outcomes


def passed(outcomes: Sequence[Outcome]) -> bool:
    """Every check ran and passed."""
    return all(outcome.result is Result.PASSED for outcome in outcomes)


def _missing(bench: Bench, needs: Needs) -> str:
    if needs >= Needs.TEST_MODE and not bench.in_test_mode:
        return (
            f"needs the PLC's test mode (bit {PlcStateBit.TEST_MODE.value:#06x} of "
            f"{bench.at(m.H_STATE_BITS)})."
        )
    if needs is Needs.PARCELS and bench.line is None:
        return "needs the line's geometry: give --line line.toml."
    return ""


async def _run_one(bench: Bench, check: Check) -> Outcome:
    try:
        await _prepare(bench, check.needs)
        await check.run(bench)
    except NotRun as why:
        return Outcome(check.name, Result.NOT_RUN, str(why))
    except WireLost as lost:
        sentence = f"The exchange broke off during this check: {lost}."
        return Outcome(check.name, Result.FAILED, sentence)
    except DutyFailed as failure:
        await _recover(bench, check.needs)
        return Outcome(check.name, Result.FAILED, str(failure))
    return Outcome(check.name, Result.PASSED)


async def _prepare(bench: Bench, needs: Needs) -> None:
    """A known state: our session latched, the ring read, in test mode the belt running and empty.

    Outside test mode nothing is acknowledged: those records are for the line's journal.
    """
    bench.begin_check(BOTH_PERMITS if needs >= Needs.TEST_MODE else 0)
    bench.acknowledges = bench.in_test_mode
    if needs is Needs.WIRE:
        return
    # a session that a check left behind ends first
    await bench.until(lambda: bench.latched, _FOREIGN_LATCH_MS)
    await session.latched(bench)
    await bench.read_records()
    if needs is Needs.PARCELS:
        await sweep(bench)
        await run_out(bench)


async def _recover(bench: Bench, needs: Needs) -> None:
    """After a failure in test mode the PLC starts anew, so that the next check is not spoilt too."""
    if needs < Needs.TEST_MODE:
        return
    bench.begin_check(BOTH_PERMITS)
    try:
        await bench.order(t.TestOrder.SLOW_COMMIT, 0)
        await bench.order(t.TestOrder.RESTART)
        bench.records.clear()
        bench.follow_ring()
        await session.latched(bench)
        if bench.line is not None:
            await sweep(bench)
    except (DutyFailed, NotRun, WireLost):
        return


def new_session(random_bits: Callable[[int], int]) -> int:
    """A session whose low word is not 0."""
    return random_bits(16) << 16 | random_bits(16) % U16_MAX + 1
