"""The journal of a simulated host: production batcher, chain and records on a virtual disk.

It stands where `JournalWriter` and its `Committer` stand: one commit under way, the rest waits and
goes with the next one. It acknowledges only what is stored, and nothing after a failure until `reopen`.
When its process dies it is left alone: nothing that it has still planned happens.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from errno import ENOSPC
from functools import partial
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import wire
from controller.core.commands import Command, CommitVerdict, RecordOutcome
from controller.core.events import Event
from controller.core.vocabulary import PassEnd
from controller.journal import records
from controller.journal.batcher import Batcher
from controller.journal.chain import Draft, Head, Record, Start, seal
from controller.journal.committer import Group
from controller.journal.day_file import PassNote
from controller.journal.writer import CHECKPOINT_EVERY, SNAPSHOT_EVERY
from sim.sweep.agenda import Agenda
from sim.virtual_disk import COMMIT_NS_MAX, COMMIT_NS_MIN, VirtualDisk


class VirtualJournal:
    """`on_durable(journal_seq)` and `on_failed(sentence)` as JournalWriter; `bytes_written` of bodies."""

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
        self._line = line
        self._key = key
        self._set_aside = start.set_aside
        self._next_seq = self._checkpoint_seq = self._state_seq = start.next_seq
        self._head = start.head
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._at_ns = 0
        self._file_open = False
        self._batcher: Batcher[Group] = Batcher()
        self._under_way: tuple[Group, ...] = ()
        self._unsure: tuple[Group, ...] = ()
        self._failed = False
        self.dead = False
        self.durable_seq = start.head.journal_seq
        self.bytes_written = 0

    # --- the process's side -----------------------------------------------------------------------

    @property
    def next_seq(self) -> int:
        """The number of the next record."""
        return self._next_seq

    def begin_file(self, at_ns: int, day: str, header: records.FileHeader) -> int:
        """As JournalWriter."""
        if self._file_open:
            self._add((self._checkpoint(final=True),))
        self._at_ns = at_ns
        header = replace(header, set_aside=self._set_aside)
        opening = self._draft(records.FILE_HEADER, partial(_header_body, header))
        self._add((opening, self._checkpoint(final=False)), opens_day=day)
        self._set_aside = ()
        self._state_seq = opening.journal_seq
        self._file_open = True
        return opening.journal_seq

    def append(self, at_ns: int, event: Event, commands: Iterable[Command]) -> int:
        """As JournalWriter."""
        self._at_ns = at_ns
        drafts, notes = [], []
        for message in (event, *commands):
            body = wire.encode_body(message)
            self.bytes_written += len(body)
            draft = Draft(self._next_seq, at_ns, wire.kind_of(message), body)
            self._next_seq += 1
            drafts.append(draft)
            if isinstance(message, CommitVerdict | RecordOutcome) and message.list_key:
                notes.append(_pass_note(message, draft.journal_seq))
        last_seq = drafts[-1].journal_seq
        self._add_signed(drafts, notes)
        return last_seq

    @property
    def snapshot_due(self) -> bool:
        """As JournalWriter."""
        return self._next_seq - self._state_seq >= SNAPSHOT_EVERY

    def append_snapshot(self, at_ns: int, state: bytes) -> int:
        """As JournalWriter."""
        self._at_ns = at_ns
        draft = self._draft(records.STATE_SNAPSHOT, wire.encode_body(records.StateSnapshot(state)))
        self._state_seq = draft.journal_seq
        self._add_signed([draft], [])
        return draft.journal_seq

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

    def _draft(self, kind: int, body: bytes | Callable[[Head], bytes]) -> Draft:
        draft = Draft(self._next_seq, self._at_ns, kind, body)
        self._next_seq += 1
        return draft

    def _checkpoint(self, final: bool) -> Draft:
        self._checkpoint_seq = self._next_seq
        body = partial(_checkpoint_body, self._key, self._line, final)
        return self._draft(records.CHECKPOINT, body)

    def _add_signed(self, drafts: list[Draft], notes: list[PassNote]) -> None:
        if self._next_seq - self._checkpoint_seq >= CHECKPOINT_EVERY:
            drafts.append(self._checkpoint(final=False))
        self._add(tuple(drafts), tuple(notes))

    def _add(
        self, drafts: tuple[Draft, ...], notes: tuple[PassNote, ...] = (), opens_day: str = ""
    ) -> None:
        self._batcher.add(Group(drafts, notes, opens_day))
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


def _header_body(header: records.FileHeader, head: Head) -> bytes:
    return wire.encode_body(replace(header, previous_seq=head.journal_seq, previous_head=head.hash))


def _checkpoint_body(key: Ed25519PrivateKey, line: str, final: bool, head: Head) -> bytes:
    return wire.encode_body(records.sign(key, line, head, final))


def _pass_note(message: CommitVerdict | RecordOutcome, journal_seq: int) -> PassNote:
    end = message.end if isinstance(message, RecordOutcome) else PassEnd.OPEN
    return PassNote(message.list_key, message.pass_no, int(end), journal_seq)
