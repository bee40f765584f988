"""Replays a journal through the core: the same events in, the same commands out, byte for byte.

Each file begins with the core's state, so each file replays alone. A difference means that the core is
not the one that decided then, or that it is not deterministic.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from controller import wire
from controller.core.commands import Command, CommitVerdict
from controller.core.events import Event
from controller.journal import records
from controller.journal.chain import Record
from controller.journal.day_file import journal_files
from controller.journal.reader import JournalReader, NotAJournal, decode

# A core that went another way differs in everything after; the first differences tell why.
DIFFERENCES_KEPT = 100
_VERDICT = next(kind for kind, cls in wire.KINDS.items() if cls is CommitVerdict)


class Core(Protocol):
    """What is replayed: controller.core.line.LineController."""

    @property
    def state(self) -> Any:
        """The dataclass tree that `records.encode_state` encodes."""

    def handle(self, at_ns: int, event: Event) -> tuple[Command, ...]:
        """The commands an event causes."""


MakeCore = Callable[[records.FileHeader], Core]


@dataclass(frozen=True, slots=True)
class Difference:
    """The event at `journal_seq` led to something else: what was recorded, what came now."""

    file: str
    journal_seq: int
    recorded: str
    replayed: str


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """Counts, and the first DIFFERENCES_KEPT differences; `software_versions` wrote the files."""

    events: int
    verdicts: int
    differences: int
    first_differences: tuple[Difference, ...]
    software_versions: tuple[str, ...]


def replay(path: Path, make_core: MakeCore) -> ReplayReport:
    """Replay a file, or every file of a directory in order. NotAJournal if one cannot be read."""
    run = _Run(make_core)
    for file in journal_files(path) if path.is_dir() else [path]:
        run.file(file)
    return ReplayReport(
        run.events, run.verdicts, run.differences, tuple(run.kept), tuple(run.versions)
    )


class _Run:
    """Counts and differences so far, and the event whose commands are awaited."""

    def __init__(self, make_core: MakeCore) -> None:
        self._make_core = make_core
        self._file = ""
        self._event_seq = 0
        self._expected: list[Command] = []
        self.events = 0
        self.verdicts = 0
        self.differences = 0
        self.kept: list[Difference] = []
        self.versions: dict[str, None] = {}

    def file(self, path: Path) -> None:
        """Replay one file from its header's state."""
        reader = JournalReader(path)
        try:
            header = reader.header()
            self._file = path.name
            self.versions[header.software_version] = None
            core = self._make_core(header)
            for record in reader.each():
                self._step(core, record)
            self._none_left()
        except wire.WireError as error:
            raise NotAJournal(f"{path.name} cannot be decoded: {error}") from error
        finally:
            reader.close()

    def _step(self, core: Core, record: Record) -> None:
        if wire.is_command(record.kind):
            self._compare(record)
            return
        if record.kind == records.CHECKPOINT:
            return
        self._none_left()
        if wire.is_event(record.kind):
            self.events += 1
            self._event_seq = record.journal_seq
            self._expected = list(core.handle(record.at_ns, decode(record)))
        else:
            self._compare_state(core, record)

    def _compare(self, record: Record) -> None:
        if record.kind == _VERDICT:
            self.verdicts += 1
        if not self._expected:
            self._differ(_text(record), "no command")
            return
        command = self._expected.pop(0)
        if (wire.kind_of(command), wire.encode_body(command)) != (record.kind, record.body):
            self._differ(_text(record), str(command))

    def _none_left(self) -> None:
        """Every command of the last event has been compared."""
        for command in self._expected:
            self._differ("no command", str(command))
        self._expected = []

    def _compare_state(self, core: Core, record: Record) -> None:
        if records.encode_state(core.state) != decode(record).state:
            self._event_seq = record.journal_seq
            self._differ("the recorded state", "another state")

    def _differ(self, recorded: str, replayed: str) -> None:
        self.differences += 1
        if len(self.kept) < DIFFERENCES_KEPT:
            self.kept.append(Difference(self._file, self._event_seq, recorded, replayed))


def _text(record: Record) -> str:
    try:
        return str(decode(record))
    except wire.WireError as error:
        return f"undecodable ({error})"
