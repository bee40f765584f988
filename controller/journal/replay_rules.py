"""What another rule file would have done: every pass of a journal judged a second time.

Two cores take the recorded events. One has the recorded rules and is compared with the journal as in
any replay. The other has the new rules in place of every version; wherever it goes another way, its
answer is noted and it is put back beside the first, because what the journal tells afterwards (an
echo, a gate, a lane) followed from what was decided then. So each pass is judged exactly once, at the
moment and on the evidence of its recorded verdict. What this cannot know: docs/decisions/0025.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from controller.core.commands import Command, CommitVerdict
from controller.core.events import Event, RulesActivated
from controller.core.line import LineController
from controller.core.parcel import Parcel
from controller.core.settings import Rules
from controller.core.state import CoreState
from controller.core.vocabulary import Destination, Reason
from controller.journal.records import FileHeader, decode_state, encode_state
from controller.journal.replay import ReplayReport, replay

MakeLineCore = Callable[[FileHeader], LineController]


@dataclass(frozen=True, slots=True)
class VerdictChange:
    """A pass that the new rules judge otherwise. `waybill` is "" where no one list was found."""

    waybill: str
    pass_no: int
    codes: tuple[str, ...]
    old_destination: Destination
    old_reasons: tuple[Reason, ...]
    new_destination: Destination
    new_reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class RulesReport:
    """`parcels` passes were judged, each once, and `changes` are those that the new rules change, in
    order. `undecided` passes were still on their way when the journal ends. Where `recorded` shows
    differences, the software itself decides otherwise, and the changes are not the rules' alone.
    """

    parcels: int
    changes: tuple[VerdictChange, ...]
    undecided: int
    recorded: ReplayReport

    @property
    def would_release(self) -> tuple[VerdictChange, ...]:
        return tuple(c for c in self.changes if _is_release(c.new_destination))

    @property
    def would_hold(self) -> tuple[VerdictChange, ...]:
        """Released then, and not any more, wherever they would go instead."""
        return tuple(c for c in self.changes if _is_release(c.old_destination))

    @property
    def would_redirect(self) -> tuple[VerdictChange, ...]:
        """Not released either way, but sent elsewhere."""
        return tuple(c for c in self._kept() if c.old_destination is not c.new_destination)

    @property
    def would_give_other_reasons(self) -> tuple[VerdictChange, ...]:
        """Sent to the same place, for other reasons."""
        return tuple(c for c in self._kept() if c.old_destination is c.new_destination)

    def _kept(self) -> list[VerdictChange]:
        return [
            change
            for change in self.changes
            if not _is_release(change.old_destination) and not _is_release(change.new_destination)
        ]


def replay_with_rules(
    path: Path, rules: Rules, make_core: MakeLineCore, software_version: str = ""
) -> RulesReport:
    """Judge every pass of a file, or of a directory, under `rules`; the rest is as in `replay`."""
    cores = _BothCores(rules)
    recorded = replay(path, lambda header: cores.begin(make_core(header)), software_version)
    return RulesReport(cores.parcels, tuple(cores.changes), cores.undecided, recorded)


class _BothCores:
    """A `Core` to replay, file after file: it answers as the one with the recorded rules does.

    `parcels` counts the passes judged so far, `changes` are those judged otherwise.
    """

    def __init__(self, rules: Rules) -> None:
        self.parcels = 0
        self.changes: list[VerdictChange] = []
        self._rules = rules
        self._recorded: LineController | None = None
        self._other: LineController | None = None

    def begin(self, recorded: LineController) -> "_BothCores":
        """The next file. What was seen under the new rules goes on if this file begins in the very
        state in which the last one ended."""
        before = self._recorded
        if before is None or encode_state(before.state) != encode_state(recorded.state):
            self._other = None
        self._recorded = recorded
        self._other = self._beside()
        return self

    @property
    def state(self) -> CoreState:
        assert self._recorded is not None
        return self._recorded.state

    @property
    def undecided(self) -> int:
        """Passes that still wait for their verdict."""
        return len(_not_judged(self._recorded))

    def handle(self, at_ns: int, event: Event) -> tuple[Command, ...]:
        """The recorded rules' commands; the other rules' verdicts on the way."""
        assert self._recorded is not None
        assert self._other is not None
        commands = self._recorded.handle(at_ns, event)
        if isinstance(event, RulesActivated):
            event = replace(event, rules=self._rules)
        others = self._other.handle(at_ns, event)
        verdicts = _first_verdicts(others)
        for pass_no, verdict in _first_verdicts(commands).items():
            self._compare(verdict, verdicts[pass_no])
        if others != commands:
            self._other = self._beside()
        return commands

    def _compare(self, old: CommitVerdict, new: CommitVerdict) -> None:
        self.parcels += 1
        if (old.destination, old.reasons) == (new.destination, new.reasons):
            return
        self.changes.append(
            VerdictChange(
                waybill=old.waybill,
                pass_no=old.pass_no,
                codes=old.codes,
                old_destination=old.destination,
                old_reasons=old.reasons,
                new_destination=new.destination,
                new_reasons=new.reasons,
            )
        )

    def _beside(self) -> LineController:
        """A core in the recorded state with the new rules.

        The parcels that the other core has not judged yet stay as they are there: their evidence was
        taken under the new rules, and a rule may decide whether a reading counts.
        """
        assert self._recorded is not None
        state = decode_state(encode_state(self._recorded.state), CoreState)
        for version in state.rule_versions:
            version.rules = self._rules
        kept = _not_judged(self._other)
        for track_id, parcel in state.parcels.items():
            if parcel.verdict is None and parcel.pass_no in kept:
                state.parcels[track_id] = kept[parcel.pass_no]
        return LineController(self._recorded.settings, state)


def _not_judged(core: LineController | None) -> dict[int, Parcel]:
    if core is None:
        return {}
    waiting = (parcel for parcel in core.state.parcels.values() if parcel.verdict is None)
    return {parcel.pass_no: parcel for parcel in waiting}


def _first_verdicts(commands: tuple[Command, ...]) -> dict[int, CommitVerdict]:
    """By pass number. When a pass is judged no rule says, so both cores judge at the same event."""
    verdicts = (command for command in commands if isinstance(command, CommitVerdict))
    return {verdict.pass_no: verdict for verdict in verdicts if verdict.revision == 0}


def _is_release(destination: Destination) -> bool:
    return destination is Destination.RELEASE
