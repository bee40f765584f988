"""The line's Unix socket: vision workers, pages and intake meet the line process here.

Frames of controller/wire.py, `Hello` first. Whatever is wrong on a connection ends that connection
and nothing else. Nothing is queued for a reader that does not read: snapshots are dropped, and a
vision worker that lets its buffer fill is cut off, which the core learns as VisionDown.
"""

import asyncio
import logging
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar, cast

from controller import wire
from controller.config import ConfigError
from controller.config.activation import check_activation
from controller.core.commands import TellVision
from controller.core.events import (
    Event,
    JournalRecovered,
    LineRequested,
    PictureFindings,
    RulesActivated,
    VisionDown,
    VisionUp,
)
from controller.core.snapshot import LineSnapshot

log = logging.getLogger(__name__)

READ_BYTES = 65_536
# Frames wait in the kernel's buffer and here; a healthy worker reads within milliseconds.
UNREAD_BYTES_MAX = 262_144
CONNECTIONS_MAX = 64
# What each role may send after its Hello.
_MAY_SEND: dict[str, tuple[type, ...]] = {
    "vision": (VisionUp, VisionDown, PictureFindings),
    "api": (LineRequested,),
    "intake": (wire.ListsImported,),
    "supervisor": (RulesActivated, LineRequested, JournalRecovered),
}
WHO_CHARACTERS_MAX = 100
# struct ucred: pid, uid, gid.
_PEER = struct.Struct("3i")


class Connection:
    """One client after its Hello."""

    def __init__(self, hello: wire.Hello, writer: asyncio.StreamWriter) -> None:
        self.role = hello.role
        self.source = hello.source
        self.source_up = False
        self.uid = _uid_of(writer)
        self._writer = writer

    @property
    def connected(self) -> bool:
        """False once the client has hung up."""
        return not self._writer.transport.is_closing()

    def answer(self, message: LineSnapshot) -> None:
        """To a supervisor: done, and this is the line now."""
        self.offer(wire.encode_frame(message))

    def refuse(self, why: str) -> None:
        """Say why and close."""
        self.offer(wire.encode_frame(wire.Refused(why)))
        self._writer.close()

    def offer(self, frame: bytes) -> bool:
        """Send if the client reads what it is sent; False and nothing sent otherwise."""
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
            return False
        self._writer.write(frame)
        return True

    def cut(self) -> None:
        self._writer.transport.abort()


_Signed = TypeVar("_Signed", bound=LineRequested | JournalRecovered | RulesActivated)
Supervise = Callable[[LineRequested | JournalRecovered, Connection], None]


def _nobody(_: LineRequested | JournalRecovered, connection: Connection) -> None:
    connection.refuse("this line takes no supervisor's word")


class LineSocket:
    """Serves `path`; `deliver` takes events, `wake_lists` is called for ListsImported, `supervise`
    for what a supervisor asks, which it answers."""

    def __init__(
        self,
        path: Path,
        deliver: Callable[[Event], None],
        wake_lists: Callable[[], None],
        supervise: Supervise = _nobody,
    ) -> None:
        self._path = path
        self._deliver = deliver
        self._wake_lists = wake_lists
        self._supervise = supervise
        self._connections: set[Connection] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Listen. The socket of a dead process is replaced; the journal's lock keeps out a live one."""
        self._path.unlink(missing_ok=True)
        self._server = await asyncio.start_unix_server(self._serve, path=self._path)
        os.chmod(self._path, 0o660)

    async def close(self) -> None:
        if self._server is None:
            return
        self._server.close()
        for connection in list(self._connections):
            connection.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._path.unlink(missing_ok=True)

    def tell_vision(self, context: TellVision) -> None:
        """To the worker of this source; a worker that does not read is cut off."""
        frame = wire.encode_frame(context)
        for connection in list(self._connections):
            if connection.role == "vision" and connection.source == context.source:
                if not connection.offer(frame):
                    log.warning("vision worker %d does not read, cut off", connection.source)
                    connection.cut()

    def show(self, take_snapshot: Callable[[], LineSnapshot]) -> None:
        """To every page; built only if somebody looks, dropped where somebody does not read."""
        pages = [connection for connection in self._connections if connection.role == "api"]
        if pages:
            frame = wire.encode_frame(take_snapshot())
            for page in pages:
                page.offer(frame)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        connection: Connection | None = None
        buffer = wire.FrameBuffer()
        try:
            while data := await reader.read(READ_BYTES):
                for message in buffer.feed(data):
                    if connection is None:
                        connection = self._welcome(message, writer)
                    else:
                        self._take(connection, message)
        except wire.WireError as error:
            log.warning("connection closed: %s", error)
            writer.write(wire.encode_frame(wire.Refused(str(error))))
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()
            if connection is not None:
                self._farewell(connection)

    def _welcome(self, message: Any, writer: asyncio.StreamWriter) -> Connection:
        if not isinstance(message, wire.Hello) or message.role not in _MAY_SEND:
            raise wire.WireError("the first frame must be a Hello with a known role")
        if len(self._connections) >= CONNECTIONS_MAX:
            raise wire.WireError(f"{CONNECTIONS_MAX} clients are connected already")
        connection = Connection(message, writer)
        if message.role == "supervisor" and connection.uid not in (0, os.geteuid()):
            raise wire.WireError("only root and the line's own user speak as a supervisor")
        self._connections.add(connection)
        return connection

    def _take(self, connection: Connection, message: Any) -> None:
        if not isinstance(message, _MAY_SEND[connection.role]):
            raise wire.WireError(f"{connection.role} may not send {type(message).__name__}")
        if isinstance(message, wire.ListsImported):
            self._wake_lists()
            return
        if isinstance(message, VisionUp | VisionDown | PictureFindings):
            if message.source != connection.source:
                raise wire.WireError(f"worker {connection.source} spoke for {message.source}")
            connection.source_up = not isinstance(message, VisionDown)
        if isinstance(message, LineRequested | JournalRecovered) and connection.role != "api":
            self._supervise(_signed(message, connection.uid), connection)
            return
        if isinstance(message, RulesActivated):
            _check_rules(message)
            message = _signed(message, connection.uid)
        self._deliver(cast(Event, message))

    def _farewell(self, connection: Connection) -> None:
        self._connections.discard(connection)
        if connection.source_up:
            self._deliver(VisionDown(connection.source, source_silent=False))


def _uid_of(writer: asyncio.StreamWriter) -> int:
    """The user at the other end, as the kernel knows him."""
    peer: socket.socket = writer.get_extra_info("socket")
    uid: int = _PEER.unpack(peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _PEER.size))[1]
    return uid


def _signed(message: _Signed, uid: int) -> _Signed:
    """With the user beside the name that he gives."""
    who = message.who.strip()
    if not who or len(who) > WHO_CHARACTERS_MAX or not who.isprintable():
        raise wire.WireError(f"a name of 1 to {WHO_CHARACTERS_MAX} printable characters is needed")
    return replace(message, who=f"{who} (uid {uid})")


def _check_rules(event: RulesActivated) -> None:
    """WireError, in the words of the one who checks, unless the rules are what their text says."""
    try:
        check_activation(event)
    except ConfigError as error:
        raise wire.WireError(str(error)) from error
