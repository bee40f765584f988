"""The TCP connection to the X-ray source: connect, read, notice silence, connect again.

It never raises for what the source does. One packet that does not fit ends the connection; the
frame in progress is handed on as it stands, unproven, so that its parcel is held with a picture
rather than without. Silence is judged here only, and only after what has arrived was read.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from controller.core.units import NS_PER_MS
from controller.interfaces import Clock
from vision.scan_rows import Heartbeat, PacketBuffer, SourceProtocolError
from vision.source_session import AcquiredFrame, SourceSession

log = logging.getLogger(__name__)

READ_BYTES = 1 << 18
CONNECT_LIMIT_S = 2.0
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0, 2.0)
SILENCE_CHECK_S = 0.05


@dataclass(frozen=True, slots=True)
class SourceAddress:
    """Where the source listens, who it must be, and how long it may be silent.

    `silence_ms` without any packet: three lost heartbeats. `frame_silence_ms` without a packet of
    the frame in progress closes it: the belt has stopped (rows are 1 to 10 ms apart while it runs)
    or the end is lost.
    """

    host: str
    port: int
    source: int
    silence_ms: int = 1_500
    frame_silence_ms: int = 300


class SourceLink:
    """`deliver` gets every frame; `tell_state` gets True once the source delivers, False on silence."""

    def __init__(
        self,
        address: SourceAddress,
        clock: Clock,
        deliver: Callable[[AcquiredFrame], None],
        tell_state: Callable[[bool], None],
    ) -> None:
        self.up = False
        self._address = address
        self._clock = clock
        self._deliver = deliver
        self._tell_state = tell_state
        self._heard_ns = clock.monotonic_ns()
        self._frame_heard_ns = 0
        self._session = SourceSession(address.source)
        self._writer: asyncio.StreamWriter | None = None
        self._failure_logged = ""

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch())
            group.create_task(self._reconnect())

    async def _reconnect(self) -> None:
        attempt = 0
        while True:
            why = await self._converse()
            self._log_failure(why)
            attempt = 0 if self._session.greeted else min(attempt + 1, len(BACK_OFF_S) - 1)
            await asyncio.sleep(BACK_OFF_S[attempt])

    async def _converse(self) -> str:
        """One connection from its start to its end; returns why it ended."""
        address = self._address
        self._session = SourceSession(address.source)
        try:
            async with asyncio.timeout(CONNECT_LIMIT_S):
                reader, self._writer = await asyncio.open_connection(address.host, address.port)
        except OSError as error:  # TimeoutError included
            return str(error) or "no answer"
        try:
            await self._read(reader)
        except (SourceProtocolError, OSError) as error:
            return str(error)
        finally:
            self._writer.transport.abort()
            self._writer = None
            self._hand_on(self._session.close())
        return "the source closed the connection"

    async def _read(self, reader: asyncio.StreamReader) -> None:
        buffer = PacketBuffer()
        while data := await reader.read(READ_BYTES):
            # Bytes of a packet not yet whole count for the frame: a slow network is no silence.
            of_frame, whole = True, False
            for packet in buffer.receive(data):
                self._hand_on(self._session.take(packet))
                of_frame, whole = not isinstance(packet, Heartbeat), True
            if of_frame:
                self._frame_heard_ns = self._clock.monotonic_ns()
            if whole:
                self._hear()

    def _hand_on(self, acquired: AcquiredFrame | None) -> None:
        if acquired is not None:
            self._deliver(acquired)

    def _hear(self) -> None:
        self._heard_ns = self._clock.monotonic_ns()
        if not self.up:
            self.up = True
            self._failure_logged = ""
            log.info("X-ray source %d delivers.", self._address.source)
            self._tell_state(True)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(SILENCE_CHECK_S)
            now_ns = self._clock.monotonic_ns()
            if now_ns - self._frame_heard_ns > self._address.frame_silence_ms * NS_PER_MS:
                self._hand_on(self._session.close())
            if now_ns - self._heard_ns > self._address.silence_ms * NS_PER_MS:
                self._fall_silent(now_ns)

    def _fall_silent(self, now_ns: int) -> None:
        """A connection that says nothing is as good as none: end it, `_reconnect` opens another."""
        if self.up:
            self.up = False
            log.error("X-ray source %d is silent.", self._address.source)
            self._tell_state(False)
        if self._writer is not None:
            self._heard_ns = now_ns
            self._writer.transport.abort()

    def _log_failure(self, why: str) -> None:
        """Once for each new cause until the source delivers again."""
        if why != self._failure_logged:
            self._failure_logged = why
            address = self._address
            log.warning("X-ray source at %s:%d: %s.", address.host, address.port, why)
