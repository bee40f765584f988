"""Trials as a table: safe and back times by wire and case, each with its limit and whether it held."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from controller.core.units import NS_PER_MS
from sim.outages.stage import Cut
from sim.outages.trial import SAFE_LIMIT_MS, TITLES, Case, Trial

BACK_LIMIT_MS = {"modbus": 2_000, "opcua": 5_000}
# DESIGN asks for the p95 of 30 trials, which is the second longest; under 20 it would be the longest.
TRIALS_FOR_P95 = 20


@dataclass(frozen=True, slots=True)
class Times:
    """In ms. `p50` and `p95` by nearest rank, None with fewer than 20 trials; `missing` never came."""

    p50: int | None
    p95: int | None
    max: int | None
    missing: int

    def within(self, limit_ms: int) -> bool:
        """The p95, or the longest where there is none; what never came is beyond any limit."""
        counted = self.max if self.p95 is None else self.p95
        return not self.missing and counted is not None and counted <= limit_ms


@dataclass(frozen=True, slots=True)
class Row:
    """One wire and case. `leases` counts what was open at the faults, `wrong` what must be 0: gates that
    began after the limit, releases between safe and back; `disturbed` trials are counted like all."""

    wire: str
    case: str
    trials: int
    leases: int
    safe_ms: Times
    safe_limit_ms: int
    back_ms: Times
    back_limit_ms: int
    release_ms: Times
    late_gates: int
    releases: int
    disturbed: int
    ok: bool


def times_of(values_ns: Sequence[int | None]) -> Times:
    """Rounded up to whole ms: no limit is met by rounding."""
    known = sorted(-(-value // NS_PER_MS) for value in values_ns if value is not None)
    enough = len(known) >= TRIALS_FOR_P95

    def rank(percent: int) -> int | None:
        return known[-(-len(known) * percent // 100) - 1] if enough else None

    longest = known[-1] if known else None
    return Times(rank(50), rank(95), longest, len(values_ns) - len(known))


def rows_of(wire: str, trials: Sequence[Trial]) -> list[Row]:
    """A row a case, and one for each kind of cut."""
    rows = []
    for case in Case:
        of_case = [trial for trial in trials if trial.case is case]
        if of_case:
            rows.append(_row(wire, TITLES[case], of_case))
        kinds = [cut.value for cut in Cut]
        for kind in kinds if case is Case.CUT else ():
            of_kind = [trial for trial in of_case if trial.kind == kind]
            if of_kind:
                rows.append(_row(wire, f"  {kind}", of_kind))
    return rows


def _row(wire: str, case: str, trials: Sequence[Trial]) -> Row:
    def times(of: Callable[[Trial], int | None]) -> Times:
        return times_of([of(trial) for trial in trials])

    safe, back = times(lambda t: t.safe_ns), times(lambda t: t.back_ns)
    release = times(lambda t: t.release_ns)
    late, releases = sum(t.late_gates for t in trials), sum(t.releases for t in trials)
    always = safe.max is not None and not safe.missing and safe.max <= SAFE_LIMIT_MS
    ok = always and back.within(BACK_LIMIT_MS[wire]) and not (late or releases or release.missing)
    return Row(
        wire,
        case,
        len(trials),
        sum(trial.leases for trial in trials),
        safe,
        SAFE_LIMIT_MS,
        back,
        BACK_LIMIT_MS[wire],
        release,
        late,
        releases,
        sum(trial.disturbed for trial in trials),
        ok,
    )


_HEAD = (
    f"{'wire':8}{'case':36}{'n':>4}{'leases':>7}  {'safe p50/p95/max (limit)':28}"
    f"{'back p50/p95/max (limit)':30}{'release p50/p95/max':22}{'wrong':>6}{'disturbed':>10}"
)


def printed(rows: Sequence[Row]) -> str:
    """For people; times in ms."""
    return "\n".join([_HEAD, *map(_line, rows), *_FOOT])


def _line(row: Row) -> str:
    safe = f"{_shown(row.safe_ms)} ({row.safe_limit_ms})"
    back = f"{_shown(row.back_ms)} ({row.back_limit_ms})"
    wrong, word = row.late_gates + row.releases, "pass" if row.ok else "FAIL"
    return (
        f"{row.wire:8}{row.case:36}{row.trials:>4}{row.leases:>7}  {safe:28}{back:30}"
        f"{_shown(row.release_ms):22}{wrong:>6}{row.disturbed:>10}  {word}"
    )


def _shown(times: Times) -> str:
    text = "/".join("-" if v is None else str(v) for v in (times.p50, times.p95, times.max))
    return text + (f", {times.missing} never" if times.missing else "")


_FOOT = (
    "Times in ms, by the PLC's own word. safe: from the fault until no lease is left and no gate begins;",
    "the limit is for every trial. back: from the fault's end until the PLC feeds on the line's permit for",
    f"good; the limit is for the p95, under {TRIALS_FOR_P95} trials for the longest. release: until a parcel",
    "that came in since then was released, its 2 m to the verdict included. leases: open at the faults.",
    "wrong: gates begun after the limit, releases between safe and back. disturbed: trials in which the",
    "machine kept the PLC or the cable waiting for over 100 ms; they are counted like all others.",
)
