"""The production PLC link in virtual time: its coroutine is driven here, without an event loop.

The link is polled at the phase of the PLC's scan that the run has drawn. A poll that could show nothing
new but two moving life signs is not made; the life signs are noted as if it had been, before the next
poll that matters, so that nothing else differs while the wire is well (tests/sweep compares journals
with and without).
"""

from collections.abc import Coroutine
from functools import partial
from typing import Any, Final

from controller.core.commands import SendDecision
from controller.core.units import NS_PER_MS
from controller.interfaces import Clock, Deliver
from plc import register_map as m
from plc.exchange import HEADER_RUN
from plc.polled_link import PolledLink, Wire
from sim.sweep.agenda import Agenda
from sim.sweep.virtual_wire import Medium, VirtualConnection, Wait, wait

# What a poll reads beside the life sign: H and P. The accepted acknowledgement tells a host nothing
# while the head stands.
_END: Final = HEADER_RUN.count
_ACK, _AFTER_ACK = m.H_ACCEPTED_ACK, m.H_ACCEPTED_ACK + 2
# Well inside the time after which decisions wait for a poll, and inside every life sign limit.
_SKIPPED_MAX: Final = 12
_BEAT_BIT: Final = 0x8000


class _Pauses:
    """`plc.polled_link.Pauses`: a wait is yielded to the driver."""

    def __init__(self) -> None:
        self.woken_since = False

    async def sleep(self, ms: int) -> None:
        await wait(Wait(ms * NS_PER_MS))

    async def woken(self, within_ns: int) -> None:
        if not self.woken_since:
            await wait(Wait(within_ns, idle=True))

    def wake(self) -> None:
        self.woken_since = True

    def forget(self) -> None:
        self.woken_since = False


class VirtualLink(PolledLink):
    """`start` once, then `poll` after every scan. `kill` ends it: nothing that it planned happens."""

    def __init__(
        self, medium: Medium, agenda: Agenda, clock: Clock, session: int, every_poll: bool
    ) -> None:
        self._virtual_pauses = _Pauses()
        connect = partial(VirtualConnection, medium, agenda)
        super().__init__("virtual", clock, session, connect, self._virtual_pauses)
        self._medium = medium
        self._agenda = agenda
        self._every_poll = every_poll
        self._coroutine: Coroutine[Any, Any, None] | None = None
        self._resting = False
        self._news = True
        self._skipped = 0
        self._seen: list[int] = []
        self._seen_after: list[int] = []
        self._last_words: list[int] = []
        self._last_ns = 0

    def start(self, deliver: Deliver) -> None:
        self._coroutine = self.run(deliver)
        self._go_on()

    def kill(self) -> None:
        """The process is gone with its connection."""
        run, self._coroutine = self._coroutine, None
        if run is not None:
            self._exchange.close()
            run.close()

    def send(self, decision: SendDecision) -> None:
        """As PlcLink; an idle link writes at once."""
        super().send(decision)
        self._news = True
        if self._resting and self._coroutine is not None:
            self._agenda.at(self._agenda.now_ns, self._woken)

    def acknowledge(self, boot_id: int, ring_seq: int) -> None:
        """As PlcLink."""
        super().acknowledge(boot_id, ring_seq)
        self._news = True

    def permit(self, infeed: bool, belt: bool) -> None:
        """As PlcLink."""
        super().permit(infeed, belt)
        self._news = True

    def poll(self) -> None:
        """A scan is done: poll, unless that would be for nothing."""
        if not self._resting:
            return
        if self._nothing_new():
            self._skip()
        else:
            if self._skipped and self._in_trouble():
                self._catch_up()
            self._skipped = 0
            self._go_on()
            self._remember()

    # --- polls that are not made ------------------------------------------------------------------

    def _nothing_new(self) -> bool:
        medium = self._medium
        image = medium.image
        return (
            not self._every_poll
            and not self._news
            and image is not None
            and medium.torn is None
            and not medium.faults.any
            and self._skipped < _SKIPPED_MAX
            and self._exchange.poll_run() is HEADER_RUN
            and image[m.H_HEARTBEAT] != self._last_words[m.H_HEARTBEAT]
            and image[m.H_BOOT_ID : _ACK] == self._seen
            and image[_AFTER_ACK:_END] == self._seen_after
        )

    def _skip(self) -> None:
        """Both life signs move, as they would have."""
        image = self._medium.image
        assert image is not None, "something to skip"
        image[m.C_ADDRESS + m.C_HEARTBEAT] ^= _BEAT_BIT
        self._medium.host_spoke_ns = self._agenda.now_ns
        self._skipped += 1
        self._last_words = image[:_END]
        self._last_ns = self._clock.monotonic_ns()

    def _catch_up(self) -> None:
        """What the last skipped poll would have noted: that the PLC was alive then."""
        if self._exchange.connected:
            self._exchange.take_header(self._last_ns, self._last_words)

    def _in_trouble(self) -> bool:
        """The poll to come will not itself show that the PLC lives."""
        medium = self._medium
        return (
            medium.image is None
            or medium.torn is not None
            or medium.faults.any
            or medium.image[m.H_HEARTBEAT] == self._last_words[m.H_HEARTBEAT]
        )

    def _remember(self) -> None:
        """What the poll just made has seen, unless it met a half-written scan; a link that is not idle
        after it is not at rest."""
        image = self._medium.image
        saw_less = image is None or self._medium.torn is not None
        self._news = not self._resting or saw_less or self._exchange.next_read() is not None
        if image is not None:
            self._last_words = image[:_END]
            self._seen = self._last_words[m.H_BOOT_ID : _ACK]
            self._seen_after = self._last_words[_AFTER_ACK:]

    # --- the coroutine ----------------------------------------------------------------------------

    async def _idle(self, wire: Wire, until_ns: int) -> None:
        """At least until the next scan, though the polls that were not made leave the link behind its
        time; unless records wait that are to be fetched at once."""
        if self._exchange.next_read() is None:
            until_ns = max(until_ns, self._clock.monotonic_ns() + 1)
        await super()._idle(wire, until_ns)

    def _woken(self) -> None:
        if self._resting:
            self._go_on()

    def _go_on(self) -> None:
        """Run the link until it waits for something."""
        self._resting = False
        while self._coroutine is not None:
            wish: Wait = self._coroutine.send(None)
            if wish.idle:
                self._resting = True
            elif wish.for_ns > 0:
                self._agenda.after(wish.for_ns, partial(self._resume, self._coroutine))
            else:
                continue
            return

    def _resume(self, run: Coroutine[Any, Any, None]) -> None:
        if run is self._coroutine:
            self._go_on()
