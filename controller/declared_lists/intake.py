"""The `intake` process: sole writer of the declared-list store.

Messages come over the socket `intake.sock` (frames of controller/wire.py: ImportDocument, answered by
ImportDone once durable) and through the folder `inbox/`. It has no say in any verdict; while it is down
lists go stale and unknown parcels are held.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from controller import notify
from controller.clock import SystemClock
from controller.declared_lists.database import StoreError
from controller.declared_lists.import_queue import ImportQueue
from controller.declared_lists.inbox import Inbox
from controller.declared_lists.limits import DOCUMENT_BYTES_MAX
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store
from controller.declared_lists.wake_up import LineWaker
from controller.interfaces import Clock
from controller.wire import (
    FrameBuffer,
    Hello,
    ImportDocument,
    ImportDone,
    ImportFault,
    Refused,
    WireError,
    encode_frame,
)

SOCKET_NAME = "intake.sock"
STORE_NAME = "lists.db"
INBOX_NAME = "inbox"
# Each may hold one frame (1 MB) half received.
CONNECTIONS_MAX = 32
_READ_BYTES = 1 << 16


async def run_intake(
    state_dir: Path, ready: Callable[[], None], clock: Clock | None = None
) -> None:
    """The process: until cancelled. `ready` is called once messages can be handed over.

    StoreError or OSError: the store or a folder cannot be used; nothing was taken.
    """
    store = Store(state_dir / STORE_NAME)
    writer = ThreadPoolExecutor(1, "list-store")
    try:
        waker = LineWaker(state_dir)
        queue = ImportQueue(store, clock or SystemClock(), writer, waker.tell)
        inbox = Inbox(state_dir / INBOX_NAME, queue.submit)
        inbox.prepare()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(queue.run())
            tasks.create_task(waker.run())
            tasks.create_task(inbox.run())
            tasks.create_task(_serve(state_dir / SOCKET_NAME, queue, ready))
    finally:
        writer.shutdown()  # waits for a batch that is being written
        store.close()


async def _serve(path: Path, queue: ImportQueue, ready: Callable[[], None]) -> None:
    """Answer everybody who connects, until cancelled."""
    conversations: set[asyncio.Task[None]] = set()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        conversations.add(task)
        try:
            if len(conversations) > CONNECTIONS_MAX:
                raise WireError(f"more than {CONNECTIONS_MAX} connections")
            await _converse(reader, writer, queue)
        except WireError as error:
            writer.write(encode_frame(Refused(str(error))))
        except ConnectionError:
            pass  # the sender has gone; what it sent is taken all the same
        finally:
            conversations.discard(task)
            writer.close()

    # We hold the store's lock: a socket that lies here is a dead process's.
    _remove(path)
    server = await asyncio.start_unix_server(converse, path)
    try:
        os.chmod(path, 0o660)
        ready()
        await asyncio.get_running_loop().create_future()
    finally:
        server.close()
        for task in conversations:
            task.cancel()
        await asyncio.gather(*conversations, return_exceptions=True)
        _remove(path)


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)


async def _converse(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, queue: ImportQueue
) -> None:
    """Answer one sender in its own order; what it sends together shares a commit."""
    buffer = FrameBuffer()
    while data := await reader.read(_READ_BYTES):
        futures = []
        for message in buffer.feed(data):
            match message:
                case Hello():
                    pass
                case ImportDocument():
                    futures.append(await _submitted(message, queue))
                case _:
                    raise WireError(f"intake takes no {type(message).__name__}")
        for future in futures:
            writer.write(encode_frame(await future))
        await writer.drain()


async def _submitted(document: ImportDocument, queue: ImportQueue) -> asyncio.Future[ImportDone]:
    data = document.data
    if document.zlib:
        try:
            data = zlib.decompressobj().decompress(data, DOCUMENT_BYTES_MAX + 1)
        except zlib.error:
            refused: asyncio.Future[ImportDone] = asyncio.get_running_loop().create_future()
            fault = ImportFault("", "", "is not what the sender compressed")
            refused.set_result(ImportDone(0, 0, 0, (fault,), 0))
            return refused
    return await queue.submit(Source(document.name, data))


async def _run_until_signalled(state_dir: Path) -> None:
    loop = asyncio.get_running_loop()
    running = asyncio.current_task()
    assert running is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, running.cancel)
    try:
        await run_intake(state_dir, notify.ready)
    except asyncio.CancelledError:
        notify.stopping()


def main(arguments: Sequence[str] | None = None) -> int:
    """`python -m controller.declared_lists.intake --state-dir DIR`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--state-dir", type=Path, required=True)
    options = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    failures: list[BaseException] = []
    try:
        asyncio.run(_run_until_signalled(options.state_dir))
    except* (StoreError, OSError) as group:
        failures += group.exceptions
    for failure in failures:
        sys.stderr.write(f"{failure}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
