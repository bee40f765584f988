"""A PLC and a disk, as small as the promises of a release allow, around the real core.

The disk holds a prefix of what was told; a crash loses the rest, and the PLC's ring tells again what was
not acknowledged. The PLC obeys the interface: one session, holds replace releases until the gate begins
to move, nothing replaces a hold.
"""

from dataclasses import dataclass, field

from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, LookUp, SendDecision
from controller.core.line import LineController
from controller.core.state import first_state
from controller.core.vocabulary import (
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
)
from tests.core.story import BOOT, RULES, SESSION, SETTINGS, Line

RELEASE_LANE, HOLD_LANE = 1, 5


@dataclass
class OnBelt:
    """A parcel as the PLC knows it."""

    lease: Destination | None = None
    held: bool = False
    began: bool = False
    decided: bool = False


@dataclass
class ModelPlc:
    boot_id: int = BOOT
    session: int = SESSION
    decision_seq_max: int = 0
    on_belt: dict[int, OnBelt] = field(default_factory=dict)

    def take(self, decision: SendDecision) -> DecisionResult:
        """The scan that finds this row in block D."""
        if (decision.boot_id, decision.session) != (self.boot_id, self.session):
            return DecisionResult.WRONG_BOOT_OR_SESSION
        assert decision.decision_seq > self.decision_seq_max, "a number the PLC has seen before"
        self.decision_seq_max = decision.decision_seq
        parcel = self.on_belt.get(decision.track_id)
        if parcel is None:
            return DecisionResult.UNKNOWN_ID
        if parcel.decided:
            return DecisionResult.LATE
        if decision.destination is Destination.RELEASE and parcel.held:
            return DecisionResult.REVOKED
        parcel.lease = decision.destination
        parcel.held |= decision.destination is not Destination.RELEASE
        return DecisionResult.ACCEPTED

    def end_leases(self) -> None:
        """The watchdog tripped: what has not begun to move will not."""
        for parcel in self.on_belt.values():
            if not parcel.decided:
                parcel.lease = None

    def at_gate(self, track_id: int) -> tuple[type[e.PlcRecord], tuple[object, ...]] | None:
        """The parcel reaches its decision point: what the ring is told, if anything."""
        parcel = self.on_belt[track_id]
        parcel.decided = True
        if parcel.lease is Destination.RELEASE:
            parcel.began = True
            return e.GateMoved, (GatePhase.BEGAN, GatePosition.LEFT, 0)
        return None if parcel.lease else (e.DefaultTaken, (DefaultCause.UNDECIDED,))


class ModelLine(Line):
    """The real core with a disk behind it; told no earlier than now, whatever a record's own time."""

    def __post_init__(self) -> None:
        self.now_ms = 0
        self.boot_id = BOOT
        self.synced = 0
        super().__post_init__()
        self.synced = len(self.log)

    def tell(self, at_ms: int, event: e.Event) -> tuple[Command, ...]:
        self.now_ms = max(self.now_ms, at_ms)
        return super().tell(self.now_ms, event)

    def record(
        self, at_ms: int, kind: type, source: int, track_id: int, *payload: object, counts: int = -1
    ) -> tuple[Command, ...]:
        """As the PLC of the present boot writes it."""
        self.ring_seq += 1
        place = at_ms if counts < 0 else counts
        event = kind(self.boot_id, self.ring_seq, source, track_id, place, at_ms * 1000, *payload)
        return self.tell(at_ms + 12, event)

    @property
    def on_disk(self) -> list[tuple[int, e.Event, tuple[Command, ...]]]:
        return self.log[: self.synced]

    def sync(self, entries: int) -> list[int]:
        """The disk takes up to `entries` more; the passes whose release verdict it has now."""
        before, self.synced = self.synced, min(self.synced + entries, len(self.log))
        return [
            command.pass_no
            for _, _, commands in self.log[before : self.synced]
            for command in commands
            if isinstance(command, CommitVerdict) and command.destination is Destination.RELEASE
        ]

    def crash(self) -> list[e.PlcRecord]:
        """The process dies and the journal's events are replayed; the records the PLC tells again."""
        told = (event for _, event, _ in self.log[self.synced :])
        lost: list[e.PlcRecord] = [event for event in told if isinstance(event, e.PlcRecord)]
        del self.log[self.synced :]
        self.core = LineController(SETTINGS, first_state(SETTINGS, "rules-1", RULES))
        for at_ns, event, commands in self.log:
            assert self.core.handle(at_ns, event) == commands, "replay gives the same commands"
        return lost

    def answered(self, commands: tuple[Command, ...]) -> None:
        for command in commands:
            if isinstance(command, LookUp):
                self.answer(self.now_ms, (command,))
