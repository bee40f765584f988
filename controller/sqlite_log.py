"""Whether a log of SQLite (`-wal`) breaks off before commits that were on the disk: rot, not a power cut.

SQLite ends a log at the first frame that does not hold and says nothing, since that is what a torn last
commit looks like. Our writers sync each commit before they begin the next (synchronous=FULL): a frame that
goes on from a commit proves that everything up to that commit was on the disk. Stale frames of a commit
that failed prove nothing, although they may carry this log's salts: none goes on from another's commit.

The format is https://www.sqlite.org/walformat.html: a header of 32 bytes (magic, version, page size in
bytes, checkpoint number, two salts, two sums), then frames: 24 bytes (page number, size of the database in
pages after a commit or else 0, the salts, two sums) and a page. All are unsigned 32 bit integers, big-endian;
the sums run on from frame to frame, and the magic says in which byte order they take their words.
"""

import struct
from contextlib import suppress
from pathlib import Path

_HEADER_BYTES, _FRAME_HEADER_BYTES = 32, 24
_MAGIC_LITTLE, _MAGIC_BIG = b"\x37\x7f\x06\x82", b"\x37\x7f\x06\x83"
_PAGE_BYTES = tuple(1 << power for power in range(9, 17))
_U32 = 0xFFFF_FFFF
_Sums = tuple[int, int]


def breaks_off(log: bytes) -> bool:
    """Whether something in `log` does not hold that was on the disk before a later part was begun.

    4 MB (1,000 pages of 4 KiB, SQLite's usual most) take about 0.1 s.
    """
    if len(log) <= _HEADER_BYTES:
        return False
    frames = _Frames(log)
    if not frames.header_holds:
        return True  # it lies in one sector, and is synced before the first frame is written
    begun = (n for n in range(frames.count - 1, 0, -1) if frames.commits(n - 1) and frames.holds(n))
    on_disk = next(begun, 0)
    return not all(frames.holds(number) for number in range(on_disk))


def log_breaks_off(database: Path) -> bool:
    """As `breaks_off`, of the log beside `database`; false without one. A writer may be at work."""
    log = log_of(database)
    with suppress(FileNotFoundError):
        found = log.read_bytes()
        # A writer that begins the log anew while it is read leaves new frames before old ones. What rotted
        # stays as it is; a log that changes has a writer, which looked at it before it began.
        return breaks_off(found) and log.read_bytes() == found
    return False


def log_of(database: Path) -> Path:
    """Where SQLite keeps the log of `database`."""
    return database.with_name(database.name + "-wal")


class _Frames:
    """The frames of a log, counted from 0."""

    def __init__(self, log: bytes) -> None:
        self._log = log
        self._order = ">" if log[:4] == _MAGIC_BIG else "<"
        page_bytes = int.from_bytes(log[8:12])
        self._salts = log[16:24]
        self._frame_bytes = _FRAME_HEADER_BYTES + page_bytes
        self.header_holds = (
            log[:4] in (_MAGIC_LITTLE, _MAGIC_BIG)
            and page_bytes in _PAGE_BYTES
            and self._sums(log[:24], (0, 0)) == self._stored(24)
        )
        self.count = (len(log) - _HEADER_BYTES) // self._frame_bytes

    def commits(self, number: int) -> bool:
        """Whether the frame says that it ends a commit of this log."""
        at = self._at(number)
        return self._log[at + 8 : at + 16] == self._salts and any(self._log[at + 4 : at + 8])

    def holds(self, number: int) -> bool:
        """Whether the frame is whole and goes on from the one before it."""
        at = self._at(number)
        if self._log[at + 8 : at + 16] != self._salts:
            return False
        before = 24 if number == 0 else at - self._frame_bytes + 16
        sums = self._sums(self._log[at : at + 8], self._stored(before))
        page = self._log[at + _FRAME_HEADER_BYTES : at + self._frame_bytes]
        return self._sums(page, sums) == self._stored(at + 16)

    def _at(self, number: int) -> int:
        return _HEADER_BYTES + number * self._frame_bytes

    def _stored(self, at: int) -> _Sums:
        first, second = struct.unpack_from(">2I", self._log, at)
        return first, second

    def _sums(self, part: bytes, sums: _Sums) -> _Sums:
        first, second = sums
        words = iter(struct.unpack(f"{self._order}{len(part) // 4}I", part))
        for even, odd in zip(words, words, strict=True):
            first = (first + even + second) & _U32
            second = (second + odd + first) & _U32
        return first, second
