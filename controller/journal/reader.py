"""Reading journals, read-only, while the line writes them.

Every read is one short SELECT that is fetched whole: a long read would keep the writer's WAL file
growing. Nothing here verifies (see verify.py) and nothing may open a file for writing.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

import apsw

from controller.journal import records
from controller.journal.chain import Record
from controller.journal.day_file import (
    day_of,
    files_set_aside,
    journal_files,
    name_before,
    order_of,
)

READ_RECORDS_MAX = 1_000
_BUSY_MS = 2_000
SEQ_MAX = (1 << 63) - 1
_COLUMNS = "SELECT journal_seq, at_ns, kind, body, hash FROM records"
_TYPES = (int, int, int, bytes, bytes)


class NotAJournal(ValueError):
    """The file cannot be read as a journal; the text names it and says why."""


def decode(record: Record) -> Any:
    """The event, command or journal record in `record`. wire.WireError if the body does not fit."""
    return records.decode_record(record.kind, record.body)


class JournalReader:
    """One file, from one thread at a time. NotAJournal from any method if SQLite refuses the file.

    `live` follows what is written after the opening. Without it a file that nobody writes is read
    without a trace beside it, from a read-only medium too.
    """

    def __init__(self, path: Path, live: bool = False) -> None:
        self.path = path
        try:
            self._db = _connect(path, live)
        except apsw.Error as error:
            raise NotAJournal(f"{path.name} cannot be opened: {error}") from error

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def after(
        self, journal_seq: int, limit: int = READ_RECORDS_MAX, upto_seq: int = SEQ_MAX
    ) -> list[Record]:
        """At most `limit` records numbered above `journal_seq` up to `upto_seq`, in order."""
        query = (
            f"{_COLUMNS} WHERE journal_seq > ? AND journal_seq <= ? ORDER BY journal_seq LIMIT ?"
        )
        # SQLite looks one row past the range unless the limit ends it: that row may be damaged.
        limit = max(0, min(limit, upto_seq - journal_seq))
        found = [self._record(row) for row in self.select(query, (journal_seq, upto_seq, limit))]
        for record in found:
            # A damaged page can lead back to records before it, without end.
            if record.journal_seq <= journal_seq:
                raise NotAJournal(f"{self.path.name}: the file leads in a circle at {journal_seq}")
            journal_seq = record.journal_seq
        return found

    def each(
        self, after_seq: int = 0, upto_seq: int = SEQ_MAX, chunk_records: int = READ_RECORDS_MAX
    ) -> Iterator[Record]:
        """Every record numbered above `after_seq` up to `upto_seq`, a short read at a time."""
        while chunk := self.after(after_seq, chunk_records, upto_seq):
            yield from chunk
            after_seq = chunk[-1].journal_seq

    def first(self) -> Record | None:
        """The record with the lowest number: the header, unless someone changed the file."""
        chunk = self.after(-1, 1)
        return chunk[0] if chunk else None

    def last(self, *kinds: int, upto_seq: int = SEQ_MAX) -> Record | None:
        """The last record, or the last of these kinds, numbered `upto_seq` or below."""
        chosen = f"AND kind IN ({','.join('?' * len(kinds))})" if kinds else ""
        query = f"{_COLUMNS} WHERE journal_seq <= ? {chosen} ORDER BY journal_seq DESC LIMIT 1"
        rows = self.select(query, (upto_seq, *kinds))
        return self._record(rows[0]) if rows else None

    def header(self) -> records.FileHeader:
        """The file's header, as it stands there. NotAJournal if the first record is none."""
        first = self.first()
        if first is None or first.kind != records.FILE_HEADER:
            raise NotAJournal(f"{self.path.name} does not begin with a file header")
        try:
            header = decode(first)
        except ValueError as error:
            raise NotAJournal(f"{self.path.name}: the file header is damaged: {error}") from error
        assert isinstance(header, records.FileHeader)
        return header

    def select(self, query: str, bindings: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """The rows of one short query of this package."""
        try:
            return list(self._db.execute(query, bindings))
        except (apsw.Error, UnicodeDecodeError) as error:
            raise NotAJournal(f"{self.path.name} cannot be read: {error}") from error

    def _record(self, row: tuple[Any, ...]) -> Record:
        """One bit of a damaged page can make a text of a blob, or nothing of a number."""
        if tuple(map(type, row)) != _TYPES:
            raise NotAJournal(f"{self.path.name}: record {row[0]} has a field of another type")
        return Record(*row)


class Follower:
    """Reads a line's files on and on, from one to the next, while they are written."""

    def __init__(self, directory: Path, after_seq: int = 0) -> None:
        self._directory = directory
        self._after_seq = after_seq
        self._reader: JournalReader | None = None

    @property
    def path(self) -> Path | None:
        """The file of the records last read."""
        return self._reader.path if self._reader else None

    def read(self, limit: int = READ_RECORDS_MAX) -> list[Record]:
        """The next records, at most `limit`, all of one file; empty if there are none yet."""
        if self._reader is None:
            self._reader = self._first_reader()
        while self._reader is not None:
            newer = self._newer_file(self._reader.path)
            # A file that has a successor is complete: looked for first, so that nothing is missed.
            if chunk := self._reader.after(self._after_seq, limit):
                self._after_seq = chunk[-1].journal_seq
                return chunk
            if newer is None:
                break
            self._reader.close()
            self._reader = JournalReader(newer, live=True)
        return []

    def close(self) -> None:
        """Close the file that is open."""
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _first_reader(self) -> JournalReader | None:
        """The newest file that begins at or before the wanted record, else the oldest."""
        chosen: JournalReader | None = None
        for path in reversed(_files(self._directory)):
            if chosen is not None:
                chosen.close()
            chosen = JournalReader(path, live=True)
            first = chosen.first()
            if first is not None and first.journal_seq <= self._after_seq + 1:
                break
        return chosen

    def _newer_file(self, path: Path) -> Path | None:
        later = (other for other in _files(self._directory) if order_of(other) > order_of(path))
        return next(later, None)


def read_directory(directory: Path, after_seq: int = 0) -> Iterator[Record]:
    """Every record of a line numbered above `after_seq`, up to what is written now."""
    follower = Follower(directory, after_seq)
    try:
        while chunk := follower.read():
            yield from chunk
    finally:
        follower.close()


def files_since(directory: Path, days_back: int) -> tuple[list[Path], list[Path]]:
    """The files of the newest day and of the `days_back` days with files before it, newest first; and those
    of the same days that were set aside."""
    files = _files(directory)
    # Looked for second: one that is set aside in between is seen twice, and not never.
    aside = files_set_aside(directory) if directory.is_dir() else []
    day = {path: day_of(name_before(path)) for path in (*files, *aside)}
    days = sorted(set(day.values()))[-(days_back + 1) :]
    return (
        [path for path in reversed(files) if day[path] in days],
        [path for path in reversed(aside) if day[path] in days],
    )


def _files(directory: Path) -> list[Path]:
    return journal_files(directory) if directory.is_dir() else []


def _connect(path: Path, live: bool) -> apsw.Connection:
    log = path.with_name(path.name + "-wal")
    written = live
    with suppress(FileNotFoundError):  # its writer may be closing the file at this moment
        written = written or log.stat().st_size > 0
    # SQLite may not make its lock file beside a file that it is told nobody writes.
    uri = f"file:{quote(str(path))}?mode=ro" + ("" if written else "&immutable=1")
    db = apsw.Connection(uri, flags=apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI)
    db.set_busy_timeout(_BUSY_MS)
    db.execute("SELECT count(*) FROM sqlite_schema").fetchall()
    return db
