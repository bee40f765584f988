"""The optional OPC UA backend on `opcua` 0.98.13: a child process, asked over frames.

The child is kept from one connection to the next, since starting it takes about a second; one that does
not answer in time is killed. Why it is off by default: docs/decisions/0031.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from importlib.util import find_spec
from itertools import count
from typing import TypeVar

import msgspec

from controller.config import ConfigError
from controller.core.vocabulary import LinkFault
from plc.header import ExchangeFault
from plc.opcua_legacy import frames
from plc.opcua_settings import OpcuaSettings

_CHILD = ("-m", "plc.opcua_legacy")
# Importing the library on a busy machine.
_START_LIMIT_S = 20.0
# Endpoints, channel, session and a look around, each up to a second in the child.
_CONNECT_LIMIT_S = 4.0
# A request that the PLC does not answer keeps the child for a second.
_BUSY_LIMIT_S = 1.5

R = TypeVar("R", bound=frames.Reply)


class LegacyBackend:
    """Makes sessions; ConfigError if the library is not installed."""

    def __init__(self) -> None:
        if find_spec("opcua") is None:
            raise ConfigError(
                'opcua_backend = "opcua" needs a library that is not installed: '
                "pip install 'parcelgate[opcua-legacy]'."
            )
        self._child: _Child | None = None

    @asynccontextmanager
    async def session(self, settings: OpcuaSettings) -> AsyncIterator["LegacySession"]:
        """Connected; closed on leaving. ExchangeFault if it cannot connect."""
        child = await self._ready_child()
        session = LegacySession(child, settings)
        try:
            await session.connect()
            yield session
        finally:
            await session.disconnect()

    async def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def _ready_child(self) -> "_Child":
        if self._child is not None and not await self._child.idle(_BUSY_LIMIT_S):
            await self.close()
        if self._child is None:
            self._child = await _Child.started()
        return self._child


class LegacySession:
    """`plc.opcua_wire.OpcuaSession` in the child."""

    def __init__(self, child: "_Child", settings: OpcuaSettings) -> None:
        self.connected = False
        self.has_method = False
        self.has_rows = False
        self._child = child
        self._settings = settings

    async def connect(self) -> None:
        settings, security = self._settings, self._settings.security
        files = (
            (str(security.certificate), str(security.private_key), str(security.trusted))
            if security
            else ()
        )
        request = frames.Connect(
            self._child.next_number(),
            settings.url,
            settings.namespace_uri,
            settings.node_prefix,
            settings.node_suffix,
            settings.application_uri,
            *files,
        )
        limit_s = _CONNECT_LIMIT_S if self._child.warm else _START_LIMIT_S
        try:
            async with asyncio.timeout(limit_s):
                found = await self._ask(request, frames.Connected)
        except TimeoutError:
            raise ExchangeFault(
                LinkFault.NO_ANSWER, "the PLC does not answer while connecting"
            ) from None
        self.connected = True
        self.has_method, self.has_rows = found.has_method, found.has_rows

    async def disconnect(self) -> None:
        """Told, not waited for."""
        politely, self.connected = self.connected, False
        if not self._child.ended:
            self._child.tell(frames.Disconnect(self._child.next_number(), politely))

    async def exchange(
        self, writes: Sequence[tuple[str, list[int]]], reads: Sequence[str]
    ) -> list[list[int]]:
        """As OpcuaSession."""
        request = frames.ReadWrite(self._child.next_number(), list(writes), list(reads))
        return (await self._ask(request, frames.Values)).values

    async def submit(self, arguments: Sequence[int]) -> int:
        """As OpcuaSession."""
        request = frames.Submit(self._child.next_number(), list(arguments))
        return (await self._ask(request, frames.Answered)).result

    async def _ask(self, request: frames.Request, expected: type[R]) -> R:
        try:
            reply = await self._child.ask(request)
        except (OSError, EOFError, msgspec.MsgspecError) as error:
            self.connected = False
            raise ExchangeFault(LinkFault.REFUSED, f"the opcua process broke: {error}") from error
        match reply:
            case frames.TimedOut():
                raise TimeoutError
            case frames.Failed():
                self.connected = False
                raise ExchangeFault(LinkFault(reply.fault), reply.sentence)
            case _:
                assert isinstance(reply, expected), f"{reply} is no answer to {request}"
                return reply


class _Child:
    """The process and its pipe. One request at a time: a new one waits for the late answer to the last."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdin is not None, "it was started with pipes"
        assert process.stdout is not None, "it was started with pipes"
        self.warm = False
        self._process = process
        self._writer = process.stdin
        self._reader = process.stdout
        self._numbers = count(1)
        self._asked = self._answered = 0
        self._length = -1

    @classmethod
    async def started(cls) -> "_Child":
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, *_CHILD, stdin=pipe, stdout=pipe, limit=frames.FRAME_BYTES_MAX
        )
        return cls(process)

    @property
    def ended(self) -> bool:
        return self._process.returncode is not None

    def next_number(self) -> int:
        return next(self._numbers)

    async def idle(self, limit_s: float) -> bool:
        """Wait for late answers. False if the process ended or goes on being busy."""
        try:
            async with asyncio.timeout(limit_s):
                while self._answered < self._asked:
                    await self._receive()
        except (TimeoutError, OSError, EOFError, msgspec.MsgspecError):
            return False
        return not self.ended

    def tell(self, request: frames.Request) -> None:
        """Send without waiting for the answer, which `idle` or the next `ask` takes."""
        self._asked = request.number
        self._writer.write(frames.frame(request))

    async def ask(self, request: frames.Request) -> frames.Reply:
        """The answer to `request`. May be cancelled: the answer is then dropped when it comes.

        EOFError or OSError if the process ended, msgspec.MsgspecError if it talks nonsense.
        """
        while self._answered < self._asked:
            await self._receive()
        self.tell(request)
        while True:
            reply = await self._receive()
            if reply.number == request.number:
                self.warm = True
                return reply

    async def _receive(self) -> frames.Reply:
        """The next answer; a cancellation between its two parts loses nothing."""
        if self._length < 0:
            head = await self._reader.readexactly(frames.LENGTH_BYTES)
            self._length = int.from_bytes(head, "big")
        payload = await self._reader.readexactly(self._length)
        self._length = -1
        reply = frames.REPLIES.decode(payload)
        self._answered = reply.number
        return reply

    async def end(self) -> None:
        """Kill it: it holds nothing that is worth a goodbye."""
        with suppress(ProcessLookupError):
            self._process.kill()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        await self._process.wait()
