"""The one place where events meet the core and commands meet the world.

Every event goes through `dispatch`: the core handles it, the journal takes it with its commands, then
the commands are carried out. It runs on the loop's thread only, never waits, and never decides. An
exception here is a bug: the process must stop, and the PLC holds by itself.
"""

from collections import deque
from collections.abc import Callable

from controller.core import commands as c
from controller.core.events import DeadlineReached, Event, ListsAnswered, PlcRecord, VerdictDurable
from controller.core.line import LineController
from controller.core.vocabulary import Destination
from controller.interfaces import Clock, ListReader, PlcLink
from controller.journal import records
from controller.journal.writer import JournalWriter

TellVision = Callable[[c.TellVision], None]


class Dispatcher:
    """Joins one core with its journal, its PLC link, its list reader and its vision workers."""

    def __init__(
        self,
        core: LineController,
        clock: Clock,
        journal: JournalWriter,
        link: PlcLink,
        lists: ListReader,
        tell_vision: TellVision,
    ) -> None:
        self.core = core
        self._clock = clock
        self._journal = journal
        self._link = link
        self._lists = lists
        self._tell_vision = tell_vision
        self._verdicts: deque[tuple[int, int]] = deque()
        self._records: deque[tuple[int, int, int]] = deque()
        self._watched: frozenset[str] = frozenset()
        self.on_dispatched: Callable[[], None] = lambda: None

    def dispatch(self, event: Event) -> None:
        """Handle one event now."""
        at_ns = self._clock.monotonic_ns()
        commands = self.core.handle(at_ns, event)
        journal_seq = self._journal.append(at_ns, event, commands)
        if isinstance(event, PlcRecord):
            self._records.append((journal_seq, event.boot_id, event.ring_seq))
        for command in commands:
            self._carry_out(command, journal_seq)
        self._watch(event, commands)
        if self._journal.snapshot_due:
            self._journal.append_snapshot(at_ns, records.encode_state(self.core.state))
        self.on_dispatched()

    def durable(self, journal_seq: int) -> None:
        """Everything up to `journal_seq` is on the disk: acknowledge it, let releases go."""
        acknowledge = None
        while self._records and self._records[0][0] <= journal_seq:
            acknowledge = self._records.popleft()
        if acknowledge is not None:
            self._link.acknowledge(acknowledge[1], acknowledge[2])
        while self._verdicts and self._verdicts[0][0] <= journal_seq:
            self.dispatch(VerdictDurable(self._verdicts.popleft()[1]))

    def deadline(self) -> None:
        """The timer rang; it may have rung early."""
        deadline_ns = self.core.next_deadline_ns()
        if deadline_ns is not None and self._clock.monotonic_ns() >= deadline_ns:
            self.dispatch(DeadlineReached())
        else:
            self.on_dispatched()

    def _carry_out(self, command: c.Command, journal_seq: int) -> None:
        match command:
            case c.SendDecision():
                self._link.send(command)
            case c.LookUp():
                self._lists.look_up(command)
            case c.CommitVerdict(destination=Destination.RELEASE):
                self._verdicts.append((journal_seq, command.pass_no))
            case c.SetPermits():
                self._link.permit(command.infeed, command.belt)
            case c.TellVision():
                self._tell_vision(command)
            case _:  # verdicts, outcomes, alarms and states are for the journal and the page
                pass

    def _watch(self, event: Event, commands: tuple[c.Command, ...]) -> None:
        """Changes of the lists of the parcels on the belt are wanted, of no others."""
        ended = any(isinstance(command, c.RecordOutcome) for command in commands)
        if not ended and not isinstance(event, ListsAnswered):
            return
        parcels = self.core.state.parcels.values()
        wanted = frozenset(facts.list_key for parcel in parcels for facts in parcel.lists)
        if wanted != self._watched:
            self._watched = wanted
            self._lists.watch(wanted)
