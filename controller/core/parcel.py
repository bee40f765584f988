"""The states of one pass over the line, as a table.

Theory. A pass begins TRACKED at the induct eye. When everything required is there, or its time is up,
the core asks the list reader once more (DECIDING) and judges. A hold is final at once (HELD). A
release is first COMMITTING (its record on the way to the disk), then UNSENT (durable), SENT (on the
way to the PLC), LEASED (accepted) and DIVERTING (the gate has begun to move). Until the gate begins
to move a release can be revoked, which makes it HELD; nothing ever makes a HELD parcel released.
After our own restart nobody here knows whether a release reached the PLC: the parcel is DOUBTED, never
sent again, and only the PLC's records can tell what became of it. GONE is the end, when a lane eye saw
it or tracking lost it.

Rules for this file: states, steps and the table only; what a step means to the outside lives in
deciding.py and tracking.py. A pair that is not in the table does not apply: the caller leaves the
parcel as it is.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from controller.core.commands import CommitVerdict
from controller.core.events import (
    CodeRead,
    Dimensioned,
    ListFacts,
    PictureFindings,
    Triggered,
    Weighed,
)
from controller.core.vocabulary import DefaultCause, LookUpResult, Reason


class ParcelState(IntEnum):
    TRACKED = 1
    DECIDING = 2
    COMMITTING = 3
    UNSENT = 4
    SENT = 5
    LEASED = 6
    DIVERTING = 7
    HELD = 8
    GONE = 9
    DOUBTED = 10


class Step(IntEnum):
    ASK = 1
    JUDGE_RELEASE = 2
    JUDGE_HOLD = 3
    DURABLE = 4
    SEND = 5
    ACCEPTED = 6
    REVOKE = 7
    GATE_BEGAN = 8
    END = 9
    DOUBT = 10


_S: Final = ParcelState
TRANSITIONS: dict[ParcelState, dict[Step, ParcelState]] = {
    _S.TRACKED: {Step.ASK: _S.DECIDING, Step.JUDGE_HOLD: _S.HELD, Step.END: _S.GONE},
    _S.DECIDING: {
        Step.JUDGE_RELEASE: _S.COMMITTING,
        Step.JUDGE_HOLD: _S.HELD,
        Step.END: _S.GONE,
    },
    # The journal may lack what happened last: DOUBT applies even before DURABLE or SEND is recorded.
    _S.COMMITTING: {
        Step.DURABLE: _S.UNSENT,
        Step.REVOKE: _S.HELD,
        Step.DOUBT: _S.DOUBTED,
        Step.END: _S.GONE,
    },
    _S.UNSENT: {
        Step.SEND: _S.SENT,
        Step.REVOKE: _S.HELD,
        Step.DOUBT: _S.DOUBTED,
        Step.END: _S.GONE,
    },
    # SEND again after a broken link: the first may never have arrived.
    # The echo can be lost while the gate already moves.
    _S.SENT: {
        Step.SEND: _S.SENT,
        Step.ACCEPTED: _S.LEASED,
        Step.REVOKE: _S.HELD,
        Step.GATE_BEGAN: _S.DIVERTING,
        Step.DOUBT: _S.DOUBTED,
        Step.END: _S.GONE,
    },
    _S.LEASED: {
        Step.REVOKE: _S.HELD,
        Step.GATE_BEGAN: _S.DIVERTING,
        Step.DOUBT: _S.DOUBTED,
        Step.END: _S.GONE,
    },
    # DOUBT again: a second restart knows no more than the first.
    _S.DOUBTED: {
        Step.REVOKE: _S.HELD,
        Step.GATE_BEGAN: _S.DIVERTING,
        Step.DOUBT: _S.DOUBTED,
        Step.END: _S.GONE,
    },
    _S.DIVERTING: {Step.END: _S.GONE},
    _S.HELD: {Step.END: _S.GONE},
    _S.GONE: {},
}


def after(state: ParcelState, step: Step) -> ParcelState | None:
    """The state that `step` leads to, or None where the step does not apply."""
    return TRANSITIONS[state].get(step)


@dataclass(slots=True)
class Parcel:
    """Everything known of one pass. `entered_counts` is the encoder when its leading edge was at induct.

    `length_counts` is -1 until the trailing edge left the induct eye. `flags` are reasons that were
    found on the way (zone opened, stop, restart ...), in the order found.
    """

    pass_no: int
    track_id: int
    boot_id: int
    rules_id: str
    entered_at_ns: int
    entered_counts: int
    gap_before_counts: int
    state: ParcelState = ParcelState.TRACKED
    length_counts: int = -1
    code_parts: tuple[CodeRead, ...] = ()
    scanner_said_no_read: bool = False
    weight: Weighed | None = None
    weight_valid: bool = False
    dimensions: Dimensioned | None = None
    trigger: Triggered | None = None
    picture: PictureFindings | None = None
    picture_placed: bool = False
    flags: tuple[Reason, ...] = ()
    # Codes that another body on the belt showed, too: a doubt if one of them is this parcel's label.
    shared_codes: tuple[str, ...] = ()
    identify_asked: bool = False
    decide_asked_at_ns: int = -1
    left_sensors_at_ns: int = -1
    lists: tuple[ListFacts, ...] = ()
    lists_result: LookUpResult | None = None
    store_seq: int = 0
    verdict: CommitVerdict | None = None
    decision_seq: int = 0
    default: DefaultCause | None = None

    def flag(self, reason: Reason) -> None:
        if reason not in self.flags:
            self.flags = (*self.flags, reason)
