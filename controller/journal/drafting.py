"""What goes into the journal, before any disk: numbers, bodies, signed checkpoints, notes of passes.

An event and the commands it caused are one commit. Every record is covered by a signed checkpoint at
most CHECKPOINT_EVERY records later, and when a file is closed. It never waits and never touches a disk:
each commit goes to `add`.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import wire
from controller.core.commands import Command, CommitVerdict, RecordOutcome
from controller.core.events import Event
from controller.core.vocabulary import PassEnd
from controller.journal import records
from controller.journal.chain import Draft, Head, Start
from controller.journal.committer import Group
from controller.journal.day_file import PassNote

# What a restart has to verify, and what a cut tail can hide unsigned: about 70 parcels.
CHECKPOINT_EVERY: Final = 2_000
# What a restart has to replay: a fraction of a second.
SNAPSHOT_EVERY: Final = 2_000


class Drafting:
    """Numbers records from `start` on. All calls come from one thread."""

    def __init__(
        self,
        line: str,
        signing_key: Ed25519PrivateKey,
        start: Start,
        add: Callable[[Group], None],
    ) -> None:
        self._line = line
        self._key = signing_key
        self._add = add
        self._set_aside = start.set_aside
        self.next_seq = start.next_seq
        self._checkpoint_seq = start.next_seq
        self._state_seq = start.next_seq
        self._at_ns = 0
        self._signer = _Signer(signing_key, line)
        self._file_open = False

    def begin_file(self, at_ns: int, day: str, header: records.FileHeader) -> int:
        """Change to a new file of `day` (YYYYMMDD); the first call comes before any `append`.

        `header.state` is the core's state now, parcels in flight included; the chain's fields in it
        are filled in here. The old file is closed with a signed checkpoint. Returns the header's
        journal_seq.
        """
        self.end_file()
        self._at_ns = at_ns
        self._signer = _Signer(self._key, self._line)
        header = replace(header, set_aside=self._set_aside)
        opening = self._draft(records.FILE_HEADER, partial(_header_body, header))
        self._add(Group((opening, self._checkpoint(final=False)), opens_day=day))
        self._set_aside = ()
        self._state_seq = opening.journal_seq
        self._file_open = True
        return opening.journal_seq

    def end_file(self) -> None:
        """Close the file, if one is open, with a signed checkpoint."""
        if self._file_open:
            self._add(Group((self._checkpoint(final=True),)))

    def append(self, at_ns: int, event: Event, commands: Iterable[Command]) -> int:
        """An event and the commands it caused as one commit; the last one's journal_seq."""
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
        return self.next_seq - self._state_seq >= SNAPSHOT_EVERY

    def append_snapshot(self, at_ns: int, state: bytes) -> int:
        """The core's state (`records.encode_state`) after the last appended event."""
        assert self._file_open
        self._at_ns = at_ns
        body = wire.encode_body(records.StateSnapshot(state))
        draft = self._draft(records.STATE_SNAPSHOT, body)
        self._state_seq = draft.journal_seq
        self._add_signed([draft], [])
        return draft.journal_seq

    def _draft(self, kind: int, body: bytes | Callable[[Head], bytes]) -> Draft:
        draft = Draft(self.next_seq, self._at_ns, kind, body)
        self.next_seq += 1
        return draft

    def _checkpoint(self, final: bool) -> Draft:
        self._checkpoint_seq = self.next_seq
        return self._draft(records.CHECKPOINT, partial(self._signer.body, final))

    def _add_signed(self, drafts: list[Draft], notes: list[PassNote]) -> None:
        if self.next_seq - self._checkpoint_seq >= CHECKPOINT_EVERY:
            drafts.append(self._checkpoint(final=False))
        self._add(Group(tuple(drafts), tuple(notes)))


class _Signer:
    """Bodies of one file's checkpoints, made in the disk's thread in the file's order.

    The first one follows the header, whose hash every later one names, too. A batch that is tried again
    is sealed on the same head, and gives the same.
    """

    def __init__(self, key: Ed25519PrivateKey, line: str) -> None:
        self._key = key
        self._line = line
        self._file_header = b""

    def body(self, final: bool, head: Head) -> bytes:
        """A signed checkpoint of `head`."""
        self._file_header = self._file_header or head.hash
        signed = records.sign(self._key, self._line, head, final, self._file_header)
        return wire.encode_body(signed)


def _header_body(header: records.FileHeader, head: Head) -> bytes:
    return wire.encode_body(replace(header, previous_seq=head.journal_seq, previous_head=head.hash))


def _pass_note(message: CommitVerdict | RecordOutcome, journal_seq: int) -> PassNote:
    end = message.end if isinstance(message, RecordOutcome) else PassEnd.OPEN
    return PassNote(message.waybill, message.list_key, message.pass_no, int(end), journal_seq)
