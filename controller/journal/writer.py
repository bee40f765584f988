"""The legal journal as the line process sees it: `append` from the loop, callbacks when durable.

The loop's side numbers and encodes records (drafting.py) and never waits; a thread of its own owns the
disk (committer.py). The thread only hashes and sits in fsync: no other work belongs there.
"""

import threading
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.core.commands import Command
from controller.core.events import Event
from controller.journal import records
from controller.journal.batcher import Batcher
from controller.journal.chain import Start
from controller.journal.committer import Committer, Group
from controller.journal.day_file import locked
from controller.journal.drafting import Drafting

# Records held in memory while the disk is away: hours of a line whose infeed stands.
WAITING_BYTES_MAX = 64 << 20


class JournalWriter:
    """Writes one line's journal. All methods are for the loop's thread; only `close` waits.

    `on_durable(journal_seq)`: every record up to that one is on the disk. `on_failed(sentence)`:
    something could not be written, and nothing more is acknowledged until `reopen`. Both are called
    from the writer's thread. JournalBusy if another process writes in `directory`.
    """

    def __init__(
        self,
        directory: Path,
        line: str,
        signing_key: Ed25519PrivateKey,
        start: Start,
        on_durable: Callable[[int], None],
        on_failed: Callable[[str], None],
        vfs: str | None = None,
    ) -> None:
        self._drafting = Drafting(line, signing_key, start, self._add)
        self._batcher: Batcher[Group] = Batcher()
        self._overflowed = False
        self._on_failed = on_failed
        self._committer = Committer(directory, start.head, on_durable, on_failed, vfs)
        self._held = ExitStack()
        self._held.enter_context(locked(directory))
        self._wake = threading.Event()
        self._reopen_wanted = False
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"journal-{line}", daemon=True)
        self._thread.start()

    def begin_file(self, at_ns: int, day: str, header: records.FileHeader) -> int:
        """As Drafting."""
        return self._drafting.begin_file(at_ns, day, header)

    def append(self, at_ns: int, event: Event, commands: Iterable[Command]) -> int:
        """Queue one commit, as Drafting."""
        return self._drafting.append(at_ns, event, commands)

    @property
    def snapshot_due(self) -> bool:
        """As Drafting."""
        return self._drafting.snapshot_due

    def append_snapshot(self, at_ns: int, state: bytes) -> int:
        """As Drafting."""
        return self._drafting.append_snapshot(at_ns, state)

    def reopen(self) -> None:
        """A supervisor says the disk is well. `on_durable` follows, or `on_failed` again."""
        if self._overflowed or not self._thread.is_alive():
            self._on_failed("The journal takes nothing more: restart the line.")
            return
        self._reopen_wanted = True
        self._wake.set()

    def close(self) -> bool:
        """Sign, write what waits, close. Waits for the disk; false if anything was not written."""
        if self._closing:
            return True
        self._drafting.end_file()
        self._closing = True
        self._wake.set()
        self._thread.join()
        self._held.close()
        return not (self._committer.stuck or self._overflowed)

    def _add(self, group: Group) -> None:
        if self._overflowed:
            return
        if self._batcher.waiting_bytes > WAITING_BYTES_MAX:
            self._overflowed = True
            self._on_failed("The journal's disk has taken nothing for too long: restart the line.")
            return
        self._batcher.add(group)
        self._wake.set()

    def _run(self) -> None:
        """The writer's thread."""
        try:
            self._committer.reserve()
            while not self._closing:
                self._wake.wait()
                self._wake.clear()
                self._work()
            self._work()
            self._committer.close()
        except BaseException as error:
            self._on_failed(f"The journal's writer has stopped ({error!r}): restart the line.")
            raise

    def _work(self) -> None:
        if self._reopen_wanted:
            self._reopen_wanted = False
            self._committer.reopen()
        while not self._committer.stuck and (batch := self._batcher.take()):
            self._committer.commit(batch)
