"""The `records` process: follows the journals read-only and keeps records.db up with them.

It looks for new journal records a few times a second and applies them in slices, each slice with its
position in one transaction: after a kill it goes on where the last transaction ended, and nothing is
doubled. It must never write to a journal. Being late is no harm to the line; the pages say by how
much.
"""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path

import apsw

from controller.clock import SystemClock
from controller.interfaces import Clock
from controller.journal import reader
from controller.journal.day_file import journal_files
from controller.records import schema
from controller.records.fold import Fold

log = logging.getLogger(__name__)

# Looked for this often: a person sees a parcel in the records within half a second.
LOOK_EVERY_S = 0.2
# One transaction: about 20 parcels, some 30 ms of writing.
SLICE_RECORDS = 500
# Position and time are stored at least this often; the pages call records silent for 5 s old.
SIGN_OF_LIFE_NS = 1_000_000_000


class LineFollower:
    """One line: its journal on one side, its rows on the other."""

    def __init__(self, db: apsw.Connection, directory: Path, clock: Clock) -> None:
        self.line = directory.name
        self._db = db
        self._directory = directory
        self._clock = clock
        self._signed_ns: int | None = None
        self._fold = self._resume()
        self._journal = reader.Follower(directory, self._fold.journal_seq)

    def catch_up(self) -> int:
        """Apply the next slice; the number of records applied (0: level with the journal).

        reader.NotAJournal where a file cannot be read: what came before it is applied.
        """
        file = self._journal.path
        if file is not None and not file.exists():
            raise reader.NotAJournal(f"{file.name} is not there any more")  # set aside: begin again
        chunk = self._journal.read(SLICE_RECORDS)
        now_ns = self._clock.monotonic_ns()
        signed = self._signed_ns is not None and now_ns - self._signed_ns < SIGN_OF_LIFE_NS
        if not chunk and signed:
            return 0
        with self._db:
            for record in chunk:
                self._fold.apply(
                    record.journal_seq, record.at_ns, record.kind, record.body, record.hash
                )
            # A slice that is not full reached the end of the journal.
            head_seq = _head_seq(self._directory) if len(chunk) == SLICE_RECORDS else 0
            self._fold.store_position(head_seq, self._clock.utc_ns())
        self._signed_ns = now_ns
        return len(chunk)

    def close(self) -> None:
        self._journal.close()

    def _resume(self) -> Fold:
        """Where the rows end; or nowhere, if they were not made from this journal."""
        fold = Fold(self._db, self.line)
        if fold.journal_seq == 0 or _hash_at(self._directory, fold.journal_seq) == fold.hash:
            return fold
        log.warning(
            "line %s: records.db ends at record %d, which its journal does not hold: built anew",
            self.line,
            fold.journal_seq,
        )
        with self._db:
            schema.forget_line(self._db, self.line)
        return Fold(self._db, self.line)


class Follower:
    """All lines of one state directory; a line joins when its journal folder appears."""

    def __init__(self, db: apsw.Connection, state_dir: Path, clock: Clock) -> None:
        self._db = db
        self._journals = state_dir / "journal"
        self._clock = clock
        self._lines: dict[Path, LineFollower] = {}
        self._complaints: dict[str, str] = {}

    def catch_up(self) -> int:
        """The next slice of every line; the number of records applied. A line whose journal cannot be
        read is named once and tried again; the others go on."""
        return sum(self._catch_up(directory) for directory in self._directories())

    def close(self) -> None:
        for follower in self._lines.values():
            follower.close()
        self._lines.clear()

    def _directories(self) -> list[Path]:
        if not self._journals.is_dir():
            return []
        return sorted(path for path in self._journals.iterdir() if path.is_dir())

    def _catch_up(self, directory: Path) -> int:
        try:
            follower = self._lines.get(directory)
            if follower is None:
                follower = self._lines[directory] = LineFollower(self._db, directory, self._clock)
            applied = follower.catch_up()
        except (reader.NotAJournal, OSError) as error:
            if self._complaints.get(directory.name) != str(error):
                log.warning("line %s: the journal is not followed: %s", directory.name, error)
            self._complaints[directory.name] = str(error)
            if broken := self._lines.pop(directory, None):
                broken.close()
            return 0
        self._complaints.pop(directory.name, None)
        return applied


async def run_records(
    state_dir: Path, ready: Callable[[], None], clock: Clock | None = None
) -> None:
    """The process: until cancelled. `ready` is called once the records are level with the journals.

    apsw.Error or OSError: records.db cannot be written; the supervisor says so and starts it again.
    """
    db = schema.open_for_writing(schema.records_path(state_dir))
    follower = Follower(db, state_dir, clock or SystemClock())
    told = False
    try:
        while True:
            if follower.catch_up():
                await asyncio.sleep(0)
                continue
            if not told:
                ready()
                told = True
            await asyncio.sleep(LOOK_EVERY_S)
    finally:
        follower.close()
        db.close()


def _head_seq(directory: Path) -> int:
    """Number of the newest record of a line, 0 where there is none."""
    for path in reversed(journal_files(directory)):
        journal = reader.JournalReader(path)
        try:
            last = journal.last()
        finally:
            journal.close()
        if last is not None:
            return last.journal_seq
    return 0


def _hash_at(directory: Path, journal_seq: int) -> bytes:
    """Hash of one record, empty where the journal has no such record."""
    journal = reader.Follower(directory, journal_seq - 1)
    try:
        chunk = journal.read(1)
    finally:
        journal.close()
    return chunk[0].hash if chunk and chunk[0].journal_seq == journal_seq else b""
