"""Tells every line that the store has moved on. Best effort: lines read the store themselves anyway."""

import asyncio
import contextlib
import os
from pathlib import Path

from controller.wire import Hello, ListsImported, encode_frame

# A line that does not take the word within this looks by itself every 50 ms.
LINE_S_MAX = 0.2


class LineWaker:
    """Conflates: while lines are being told, only the newest store_seq waits."""

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir
        self._store_seq = 0
        self._news = asyncio.Event()

    def tell(self, store_seq: int) -> None:
        if store_seq > self._store_seq:
            self._store_seq = store_seq
            self._news.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            message = encode_frame(ListsImported(self._store_seq))
            for path in self._sockets():
                await _send(path, message)

    def _sockets(self) -> list[Path]:
        return sorted(self._state_dir.glob("line-*.sock"))


async def _send(path: Path, message: bytes) -> None:
    hello = encode_frame(Hello(role="intake", source=0, pid=os.getpid()))
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(LINE_S_MAX):
            _, writer = await asyncio.open_unix_connection(path)
            try:
                writer.write(hello + message)
                await writer.drain()
            finally:
                writer.close()
                await writer.wait_closed()
