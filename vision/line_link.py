"""The Unix socket to the line process: Hello, the source's state, findings; contexts come back.

The line may restart at any time; findings made meanwhile are dropped, never sent late: a restarted
core knows none of their parcels. It never raises for what the line does.
"""

import asyncio
import logging
import os
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from controller.core.commands import TellVision
from controller.core.events import PictureFindings, VisionDown, VisionUp
from controller.wire import FrameBuffer, Hello, Refused, WireError, encode_frame

log = logging.getLogger(__name__)

READ_BYTES = 1 << 16
BACK_OFF_S = (0.1, 0.2, 0.5, 1.0)
# A line that has not read this much (400 findings) is stuck; it gets a new connection, not more.
UNREAD_BYTES_MAX = 1 << 18
# The belt holds at most 48 parcels.
CONTEXTS_MAX = 64

Report = VisionUp | VisionDown | PictureFindings


class LineLink:
    """`state` is asked for the source's state at each connection, so that none is missed."""

    def __init__(
        self, socket: Path, source: int, state: Callable[[], VisionUp | VisionDown]
    ) -> None:
        self.contexts: OrderedDict[int, TellVision] = OrderedDict()
        self._socket = socket
        self._source = source
        self._state = state
        self._writer: asyncio.StreamWriter | None = None
        self._failure_logged = ""

    async def run(self) -> None:
        """Until cancelled."""
        attempt = 0
        while True:
            why, heard = await self._converse()
            if why != self._failure_logged:
                self._failure_logged = why
                log.warning("Line socket %s: %s.", self._socket.name, why)
            attempt = 0 if heard else min(attempt + 1, len(BACK_OFF_S) - 1)
            await asyncio.sleep(BACK_OFF_S[attempt])

    def send(self, report: Report) -> bool:
        """False if there is no line to send it to; it is not kept."""
        if self._writer is None:
            return False
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            self._writer.transport.abort()
            return False
        self._writer.write(encode_frame(report))
        return True

    async def _converse(self) -> tuple[str, bool]:
        """One connection; why it ended, and whether the line took us at all."""
        try:
            reader, writer = await asyncio.open_unix_connection(self._socket)
        except OSError as error:
            return f"no line process ({error.strerror or error})", False
        writer.write(encode_frame(Hello("vision", self._source, os.getpid())))
        writer.write(encode_frame(self._state()))
        self._writer = writer
        try:
            refusal = await self._read(reader)
        except (WireError, OSError) as error:
            return str(error), False
        finally:
            self._writer = None
            self.contexts.clear()
            writer.transport.abort()
        return refusal or "the line process closed the connection", not refusal

    async def _read(self, reader: asyncio.StreamReader) -> str:
        """Take contexts until the line hangs up; the sentence if it refused us, else ''."""
        buffer = FrameBuffer()
        while data := await reader.read(READ_BYTES):
            for message in buffer.feed(data):
                if isinstance(message, Refused):
                    return f"refused: {message.why}"
                if not isinstance(message, TellVision):
                    raise WireError(f"{type(message).__name__} is nothing to tell a vision worker")
                self._failure_logged = ""
                self._keep(message)
        return ""

    def _keep(self, context: TellVision) -> None:
        self.contexts[context.trigger_no] = context
        self.contexts.move_to_end(context.trigger_no)
        if len(self.contexts) > CONTEXTS_MAX:
            self.contexts.popitem(last=False)
