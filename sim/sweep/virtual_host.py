"""A line process in virtual time: production core, dispatcher, link, exchange and journal chain, with the
parts around them that `controller.runtime.line_process` builds.

It can die at any event, before or after the event is journalled, and start again from what the disk
holds; and it can stand still for a while. A `HostKilled` goes up to whoever drives the run.
"""

from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from random import Random
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.config import LineConfig
from controller.core.commands import Command
from controller.core.events import (
    ClockRead,
    Event,
    HostStarted,
    JournalFailed,
    JournalRecovered,
    RulesActivated,
)
from controller.core.line import LineController
from controller.core.snapshot import LineSnapshot
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.journal.keys import PublicKeys, key_id
from controller.journal.recovery import Recovered
from controller.journal.writer import WAITING_BYTES_MAX, JournalWriter
from controller.runtime.dispatch import Dispatcher
from controller.runtime.journal_word import JournalWord
from controller.runtime.line_process import CLOCK_READ_PERIOD_NS, CLOCK_STEP_NS
from controller.runtime.start import file_header, replayed_core
from sim.invariants import Invariants
from sim.sweep.agenda import NEVER_NS, Agenda, VirtualClock
from sim.sweep.recovery import recover
from sim.sweep.virtual_journal import VirtualJournal
from sim.sweep.virtual_link import VirtualLink
from sim.sweep.virtual_lists import ListStore, VirtualReader
from sim.sweep.virtual_wire import Medium
from sim.virtual_disk import VirtualDisk

VERSION: Final = "sweep"
KEY: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC_KEYS: PublicKeys = {key_id(KEY.public_key()): KEY.public_key()}
EARLY_PICTURES_MAX, ALARMS_MAX = 8, 64


class HostKilled(Exception):
    """The process ended in the middle of what it did."""


class _Person:
    """A supervisor who waits for the answer."""

    connected = True

    def answer(self, message: LineSnapshot) -> None:
        """Done."""

    def refuse(self, why: str) -> None:
        """Not done; he comes again."""


class VirtualHost:
    """`start` builds a process; `die` ends it. `seen` is told every journalled event with its commands.

    `core` is the running core, None while the process is dead.
    """

    def __init__(
        self,
        config: LineConfig,
        agenda: Agenda,
        rng: Random,
        disk: VirtualDisk,
        medium: Medium,
        store: ListStore,
        clock: VirtualClock,
        invariants: Invariants,
        every_poll: bool = False,
    ) -> None:
        self._config = config
        self._agenda = agenda
        self._rng = rng
        self._disk = disk
        self._medium = medium
        self._store = store
        self.clock = clock
        self._invariants = invariants
        self._every_poll = every_poll
        self.rules_texts = {config.rules_id: config.rules_text}
        self.core: LineController | None = None
        self.events = 0
        self.seen: Callable[[Event, tuple[Command, ...], int], None] = lambda event, commands, seq: (
            None
        )
        self.on_recovered: Callable[[Recovered, LineController], None] = lambda found, core: None
        self.first_core: Callable[[LineController], None] = lambda core: None
        # Die at this many events from now, before (False) or after (True) the event is journalled.
        self.dies_in: int | None = None
        self.dies_after = False
        # when the disk last had everything, or some of it
        self.durable_ns = agenda.now_ns
        self._paused_until_ns = 0
        self._waiting: deque[Callable[[], None]] = deque()
        self._due_ns = NEVER_NS
        self._due_known = False
        self._day = ""
        self._clock_read_ns = 0
        self._utc_offset_ns = 0

    @property
    def alive(self) -> bool:
        return self.core is not None

    # --- life and death ---------------------------------------------------------------------------

    def start(self) -> None:
        """As `LineProcess`: recover, begin a file, announce, connect."""
        rng, agenda = self._rng, self._agenda
        session = rng.randrange(1 << 16) << 16 | rng.randrange(1, 1 << 16)
        found = recover(self._disk, PUBLIC_KEYS)
        config = self._config
        core = replayed_core(config.line, config.rules_id, config.rules, found)
        if found.header is None:
            self.first_core(core)
        self.on_recovered(found, core)
        doubted = not core.state.journal_ok
        self.core, self._found = core, found
        self._paused_until_ns = 0
        self.journal = VirtualJournal(
            self._disk,
            agenda,
            rng,
            config.line.name,
            KEY,
            found.start,
            lambda seq: self._entered(partial(self._durable, seq)),
            lambda why: self._entered(partial(self._failed, why)),
        )
        self.link = VirtualLink(self._medium, agenda, self.clock, session, self._every_poll)
        self.reader = VirtualReader(
            self._store, agenda, rng, self.deliver, self._disk.earlier_passes
        )
        self._word = JournalWord(self.journal.reopen, self.deliver, self._snapshot)
        journal = cast(JournalWriter, _Ledger(self, self.journal))
        self._dispatcher = Dispatcher(
            core, self.clock, journal, self.link, self.reader, lambda context: None
        )
        self._dispatcher.on_dispatched = self._arm
        self._invariants.started(core.state.rule_versions[-1].rules_id, session)
        self.begin_file()
        self._announce(session, doubted)
        self.link.start(self._deliver_from_link)
        self._keep_house(core)

    def _announce(self, session: int, doubted: bool) -> None:
        self._dispatcher.dispatch(HostStarted(session, VERSION))
        self._read_clock()
        if self._found.set_aside:
            names = ", ".join(aside.path.name for aside in self._found.set_aside)
            self._dispatcher.dispatch(JournalFailed(f"journals set aside: {names}"))
        elif doubted:
            why = "failed before this start, and no supervisor's word since"
            self._dispatcher.dispatch(JournalFailed(why))

    def die(self, lands: bool) -> None:
        """The process is gone; `lands`: the commit under way is on the disk all the same."""
        if self.core is None:
            return
        self.core, self.dies_in = None, None
        self._waiting.clear()
        self.reader.dead = True
        self.journal.die(lands)
        self.link.kill()
        self._due_known, self._due_ns = True, NEVER_NS

    def pause_until(self, at_ns: int) -> None:
        """The process stands still."""
        self._paused_until_ns = at_ns

    @property
    def paused(self) -> bool:
        return self._agenda.now_ns < self._paused_until_ns

    # --- events -----------------------------------------------------------------------------------

    def deliver(self, event: Any) -> None:
        """An event from a thread or a socket; lost if there is no process."""
        self._entered(partial(self._dispatch, event))

    def _deliver_from_link(self, event: Event) -> None:
        self._dispatcher.dispatch(event)

    def _dispatch(self, event: Event) -> None:
        self._dispatcher.dispatch(event)
        if isinstance(event, RulesActivated):
            self.rules_texts[event.rules_id] = event.text
            self.begin_file()

    def _entered(self, act: Callable[[], None]) -> None:
        """Do `act` in the process that lives now, once it does not stand still."""
        if self.core is None:
            return
        if not (self.paused or self._waiting):
            act()
            return
        if not self._waiting:
            self._agenda.at(self._paused_until_ns, partial(self._go_on, self.core))
        self._waiting.append(act)

    def _go_on(self, core: LineController) -> None:
        """After a pause: what came meanwhile, in the order in which it came."""
        while self._waiting and self.core is core:
            if self.paused:
                self._agenda.at(self._paused_until_ns, partial(self._go_on, core))
                return
            self._waiting.popleft()()

    def _durable(self, seq: int) -> None:
        self.durable_ns = self._agenda.now_ns
        self._invariants.durable(seq)
        self._dispatcher.durable(seq)
        self._word.durable()

    def _failed(self, why: str) -> None:
        self._dispatcher.dispatch(JournalFailed(why))
        self._word.failed(why)

    def supervise(self, who: str) -> None:
        """A supervisor gives the word that the journal is well."""
        self._entered(lambda: self._word.given(JournalRecovered(who), _Person()))

    def poll(self) -> None:
        """The PLC's scan is done."""
        if self.core is not None and not self.paused:
            self.link.poll()

    # --- time -------------------------------------------------------------------------------------

    @property
    def due_ns(self) -> int:
        """When the core's deadline is to be called, in the agenda's time; NEVER_NS without one."""
        if not self._due_known:
            assert self.core is not None, "a dead process has no deadline"
            deadline_ns = self.core.next_deadline_ns()
            self._due_known, self._due_ns = True, NEVER_NS
            if deadline_ns is not None:
                due_ns = deadline_ns + self.clock.boot_ns
                self._due_ns = max(due_ns, self._armed_ns + NS_PER_MS, self._paused_until_ns)
        return self._due_ns

    def deadline(self) -> None:
        self._due_known = False
        self._armed_ns = self._agenda.now_ns
        if not self.paused:
            self._dispatcher.deadline()

    def _arm(self) -> None:
        self._due_known = False
        self._armed_ns = self._agenda.now_ns

    def _keep_house(self, core: LineController) -> None:
        """Each second: clock and day."""
        if self.core is not core:
            return
        self._agenda.after(NS_PER_S, lambda: self._keep_house(core))
        self._entered(self._look_at_clock)

    def _look_at_clock(self) -> None:
        at_ns, utc_ns = self.clock.monotonic_ns(), self.clock.utc_ns()
        stepped = abs(utc_ns - at_ns - self._utc_offset_ns) > CLOCK_STEP_NS
        if stepped or at_ns - self._clock_read_ns >= CLOCK_READ_PERIOD_NS:
            self._read_clock()
        if _day_of(utc_ns) > self._day:
            self.begin_file()

    def _read_clock(self) -> None:
        self._clock_read_ns = self.clock.monotonic_ns()
        utc_ns = self.clock.utc_ns()
        self._utc_offset_ns = utc_ns - self._clock_read_ns
        self._dispatcher.dispatch(ClockRead(utc_ns, True))

    def begin_file(self) -> None:
        """As LineProcess."""
        assert self.core is not None
        utc_ns = self.clock.utc_ns()
        self._day = max(_day_of(utc_ns), self._found.day)
        rules_text = self.rules_texts.get(self.core.state.rule_versions[-1].rules_id, "")
        header = file_header(self._config, self.core, rules_text, VERSION, utc_ns)
        self.journal.begin_file(self.clock.monotonic_ns(), self._day, header)

    def _snapshot(self) -> LineSnapshot:
        assert self.core is not None
        return self.core.snapshot(self.clock.monotonic_ns())

    # --- what must hold after every event -----------------------------------------------------------

    def note(self, event: Event, commands: tuple[Command, ...], first_seq: int) -> None:
        """The event and its commands are in the journal's queue."""
        assert self.core is not None
        state, check = self.core.state, self._invariants
        check.handled(self._agenda.now_ns, event, commands, first_seq)
        tally = state.tally
        check.counted(tally.inducted, tally.released + tally.held, len(state.parcels))
        limit = self._config.line.parcels_on_belt_max
        check.bounded("parcels on the belt", len(state.parcels), limit)
        check.bounded("early pictures", len(state.early_pictures), EARLY_PICTURES_MAX)
        check.bounded("alarms", len(state.alarms), ALARMS_MAX)
        check.bounded("rule versions", len(state.rule_versions), limit + 2)
        check.bounded("bytes wait for the disk", self.journal.waiting_bytes, WAITING_BYTES_MAX)
        self.seen(event, commands, first_seq)

    def dies_now(self, journalled: bool) -> bool:
        """Whether the process ends at this event."""
        if self.dies_in is None or journalled != self.dies_after:
            return False
        self.dies_in -= 1
        return self.dies_in <= 0


class _Ledger:
    """The journal as the dispatcher sees it: counts events, checks, and dies where it is told to."""

    def __init__(self, host: VirtualHost, journal: VirtualJournal) -> None:
        self._host = host
        self._journal = journal

    def append(self, at_ns: int, event: Event, commands: tuple[Command, ...]) -> int:
        host = self._host
        host.events += 1
        if host.dies_now(journalled=False):
            raise HostKilled
        first_seq = self._journal.next_seq
        last_seq = self._journal.append(at_ns, event, commands)
        host.note(event, commands, first_seq)
        if host.dies_now(journalled=True):
            raise HostKilled
        return last_seq

    @property
    def snapshot_due(self) -> bool:
        return self._journal.snapshot_due

    def append_snapshot(self, at_ns: int, state: bytes) -> int:
        return self._journal.append_snapshot(at_ns, state)


def _day_of(utc_ns: int) -> str:
    return datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).strftime("%Y%m%d")
