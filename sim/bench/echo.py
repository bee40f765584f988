"""The floor: a request of so many bytes, an answer of so many, over TCP and asyncio, and nothing else.

`python -m sim.bench.echo` is the far side, in a process of its own as a PLC would be. A request begins
with its own length and that of its answer; the rest of both is zeros.
"""

import asyncio
import signal
import struct
import sys
from collections.abc import Sequence

_HEAD = struct.Struct(">II")
LEAST_BYTES = _HEAD.size

# (bytes out, bytes in), one after the other
Trips = tuple[tuple[int, int], ...]


class _Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport), "TCP"
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= LEAST_BYTES:
            length, answer = _HEAD.unpack_from(self._buffer)
            if len(self._buffer) < length:
                return
            self._buffer = self._buffer[length:]
            self._transport.write(bytes(answer))


class Asking(asyncio.Protocol):
    """The near side; one request at a time."""

    def __init__(self) -> None:
        self._missing = 0
        self._answered: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """As asyncio.Protocol."""
        assert isinstance(transport, asyncio.Transport), "TCP"
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """As asyncio.Protocol."""
        self._missing -= len(data)
        if self._missing <= 0 and self._answered is not None and not self._answered.done():
            self._answered.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        """As asyncio.Protocol."""
        if self._answered is not None and not self._answered.done():
            self._answered.set_exception(error or ConnectionError("the echo ended"))

    async def trips(self, trips: Trips) -> None:
        """One after the other. OSError if the far side is gone."""
        for out, back in trips:
            self._missing = back
            self._answered = asyncio.get_running_loop().create_future()
            length = max(out, LEAST_BYTES)
            self.transport.write(_HEAD.pack(length, back) + bytes(length - LEAST_BYTES))
            await self._answered


async def asking(port: int) -> Asking:
    """Connected to the far side at `port`."""
    _, protocol = await asyncio.get_running_loop().create_connection(Asking, "127.0.0.1", port)
    return protocol


async def _serve() -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    server = await loop.create_server(_Answering, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await stop.wait()
    server.close()


def main(argv: Sequence[str] | None = None) -> int:
    """Says in one line on which port it listens; runs until it is stopped."""
    asyncio.run(_serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
