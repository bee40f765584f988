"""The simulator's ground truth against what the controller did: pure, no files, no clock.

Where a parcel went is the plant's word; the journal is read only for the reasons the controller gave
and the outcomes it recorded, which are then checked against the truth. Every count keeps its cases,
so that a number in a report can be followed to the parcel.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from controller.core.commands import CommitVerdict, RecordOutcome
from controller.core.settings import LineSettings, Rules
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import Destination, Reason
from sim.parcels import ParcelKind, SimParcel
from sim.reason_truth import Case, reason_is_true
from sim.truth import NEVER, FaultKind, PassTruth, RunTruth
from sim.workload import Declaration
from sim.wrong_release import revoke_ns_max, why_wrong

# Whatever a sensor can see, these must never reach the release lane.
NEVER_MISSED: Final = frozenset(
    {
        ParcelKind.NOT_DECLARED,
        ParcelKind.NOT_RELEASED,
        ParcelKind.NO_READ,
        ParcelKind.TWO_LABELS,
        ParcelKind.TOUCHING,
    }
)
NO_VERDICT: Final = "no_verdict"
# A receipt sent this long before a verdict may or may not have been known to it.
RECEIPT_UNDER_WAY_NS: Final = 500 * NS_PER_MS
# From the gate to the lane eye, the PLC's ring and the journal.
RECORD_UNDER_WAY_NS: Final = 3_000 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class JournalWords:
    """What the controller wrote: verdicts with their time, and outcomes, in journal order."""

    verdicts: tuple[tuple[int, CommitVerdict], ...]
    outcomes: tuple[RecordOutcome, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """From the last output that a decision needs to the PLC scan that accepted it; None: never."""

    from_ns: int
    to_ns: int | None


@dataclass(slots=True)
class Judged:
    """One line's counts. Parcels are named by number, with a sentence where there is one."""

    parcels: int = 0
    released: int = 0
    held: int = 0
    clean: int = 0
    clean_released: int = 0
    honest: int = 0
    by_destination: Counter[str] = field(default_factory=Counter)
    held_by_reason: Counter[str] = field(default_factory=Counter)
    wrong_releases: list[tuple[int, str]] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    needless_holds: Counter[str] = field(default_factory=Counter)
    false_reasons: list[tuple[int, str]] = field(default_factory=list)
    unaccounted: list[tuple[int, str]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)


def judge(truth: RunTruth, words: JournalWords, settings: LineSettings, rules: Rules) -> Judged:
    """Count one line's run."""
    return _Judge(truth, words, settings, rules).judge()


class _Judge:
    def __init__(
        self, truth: RunTruth, words: JournalWords, settings: LineSettings, rules: Rules
    ) -> None:
        self._truth = truth
        self._settings = settings
        self._rules = rules
        self._parcels = {parcel.number: parcel for parcel in truth.inducted}
        self._behind = _gaps_behind(truth.inducted)
        self._lists: dict[str, Declaration] = {item.waybill: item for item in truth.declarations}
        self._verdicts: dict[tuple[int, int], list[tuple[int, CommitVerdict]]] = {}
        for at_ns, verdict in words.verdicts:
            key = (verdict.boot_id, verdict.track_id)
            self._verdicts.setdefault(key, []).append((at_ns, verdict))
        self._outcome_of_pass = {outcome.pass_no: outcome for outcome in words.outcomes}
        self._outcome_of_track = {outcome.track_id: outcome for outcome in words.outcomes}
        self._lane_of = {lane.number: lane for lane in settings.lanes}
        self._found = Judged()

    def judge(self) -> Judged:
        tracked = {number for passage in self._truth.passes for number in passage.parcel_numbers}
        for number in self._parcels:
            if number not in tracked and self._truth.interrupted_ns == NEVER:
                self._found.parcels += 1
                self._found.unaccounted.append((number, "inducted, never tracked"))
        for passage in self._truth.passes:
            if not self._cut_short(passage):
                self._judge_pass(passage)
        return self._found

    def _cut_short(self, passage: PassTruth) -> bool:
        """Still on the belt, or hardly off it, when a person ended the run."""
        end_ns = self._truth.interrupted_ns
        if end_ns == NEVER:
            return False
        return passage.lane == 0 or passage.left_ns > end_ns - RECORD_UNDER_WAY_NS

    def _judge_pass(self, passage: PassTruth) -> None:
        found = self._found
        verdicts = self._verdicts.get((passage.boot_id, passage.track_id), [])
        last = verdicts[-1][1] if verdicts else None
        told_ns = passage.gate_began_ns - revoke_ns_max(self._faults(passage))
        obeyable = _obeyable(verdicts, told_ns)
        for at_ns, verdict in verdicts:
            self._judge_reasons(passage, at_ns, verdict)
        self._account(passage, last)
        self._time(passage)
        lane = self._lane_of.get(passage.lane)
        released = lane is not None and Destination.RELEASE in lane.destinations
        for number in passage.parcel_numbers:
            found.parcels += 1
            found.by_destination[self._destination(passage, last)] += 1
            if released:
                found.released += 1
            else:
                found.held += 1
                found.held_by_reason[_first_reason(last)] += 1
            self._judge_parcel(self._parcels[number], passage, obeyable, released)

    def _judge_parcel(
        self, parcel: SimParcel, passage: PassTruth, last: CommitVerdict | None, released: bool
    ) -> None:
        found = self._found
        honest = parcel.kind is ParcelKind.HONEST
        if honest:
            found.honest += 1
            if not self._faults(passage):
                found.clean += 1
                found.clean_released += released
            if not released:
                found.needless_holds[_first_reason(last)] += 1
        if not released:
            return
        case = self._case(passage, passage.gate_began_ns)
        why = why_wrong(case, last, self._truth.receipts)
        if why is None and parcel.kind in NEVER_MISSED and not _parted(case):
            why = f"{parcel.kind.name.lower()} in the release lane"
        if why is not None:
            found.wrong_releases.append((parcel.number, why))
        elif not honest:
            found.missed[parcel.kind.name.lower()] += 1

    def _judge_reasons(self, passage: PassTruth, at_ns: int, verdict: CommitVerdict) -> None:
        case = self._case(passage, at_ns)
        for reason in verdict.reasons:
            if not reason_is_true(reason, case):
                self._found.false_reasons.append((passage.parcel_numbers[0], _name(reason)))

    def _account(self, passage: PassTruth, last: CommitVerdict | None) -> None:
        outcome = (
            self._outcome_of_pass.get(last.pass_no)
            if last is not None
            else self._outcome_of_track.get(passage.track_id)
        )
        if outcome is None:
            why = "no final record"
        elif outcome.lane != passage.lane:
            why = f"recorded in lane {outcome.lane}, truly in lane {passage.lane}"
        else:
            return
        self._found.unaccounted.extend((number, why) for number in passage.parcel_numbers)

    def _time(self, passage: PassTruth) -> None:
        """A decision made before everything required was out is no answer to it and not timed."""
        if passage.last_record_ns < 0 or passage.last_row_ns < 0:
            return
        from_ns = max(passage.last_record_ns, passage.last_row_ns)
        if passage.accepted_ns < 0:
            self._found.decisions.append(Decision(from_ns, None))
        elif passage.accepted_ns >= from_ns:
            self._found.decisions.append(Decision(from_ns, passage.accepted_ns))

    def _destination(self, passage: PassTruth, last: CommitVerdict | None) -> str:
        """What the lane it really went into serves; among several, what the verdict asked for."""
        lane = self._lane_of.get(passage.lane)
        if lane is None:
            return "lost"
        if last is not None and last.destination in lane.destinations:
            return last.destination.name.lower()
        return lane.destinations[0].name.lower()

    def _faults(self, passage: PassTruth, judged_ns: int = -1) -> frozenset[FaultKind]:
        """What was in force while it was on the line, or until it was judged: a host that was down may
        judge a parcel that has left."""
        until_ns = max(passage.left_ns, judged_ns) if passage.left_ns >= 0 else None
        return frozenset(
            window.kind
            for window in self._truth.faults
            if window.to_ns >= passage.inducted_ns
            and (until_ns is None or window.from_ns <= until_ns)
        )

    def _case(self, passage: PassTruth, at_ns: int) -> Case:
        parcels = tuple(self._parcels[number] for number in passage.parcel_numbers)
        named = [label for parcel in parcels for label in parcel.labels if label in self._lists]
        return Case(
            parcels=parcels,
            passage=passage,
            lists=tuple(self._lists[label] for label in dict.fromkeys(named)),
            statuses=frozenset(status for label in named for status in self._said(label, at_ns)),
            gap_behind_mm=self._behind[passage.parcel_numbers[-1]],
            faults=self._faults(passage, at_ns),
            verdict_ns=at_ns,
            settings=self._settings,
            rules=self._rules,
        )

    def _said(self, waybill: str, at_ns: int) -> set[int]:
        """What customs had said last of a list at `at_ns`: both, while a receipt was under way."""
        before = self._lists[waybill].statuses
        said = {before[-1] if before else 0}
        for receipt in self._truth.receipts:
            if receipt.waybill == waybill and receipt.sent_ns <= at_ns:
                known = 0 <= receipt.durable_ns <= at_ns - RECEIPT_UNDER_WAY_NS
                said = {receipt.status} if known else said | {receipt.status}
        return said


def _obeyable(verdicts: list[tuple[int, CommitVerdict]], until_ns: int) -> CommitVerdict | None:
    """The last verdict that could still turn the gate: a revocation made too late raises an alarm."""
    in_time = [
        verdict
        for at_ns, verdict in verdicts
        if verdict.revision == 0 or until_ns < 0 or at_ns <= until_ns
    ]
    return in_time[-1] if in_time else None


def _gaps_behind(inducted: tuple[SimParcel, ...]) -> dict[int, int | None]:
    """Clear belt behind each parcel, by number; None behind the last."""
    gaps: dict[int, int | None] = {}
    for index, parcel in enumerate(inducted):
        follower = inducted[index + 1] if index + 1 < len(inducted) else None
        gaps[parcel.number] = follower.gap_before_mm if follower else None
    return gaps


def _first_reason(verdict: CommitVerdict | None) -> str:
    """The reason that decided, by name; "released" for a released parcel that never got there."""
    if verdict is None:
        return NO_VERDICT
    return _name(verdict.reasons[0]) if verdict.reasons else "released_but_not_there"


def _name(reason: Reason) -> str:
    return reason.name.lower()


def _parted(case: Case) -> bool:
    """Of touching parcels, all but this one were taken away before the first eye saw it."""
    kind = case.parcels[0].kind
    return kind is ParcelKind.TOUCHING and not case.touching and FaultKind.BY_HAND in case.faults
