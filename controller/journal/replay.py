"""Replays a journal through the core: the same events in, the same commands out, byte for byte.

Each file begins with the core's state, so each file replays alone. A difference means that the core is
not the one that decided then, or that it is not deterministic. Of another software's file what was said
is compared, not its bytes: a field that has been added since says nothing about the decision.
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
    replayed_by: str = ""

    @property
    def other_software(self) -> bool:
        """Whether a file was written by another version than replayed it."""
        others = (version != self.replayed_by for version in self.software_versions)
        return bool(self.replayed_by) and any(others)


def replay(path: Path, make_core: MakeCore, software_version: str = "") -> ReplayReport:
    """Replay a file, or every file of a directory in order. NotAJournal if one cannot be read.

    `software_version` is that of the core; without it every file counts as this software's own.
    """
    run = _Run(make_core, software_version)
    for file in journal_files(path) if path.is_dir() else [path]:
        run.file(file)
    return ReplayReport(
        run.events,
        run.verdicts,
        run.differences,
        tuple(run.kept),
        tuple(run.versions),
        software_version,
    )


class _Run:
    """Counts and differences so far, and the event whose commands are awaited."""

    def __init__(self, make_core: MakeCore, software_version: str) -> None:
        self._make_core = make_core
        self._software_version = software_version
        self._file = ""
        self._own_file = True
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
            self._own_file = self._software_version in ("", header.software_version)
            core = self._make_core(header)
            for record in reader.each():
                self._step(core, record)
            self._none_left()
        except wire.WireError as error:
            written_by = "" if self._own_file else f" (written by {header.software_version})"
            raise NotAJournal(f"{path.name}{written_by} cannot be decoded: {error}") from error
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
        if wire.kind_of(command) != record.kind or not self._same(command, record):
            self._differ(_text(record), str(command))

    def _same(self, command: Command, record: Record) -> bool:
        if wire.encode_body(command) == record.body:
            return True
        try:
            return not self._own_file and bool(decode(record) == command)
        except wire.WireError:
            return False

    def _none_left(self) -> None:
        """Every command of the last event has been compared."""
        for command in self._expected:
            self._differ("no command", str(command))
        self._expected = []

    def _compare_state(self, core: Core, record: Record) -> None:
        recorded: bytes = decode(record).state
        if not self._own_file:
            recorded = _as_of_now(recorded, type(core.state))
        if records.encode_state(core.state) != recorded:
            self._event_seq = record.journal_seq
            self._differ("the recorded state", "another state")

    def _differ(self, recorded: str, replayed: str) -> None:
        self.differences += 1
        if len(self.kept) < DIFFERENCES_KEPT:
            self.kept.append(Difference(self._file, self._event_seq, recorded, replayed))


def _as_of_now(state: bytes, cls: type) -> bytes:
    """A state of another software in this one's fields; as it is where it does not fit."""
    try:
        return records.encode_state(records.decode_state(state, cls))
    except wire.WireError:
        return state


def _text(record: Record) -> str:
    try:
        return str(decode(record))
    except wire.WireError as error:
        return f"undecodable ({error})"
