"""One outage and what the PLC's own word says of it: when it was safe, when the line was back.

**Safe** (DESIGN 6): no gate goes to a side that is not hold later than 500 ms after the fault. Measured
as the scan from which on nothing can be released (no session latched, no lease whose gate has not begun
to move), or the last gate that began, if that was later. **Back**: the PLC has latched the line's session
and feeds on its permit from here on, without a break, until a parcel that came in after the fault was
released: with that each trial ends. Every fault comes while a lease is open that only the PLC can end.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from enum import Enum
from random import Random

from controller.core.units import NS_PER_MS
from sim.outages.plc_truth import What, Word
from sim.outages.stage import PLANT, Cut, Stage

SAFE_LIMIT_MS = 500
STOP_S, CUT_S = 3.0, 5.0
# Half of the cuts drop the connection, the others only bytes, in two ways.
CUTS = (Cut.DROPPED, Cut.VANISHING, Cut.DROPPED, Cut.LATE)
# A lease is accepted a second before its gate would begin; the watchdog takes less than half of one.
AFTER_LEASE_S_MAX = 0.3
LEASE_LIMIT_S = 40.0
BACK_LIMIT_S = 30.0


class Case(Enum):
    """What fails; the value is how the command line calls it."""

    PLC_KILL = "plc-kill"
    LINE_KILL = "line-kill"
    PLC_STOP = "plc-stop"
    LINE_STOP = "line-stop"
    CUT = "cut"


TITLES = {
    Case.PLC_KILL: "kill -9 of the PLC",
    Case.LINE_KILL: "kill -9 of the line",
    Case.PLC_STOP: f"SIGSTOP {STOP_S:g} s of the PLC",
    Case.LINE_STOP: f"SIGSTOP {STOP_S:g} s of the line",
    Case.CUT: f"link cut {CUT_S:g} s",
}


@dataclass(frozen=True, slots=True)
class Outage:
    """`over_ns`: from here on nothing stands in the line's way but itself."""

    case: Case
    kind: str
    fault_ns: int
    over_ns: int
    died_ns: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Times in ns after the fault (`safe_ns`) and after its end (`back_ns`, `release_ns`); None: never.

    `leases` were open at the fault. `late_gates` and `releases` are what must not happen: gates that
    began too late, releases accepted after it was safe and before the line was back. `disturbed`: the
    machine kept PLC or cable from their turn meanwhile; that is told and excuses nothing.
    """

    case: Case
    kind: str
    safe_ns: int | None
    back_ns: int | None
    release_ns: int | None
    leases: int
    late_gates: int
    releases: int
    disturbed: bool = False


async def run_trial(stage: Stage, case: Case, number: int, rng: Random) -> Trial:
    """Wait for a lease, break, mend, wait until a new parcel is released. Never waits for ever: what
    did not happen in time is None in the trial."""
    truth, belt_end_mm = stage.truth, stage.line.line.belt_end_mm
    start = len(truth.words)
    try:
        await _lease(stage, rng)
        outage = await _ACTS[case](stage, number)
    except TimeoutError:
        return Trial(case, "", None, None, None, 0, 0, 0)

    def trial() -> Trial:
        return measure(truth.words[start:], outage, belt_end_mm)

    with suppress(TimeoutError):
        await truth.until(lambda: trial().release_ns is not None, BACK_LIMIT_S)
    cable_late = any(at_ns > outage.fault_ns for at_ns in stage.late_ns)
    return replace(trial(), disturbed=cable_late or _plant_late(truth.words[start:], outage))


async def _lease(stage: Stage, rng: Random) -> None:
    """A release was just accepted and its gate has most of a second to go. TimeoutError: none comes."""
    words = stage.truth.words
    stage.truth.look()
    seen = len(words)
    await stage.truth.until(
        lambda: any(word.what is What.ACCEPTED for word in words[seen:]), LEASE_LIMIT_S
    )
    await asyncio.sleep(rng.uniform(0, AFTER_LEASE_S_MAX))


async def _kill_plc(stage: Stage, _: int) -> Outage:
    """Over when the new PLC listens: how long a PLC takes to start is its own affair."""
    words = stage.truth.words
    seen, fault_ns = len(words), stage.signal(PLANT, signal.SIGKILL)

    def booted() -> list[int]:
        return [word.at_ns for word in words[seen:] if word.what is What.BOOT]

    await stage.truth.until(lambda: bool(booted()), BACK_LIMIT_S)
    died_ns = stage.ended_ns[PLANT]
    return Outage(Case.PLC_KILL, "", fault_ns, booted()[0], died_ns)


async def _kill_line(stage: Stage, _: int) -> Outage:
    """Over at once: its start is what the line takes to be back."""
    at_ns = stage.signal(stage.line_name, signal.SIGKILL)
    return Outage(Case.LINE_KILL, "", at_ns, at_ns)


async def _stop_plc(stage: Stage, _: int) -> Outage:
    return await _stopped(stage, Case.PLC_STOP, PLANT)


async def _stop_line(stage: Stage, _: int) -> Outage:
    return await _stopped(stage, Case.LINE_STOP, stage.line_name)


async def _stopped(stage: Stage, case: Case, name: str) -> Outage:
    fault_ns = stage.signal(name, signal.SIGSTOP)
    await asyncio.sleep(STOP_S)
    return Outage(case, "", fault_ns, stage.signal(name, signal.SIGCONT))


async def _cut(stage: Stage, number: int) -> Outage:
    cut = CUTS[number % len(CUTS)]
    fault_ns = stage.cut(cut)
    await asyncio.sleep(CUT_S)
    return Outage(Case.CUT, cut.value, fault_ns, stage.mend())


_ACTS: dict[Case, Callable[[Stage, int], Awaitable[Outage]]] = {
    Case.PLC_KILL: _kill_plc,
    Case.LINE_KILL: _kill_line,
    Case.PLC_STOP: _stop_plc,
    Case.LINE_STOP: _stop_line,
    Case.CUT: _cut,
}


# --- what the PLC's words say ---------------------------------------------------------------------


def measure(words: Sequence[Word], outage: Outage, belt_end_mm: int) -> Trial:
    """`words` from a lease before the fault on, in the order of the PLC's scans."""
    before = [word for word in words if _time(word, outage) < outage.fault_ns]
    after = words[len(before) :]
    state = next((word for word in reversed(before) if word.what is What.STATE), None)
    shut_ns, since = _shut(after, outage)
    free = next((w for w in since if w.free and w.at_ns >= outage.over_ns), None)
    meanwhile = since if free is None else since[: since.index(free)]
    gates = [word for word in (*after[: len(after) - len(since)], *meanwhile) if _opens(word)]
    began_ns = [_time(word, outage) - outage.fault_ns for word in gates]
    limit_ns = SAFE_LIMIT_MS * NS_PER_MS
    late = sum(began > limit_ns for began in began_ns)
    if outage.died_ns is not None:
        # a dead PLC drives nothing; a new one may open no gate before its belt has moved its length
        began_ns = []
        late = sum(_opens(w) and w.values[1] < belt_end_mm for w in since)
    found = _released(since[len(meanwhile) :])
    back = None if found is None else _back(since, found, outage)
    return Trial(
        outage.case,
        outage.kind,
        safe_ns=None if shut_ns is None else max(shut_ns - outage.fault_ns, *began_ns, 0),
        back_ns=None if back is None else back.at_ns - outage.over_ns,
        release_ns=None if found is None else found.at_ns - outage.over_ns,
        leases=0 if state is None else state.values[2],
        late_gates=late,
        releases=sum(word.what is What.ACCEPTED for word in meanwhile),
    )


def _shut(after: Sequence[Word], outage: Outage) -> tuple[int | None, Sequence[Word]]:
    """When nothing could be released any more, and what came after that."""
    if outage.died_ns is not None:
        new = next((i for i, word in enumerate(after) if word.what is What.BOOT), len(after))
        return outage.died_ns, after[new:]
    at = next((index for index, word in enumerate(after) if word.shut), None)
    return (None, []) if at is None else (_time(after[at], outage), after[at:])


def _back(since: Sequence[Word], found: Word, outage: Outage) -> Word | None:
    """Since when the PLC had fed on the line's word when `found` came, without a break: a line that was
    frozen may finish a poll that it had begun, which gives no exchange yet."""
    back = None
    for word in since[: since.index(found)]:
        if word.what is What.STATE and word.at_ns >= outage.over_ns:
            back = (back or word) if word.free else None
    return back


def _time(word: Word, outage: Outage) -> int:
    """As a bystander sees it. A PLC that was frozen counts in its own time, which it catches up on."""
    return word.plc_ns if outage.case is Case.PLC_STOP else word.at_ns


def _plant_late(words: Sequence[Word], outage: Outage) -> bool:
    """The PLC fell behind, other than by our own SIGSTOP."""
    stopped = outage.case is Case.PLC_STOP
    since_ns = outage.over_ns if stopped else outage.fault_ns
    return any(w.what is What.LATE and w.plc_ns > since_ns for w in words)


def _opens(word: Word) -> bool:
    return word.what is What.GATE


def _released(since: Sequence[Word]) -> Word | None:
    """The first release accepted of a parcel that came in since then."""
    new: set[int] = set()
    for word in since:
        if word.what is What.TRACKED:
            new.add(word.values[0])
        elif word.what is What.ACCEPTED and word.values[0] in new:
            return word
    return None
