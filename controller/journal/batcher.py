"""Natural batching: a commit takes whatever waits, and nothing is ever delayed to fill it. Pure.

On a fast disk a batch is one group; on a slow one batches grow by themselves, so that a disk of 300
commits/s carries 2,000 groups/s (docs: a fixed window only adds its own length). The writer thread
uses it on a real disk, the simulation on a virtual one. `add` may be called from one thread and `take`
from one other.
"""

from collections import deque
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

# Bounds the time of one commit: 1,000 records are about 0.3 MB and 10 ms of hashing and inserting.
BATCH_RECORDS_MAX: Final = 1_000


class Waiting(Protocol):
    """What can wait: one indivisible piece of a commit."""

    @property
    def record_count(self) -> int:
        """Weight in the batch; a piece of BATCH_RECORDS_MAX or more travels alone."""

    @property
    def byte_count(self) -> int:
        """Memory it holds while it waits."""


W = TypeVar("W", bound=Waiting)


@dataclass(slots=True)
class _Count:
    """A number that only its own thread changes; the other reads it."""

    bytes: int = 0


class Batcher(Generic[W]):
    """A queue of pieces, taken in order, as many at a time as fit into one commit."""

    def __init__(self, records_max: int = BATCH_RECORDS_MAX) -> None:
        self._records_max = records_max
        self._waiting: deque[W] = deque()
        self._added = _Count()
        self._taken = _Count()

    @property
    def waiting_bytes(self) -> int:
        """Bytes added and not yet taken."""
        return self._added.bytes - self._taken.bytes

    def add(self, piece: W) -> None:
        """Put a piece at the end of the queue."""
        self._added.bytes += piece.byte_count
        self._waiting.append(piece)

    def take(self) -> tuple[W, ...]:
        """The pieces of the next commit; empty if nothing waits. A piece is never split."""
        batch: list[W] = []
        records = 0
        while self._waiting:
            piece = self._waiting[0]
            if batch and records + piece.record_count > self._records_max:
                break
            batch.append(self._waiting.popleft())
            records += piece.record_count
            self._taken.bytes += piece.byte_count
        return tuple(batch)
