"""The production journal writer under a shift, as the line process would use it.

Keeps what was acknowledged, so that a torture can ask afterwards whether it is still there. The keys
are known: nothing here protects anything.
"""

import threading
from collections import deque
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.config import LineConfig
from controller.core.commands import CommitVerdict
from controller.core.events import Event, VerdictDurable
from controller.core.line import LineController
from controller.core.state import CoreState
from controller.core.vocabulary import Destination
from controller.journal.chain import FIRST_START, Start
from controller.journal.keys import PublicKeys, key_id
from controller.journal.reader import read_directory
from controller.journal.records import SCHEMA, FileHeader, decode_state, encode_state
from controller.journal.recovery import Recovered
from controller.journal.writer import JournalWriter
from controller.wire import encode_body, kind_of
from sim.torture.report import Report
from sim.torture.shift import UTC_NS, Shift, Turn, fresh_core, reference_line

DAY = "20260301"
NEXT_DAY = "20260302"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC: PublicKeys = {key_id(KEY.public_key()): KEY.public_key()}
# Only a torture that hangs waits so long.
WAIT_S = 60.0


class Heard:
    """What the writer's thread called back; the methods wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.durable_seq = 0
        self.durable_calls = 0
        self.failures: list[str] = []

    def on_durable(self, journal_seq: int) -> None:
        with self._changed:
            self.durable_seq = journal_seq
            self.durable_calls += 1
            self._changed.notify_all()

    def on_failed(self, why: str) -> None:
        with self._changed:
            self.failures.append(why)
            self._changed.notify_all()

    def settled(self, journal_seq: int, failures: int = 0) -> bool:
        """Wait until `journal_seq` is durable (true) or more than `failures` were reported (false)."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: self.durable_seq >= journal_seq or len(self.failures) > failures, WAIT_S
            )
            assert came, f"the writer said nothing about record {journal_seq}"
            return self.durable_seq >= journal_seq

    def confirmed(self, calls: int, failures: int) -> bool:
        """After `reopen`: another acknowledgement (true) or another failure (false)."""
        with self._changed:
            came = self._changed.wait_for(
                lambda: self.durable_calls > calls or len(self.failures) > failures, WAIT_S
            )
            assert came, "the writer did not answer to reopen"
            return len(self.failures) == failures


class Journalled:
    """One line's journal in `directory`, going on from `start` with `core`."""

    def __init__(
        self,
        directory: Path,
        vfs: str | None = None,
        start: Start = FIRST_START,
        core: LineController | None = None,
        key: Ed25519PrivateKey = KEY,
        heard: Heard | None = None,
        name: str = "L1",
    ) -> None:
        self.config: LineConfig = reference_line()
        self.core = core or fresh_core(self.config)
        self.heard = heard or Heard()
        self.seq = 0
        self._failures_known = 0
        # Every event and command kept, by number: (kind, body).
        self.told: dict[int, tuple[int, bytes]] = {}
        self._releases: deque[tuple[int, int]] = deque()
        self._name = name
        self._at_ns = 0
        directory.mkdir(parents=True, exist_ok=True)
        self.writer = JournalWriter(
            directory, name, key, start, self.heard.on_durable, self.heard.on_failed, vfs
        )

    def begin(self, day: str = DAY) -> None:
        """Begin a file, as at a start or at midnight."""
        header = FileHeader(
            schema=SCHEMA,
            software_version="torture",
            line=self._name,
            settings=self.config.line,
            rules_id=self.config.rules_id,
            rules_text=self.config.rules_text,
            state=encode_state(self.core.state),
            utc_ns=UTC_NS + self._at_ns,
        )
        self.seq = self.writer.begin_file(self._at_ns, day, header) + 1

    def keep(self, turn: Turn) -> None:
        """What the dispatcher does with a turn."""
        self._at_ns = turn.at_ns
        self.seq = self.writer.append(turn.at_ns, turn.event, turn.commands)
        messages = (turn.event, *turn.commands)
        for seq, message in enumerate(messages, self.seq - len(turn.commands)):
            self.told[seq] = (kind_of(message), encode_body(message))
        for command in turn.commands:
            if isinstance(command, CommitVerdict) and command.destination is Destination.RELEASE:
                self._releases.append((self.seq, command.pass_no))
        if self.writer.snapshot_due:
            self.seq = self.writer.append_snapshot(turn.at_ns, encode_state(self.core.state))

    def keep_all(self, turns: Iterable[Turn]) -> None:
        for turn in turns:
            self.keep(turn)

    def tell(self, shift: Shift, event: Event) -> Turn:
        """An event from outside the shift, handled and kept."""
        turn = shift.tell(event)
        self.keep(turn)
        return turn

    @property
    def releases_waiting(self) -> int:
        """Release verdicts that are not durable yet."""
        return len(self._releases)

    def tell_durables(self, shift: Shift) -> list[Turn]:
        """What the dispatcher does when the disk has something: releases may go."""
        turns = []
        while self._releases and self._releases[0][0] <= self.heard.durable_seq:
            turns.append(self.tell(shift, VerdictDurable(self._releases.popleft()[1])))
        return turns

    def reopen(self) -> bool:
        """A supervisor says the disk is well; whether the writer confirms it."""
        calls, self._failures_known = self.heard.durable_calls, len(self.heard.failures)
        self.writer.reopen()
        return self.heard.confirmed(calls, self._failures_known)

    def durable(self) -> bool:
        """Wait for everything kept so far; false if the writer failed since the last reopen."""
        return self.heard.settled(self.seq, self._failures_known)


def recovered(found: Recovered, config: LineConfig) -> LineController:
    """The core as a start takes it from the journals (controller/runtime/start.py)."""
    if found.header is None:
        return fresh_core(config)
    core = LineController(found.header.settings, decode_state(found.state, CoreState))
    for at_ns, event in found.events:
        core.handle(at_ns, event)
    return core


def compare(
    report: Report, directory: Path, told: dict[int, tuple[int, bytes]], acked: int, where: str
) -> None:
    """What was acknowledged must be on the disk, and nothing there may differ from what was told."""
    on_disk = {
        record.journal_seq: (record.kind, record.body) for record in read_directory(directory)
    }
    lost = [seq for seq in told if seq <= acked and seq not in on_disk]
    changed = [seq for seq, content in told.items() if on_disk.get(seq, content) != content]
    report.count("acknowledged", sum(seq <= acked for seq in told))
    report.count("acknowledged_lost", len(lost))
    report.count("changed", len(changed))
    report.expect(not lost, f"{where}: {len(lost)} acknowledged records are gone, first {lost[:1]}")
    report.expect(not changed, f"{where}: record {changed[:1]} is not what was told")
