"""How earlier passes of a declared list ended, for the list reader's thread.

The lines of one site share one list store, so that a label counts as seen on whichever line it was. The
label on the box bears the waybill alone: it counts as seen under whichever carrier code and copNo. One
instance per thread: it keeps its read-only connections open, since a look-up waits for it.
"""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import apsw

from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal.day_file import HAS_WAYBILLS, PASSES, PASSES_TWIN, name_before
from controller.journal.reader import JournalReader, NotAJournal, files_since
from controller.sqlite_log import log_breaks_off

# A carrier may use a waybill number again after six months; until then its label names one parcel.
# What 190 files cost a look-up: docs/decisions/0060.
DAYS_BACK = 190
# One statement, since the writer may commit between two.
_TWICE = (
    f"SELECT 0, list_key, pass_no, end FROM {PASSES} WHERE waybill = ?1 UNION ALL"
    f" SELECT 1, list_key, pass_no, end FROM {PASSES_TWIN} WHERE waybill = ?1"
)
_ONCE = f"SELECT 0, list_key, pass_no, end FROM {PASSES} WHERE list_key >= ?1 AND list_key < ?2"
# No damage in the file: no descriptor is left, or somebody has it locked.
_NOT_NOW = (apsw.CantOpenError, apsw.BusyError)
_MAY_HAVE_LEFT = frozenset({PassEnd.OPEN, PassEnd.RELEASED})

_Present = tuple[list[Path], list[Path]]


@dataclass(frozen=True, slots=True)
class _File:
    """`live`: its reader follows what is written. `twice`: its index of passes is by waybill, and has a
    twin; the index of a file from before is by list, once. `cut`: set aside with a log that breaks off."""

    reader: JournalReader
    live: bool
    twice: bool
    cut: bool

    def passes(self, list_key: str) -> dict[int, PassEnd]:
        """How each pass of the label stands. NotAJournal if the index and its twin disagree: a bit that
        rots in one of them would else hide a release."""
        query, bindings = _ONCE, _of_label(list_key)
        if self.twice:
            query, bindings = _TWICE, (waybill_of(list_key),)
        found = self.reader.select(query, bindings)
        table = Counter(row[1:] for row in found if not row[0])
        twin = Counter(row[1:] for row in found if row[0])
        try:
            if table == twin or not self.twice:
                return {pass_no: PassEnd(end) for _, pass_no, end in table}
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
        """Every pass of the list's waybill, each line's in its own order, a pass without an outcome as OPEN.

        NotAJournal if a file cannot be read: the caller answers that lists are unavailable.
        """
        passes = self._told(self._present(self._directory, self._days_back), list_key)
        for neighbour in self._neighbours():
            present = self._present(neighbour, self._days_back)
            passes = self._told(present, list_key, neighbour.name) + passes
        return tuple(passes)

    def taken_elsewhere(self, list_keys: frozenset[str]) -> frozenset[str]:
        """The lists whose label a neighbour has released or has on its belt, by its newest days alone.

        Two lines may look a label up before either's verdict is on the disk; whoever asks again after
        its own is there finds the other's. The day before it counts, too: a day may change in between.
        """
        return frozenset(
            list_key
            for neighbour in (self._neighbours() if list_keys else ())
            for present in [self._present(neighbour, 1)]
            for list_key in list_keys
            for earlier in self._told(present, list_key, neighbour.name)
            if earlier.end in _MAY_HAVE_LEFT
        )

    def close(self) -> None:
        """Close every file."""
        for file in self._files.values():
            file.reader.close()
        self._files.clear()

    def _told(self, present: _Present, list_key: str, line: str = "") -> list[EarlierPass]:
        ends: dict[int, PassEnd] = {}
        files, aside = present
        for path in files:
            # Newest file first: an outcome after midnight stands above the verdict before it. Only the
            # newest file is written: the others take one descriptor instead of three.
            ends = self._file(path, live=path == files[0]).passes(list_key) | ends
        for path in aside:
            ends = self._left_aside(path, list_key, line) | ends
        return [EarlierPass(pass_no, ends[pass_no], line) for pass_no in sorted(ends)]

    def _neighbours(self) -> list[Path]:
        if self._lines_dir is None or not self._lines_dir.is_dir():
            return []
        lines = (path for path in self._lines_dir.iterdir() if path.is_dir())
        return sorted(path for path in lines if path != self._directory)

    def _left_aside(self, path: Path, list_key: str, line: str) -> dict[int, PassEnd]:
        """What a file that was set aside still tells: it can add a pass that may have left the line, and
        end none. A good file's word on the same pass stands above it."""
        try:
            file = self._file(path, live=False)
            told = file.passes(list_key)
            if line and file.cut:
                raise NotAJournal(f"{path.name}: commits stand behind a damaged place in its log")
        except NotAJournal as error:
            if line:  # nobody was asked whether this line may go on without it
                raise NotAJournal(f"set aside on line {line}, to be moved away: {error}") from error
            if isinstance(error.__cause__, _NOT_NOW):
                raise
            # Our own line started with releases stopped, and a supervisor gave the word knowing of the
            # file: what is in it is no longer known (docs/limits.md).
            return {}
        return {pass_no: end for pass_no, end in told.items() if end in _MAY_HAVE_LEFT}

    def _present(self, directory: Path, days_back: int) -> _Present:
        """The files to ask, and those set aside, newest first. Closes what has gone."""
        files, aside = files_since(directory, self._days_back)
        present = {*files, *aside}
        for path in [path for path in self._files if path.parent == directory]:
            if path not in present:
                self._files.pop(path).reader.close()
        return (files, aside) if days_back == self._days_back else files_since(directory, days_back)

    def _file(self, path: Path, live: bool) -> _File:
        known = self._files.get(path)
        if known is not None and known.live == live:
            return known
        if known is not None:
            self._files.pop(path).reader.close()
        reader = JournalReader(path, live=live)
        twice = bool(reader.select(HAS_WAYBILLS))
        file = _File(reader, live, twice, cut=path != name_before(path) and log_breaks_off(path))
        self._files[path] = file
        return file


def waybill_of(list_key: str) -> str:
    """What the label bears, out of a list key: its second part, as declared_lists/joins.py escapes it. A key
    in one part is the waybill itself."""
    parts = list_key.split("/")
    return parts[min(1, len(parts) - 1)].replace("%2F", "/").replace("%25", "%")


def _of_label(list_key: str) -> tuple[str, ...]:
    """From and before which key stand all lists of this carrier and waybill, whatever their copNo: the
    label is one, however often it is declared anew."""
    label, _, _ = list_key.rpartition("/")
    return (label + "/", label + "0") if "/" in label else (list_key, list_key + "\0")
