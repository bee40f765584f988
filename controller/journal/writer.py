"""The legal journal as the line process sees it: `append` from the loop, callbacks when durable.

The loop's side numbers and encodes records and never waits; a thread of its own owns the disk (see
committer.py). An event and the commands it caused are one commit. Every record is covered by a signed
checkpoint at most CHECKPOINT_EVERY records later, and when a file is closed. The thread only hashes
and sits in fsync: no other work belongs there.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import wire
from controller.core.commands import Command, CommitVerdict, RecordOutcome
from controller.core.events import Event
from controller.core.vocabulary import PassEnd
from controller.journal import records
from controller.journal.batcher import Batcher
from controller.journal.chain import Draft, Head, Start
from controller.journal.committer import Committer, Group
from controller.journal.day_file import PassNote, locked

# What a restart has to verify, and what a cut tail can hide unsigned: about 70 parcels.
CHECKPOINT_EVERY = 2_000
# What a restart has to replay: a fraction of a second.
SNAPSHOT_EVERY = 2_000
# Records held in memory while the disk is away: hours of a line whose infeed stands.
WAITING_BYTES_MAX = 64 << 20


class JournalWriter:
    """Writes one line's journal. All methods are for the loop's thread; only `close` waits.

    `on_durable(journal_seq)`: every record up to that one is on the disk. `on_failed(sentence)`:
    something could not be written, and nothing more is acknowledged until `reopen`. Both are called
    from the writer's thread. JournalBusy if another process writes in `directory`.
    """

    def __init__(
        self,
        directory: Path,
        line: str,
        signing_key: Ed25519PrivateKey,
        start: Start,
        on_durable: Callable[[int], None],
        on_failed: Callable[[str], None],
        vfs: str | None = None,
    ) -> None:
        self._line = line
        self._key = signing_key
        self._set_aside = start.set_aside
        self._next_seq = start.next_seq
        self._checkpoint_seq = start.next_seq
        self._state_seq = start.next_seq
        self._at_ns = 0
        self._file_open = False
        self._batcher: Batcher[Group] = Batcher()
        self._overflowed = False
        self._on_failed = on_failed
        self._committer = Committer(directory, start.head, on_durable, on_failed, vfs)
        self._held = ExitStack()
        self._held.enter_context(locked(directory))
        self._wake = threading.Event()
        self._reopen_wanted = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"journal-{line}", daemon=True)
        self._thread.start()

    def begin_file(self, at_ns: int, day: str, header: records.FileHeader) -> int:
        """Change to a new file of `day` (YYYYMMDD); the first call comes before any `append`.

        `header.state` is the core's state now, parcels in flight included; the chain's fields in it
        are filled in here. The old file is closed with a signed checkpoint. Returns the header's
        journal_seq.
        """
        if self._file_open:
            self._add((self._checkpoint(final=True),))
        self._at_ns = at_ns
        header = replace(header, set_aside=self._set_aside)
        fill = partial(_header_body, header)
        opening = self._draft(records.FILE_HEADER, fill)
        self._add((opening, self._checkpoint(final=False)), opens_day=day)
        self._set_aside = ()
        self._state_seq = opening.journal_seq
        self._file_open = True
        return opening.journal_seq

    def append(self, at_ns: int, event: Event, commands: Iterable[Command]) -> int:
        """Queue an event and the commands it caused as one commit; the last one's journal_seq."""
        assert self._file_open
        self._at_ns = at_ns
        drafts, notes = [], []
        for message in (event, *commands):
            draft = self._draft(wire.kind_of(message), wire.encode_body(message))
            drafts.append(draft)
            if isinstance(message, CommitVerdict | RecordOutcome) and message.list_key:
                notes.append(_pass_note(message, draft.journal_seq))
        last_seq = drafts[-1].journal_seq
        self._add_signed(drafts, notes)
        return last_seq

    @property
    def snapshot_due(self) -> bool:
        """Whether `append_snapshot` is to be called after this event."""
        return self._next_seq - self._state_seq >= SNAPSHOT_EVERY

    def append_snapshot(self, at_ns: int, state: bytes) -> int:
        """Queue the core's state (`records.encode_state`) after the last appended event."""
        assert self._file_open
        self._at_ns = at_ns
        body = wire.encode_body(records.StateSnapshot(state))
        draft = self._draft(records.STATE_SNAPSHOT, body)
        self._state_seq = draft.journal_seq
        self._add_signed([draft], [])
        return draft.journal_seq

    def reopen(self) -> None:
        """A supervisor says the disk is well. `on_durable` follows, or `on_failed` again."""
        if self._overflowed or not self._thread.is_alive():
            self._on_failed("The journal takes nothing more: restart the line.")
            return
        self._reopen_wanted = True
        self._wake.set()

    def close(self) -> bool:
        """Sign, write what waits, close. Waits for the disk; false if anything was not written."""
        if self._closing:
            return True
        if self._file_open:
            self._add((self._checkpoint(final=True),))
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._held.close()
        return not (self._committer.stuck or self._overflowed)

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
        if self._overflowed:
            return
        if self._batcher.waiting_bytes > WAITING_BYTES_MAX:
            self._overflowed = True
            self._on_failed("The journal's disk has taken nothing for too long: restart the line.")
            return
        self._batcher.add(Group(drafts, notes, opens_day))
        self._wake.set()

    def _run(self) -> None:
        """The writer's thread."""
        try:
            self._committer.reserve()
            while not self._closing:
                self._wake.wait()
                self._wake.clear()
                self._work()
            self._work()
            self._committer.close()
        except BaseException as error:
            self._on_failed(f"The journal's writer has stopped ({error!r}): restart the line.")
            raise

    def _work(self) -> None:
        if self._reopen_wanted:
            self._reopen_wanted = False
            self._committer.reopen()
        while not self._committer.stuck and (batch := self._batcher.take()):
            self._committer.commit(batch)


def _header_body(header: records.FileHeader, head: Head) -> bytes:
    return wire.encode_body(replace(header, previous_seq=head.journal_seq, previous_head=head.hash))


def _checkpoint_body(key: Ed25519PrivateKey, line: str, final: bool, head: Head) -> bytes:
    return wire.encode_body(records.sign(key, line, head, final))


def _pass_note(message: CommitVerdict | RecordOutcome, journal_seq: int) -> PassNote:
    end = message.end if isinstance(message, RecordOutcome) else PassEnd.OPEN
    return PassNote(message.list_key, message.pass_no, int(end), journal_seq)
