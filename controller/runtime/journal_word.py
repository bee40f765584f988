"""A supervisor's word that releases may resume, from its arrival until the disk bears it out.

The core hears `JournalRecovered` only after the journal's writer has found its file again and says
that everything written is durable. It never resumes by itself, and a word whose giver has hung up is
dropped: nobody would know that it was obeyed.
"""

from collections.abc import Callable
from typing import Protocol

from controller.core.events import JournalRecovered
from controller.core.snapshot import LineSnapshot


class Asker(Protocol):
    """Who gave the word and waits for what comes of it."""

    @property
    def connected(self) -> bool:
        """Whether anybody still waits."""

    def answer(self, message: LineSnapshot) -> None:
        """It was done; this is the line now."""

    def refuse(self, why: str) -> None:
        """It was not done, in one sentence."""


class JournalWord:
    """`reopen` is JournalWriter.reopen, `dispatch` the line's, `snapshot` what an asker is shown."""

    def __init__(
        self,
        reopen: Callable[[], None],
        dispatch: Callable[[JournalRecovered], None],
        snapshot: Callable[[], LineSnapshot],
    ) -> None:
        self._reopen = reopen
        self._dispatch = dispatch
        self._snapshot = snapshot
        self._waiting: list[tuple[JournalRecovered, Asker]] = []

    def given(self, word: JournalRecovered, asker: Asker) -> None:
        """Ask the disk; `durable` or `failed` follows."""
        self._waiting.append((word, asker))
        self._reopen()

    def durable(self) -> None:
        """The disk has confirmed something. After a failure only `reopen` makes it do so."""
        waiting, self._waiting = self._waiting, []
        for word, asker in waiting:
            if asker.connected:
                self._dispatch(word)
                asker.answer(self._snapshot())

    def failed(self, why: str) -> None:
        """The disk still fails: say so to whoever asked."""
        waiting, self._waiting = self._waiting, []
        for _, asker in waiting:
            asker.refuse(why)
