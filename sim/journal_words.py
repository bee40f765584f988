"""What a controller wrote in its journal, as the judge reads it."""

from dataclasses import dataclass
from pathlib import Path

from controller.core.commands import CommitVerdict, RecordOutcome
from controller.journal.reader import read_directory
from controller.wire import KINDS, decode_body
from sim.judge import JournalWords

_NUMBER_OF = {kind: number for number, kind in KINDS.items()}
_VERDICT = _NUMBER_OF[CommitVerdict]
_OUTCOME = _NUMBER_OF[RecordOutcome]


@dataclass(frozen=True, slots=True)
class JournalRead:
    """The words, the number of records and the last record's hash in hex (empty: no record)."""

    words: JournalWords
    records: int
    head: str


def read_words(directory: Path) -> JournalRead:
    """One line's journal, every file of it. NotAJournal if a file cannot be read."""
    verdicts: list[tuple[int, CommitVerdict]] = []
    outcomes: list[RecordOutcome] = []
    count, head = 0, b""
    for record in read_directory(directory):
        count, head = count + 1, record.hash
        if record.kind == _VERDICT:
            verdicts.append((record.at_ns, decode_body(record.kind, record.body)))
        elif record.kind == _OUTCOME:
            outcomes.append(decode_body(record.kind, record.body))
    return JournalRead(JournalWords(tuple(verdicts), tuple(outcomes)), count, head.hex())
