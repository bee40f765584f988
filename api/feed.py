"""Listens to one line's socket and publishes what it hears to that line's hub.

The page must live when the line does not: a broken or silent line is told to the browsers twice a
second with the age of the last frame, and the socket is tried again for ever. Nothing but Hello is
ever sent to the line.
"""

import asyncio
import logging
import os
from collections import deque
from dataclasses import replace
from pathlib import Path

import msgspec

from api.frames import Frame, age_ms, frame
from api.hub import Hub, sse
from controller import wire
from controller.core.snapshot import LineSnapshot
from controller.core.units import NS_PER_S
from controller.interfaces import Clock

log = logging.getLogger(__name__)

RETRY_FIRST_S = 0.2
RETRY_MAX_S = 1.0
# A socket that says nothing for so long is closed and opened anew: the line sends at 5 Hz.
SILENCE_LIMIT_S = 5.0
# Browsers are told the age this often while nothing comes; they call it stale at 1.5 s.
AGE_EVERY_S = 0.5
READ_BYTES = 1 << 16
RATE_WINDOW_NS = 60 * NS_PER_S
RATE_LEAST_NS = 30 * NS_PER_S
RATE_SAMPLE_NS = 2 * NS_PER_S


class Rate:
    """Parcels inducted an hour, over the last minute of the line's own counter."""

    def __init__(self) -> None:
        self._samples: deque[tuple[int, int]] = deque()

    def add(self, at_ns: int, inducted: int) -> None:
        if self._samples and (at_ns < self._samples[-1][0] or inducted < self._samples[-1][1]):
            self._samples.clear()  # another boot of the machine, another state of the line
        if not self._samples or at_ns - self._samples[-1][0] >= RATE_SAMPLE_NS:
            self._samples.append((at_ns, inducted))
        while at_ns - self._samples[0][0] > RATE_WINDOW_NS:
            self._samples.popleft()

    @property
    def per_h(self) -> int | None:
        if not self._samples:
            return None
        (first_ns, first), (last_ns, last) = self._samples[0], self._samples[-1]
        span_ns = last_ns - first_ns
        return (last - first) * 3_600 * NS_PER_S // span_ns if span_ns >= RATE_LEAST_NS else None


async def _read(reader: asyncio.StreamReader) -> bytes:
    """What came; TimeoutError after SILENCE_LIMIT_S. Python 3.11's wait_for can lose a cancellation."""
    async with asyncio.timeout(SILENCE_LIMIT_S):
        return await reader.read(READ_BYTES)


class Feed:
    """The newest word of one line, and the task that keeps it new."""

    def __init__(self, line: str, socket: Path, clock: Clock) -> None:
        self.line = line
        self.hub = Hub()
        self._socket = socket
        self._clock = clock
        self._snapshot: LineSnapshot | None = None
        self._rate = Rate()
        self._complained = False

    @property
    def age_ms(self) -> int | None:
        """Age of the newest frame, None before the first."""
        if self._snapshot is None:
            return None
        return age_ms(self._snapshot, self._clock.monotonic_ns())

    @property
    def frame(self) -> Frame | None:
        """The newest frame, its age as of now."""
        if self._snapshot is None:
            return None
        return frame(self._snapshot, self._clock.monotonic_ns(), self._rate.per_h)

    def take(self, snapshot: LineSnapshot) -> None:
        """A frame arrived: encode once, publish."""
        self._snapshot = snapshot
        self._rate.add(snapshot.at_ns, snapshot.counters.inducted)
        now = frame(snapshot, self._clock.monotonic_ns(), self._rate.per_h)
        self.hub.publish("frame", msgspec.json.encode(now))

    def joining(self) -> bytes:
        """What a newcomer sees first: the newest frame, however old, or only the age."""
        newest = self.frame
        if newest is None:
            return sse("age", self._age())
        return sse("frame", msgspec.json.encode(replace(newest, age_ms=self.age_ms or 0)))

    async def run(self) -> None:
        """Until cancelled: connect, listen, tell the age."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen_for_ever())
            tasks.create_task(self._tell_age())

    async def _listen_for_ever(self) -> None:
        wait_s = RETRY_FIRST_S
        while True:
            try:
                heard = await self._listen()
            except (OSError, TimeoutError, wire.WireError, EOFError) as error:
                heard = False
                self._complain(error)
            wait_s = RETRY_FIRST_S if heard else min(2 * wait_s, RETRY_MAX_S)
            await asyncio.sleep(wait_s)

    async def _listen(self) -> bool:
        """One connection to its end; True if any frame came."""
        reader, writer = await asyncio.open_unix_connection(self._socket)
        heard = False
        try:
            writer.write(wire.encode_frame(wire.Hello("api", 0, os.getpid())))
            buffer = wire.FrameBuffer()
            while data := await _read(reader):
                newest = None
                for message in buffer.feed(data):
                    if isinstance(message, wire.Refused):
                        raise wire.WireError(f"the line refuses the page: {message.why}")
                    if isinstance(message, LineSnapshot) and message.line == self.line:
                        newest = message
                if newest is not None:
                    heard = True
                    self._recovered()
                    self.take(newest)
        finally:
            writer.close()
        self._complain(EOFError("the line closed the connection"))
        return heard

    async def _tell_age(self) -> None:
        while True:
            await asyncio.sleep(AGE_EVERY_S)
            age = self.age_ms
            if age is None or age >= 1_000 * AGE_EVERY_S:
                self.hub.publish("age", self._age())

    def _age(self) -> bytes:
        return msgspec.json.encode({"line": self.line, "age_ms": self.age_ms})

    def _complain(self, error: Exception) -> None:
        """Once at the loss; the browsers are told all the time."""
        if not self._complained:
            log.warning("line %s: no status: %s", self.line, str(error) or "it is silent")
        self._complained = True

    def _recovered(self) -> None:
        if self._complained:
            log.info("line %s: status again", self.line)
        self._complained = False
