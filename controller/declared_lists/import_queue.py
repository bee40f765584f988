"""The bounded queue in front of the store's writer thread.

Natural batching: whatever waits when the writer is free shares one commit, nothing is delayed. A future
is fulfilled only after the commit, so an answer means: on the disk.
"""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass

from controller.declared_lists.database import StoreError
from controller.declared_lists.importing import import_sources
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store
from controller.interfaces import Clock
from controller.wire import ImportDone, ImportFault

# What may wait: 64 documents of at most 2 MB; the next sender waits on its socket.
WAITING_MAX = 64
# One commit: few enough that the first sender is not kept waiting for the last.
BATCH_MAX = 16


@dataclass(frozen=True, slots=True)
class _Job:
    source: Source
    answer: asyncio.Future[ImportDone]


class ImportQueue:
    """`writer` runs one thing at a time; `imported` is told the store_seq after each commit."""

    def __init__(
        self, store: Store, clock: Clock, writer: Executor, imported: Callable[[int], None]
    ) -> None:
        self._store = store
        self._clock = clock
        self._writer = writer
        self._imported = imported
        self._jobs: asyncio.Queue[_Job] = asyncio.Queue(WAITING_MAX)

    async def submit(self, source: Source) -> asyncio.Future[ImportDone]:
        """Waits for room; the future for durability. It is cancelled when the queue stops."""
        job = _Job(source, asyncio.get_running_loop().create_future())
        await self._jobs.put(job)
        return job.answer

    async def run(self) -> None:
        """Until cancelled."""
        jobs: list[_Job] = []
        try:
            while True:
                jobs = [await self._jobs.get()]
                while len(jobs) < BATCH_MAX and not self._jobs.empty():
                    jobs.append(self._jobs.get_nowait())
                await self._import(jobs)
        finally:
            while not self._jobs.empty():
                jobs.append(self._jobs.get_nowait())
            for job in jobs:
                job.answer.cancel()

    async def _import(self, jobs: list[_Job]) -> None:
        sources = [job.source for job in jobs]
        loop = asyncio.get_running_loop()
        try:
            answers = await loop.run_in_executor(self._writer, self._write, sources)
        except StoreError as error:
            fault = ImportFault("", "", str(error))
            failed = ImportDone(0, 0, 0, (fault,), 0, store_failed=True)
            answers = [failed] * len(jobs)
        else:
            self._imported(answers[-1].store_seq)
        for job, answer in zip(jobs, answers, strict=True):
            if not job.answer.done():  # its sender may have gone
                job.answer.set_result(answer)

    def _write(self, sources: list[Source]) -> list[ImportDone]:
        imported = import_sources(self._store, sources, self._clock.utc_ns())
        store_seq = self._store.store_seq()
        return [each.done(store_seq) for each in imported]
