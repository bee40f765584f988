"""How earlier passes of a declared list ended, for the list reader's thread.

One instance per thread: it keeps its read-only connections open, since a look-up waits for it.
"""

from pathlib import Path

from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal.reader import JournalReader, files_since

DAYS_BACK = 7
_QUERY = "SELECT pass_no, end FROM passes WHERE list_key = ?"


class EarlierPasses:
    """The passes index over one line's newest files."""

    def __init__(self, directory: Path, days_back: int = DAYS_BACK) -> None:
        self._directory = directory
        self._days_back = days_back
        self._readers: dict[Path, JournalReader] = {}

    def of(self, list_key: str) -> tuple[EarlierPass, ...]:
        """Every pass of the list in its own order, a pass without an outcome as OPEN.

        NotAJournal if a file cannot be read: the caller answers that lists are unavailable.
        """
        ends: dict[int, PassEnd] = {}
        for reader in self._open_readers():
            for pass_no, end in reader.select(_QUERY, (list_key,)):
                # Newest file first: an outcome after midnight stands above the verdict before it.
                ends.setdefault(pass_no, PassEnd(end))
        return tuple(EarlierPass(pass_no, ends[pass_no]) for pass_no in sorted(ends))

    def close(self) -> None:
        """Close every file."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()

    def _open_readers(self) -> list[JournalReader]:
        wanted = files_since(self._directory, self._days_back)
        for path in self._readers.keys() - wanted:
            self._readers.pop(path).close()
        for path in wanted:
            if path not in self._readers:
                self._readers[path] = JournalReader(path, live=True)
        return [self._readers[path] for path in wanted]
