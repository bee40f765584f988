"""One journal file: a SQLite database with the records and an index of passes by label.

The index is not in the chain, and a look-up rests on it: it is stored twice, and who asks compares.

Files are named `<YYYYMMDD>.journal`, later ones of the same day `-2`, `-3` ...; the order of names is
the order of records. A file gets its name only when its header is on the disk. One connection writes,
in one thread: SQLite before 3.51.3 could corrupt a WAL file that two connections used at once, so an
older one is refused. Nothing here catches a disk error: the writer judges it.
"""

import errno
import fcntl
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import apsw

from controller.journal.chain import Head, Record
from controller.sqlite_log import log_of

SUFFIX = ".journal"
_NAME = re.compile(r"(\d{8})(?:-(\d+))?\.journal")
# A corrupt file's name after recovery.py has set it aside.
_ASIDE_NAME = re.compile(r"(\d{8}(?:-\d+)?\.journal)\.corrupt-\d+")
_SQLITE_MIN = (3, 51, 3)
_SYNCHRONOUS_FULL = 2
_BUSY_MS = 2_000
# A reader's short SELECT is over by then; no commit waits longer for it when the day changes.
_FOLD_BUSY_MS = 50

_TABLES = """
CREATE TABLE records(
    journal_seq INTEGER PRIMARY KEY,
    at_ns INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    hash BLOB NOT NULL
) STRICT;
CREATE TABLE passes(
    waybill TEXT NOT NULL,
    list_key TEXT NOT NULL,
    pass_no INTEGER NOT NULL,
    end INTEGER NOT NULL,
    journal_seq INTEGER NOT NULL,
    PRIMARY KEY (waybill, list_key, pass_no)
) STRICT, WITHOUT ROWID;
CREATE INDEX passes_twin ON passes(waybill, end);
"""
# The passes as their table holds them, and as their twin does, each read from its own pages alone.
PASSES = "passes INDEXED BY sqlite_autoindex_passes_1"
PASSES_TWIN = "passes INDEXED BY passes_twin"
# A file from before labels were looked up by waybill has no row for this, and no twin that is asked. In
# any case of letters: a rotten bit must not make an old file of a new one.
HAS_WAYBILLS = "SELECT 1 FROM pragma_table_info('passes') WHERE name = 'waybill' COLLATE NOCASE"
_INSERT = "INSERT INTO records VALUES (?, ?, ?, ?, ?)"
# A revocation (a second verdict) leaves the pass as it is; an outcome always comes after the verdict.
_NOTE_PASS = """
INSERT INTO passes VALUES (?, ?, ?, ?, ?)
ON CONFLICT DO UPDATE SET end = excluded.end, journal_seq = excluded.journal_seq
"""


class JournalBusy(RuntimeError):
    """Another process writes this line's journal."""


@dataclass(frozen=True, slots=True)
class PassNote:
    """A row of the index: how a pass of a list stands after record `journal_seq` (end: PassEnd).

    `waybill` is what the label on the box bears: it is sought by that, whoever declared what for it.
    """

    waybill: str
    list_key: str
    pass_no: int
    end: int
    journal_seq: int


def journal_directory(state_directory: Path, line: str) -> Path:
    """Where a line's journal files lie."""
    return state_directory / "journal" / line


def journal_files(directory: Path) -> list[Path]:
    """Every journal file, in the order of their records."""
    named = [path for path in directory.iterdir() if _NAME.fullmatch(path.name)]
    return sorted(named, key=order_of)


def order_of(path: Path) -> tuple[str, int]:
    """Sort key of a journal file's name: its YYYYMMDD, and which file of that day it is."""
    match = _NAME.fullmatch(path.name)
    assert match is not None, path
    return match[1], int(match[2] or 1)


def day_of(path: Path) -> str:
    """The YYYYMMDD of a journal file's name."""
    return order_of(path)[0]


def files_set_aside(directory: Path) -> list[Path]:
    """Every corrupt file that was set aside, in the order of its records."""
    aside = [path for path in directory.iterdir() if _ASIDE_NAME.fullmatch(path.name)]
    return sorted(aside, key=lambda path: order_of(name_before(path)))


def name_before(path: Path) -> Path:
    """The name that a file had before it was set aside; its own if it never was."""
    match = _ASIDE_NAME.fullmatch(path.name)
    return path.with_name(match[1]) if match else path


def next_path(directory: Path, day: str) -> Path:
    """A name for a new file of `day` that sorts after all others, those set aside included: who follows
    the files by name must not take a new one for one that he knows.

    A day before the newest file's takes the newest day: days only move forward, whatever the clock.
    """
    named = [*journal_files(directory), *map(name_before, files_set_aside(directory))]
    files = sorted(named, key=order_of)
    if not files or day_of(files[-1]) < day:
        return directory / f"{day}{SUFFIX}"
    newest, number = order_of(files[-1])
    return directory / f"{newest}-{number + 1}{SUFFIX}"


@contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Hold the directory's writer lock. JournalBusy if another holder has it."""
    directory.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(directory / "writer.lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise JournalBusy(f"another process writes the journal in {directory}") from error
        yield
    finally:
        os.close(descriptor)


class DayFile:
    """The writing end of one file. To be used from one thread; apsw.Error on any disk trouble."""

    def __init__(self, path: Path, vfs: str | None = None) -> None:
        """Open an existing file. `vfs` names an SQLite file system other than the machine's."""
        self.path = path
        self._vfs = vfs
        self._db = _connect(path, vfs)

    @classmethod
    def create(
        cls,
        path: Path,
        records: Iterable[Record],
        notes: Iterable[PassNote] = (),
        vfs: str | None = None,
    ) -> "DayFile":
        """A new file that begins with `records`; it has its name only once they are on the disk."""
        assert not path.exists(), path
        unnamed = path.with_name(path.name + ".new")
        for leftover in path.parent.glob("*.new*"):
            leftover.unlink()
        file = cls(unnamed, vfs)
        try:
            file._db.execute(_TABLES)
            file.write(records, notes)
            # All of it must be in the database itself: a WAL file would not follow the new name.
            file._db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
            file._db.close()
        except apsw.Error:
            file.close()
            raise
        for left_behind in (path.with_name(path.name + "-wal"), path.with_name(path.name + "-shm")):
            # Of a file that was set aside (recovery.py): SQLite would take it for this one's.
            left_behind.unlink(missing_ok=True)
        unnamed.rename(path)
        try:
            _sync_directory(path.parent)
            return cls(path, vfs)
        except (apsw.Error, OSError):
            path.unlink()
            raise

    def write(self, records: Iterable[Record], notes: Iterable[PassNote] = ()) -> None:
        """One commit. When it returns, the records survive a power cut; if it raises, none is there."""
        rows = [(r.journal_seq, r.at_ns, r.kind, r.body, r.hash) for r in records]
        self._db.execute("BEGIN IMMEDIATE")
        try:
            self._db.executemany(_INSERT, rows)
            noted = [(n.waybill, n.list_key, n.pass_no, n.end, n.journal_seq) for n in notes]
            self._db.executemany(_NOTE_PASS, noted)
            self._db.execute("COMMIT")
        except apsw.Error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def tail(self) -> Head:
        """The last record as the disk has it."""
        row = self._db.execute(
            "SELECT journal_seq, hash FROM records ORDER BY journal_seq DESC LIMIT 1"
        ).fetchone()
        assert row is not None, "a journal file begins with its header"
        return Head(row[0], row[1])

    def close(self) -> None:
        """Close; the WAL file is folded into the database if the disk lets it."""
        # Whatever was committed stays in the WAL file and is read from there.
        _fold(self._db)
        with suppress(apsw.Error):
            self._db.close()


def pin(path: Path) -> None:
    """Settle for good what a file holds whose writer was killed. OSError if it cannot be written.

    A writer can die between putting a commit into the WAL file and telling the wal-index, which all
    processes share: those who have the file open then do not see that commit, and those who open it
    later would. Another commit on top of what is visible overwrites it, so that nobody ever does.
    """
    try:
        db = _connect(path, None)
        try:
            db.pragma("user_version", db.pragma("user_version") + 1)
            _fold(db)
        finally:
            db.close()
    except (apsw.CorruptError, apsw.NotADBError, apsw.SQLError, AssertionError):
        return  # whoever reads it will say what is wrong
    except apsw.ReadOnlyError:
        with path.open("r+b"):
            return  # the disk would take it, so the file itself says so: its own header is damaged
    except apsw.Error as error:
        raise OSError(errno.EIO, f"the journal {path.name} cannot be written: {error}") from error


def fold(path: Path) -> None:
    """Take the WAL file of a file that nobody writes into the database, if the disk lets it."""
    # A damaged one: whoever reads it will say what is wrong.
    with suppress(FileNotFoundError, apsw.Error, AssertionError):
        if log_of(path).stat().st_size:
            DayFile(path).close()


def _fold(db: apsw.Connection) -> None:
    """SQLite itself folds only when the last one closes, which may be a reader that may not write: the
    end of a day would lie in a log for as long as look-ups keep the file open.

    TRUNCATE first copies all that no reader still needs, as PASSIVE does. Where a reader stays in the way
    the log is kept, and the next start folds it.
    """
    with suppress(apsw.Error):
        db.set_busy_timeout(_FOLD_BUSY_MS)
        db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)


def _connect(path: Path, vfs: str | None) -> apsw.Connection:
    version = tuple(int(part) for part in apsw.sqlite_lib_version().split("."))
    assert version >= _SQLITE_MIN, f"SQLite {version} may corrupt a WAL file"
    db = apsw.Connection(str(path), vfs=vfs)
    db.set_busy_timeout(_BUSY_MS)
    db.pragma("journal_mode", "wal")
    db.pragma("synchronous", "full")
    assert db.pragma("journal_mode") == "wal"
    assert db.pragma("synchronous") == _SYNCHRONOUS_FULL
    return db


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
