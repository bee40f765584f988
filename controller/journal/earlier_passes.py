"""How earlier passes of a declared list ended, for the list reader's thread.

The lines of one site share one list store, so that a label counts as seen on whichever line it was. One
instance per thread: it keeps its read-only connections open, since a look-up waits for it.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal.day_file import HAS_TWIN, PASSES, PASSES_TWIN
from controller.journal.reader import JournalReader, NotAJournal, files_since

# A carrier may use a waybill number again after six months; until then its label names one parcel.
# What 190 files cost a look-up: docs/decisions/0060.
DAYS_BACK = 190
_OF_LABEL = "WHERE list_key >= ?1 AND list_key < ?2"
# One statement, since the writer may commit between two.
_TWICE = (
    f"SELECT 0, pass_no, end FROM {PASSES} {_OF_LABEL} UNION ALL"
    f" SELECT 1, pass_no, end FROM {PASSES_TWIN} {_OF_LABEL}"
)
_ONCE = f"SELECT 0, pass_no, end FROM {PASSES} {_OF_LABEL}"
_MAY_HAVE_LEFT = frozenset({PassEnd.OPEN, PassEnd.RELEASED})


@dataclass(frozen=True, slots=True)
class _File:
    """`live`: its reader follows what is written. `twice`: its index of passes has a twin."""

    reader: JournalReader
    live: bool
    twice: bool

    def passes(self, list_key: str) -> dict[int, PassEnd]:
        """How each pass of the label stands. NotAJournal if the index and its twin disagree: a bit that
        rots in one of them would else hide a release."""
        found = self.reader.select(_TWICE if self.twice else _ONCE, _of_label(list_key))
        table = Counter(row[1:] for row in found if not row[0])
        twin = Counter(row[1:] for row in found if row[0])
        try:
            if table == twin or not self.twice:
                return {pass_no: PassEnd(end) for pass_no, end in table}
        except ValueError:
            pass  # an end that no writer of ours stores
        raise NotAJournal(f"{self.reader.path.name}: the index of passes is damaged at {list_key}")


class EarlierPasses:
    """The passes index over one line's newest files, and over those of its neighbours in `lines_dir`."""

    def __init__(
        self, directory: Path, days_back: int = DAYS_BACK, lines_dir: Path | None = None
    ) -> None:
        self._directory = directory
        self._days_back = days_back
        self._lines_dir = lines_dir
        self._files: dict[Path, _File] = {}

    def of(self, list_key: str) -> tuple[EarlierPass, ...]:
        """Every pass of the list, each line's in its own order, a pass without an outcome as OPEN.

        NotAJournal if a file cannot be read: the caller answers that lists are unavailable.
        """
        passes = self._passes(self._directory, list_key, self._days_back)
        for neighbour in self._neighbours():
            passes = self._passes(neighbour, list_key, self._days_back, neighbour.name) + passes
        return tuple(passes)

    def taken_elsewhere(self, list_keys: frozenset[str]) -> frozenset[str]:
        """Which of these lists a neighbour has released or has on its belt, by its newest days alone.

        Two lines may look a label up before either's verdict is on the disk; whoever asks again after
        its own is there finds the other's. The day before it counts, too: a day may change in between.
        """
        return frozenset(
            list_key
            for neighbour in self._neighbours()
            for list_key in list_keys
            for earlier in self._passes(neighbour, list_key, 1, neighbour.name)
            if earlier.end in _MAY_HAVE_LEFT
        )

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.reader.close()
        self._files.clear()

    def _passes(
        self, directory: Path, list_key: str, days_back: int, line: str = ""
    ) -> list[EarlierPass]:
        ends: dict[int, PassEnd] = {}
        for file in self._open_files(directory, days_back):
            # Newest file first: an outcome after midnight stands above the verdict before it.
            ends = file.passes(list_key) | ends
        return [EarlierPass(pass_no, ends[pass_no], line) for pass_no in sorted(ends)]

    def _neighbours(self) -> list[Path]:
        if self._lines_dir is None or not self._lines_dir.is_dir():
            return []
        lines = (path for path in self._lines_dir.iterdir() if path.is_dir())
        return sorted(path for path in lines if path != self._directory)

    def _open_files(self, directory: Path, days_back: int) -> list[_File]:
        present = files_since(directory, self._days_back)
        for path in [path for path in self._files if path.parent == directory]:
            if path not in present:
                self._files.pop(path).reader.close()
        wanted = present if days_back == self._days_back else files_since(directory, days_back)
        # Only the newest file is written: the others take one descriptor instead of three.
        return [self._file(path, live=path == present[0]) for path in wanted]

    def _file(self, path: Path, live: bool) -> _File:
        known = self._files.get(path)
        if known is not None and known.live == live:
            return known
        if known is not None:
            self._files.pop(path).reader.close()
        reader = JournalReader(path, live=live)
        file = _File(reader, live, twice=bool(reader.select(HAS_TWIN)))
        self._files[path] = file
        return file


def _of_label(list_key: str) -> tuple[str, str]:
    """From and before which key stand all lists of this carrier and waybill, whatever their copNo: the
    label is one, however often it is declared anew."""
    label, _, _ = list_key.rpartition("/")
    return (label + "/", label + "0") if "/" in label else (list_key, list_key + "\0")
