"""Everything the core can ask for. Commands are data; the shell (controller/runtime) carries them out.

The order of one parcel's commands: `LookUp` (identify), `LookUp` (decide), `CommitVerdict`, then for
a release only after `VerdictDurable`: `SendDecision`. A hold may be sent at once.
"""

from dataclasses import dataclass

from controller.core.vocabulary import (
    AlarmKind,
    CheckKind,
    CheckResult,
    Destination,
    LineCause,
    LineState,
    LookUpPurpose,
    OutcomeKind,
    PassEnd,
    Reason,
)


@dataclass(frozen=True, slots=True)
class LookUp:
    """Ask the list reader for every list that one of `codes` names."""

    pass_no: int
    purpose: LookUpPurpose
    codes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OpenPass:
    """A pass begins: its number, the parcel it belongs to, and the rules fixed for it."""

    pass_no: int
    track_id: int
    boot_id: int
    rules_id: str


@dataclass(frozen=True, slots=True)
class TellVision:
    """What the vision worker may know of the parcel that trigger `trigger_no` belongs to."""

    source: int
    track_id: int
    trigger_no: int
    length_mm: int
    height_mm: int


@dataclass(frozen=True, slots=True)
class Check:
    """One comparison with both values and the tolerance, for people and for the auditor.

    Units by kind, see CheckKind. `expected` or `measured` is -1 where there was none.
    """

    kind: CheckKind
    result: CheckResult
    measured: int
    expected: int
    tolerance: int


@dataclass(frozen=True, slots=True)
class CommitVerdict:
    """The verdict of a pass, or (revision 1) its one revocation. Durable before any release."""

    pass_no: int
    track_id: int
    boot_id: int
    revision: int
    destination: Destination
    reasons: tuple[Reason, ...]
    checks: tuple[Check, ...]
    codes: tuple[str, ...]
    list_key: str
    waybill: str
    list_revision: int
    list_status: int
    store_seq: int
    rules_id: str
    weight_mg: int
    length_mm: int
    width_mm: int
    height_mm: int
    trigger_no: int
    picture_sha256: str
    entered_at_ns: int


@dataclass(frozen=True, slots=True)
class SendDecision:
    """A row of block D. For RELEASE this is a lease for one track id, one PLC boot, one host session."""

    decision_seq: int
    boot_id: int
    session: int
    track_id: int
    destination: Destination
    reason: int


@dataclass(frozen=True, slots=True)
class SetPermits:
    """Command bits of block C; false stops."""

    infeed: bool
    belt: bool


@dataclass(frozen=True, slots=True)
class RecordOutcome:
    """Where the pass really ended. `lane` 0: not seen. `end` is what a later pass of the list sees."""

    pass_no: int
    track_id: int
    waybill: str
    list_key: str
    destination: Destination
    kind: OutcomeKind
    lane: int
    end: PassEnd


@dataclass(frozen=True, slots=True)
class RaiseAlarm:
    """`subject` names the device or lane number; `pass_no` 0 where no parcel is concerned."""

    kind: AlarmKind
    subject: int
    pass_no: int


@dataclass(frozen=True, slots=True)
class ClearAlarm:
    kind: AlarmKind
    subject: int


@dataclass(frozen=True, slots=True)
class EnterLineState:
    state: LineState
    cause: LineCause


Command = (
    LookUp
    | OpenPass
    | TellVision
    | CommitVerdict
    | SendDecision
    | SetPermits
    | RecordOutcome
    | RaiseAlarm
    | ClearAlarm
    | EnterLineState
)
