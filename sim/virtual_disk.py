"""A disk for journals in virtual time: what is on it survives, what was under way may not.

It holds whole commits in files, as SQLite would after its sync. It can be slow, full or broken; a power
cut drops the commit under way, a killed process leaves it done or undone. It reads no clock: whoever
writes asks how long that takes.
"""

import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from errno import EIO, ENOSPC
from pathlib import PurePosixPath

from controller.core.events import EarlierPass
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import PassEnd
from controller.journal.chain import Record
from controller.journal.day_file import PassNote
from controller.journal.earlier_passes import waybill_of
from controller.journal.reader import SEQ_MAX, NotAJournal, decode
from controller.journal.records import FILE_HEADER, FileHeader

COMMIT_NS_MIN, COMMIT_NS_MAX = NS_PER_MS // 2, 4 * NS_PER_MS


@dataclass(slots=True)
class VirtualFile:
    """One journal file; it reads like `controller.journal.reader.JournalReader`."""

    name: str
    day: str
    records: list[Record] = field(default_factory=list)
    notes: list[PassNote] = field(default_factory=list)
    set_aside: bool = False

    @property
    def path(self) -> PurePosixPath:
        return PurePosixPath(self.name)

    def header(self) -> FileHeader:
        """The file's header. NotAJournal if the first record is none."""
        if not self.records or self.records[0].kind != FILE_HEADER:
            raise NotAJournal(f"{self.name} does not begin with a file header")
        try:
            header = decode(self.records[0])
        except ValueError as error:
            raise NotAJournal(f"{self.name}: the file header is damaged: {error}") from error
        assert isinstance(header, FileHeader)
        return header

    def first(self) -> Record | None:
        return self.records[0] if self.records else None

    def last(self, *kinds: int, upto_seq: int = SEQ_MAX) -> Record | None:
        """The last record, or the last of these kinds, numbered `upto_seq` or below."""
        for record in reversed(self.records):
            if record.journal_seq <= upto_seq and (not kinds or record.kind in kinds):
                return record
        return None

    def each(
        self, after_seq: int = 0, upto_seq: int = SEQ_MAX, chunk_records: int = 0
    ) -> Iterator[Record]:
        """Every record numbered above `after_seq` up to `upto_seq`."""
        start = bisect.bisect_right(self.records, after_seq, key=lambda r: r.journal_seq)
        for record in self.records[start:]:
            if record.journal_seq > upto_seq:
                return
            yield record


class VirtualDisk:
    """`files` in the order of their records. `full` and `broken` make every commit fail."""

    def __init__(self) -> None:
        self.files: list[VirtualFile] = []
        self.full = False
        self.broken = False
        self.stalled_until_ns = 0
        self.ballast = True
        self.failures = 0
        self._passes: dict[str, dict[int, int]] = {}

    @property
    def day(self) -> str:
        """The newest file's day, "" without one."""
        return self.files[-1].day if self.files else ""

    def ready_ns(self, now_ns: int, takes_ns: int) -> int:
        """When a commit that begins now is done."""
        return max(now_ns, self.stalled_until_ns) + takes_ns

    def store(self, opens_day: str, stored: Sequence[Record], notes: Sequence[PassNote]) -> None:
        """One commit, done. OSError if the disk cannot; then nothing of it is there."""
        self.failures += self.broken or self.full
        if self.broken:
            raise OSError(EIO, "input/output error")
        if self.full:
            raise OSError(ENOSPC, "no space left on device")
        if opens_day:
            self.files.append(VirtualFile(self._next_name(opens_day), max(opens_day, self.day)))
        file = self.files[-1]
        file.records.extend(stored)
        file.notes.extend(notes)
        for note in notes:
            self._passes.setdefault(note.waybill, {})[note.pass_no] = note.end

    def release_ballast(self) -> bool:
        """Make the room that was kept for the holds. False if it is used up."""
        had, self.ballast = self.ballast, False
        if had:
            self.full = False
        return had

    def earlier_passes(self, list_key: str) -> tuple[EarlierPass, ...]:
        """Every pass of a list's waybill, as `controller.journal.earlier_passes` answers."""
        ends = self._passes.get(waybill_of(list_key), {})
        return tuple(EarlierPass(pass_no, PassEnd(ends[pass_no])) for pass_no in sorted(ends))

    def rot(self, file: VirtualFile, index: int, byte: int) -> None:
        """One bit of one stored body is no longer what was written."""
        record = file.records[index]
        at = byte % len(record.body)
        body = record.body[:at] + bytes([record.body[at] ^ 1]) + record.body[at + 1 :]
        file.records[index] = replace(record, body=body)

    def _next_name(self, day: str) -> str:
        newest = max(day, self.day)
        same = sum(file.day == newest for file in self.files)
        return f"{newest}-{same + 1}.journal" if same else f"{newest}.journal"
