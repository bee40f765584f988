"""The writer's side that touches the disk: commits batches, and knows what to do when it cannot.

It acknowledges a record only after its commit, and nothing at all after a failure until `reopen`. On a
full disk it frees the ballast and goes on writing, unacknowledged, so that the holds are on record. On
any other error it stops and keeps the batch: whether that reached the disk is found out at `reopen`.
It runs in one thread, reads no clock and waits for nothing.
"""

import errno
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import apsw

from controller.journal.ballast import Ballast
from controller.journal.batcher import BATCH_RECORDS_MAX
from controller.journal.chain import Draft, Head, seal
from controller.journal.day_file import DayFile, PassNote, next_path

# What a record costs in memory beyond its body while it waits.
_DRAFT_BYTES: Final = 200
_DiskTrouble = (apsw.Error, OSError)


@dataclass(frozen=True, slots=True)
class Group:
    """Records that share one commit. `opens_day`: they begin a new file of that YYYYMMDD."""

    drafts: tuple[Draft, ...]
    notes: tuple[PassNote, ...] = ()
    opens_day: str = ""

    @property
    def record_count(self) -> int:
        """For the batcher; a new file is a commit of its own."""
        return BATCH_RECORDS_MAX if self.opens_day else len(self.drafts)

    @property
    def byte_count(self) -> int:
        """For the batcher."""
        return sum(
            _DRAFT_BYTES + (len(draft.body) if isinstance(draft.body, bytes) else 0)
            for draft in self.drafts
        )


class Committer:
    """Owns the open file and the chain's head. `on_failed` is given one sentence per failure."""

    def __init__(
        self,
        directory: Path,
        head: Head,
        on_durable: Callable[[int], None],
        on_failed: Callable[[str], None],
        vfs: str | None = None,
    ) -> None:
        self._directory = directory
        self._head = head
        self._on_durable = on_durable
        self._on_failed = on_failed
        self._vfs = vfs
        self._file: DayFile | None = None
        self._ballast = Ballast(directory)
        self._unsure: tuple[Group, ...] = ()
        self._failed = False

    @property
    def stuck(self) -> bool:
        """Nothing can be written until `reopen`."""
        return bool(self._unsure)

    @property
    def failed(self) -> bool:
        """Nothing is acknowledged until `reopen`."""
        return self._failed

    def reserve(self) -> None:
        """Claim the ballast. A disk without that much room counts as full from the start."""
        try:
            self._ballast.reserve()
        except OSError as error:
            self._fail(_sentence(error))

    def commit(self, batch: tuple[Group, ...]) -> None:
        """Write a batch as one commit and acknowledge it, or fail as the module says."""
        assert not self.stuck
        try:
            self._store(batch)
        except _DiskTrouble as error:
            room = _is_full(error) and self._ballast.release()
            self._fail(_sentence(error))
            if not (room and self._stored(batch)):
                self._unsure = batch
                return
        if not self._failed:
            self._on_durable(self._head.journal_seq)

    def reopen(self) -> None:
        """A person says the disk is well: find out what reached it, go on, acknowledge again."""
        try:
            self._ballast.reserve()
            problem = self._agree_with_disk()
        except _DiskTrouble as error:
            problem = _sentence(error)
        if problem:
            self._fail(problem, again=True)
            return
        self._failed = False
        batch, self._unsure = self._unsure, ()
        if batch:
            self.commit(batch)
        else:
            self._on_durable(self._head.journal_seq)

    def close(self) -> None:
        """Close the file, whatever its state."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _store(self, batch: tuple[Group, ...]) -> None:
        records = seal(self._head, [draft for group in batch for draft in group.drafts])
        notes = [note for group in batch for note in group.notes]
        if batch[0].opens_day:
            self.close()
            path = next_path(self._directory, batch[0].opens_day)
            self._file = DayFile.create(path, records, notes, self._vfs)
        else:
            assert self._file is not None, "begin_file comes first"
            self._file.write(records, notes)
        self._head = records[-1].head

    def _stored(self, batch: tuple[Group, ...]) -> bool:
        try:
            self._store(batch)
        except _DiskTrouble:
            return False
        return True

    def _agree_with_disk(self) -> str:
        """Open the file anew; drop the unsure batch if it landed. A sentence if the disk disagrees."""
        if self._file is None:
            return ""
        path = self._file.path
        failed, self._file = self._file, DayFile(path, self._vfs)
        failed.close()
        tail = self._file.tail()
        if tail == self._head:
            return ""
        landed = seal(self._head, [draft for group in self._unsure for draft in group.drafts])
        if not landed or landed[-1].head != tail:
            return f"{path.name} has lost records that were written: restart the line."
        self._head = tail
        self._unsure = ()
        return ""

    def _fail(self, why: str, again: bool = False) -> None:
        if not self._failed or again:
            self._failed = True
            self._on_failed(why)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in (errno.ENOSPC, errno.EDQUOT)
    return isinstance(error, apsw.FullError)


def _sentence(error: Exception) -> str:
    if _is_full(error):
        return "The journal's disk is full: nothing is released until there is room."
    return f"The journal cannot be written ({error}): nothing is released until it can."
