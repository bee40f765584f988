"""How many bytes a link really exchanges: counted on a relay between it and the PLC."""

from collections import Counter
from collections.abc import Sequence

from controller.interfaces import Clock
from sim.bench.echo import Trips
from sim.bench.watched import Span
from sim.tls_proxy import Relay


class Tap:
    """A relay that notes when how many bytes went which way."""

    def __init__(self, port: int, clock: Clock) -> None:
        self._clock = clock
        self._noted: list[tuple[int, bool, int]] = []
        self._relay = Relay(port, heard=self._heard)

    async def start(self) -> int:
        """The port to connect to instead."""
        return await self._relay.start()

    async def stop(self) -> None:
        await self._relay.stop()

    def usual(self, spans: Sequence[Span]) -> Trips:
        """The round trips of most of these spans, none if there are no spans."""
        found = Counter(self._trips(span) for span in spans)
        return found.most_common(1)[0][0] if found else ()

    def _trips(self, span: Span) -> Trips:
        trips: list[list[int]] = []
        outward_before = False
        for at_ns, outward, count in self._noted:
            if span[0] <= at_ns <= span[1]:
                if outward and not outward_before:
                    trips.append([0, 0])
                if trips:
                    trips[-1][not outward] += count
                outward_before = outward
        return tuple((out, back) for out, back in trips)

    def _heard(self, outward: bool, count: int) -> None:
        self._noted.append((self._clock.monotonic_ns(), outward, count))
