"""What the read side hands out: one pass, its timeline, how far the follower is."""

from dataclasses import dataclass
from typing import Any

from controller.core.commands import Check, CommitVerdict, RecordOutcome
from controller.core.vocabulary import DecisionResult, Destination, Reason


@dataclass(frozen=True, slots=True)
class Note:
    """Something that came after the verdict. `kind` is alarm, default_taken or answer; `number` the
    AlarmKind, DefaultCause or DecisionResult."""

    journal_seq: int
    kind: str
    number: int


@dataclass(frozen=True, slots=True)
class PassRecord:
    """One induction of one parcel. UTC is 0 where the line had not read a clock.

    `pass_no` is 0 until the verdict names it. `verdict` is the first word of the line, `revocation`
    its one correction, `outcome` what the lane eyes saw; `answer` is the PLC's to the decision.
    """

    id: int
    line: str
    pass_no: int
    boot_id: int
    track_id: int
    entered_seq: int
    entered_at_ns: int
    entered_utc_ns: int
    verdict_seq: int
    decided_utc_ns: int
    verdict: CommitVerdict | None
    revoked_seq: int
    revoked_utc_ns: int
    revocation: CommitVerdict | None
    outcome_seq: int
    outcome_utc_ns: int
    outcome: RecordOutcome | None
    decision_seq: int
    answer: DecisionResult | None
    held: bool
    notes: tuple[Note, ...]

    @property
    def final(self) -> CommitVerdict | None:
        """The verdict that counts: the revocation where there is one."""
        return self.revocation or self.verdict

    @property
    def destination(self) -> Destination | None:
        return self.final.destination if self.final else None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        return self.final.reasons if self.final else ()

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.final.checks if self.final else ()


@dataclass(frozen=True, slots=True)
class PassPage:
    """Newest first; `after` is the opaque key of the next page, empty at the end."""

    items: tuple[PassRecord, ...]
    after: str


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """One journal record as it concerns a pass. `of_line` where it concerns the whole line."""

    journal_seq: int
    at_ns: int
    utc_ns: int
    kind: int
    message: Any
    of_line: bool


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the records of one line are: `behind` counts journal records not yet read."""

    line: str
    journal_seq: int
    head_seq: int
    written_utc_ns: int

    @property
    def behind(self) -> int:
        return max(0, self.head_seq - self.journal_seq)
