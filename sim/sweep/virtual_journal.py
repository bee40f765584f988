"""The journal of a simulated host: production drafting, batcher and chain on a virtual disk.

It stands where `JournalWriter` and its `Committer` stand: one commit under way, the rest waits and
goes with the next one. It acknowledges only what is stored, and nothing after a failure until `reopen`.
When its process dies it is left alone: nothing that it has still planned happens.
"""

from collections.abc import Callable, Iterable
from errno import ENOSPC
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.core.commands import Command
from controller.core.events import Event
from controller.journal import records
from controller.journal.batcher import Batcher
from controller.journal.chain import Record, Start, seal
from controller.journal.committer import Group
from controller.journal.drafting import Drafting
from sim.sweep.agenda import Agenda
from sim.virtual_disk import COMMIT_NS_MAX, COMMIT_NS_MIN, VirtualDisk


class VirtualJournal:
    """`on_durable(journal_seq)` and `on_failed(sentence)` as JournalWriter."""

    def __init__(
        self,
        disk: VirtualDisk,
        agenda: Agenda,
        rng: Random,
        line: str,
        key: Ed25519PrivateKey,
        start: Start,
        on_durable: Callable[[int], None],
        on_failed: Callable[[str], None],
    ) -> None:
        self._disk = disk
        self._agenda = agenda
        self._rng = rng
        self._drafting = Drafting(line, key, start, self._add)
        self._head = start.head
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._batcher: Batcher[Group] = Batcher()
        self._under_way: tuple[Group, ...] = ()
        self._unsure: tuple[Group, ...] = ()
        self._failed = False
        self.dead = False
        self.durable_seq = start.head.journal_seq

    # --- the process's side -----------------------------------------------------------------------

    @property
    def next_seq(self) -> int:
        """The number of the next record."""
        return self._drafting.next_seq

    def begin_file(self, at_ns: int, day: str, header: records.FileHeader) -> int:
        """As JournalWriter."""
        return self._drafting.begin_file(at_ns, day, header)

    def append(self, at_ns: int, event: Event, commands: Iterable[Command]) -> int:
        """As JournalWriter."""
        return self._drafting.append(at_ns, event, commands)

    @property
    def snapshot_due(self) -> bool:
        """As JournalWriter."""
        return self._drafting.snapshot_due

    def append_snapshot(self, at_ns: int, state: bytes) -> int:
        """As JournalWriter."""
        return self._drafting.append_snapshot(at_ns, state)

    @property
    def waiting_bytes(self) -> int:
        """What waits for the disk."""
        return self._batcher.waiting_bytes

    def reopen(self) -> None:
        """A supervisor says that the disk is well."""
        if self._disk.full or self._disk.broken:
            self._on_failed("The journal's disk is not well.")
            return
        self._disk.ballast = True
        self._failed = False
        batch, self._unsure = self._unsure, ()
        if batch:
            self._begin(batch)
        else:
            self._on_durable(self.durable_seq)
            self._go_on()

    def die(self, lands: bool) -> None:
        """The process is gone. `lands`: the commit under way had reached the disk all the same."""
        self.dead = True
        if lands and self._under_way and not (self._disk.full or self._disk.broken):
            self._store(self._under_way)

    def flush(self) -> None:
        """Put everything that was appended into the files, whatever the disk's state: for a report."""
        self._disk.full = self._disk.broken = False
        groups = [*self._unsure, *self._under_way]
        while batch := self._batcher.take():
            groups += batch
        self._under_way = self._unsure = ()
        for group in groups:
            self._store((group,))

    def _add(self, group: Group) -> None:
        self._batcher.add(group)
        self._go_on()

    # --- the disk's side --------------------------------------------------------------------------

    def _go_on(self) -> None:
        if not self._under_way and not self._unsure and (batch := self._batcher.take()):
            self._begin(batch)

    def _begin(self, batch: tuple[Group, ...]) -> None:
        self._under_way = batch
        takes_ns = self._rng.randrange(COMMIT_NS_MIN, COMMIT_NS_MAX)
        self._agenda.at(self._disk.ready_ns(self._agenda.now_ns, takes_ns), self._done)

    def _done(self) -> None:
        if self.dead:
            return
        if self._agenda.now_ns < self._disk.stalled_until_ns:
            self._agenda.at(self._disk.stalled_until_ns, self._done)
            return
        batch, self._under_way = self._under_way, ()
        if self._commit(batch) and not self._failed:
            self._on_durable(self.durable_seq)
        if not self.dead:
            self._go_on()

    def _commit(self, batch: tuple[Group, ...]) -> bool:
        """Store, or fail as `Committer` does: a full disk frees the ballast and goes on unacknowledged."""
        try:
            self._store(batch)
        except OSError as error:
            self._unsure = batch  # nothing may overtake it while the failure is told
            room = error.errno == ENOSPC and self._disk.release_ballast()
            self._fail(f"The journal cannot be written ({error.strerror}).")
            if not room:
                return False
            self._store(batch)
            self._unsure = ()
        return True

    def _store(self, batch: tuple[Group, ...]) -> None:
        sealed: tuple[Record, ...] = seal(self._head, [d for group in batch for d in group.drafts])
        notes = [note for group in batch for note in group.notes]
        self._disk.store(batch[0].opens_day, sealed, notes)
        self._head = sealed[-1].head
        self.durable_seq = self._head.journal_seq

    def _fail(self, why: str) -> None:
        if not self._failed:
            self._failed = True
            self._on_failed(why)
