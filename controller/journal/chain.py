"""The hash chain: what makes a later change to any record visible. Pure.

A record's hash is SHA-256 over the hash of the record before it and its own fields, each in a fixed
width (the body preceded by its length), so that no two different records can hash the same bytes. The
chain runs on over the border of a day file. It cannot see a cut tail or a complete rewrite: signed
checkpoints and a head that has left the machine are for those (see verify.py).
"""

import hashlib
import struct
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

HASH_BYTES: Final = 32
# previous hash, journal_seq, at_ns, kind, length of the body; the body follows.
_LINK: Final = struct.Struct(">32sQqHI")


class Head(NamedTuple):
    """The last record of a chain: its number and its 32-byte hash."""

    journal_seq: int
    hash: bytes


# Before a line's first record.
GENESIS: Final = Head(0, bytes(HASH_BYTES))


@dataclass(frozen=True, slots=True)
class Start:
    """Where a line's chain goes on after a start.

    `next_seq` is head + 1, or further on where the files named in `set_aside` were corrupt: their
    numbers, known here or not, are never given twice.
    """

    head: Head
    next_seq: int
    set_aside: tuple[str, ...] = ()


FIRST_START: Final = Start(GENESIS, 1)


@dataclass(frozen=True, slots=True)
class Record:
    """One record as stored. `kind` and `body` as in controller/wire.py and records.py."""

    journal_seq: int
    at_ns: int
    kind: int
    body: bytes
    hash: bytes

    @property
    def head(self) -> Head:
        """The chain's head with this record as its last."""
        return Head(self.journal_seq, self.hash)


class Draft(NamedTuple):
    """A numbered record that waits for its hash.

    `body` is a function of the head before it where the record speaks of that head (file header,
    checkpoint): the head is known only when the record is about to be written.
    """

    journal_seq: int
    at_ns: int
    kind: int
    body: bytes | Callable[[Head], bytes]


def link(previous_hash: bytes, journal_seq: int, at_ns: int, kind: int, body: bytes) -> bytes:
    """The hash of a record that follows `previous_hash`."""
    prefix = _LINK.pack(previous_hash, journal_seq, at_ns, kind, len(body))
    return hashlib.sha256(prefix + body).digest()


def seal(head: Head, drafts: Iterable[Draft]) -> tuple[Record, ...]:
    """The drafts as records chained to `head`, in their order."""
    records = []
    for draft in drafts:
        body = draft.body if isinstance(draft.body, bytes) else draft.body(head)
        digest = link(head.hash, draft.journal_seq, draft.at_ns, draft.kind, body)
        record = Record(draft.journal_seq, draft.at_ns, draft.kind, body, digest)
        records.append(record)
        head = record.head
    return tuple(records)


def fits(previous_hash: bytes, record: Record) -> bool:
    """Whether the record's hash is the one its fields and `previous_hash` give."""
    try:
        wanted = link(previous_hash, record.journal_seq, record.at_ns, record.kind, record.body)
    except (struct.error, TypeError):
        # Fields that no writer of ours can have stored.
        return False
    return wanted == record.hash


def follows(head: Head, record: Record) -> bool:
    """The verification step: `record` is the next one after `head` and nothing in it was changed."""
    return record.journal_seq == head.journal_seq + 1 and fits(head.hash, record)
