"""Fan-out of one line's newest frame to any number of browsers.

A frame is encoded once and every client is given the same bytes. A client holds no queue: one that
reads slowly misses frames and gets the newest. Nothing here waits for a client.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable

RETRY_MS = 1_000


def sse(event: str, data: bytes) -> bytes:
    """One server-sent event; `data` is JSON, which holds no line breaks."""
    return b"event: " + event.encode() + b"\ndata: " + data + b"\n\n"


class Hub:
    """`publish` replaces what everybody is to see; `stream` yields it to one client."""

    def __init__(self) -> None:
        self._newest = b""
        self._version = 0
        self._clients: set[asyncio.Event] = set()
        self._closed = False

    @property
    def clients(self) -> int:
        return len(self._clients)

    def publish(self, event: str, data: bytes) -> None:
        self._newest = sse(event, data)
        self._version += 1
        for client in self._clients:
            client.set()

    def close(self) -> None:
        """End every stream, so that the server can stop."""
        self._closed = True
        for client in self._clients:
            client.set()

    async def stream(self, joining: Callable[[], bytes]) -> AsyncGenerator[bytes, None]:
        """First `joining()` (complete events for a newcomer, its age as of now), then each newest frame."""
        news = asyncio.Event()
        self._clients.add(news)
        try:
            seen = self._version
            yield f"retry: {RETRY_MS}\n\n".encode() + joining()
            while not self._closed:
                await news.wait()
                news.clear()
                if self._version != seen and not self._closed:
                    seen = self._version
                    yield self._newest
        finally:
            self._clients.discard(news)
