"""Which rules a line had when, and who activated them, read from its journal.

An activation ends a journal file: the next one's header names the new rules, so that the headers alone
are the history. Who it was stands among the last records of the file before.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from controller import wire
from controller.core.events import RulesActivated
from controller.journal.day_file import journal_files
from controller.journal.reader import JournalReader, NotAJournal, decode

# What may follow an activation in its file: its commands, a snapshot, two checkpoints.
TAIL_RECORDS = 50
_ACTIVATED = next(kind for kind, cls in wire.KINDS.items() if cls is RulesActivated)


@dataclass(frozen=True, slots=True)
class Version:
    """One version in use. `since_utc_ns` is a label; `who` is "" for the rules of the first start."""

    rules_id: str
    text: str
    since_utc_ns: int
    who: str


def versions(directory: Path) -> list[Version]:
    """A line's versions, oldest first and the active one last; one that came back stands there twice.

    Empty if the line has never run. NotAJournal if a file cannot be read; files that were set aside
    are not looked into.
    """
    known: list[Version] = []
    for path in journal_files(directory) if directory.is_dir() else []:
        for version in _versions_of(path):
            if not known or known[-1].rules_id != version.rules_id:
                known.append(version)
    return known


def active_version(directory: Path) -> Version | None:
    """The version in force as the newest file alone tells, so `who` may be missing. None, and
    NotAJournal, as `versions`."""
    files = journal_files(directory) if directory.is_dir() else []
    return _versions_of(files[-1])[-1] if files else None


def _versions_of(path: Path) -> list[Version]:
    """The version a file begins with, and one that was activated at its end."""
    reader = JournalReader(path)
    try:
        header, first, last = reader.header(), reader.first(), reader.last()
        assert first is not None
        assert last is not None
        found = [Version(header.rules_id, header.rules_text, header.utc_ns, "")]
        for record in reader.after(last.journal_seq - TAIL_RECORDS, TAIL_RECORDS):
            if record.kind == _ACTIVATED:
                event = decode(record)
                since_utc_ns = header.utc_ns + record.at_ns - first.at_ns
                found.append(Version(event.rules_id, event.text, since_utc_ns, event.who))
        return found
    except wire.WireError as error:
        raise NotAJournal(f"{path.name} cannot be decoded: {error}") from error
    finally:
        reader.close()


def text_of(directory: Path, rules_id: str) -> str:
    """The text of a version that this line has had, looked for from the newest file on; "" if no file
    has it or can be read."""
    for path in reversed(journal_files(directory)):
        with suppress(NotAJournal):
            for version in _versions_of(path):
                if version.rules_id == rules_id:
                    return version.text
    return ""
