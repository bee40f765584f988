"""I1 to I9: what must hold after every event, whatever breaks (DESIGN 5; reference/reliability.md 6).

Told by two sides that do not know of each other: the host's events and commands in the order of its
journal, and the plant's own account. It knows nothing of how the core works. `InvariantBroken` is a bug
of the controller, of the link or of the soft PLC, never of an operator.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Final

from controller.core import commands as c
from controller.core import events as e
from controller.core.vocabulary import (
    CheckResult,
    DecisionResult,
    Destination,
    GatePhase,
    GatePosition,
)

Body = tuple[int, int]  # PLC boot id, track id
# After the host fell silent no gate starts towards a lane later than this, and a scan.
# The host reckons with an encoder that may have slipped.
LATE_MM_MAX: Final = 100
SILENCE_NS_MAX: Final = 520_000_000


class InvariantBroken(Exception):
    """`number` 1 to 9, and one sentence."""

    def __init__(self, number: int, sentence: str) -> None:
        super().__init__(f"I{number}: {sentence}")
        self.number = number
        self.sentence = sentence


@dataclass(slots=True)
class Pass:
    """What the journal has of one pass; each with its event's journal number, 0 where there is none."""

    body: Body
    opened_seq: int
    starts: int
    rules_id: str
    verdict: c.CommitVerdict | None = None
    verdict_seq: int = 0
    verdict_ns: int = 0
    revoked: c.CommitVerdict | None = None
    revoked_seq: int = 0
    revoked_ns: int = 0
    outcome: c.RecordOutcome | None = None
    outcome_seq: int = 0

    @property
    def releases(self) -> bool:
        verdict = self.verdict
        return verdict is not None and verdict.destination is Destination.RELEASE


@dataclass(slots=True)
class _Plant:
    """The plant's word on one body."""

    parcels: tuple[int, ...] = ()
    weights_mg: list[int] = field(default_factory=list)
    lease: Destination | None = None
    lease_seq: int = 0
    began: bool = False


class Invariants:
    """Methods of the host's side: `handled`, `durable`, `started`, `recovered`, `counted`, `bounded`; of
    the plant's: `tracked`, `recorded`, `answered`, `entered_lane`. `lane_of` gives, for a gate and a
    side, the destinations behind it; `content` the true parcels that a picture shows; `beyond_mm` how far
    a true parcel is beyond the decision point (negative: before, or not to be said just now)."""

    def __init__(
        self,
        lane_of: Callable[[int, GatePosition], tuple[Destination, ...]],
        content: dict[str, tuple[int, ...]],
        beyond_mm: Callable[[int], int],
    ) -> None:
        self._lane_of = lane_of
        self._content = content
        self._beyond_mm = beyond_mm
        self.passes: dict[int, Pass] = {}
        # what only files that were set aside still tell: the oldest word on each body
        self._aside: dict[Body, Pass] = {}
        self.aside: set[int] = set()
        self._pass_of: dict[Body, int] = {}
        self._plant: dict[Body, _Plant] = {}
        self._body_of: dict[int, Body] = {}
        self._released: dict[str, int] = {}
        self._rules_id = ""
        self._starts = 0
        self._durable_seq = 0
        self._session = 0
        self.host_spoke_ns = 0
        self._on_command: dict[type, Callable[[int, int, Any], None]] = {
            c.OpenPass: self._opened,
            c.CommitVerdict: self._verdict,
            c.SendDecision: self._sent,
            c.RecordOutcome: self._outcome,
        }

    # --- the host -----------------------------------------------------------------------------------

    def started(self, rules_id: str, session: int) -> None:
        """A process began with these rules active."""
        self._starts += 1
        self._rules_id, self._session = rules_id, session

    def handled(
        self, at_ns: int, event: e.Event, commands: Iterable[c.Command], first_seq: int
    ) -> None:
        """The event, journalled as `first_seq`, and its commands: one commit, all of it or nothing."""
        if isinstance(event, e.RulesActivated):
            self._rules_id = event.rules_id
        for command in commands:
            check = self._on_command.get(type(command))
            if check is not None:
                check(at_ns, first_seq, command)

    def durable(self, seq: int) -> None:
        """The disk has every record up to `seq`."""
        if seq < self._durable_seq:
            raise InvariantBroken(6, f"record {self._durable_seq} was durable, now only {seq} is")
        self._durable_seq = seq

    def recovered(self, head_seq: int, set_aside: int) -> None:
        """A start read the journal up to `head_seq`; what came after never happened."""
        if head_seq < self._durable_seq and not set_aside:
            raise InvariantBroken(
                6, f"a start found records up to {head_seq}, {self._durable_seq} was acknowledged"
            )
        if set_aside:
            self._put_aside(head_seq)
        self._durable_seq = head_seq
        for pass_no, known in list(self.passes.items()):
            if known.opened_seq > head_seq:
                del self.passes[pass_no]
                if self._pass_of.get(known.body) == pass_no:
                    del self._pass_of[known.body]
                continue
            if known.verdict_seq > head_seq:
                known.verdict, known.verdict_seq = None, 0
            if known.revoked_seq > head_seq:
                known.revoked, known.revoked_seq = None, 0
            if known.outcome_seq > head_seq:
                known.outcome, known.outcome_seq = None, 0

    def _put_aside(self, head_seq: int) -> None:
        """A damaged file: what was durable beyond its good part stays evidence, under another name."""
        for pass_no, known in self.passes.items():
            last_seq = max(
                known.opened_seq, known.verdict_seq, known.revoked_seq, known.outcome_seq
            )
            if last_seq > head_seq:
                kept = replace(known)
                if known.verdict_seq > self._durable_seq:
                    kept.verdict = None
                if known.revoked_seq > self._durable_seq:
                    kept.revoked = None
                if known.outcome_seq > self._durable_seq:
                    kept.outcome = None
                kept.verdict_seq = min(kept.verdict_seq, head_seq)
                self.aside.add(pass_no)
                older = self._aside.get(known.body)
                if older is None or older.verdict is None:
                    self._aside[known.body] = kept

    def history(self) -> list[Pass]:
        """Every pass that any file tells of; the older word on a body that two files tell of."""
        aside = [kept for kept in self._aside.values() if kept.verdict is not None]
        told = {kept.body for kept in aside}
        return aside + [known for known in self.passes.values() if known.body not in told]

    def acknowledged(self, known_seq: int, behind: int) -> None:
        """The host has records up to `known_seq`, `behind` what it told the PLC to be safe."""
        if behind > 0:
            raise InvariantBroken(
                6,
                f"{behind} ring records after {known_seq} were acknowledged and are not journalled",
            )

    def counted(self, inducted: int, ended: int, on_belt: int) -> None:
        """The core's own balance of passes."""
        if inducted != ended + on_belt:
            raise InvariantBroken(
                7, f"{inducted} passes began, {ended} ended and {on_belt} are on the belt"
            )

    def bounded(self, what: str, size: int, limit: int) -> None:
        if size > limit:
            raise InvariantBroken(8, f"{size} {what}, at most {limit} may be")

    def _opened(self, at_ns: int, seq: int, opened: c.OpenPass) -> None:
        if opened.pass_no in self.passes:
            raise InvariantBroken(3, f"pass {opened.pass_no} was opened twice")
        if opened.rules_id != self._rules_id:
            raise InvariantBroken(2, f"pass {opened.pass_no} began under rules that are not active")
        body = (opened.boot_id, opened.track_id)
        self.passes[opened.pass_no] = Pass(body, seq, self._starts, opened.rules_id)
        self._pass_of[body] = opened.pass_no

    def _verdict(self, at_ns: int, seq: int, verdict: c.CommitVerdict) -> None:
        known = self.passes.get(verdict.pass_no)
        if known is None:
            raise InvariantBroken(3, f"pass {verdict.pass_no} has a verdict and never began")
        if verdict.rules_id != known.rules_id:
            raise InvariantBroken(2, f"pass {verdict.pass_no} was not judged by its entry's rules")
        if (verdict.destination is Destination.RELEASE) != (not verdict.reasons):
            raise InvariantBroken(2, f"pass {verdict.pass_no}: reasons and destination disagree")
        if verdict.revision == 0:
            if known.verdict is not None or known.outcome is not None:
                raise InvariantBroken(3, f"pass {verdict.pass_no} has a second verdict")
            known.verdict, known.verdict_seq, known.verdict_ns = verdict, seq, at_ns
            if known.releases:
                self._may_release(known, verdict)
            return
        if not known.releases or known.revoked is not None or verdict.revision != 1:
            raise InvariantBroken(
                3, f"pass {verdict.pass_no} has a revocation that revokes nothing"
            )
        if verdict.destination is Destination.RELEASE:
            raise InvariantBroken(3, f"pass {verdict.pass_no}: a revocation releases")
        known.revoked, known.revoked_seq, known.revoked_ns = verdict, seq, at_ns

    def _may_release(self, known: Pass, verdict: c.CommitVerdict) -> None:
        name = f"the release of pass {verdict.pass_no}"
        if known.starts != self._starts:
            raise InvariantBroken(4, f"{name}: our own restart lies between its entry and it")
        present = (
            verdict.codes
            and verdict.list_key
            and verdict.store_seq > 0
            and verdict.rules_id
            and verdict.weight_mg > 0
            and min(verdict.length_mm, verdict.width_mm, verdict.height_mm) > 0
            and verdict.picture_sha256
        )
        if not present:
            raise InvariantBroken(2, f"{name} lacks what a release rests on")
        if any(check.result is not CheckResult.AGREE for check in verdict.checks):
            raise InvariantBroken(2, f"{name} rests on a check that does not agree")
        plant = self._plant.get(known.body, _Plant())
        if plant.weights_mg != [verdict.weight_mg]:
            raise InvariantBroken(
                2, f"{name} rests on {verdict.weight_mg} mg, its scale said {plant.weights_mg}"
            )
        shown = self._content.get(verdict.picture_sha256)
        if shown != plant.parcels:
            raise InvariantBroken(
                2, f"{name}: its picture shows {shown}, the body is {plant.parcels}"
            )

    def _sent(self, at_ns: int, seq: int, sent: c.SendDecision) -> None:
        if sent.destination is not Destination.RELEASE:
            return
        known = self._known((sent.boot_id, sent.track_id))
        if known is None or not known.releases:
            raise InvariantBroken(1, f"track {sent.track_id} is released without a verdict")
        if known.verdict_seq > self._durable_seq:
            raise InvariantBroken(
                1, f"track {sent.track_id} is released before its record is durable"
            )
        if known.revoked is not None:
            raise InvariantBroken(3, f"track {sent.track_id} is released after its revocation")
        if sent.session != self._session:
            raise InvariantBroken(5, f"track {sent.track_id} is released in another session's name")
        if known.starts != self._starts:
            raise InvariantBroken(4, f"track {sent.track_id} is released after our own restart")
        parcels = self._plant.get(known.body, _Plant()).parcels
        if parcels and self._beyond_mm(parcels[0]) > LATE_MM_MAX:
            raise InvariantBroken(2, f"track {sent.track_id} is released beyond the decision point")

    def _outcome(self, at_ns: int, seq: int, outcome: c.RecordOutcome) -> None:
        known = self.passes.get(outcome.pass_no)
        if known is None or (known.verdict is None and outcome.pass_no not in self.aside):
            raise InvariantBroken(7, f"pass {outcome.pass_no} ended without a verdict")
        if known.outcome is not None:
            raise InvariantBroken(7, f"pass {outcome.pass_no} ended twice")
        known.outcome, known.outcome_seq = outcome, seq

    def _known(self, body: Body) -> Pass | None:
        pass_no = self._pass_of.get(body)
        return None if pass_no is None else self.passes[pass_no]

    # --- the plant ----------------------------------------------------------------------------------

    def tracked(self, body: Body, parcels: tuple[int, ...]) -> None:
        """The PLC began to track `body`, truly these parcels."""
        self._plant[body] = _Plant(parcels)
        for number in parcels:
            self._body_of[number] = body

    def recorded(self, at_ns: int, record: e.PlcRecord) -> None:
        """The PLC committed a ring record."""
        plant = self._plant.get((record.boot_id, record.track_id))
        if plant is None:
            return
        if isinstance(record, e.Weighed):
            plant.weights_mg.append(record.weight_mg)
        elif isinstance(record, e.DefaultTaken):
            plant.lease = None
        elif isinstance(record, e.GateMoved):
            if record.phase is GatePhase.BEGAN and record.position is not GatePosition.HOLD:
                self._gate_began(at_ns, record, plant)

    def _gate_began(self, at_ns: int, record: e.GateMoved, plant: _Plant) -> None:
        behind = self._lane_of(record.source, record.position)
        if plant.lease is None or plant.lease not in behind:
            raise InvariantBroken(
                5, f"gate {record.source} opens for track {record.track_id} without a live lease"
            )
        if at_ns - self.host_spoke_ns > SILENCE_NS_MAX:
            raise InvariantBroken(
                5, f"gate {record.source} opens {at_ns - self.host_spoke_ns} ns after our last word"
            )
        plant.began = True

    def answered(
        self, body: Body, decision_seq: int, destination: Destination, result: DecisionResult
    ) -> None:
        """The PLC answered a decision."""
        plant = self._plant.get(body)
        if plant is None or result is not DecisionResult.ACCEPTED:
            return
        hold = destination is Destination.HOLD
        if hold and plant.began:
            raise InvariantBroken(
                5, f"a hold for track {body[1]} was accepted after its gate began"
            )
        if not hold and plant.lease_seq and plant.lease is None:
            raise InvariantBroken(5, f"a lease for track {body[1]} replaced a hold")
        plant.lease, plant.lease_seq = (None if hold else destination), decision_seq

    def entered_lane(self, number: int, release: bool) -> None:
        """A true parcel physically entered a lane."""
        if not release:
            return
        body = self._body_of.get(number)
        known = None if body is None else self._known(body)
        if body is not None and (known is None or not known.releases):
            known = self._aside.get(body)
        if body is None or known is None or not known.releases:
            raise InvariantBroken(1, f"parcel {number} is in the release lane without a verdict")
        if known.verdict_seq > self._durable_seq:
            raise InvariantBroken(
                1, f"parcel {number} is in the release lane before its record is safe"
            )
        plant = self._plant[body]
        if not plant.began or plant.lease is not Destination.RELEASE:
            raise InvariantBroken(5, f"parcel {number} is in the release lane without a lease")
        assert known.verdict is not None
        other = self._released.setdefault(known.verdict.list_key, number)
        if other != number:
            raise InvariantBroken(
                2, f"parcels {other} and {number} were both released on {known.verdict.list_key}"
            )
