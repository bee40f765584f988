"""The narrow ports of the line process. Drivers implement them, the runtime owns them."""

from collections.abc import Callable
from typing import Protocol

from controller.core.commands import LookUp, SendDecision
from controller.core.events import Event

Deliver = Callable[[Event], None]


class PlcLink(Protocol):
    """One PLC, one connection, one monitor loop (`run`) that never raises for what the PLC does.

    It delivers, in this order on every (re)connection: PlcConnected, then ring records by sequence
    (RingGap where some are gone), DecisionEchoed and PlcStateSeen on change; PlcLost once when the
    exchange is broken. The other methods only note what the next poll is to carry; they never block.
    """

    async def run(self, deliver: Deliver) -> None:
        """Poll until cancelled."""

    def send(self, decision: SendDecision) -> None:
        """Queue a decision; a HOLD overtakes whatever waits. Dropped when the link breaks: decisions
        of a broken link are never sent late, the core decides anew."""

    def acknowledge(self, boot_id: int, ring_seq: int) -> None:
        """Every record up to `ring_seq` of this boot is durable."""

    def permit(self, infeed: bool, belt: bool) -> None:
        """Command bits from the next poll on; both are false until first called."""


class ListReader(Protocol):
    """Look-ups in the declared-list store, in its own thread, read-only."""

    def look_up(self, request: LookUp) -> None:
        """Answered by a ListsAnswered event on the loop, always, within its own time-out."""

    def watch(self, list_keys: frozenset[str]) -> None:
        """Deliver ListChanged for these lists from now on."""


class Clock(Protocol):
    """The only source of time outside controller/clock.py's callers' arguments."""

    def monotonic_ns(self) -> int: ...

    def utc_ns(self) -> int: ...
