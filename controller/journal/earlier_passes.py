"""How earlier passes of a declared list ended, for the list reader's thread.

The lines of one site share one list store, so that a label counts as seen on whichever line it was. One
instance per thread: it keeps its read-only connections open, since a look-up waits for it.
"""

from pathlib import Path

from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal.reader import JournalReader, files_since

# A carrier may use a waybill number again after six months; until then its label names one parcel.
# 190 files cost 3 ms a look-up once they are open, 76 ms the first time.
DAYS_BACK = 190
_QUERY = "SELECT pass_no, end FROM passes WHERE list_key >= ? AND list_key < ?"
_MAY_HAVE_LEFT = frozenset({PassEnd.OPEN, PassEnd.RELEASED})


class EarlierPasses:
    """The passes index over one line's newest files, and over those of its neighbours in `lines_dir`."""

    def __init__(
        self, directory: Path, days_back: int = DAYS_BACK, lines_dir: Path | None = None
    ) -> None:
        self._directory = directory
        self._days_back = days_back
        self._lines_dir = lines_dir
        self._readers: dict[Path, tuple[JournalReader, bool]] = {}

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
        for reader, _ in self._readers.values():
            reader.close()
        self._readers.clear()

    def _passes(
        self, directory: Path, list_key: str, days_back: int, line: str = ""
    ) -> list[EarlierPass]:
        ends: dict[int, PassEnd] = {}
        for reader in self._open_readers(directory, days_back):
            for pass_no, end in reader.select(_QUERY, _of_label(list_key)):
                # Newest file first: an outcome after midnight stands above the verdict before it.
                ends.setdefault(pass_no, PassEnd(end))
        return [EarlierPass(pass_no, ends[pass_no], line) for pass_no in sorted(ends)]

    def _neighbours(self) -> list[Path]:
        if self._lines_dir is None or not self._lines_dir.is_dir():
            return []
        lines = (path for path in self._lines_dir.iterdir() if path.is_dir())
        return sorted(path for path in lines if path != self._directory)

    def _open_readers(self, directory: Path, days_back: int) -> list[JournalReader]:
        present = files_since(directory, self._days_back)
        for path in [path for path in self._readers if path.parent == directory]:
            if path not in present:
                self._readers.pop(path)[0].close()
        wanted = present if days_back == self._days_back else files_since(directory, days_back)
        # Only the newest file is written: the others take one descriptor instead of three.
        return [self._reader(path, live=path == present[0]) for path in wanted]

    def _reader(self, path: Path, live: bool) -> JournalReader:
        known = self._readers.get(path)
        if known is not None and known[1] == live:
            return known[0]
        if known is not None:
            self._readers.pop(path)[0].close()
        reader = JournalReader(path, live=live)
        self._readers[path] = reader, live
        return reader


def _of_label(list_key: str) -> tuple[str, str]:
    """From and before which key stand all lists of this carrier and waybill, whatever their copNo: the
    label is one, however often it is declared anew."""
    label, _, _ = list_key.rpartition("/")
    return (label + "/", label + "0") if "/" in label else (list_key, list_key + "\0")
