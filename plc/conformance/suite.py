"""How the checks are run one after the other.

A check passes only if it ran to its end. What could not be run is listed as such, with the reason, and the
suite then does not pass as a whole, unless the check does not apply to this PLC or line.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum

from controller.core.settings import LineSettings
from controller.core.units import U16_MAX
from controller.core.vocabulary import PlcStateBit
from plc import register_map as m
from plc.conformance import checks_session as session
from plc.conformance import test_mode as t
from plc.conformance.belt import BOTH_PERMITS, run_out, sweep
from plc.conformance.bench import Bench
from plc.conformance.catalogue import CHECKS, Check, Needs
from plc.conformance.duties import DoesNotApply, DutyFailed, NotRun
from plc.conformance.wire import Wire, WireLost
from plc.ring_reader import RegisterRun

__all__ = [
    "CHECKS",
    "Check",
    "Outcome",
    "Result",
    "SecondHost",
    "greet",
    "new_session",
    "passed",
    "run_suite",
]

# Another host that is alive keeps its latch longer than this.
_FOREIGN_LATCH_MS = 700
_METHOD_ONLY = "does not apply: the PLC takes decisions by method only and has no rows of D."


class Result(Enum):
    PASSED = "passed"
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Outcome:
    """`sentence` is empty for a passed check, `duties` are its numbers. A check that was not run and
    does not apply (`needed` false) does not keep the suite from passing."""

    name: str
    result: Result
    sentence: str = ""
    duties: str = ""
    needed: bool = True


class SecondHost(Exception):
    """Another host controls the PLC: nothing was written."""


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
    # what was told already need not be told again by every check behind it
    spoilt: dict[str, str] = {}
    is_ours = not await greet(bench)
    for check in checks:
        if not is_ours and check is not checks[0]:
            outcome = _not_run(check, "the map is not ours: see above.")
        elif check.about_rows and not wire.has_rows:
            outcome = Outcome(check.name, Result.NOT_RUN, _METHOD_ONLY, check.numbers, needed=False)
        elif reason := _missing(bench, check.needs) if is_ours else "":
            outcome = _not_run(check, reason)
        else:
            outcome = await _run_one(bench, check if is_ours else CHECKS[0], spoilt)
        outcomes.append(outcome)
        tell(outcome)
    return outcomes


def passed(outcomes: Sequence[Outcome]) -> bool:
    """Every check that applies ran and passed."""
    return all(outcome.result is Result.PASSED or not outcome.needed for outcome in outcomes)


def _not_run(check: Check, reason: str) -> Outcome:
    return Outcome(check.name, Result.NOT_RUN, reason, check.numbers)


def _missing(bench: Bench, needs: Needs) -> str:
    if needs >= Needs.TEST_MODE and not bench.in_test_mode:
        return (
            f"needs the PLC's test mode (bit {PlcStateBit.TEST_MODE.value:#06x} of "
            f"{bench.at(m.H_STATE_BITS)})."
        )
    if needs is Needs.PARCELS and bench.line is None:
        return "needs the line's geometry: give --line line.toml."
    return ""


async def _run_one(bench: Bench, check: Check, spoilt: dict[str, str]) -> Outcome:
    def outcome(result: Result, sentence: str = "", *, needed: bool = True) -> Outcome:
        return Outcome(check.name, result, sentence, check.numbers, needed)

    prepared = False
    try:
        await _prepare(bench, check.needs)
        prepared = True
        await check.run(bench)
    except DoesNotApply as why:
        return outcome(Result.NOT_RUN, f"does not apply: {why}", needed=False)
    except NotRun as why:
        return outcome(Result.NOT_RUN, str(why))
    except WireLost as lost:
        await _recover(bench, check.needs)
        return outcome(Result.FAILED, f"The exchange broke off during this check: {lost}.")
    except DutyFailed as failure:
        await _recover(bench, check.needs)
        sentence = str(failure)
        first = spoilt.setdefault(sentence, check.name)
        if first == check.name:
            return outcome(Result.FAILED, sentence)
        if prepared:
            told, _, _ = sentence.partition(":")
            return outcome(Result.FAILED, f"{told}: for the same reason as '{first}'.")
        why_not = f"cannot begin for the same reason for which '{first}' failed."
        return outcome(Result.NOT_RUN, why_not)
    return outcome(Result.PASSED)


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
