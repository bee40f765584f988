"""The supervisor on duty: an abort stands until a person has looked and clears it.

A parcel whose release was taken back when its gate already moved stops the line: a held parcel lies in
the release lane. With links that break on purpose this comes to pass, and nobody else lets the line go on.
"""

import asyncio
from contextlib import suppress

from controller.config import LineConfig
from controller.core.commands import EnterLineState
from controller.core.events import LineRequested
from controller.core.units import NS_PER_S
from controller.core.vocabulary import LineRequest, LineState
from controller.interfaces import Clock
from controller.journal.reader import Follower, NotAJournal, decode
from controller.runtime.commands import NoAnswer, ask

LOOK_S = 1.0
# A person walks to the lane first.
WALK_NS = 3 * NS_PER_S
ANSWER_S = 5.0


class Person:
    """`aborts` are (cause, from_ns, to_ns) by the machine's monotonic clock."""

    def __init__(self, line: LineConfig, clock: Clock) -> None:
        self.aborts: list[tuple[str, int, int]] = []
        self._socket = line.line_socket
        self._follower = Follower(line.journal_dir)
        self._clock = clock
        self._aborted: tuple[str, int] | None = None

    async def watch(self) -> None:
        """Until cancelled."""
        try:
            while True:
                await asyncio.sleep(LOOK_S)
                with suppress(NotAJournal):  # a line that starts just now
                    self._read()
                await self._clear()
        finally:
            self._follower.close()

    def _read(self) -> None:
        for record in self._follower.read():
            message = decode(record)
            if isinstance(message, EnterLineState):
                self._entered(message, record.at_ns)

    def _entered(self, entered: EnterLineState, at_ns: int) -> None:
        if entered.state is LineState.ABORTED:
            self._aborted = (entered.cause.name.lower(), at_ns)
        elif self._aborted is not None:
            cause, from_ns = self._aborted
            self.aborts.append((cause, from_ns, at_ns))
            self._aborted = None

    async def _clear(self) -> None:
        if self._aborted is None or self._clock.monotonic_ns() < self._aborted[1] + WALK_NS:
            return
        word = LineRequested(LineRequest.CLEAR, "soak")
        with suppress(NoAnswer):  # it may be frozen or dead at the moment; asked again
            await asyncio.to_thread(ask, self._socket, word, ANSWER_S)
