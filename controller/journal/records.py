"""The journal's own records, kinds 150 to 199, beside the events and commands of controller/wire.py.

A file begins with a `FileHeader` that holds all it takes to replay the file alone: settings, rules and
the core's state, with the parcels in flight. `StateSnapshot` keeps a restart short, `Checkpoint` signs
the chain. Kind numbers are part of the journal: never renumber, only append.
"""

import struct
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from controller import wire
from controller.core.settings import LineSettings
from controller.journal.chain import Head
from controller.journal.keys import key_id

SCHEMA = 1
FILE_HEADER = 150
CHECKPOINT = 151
STATE_SNAPSHOT = 152

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class FileHeader:
    """First record of a file.

    `state` is the core's state before the file's first event (`encode_state`). `previous_seq` and
    `previous_head` name the last record before this file; the writer fills them in. `set_aside` names
    the corrupt files that lie between: only then may the file's first number leave a gap. `utc_ns` is
    a label.
    """

    schema: int
    software_version: str
    line: str
    settings: LineSettings
    rules_id: str
    rules_text: str
    state: bytes
    utc_ns: int
    previous_seq: int = 0
    previous_head: bytes = b""
    set_aside: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The chain up to `journal_seq`, signed. `final`: the file was closed with it.

    `file_header` is the hash of the header of its file, signed too (docs/decisions/0081); empty in
    journals of before.
    """

    journal_seq: int
    head: bytes
    final: bool
    key_id: str
    signature: bytes
    file_header: bytes = b""

    def is_of(self, header_hash: bytes) -> bool:
        """Whether it may stand in the file with this header."""
        return self.file_header in (b"", header_hash)


@dataclass(frozen=True, slots=True)
class StateSnapshot:
    """The core's state after every event before this record."""

    state: bytes


KINDS: dict[int, type[Any]] = {
    FILE_HEADER: FileHeader,
    CHECKPOINT: Checkpoint,
    STATE_SNAPSHOT: StateSnapshot,
}
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    number: msgspec.msgpack.Decoder(cls, strict=True) for number, cls in KINDS.items()
}


def encode_state(state: object) -> bytes:
    """The core's state as headers and snapshots hold it: equal states give equal bytes."""
    return wire.encode_body(state)


def decode_state(state: bytes, cls: type[S]) -> S:
    """Inverse of `encode_state`. WireError if the bytes are no state of this class."""
    try:
        return msgspec.msgpack.decode(state, type=cls, strict=True)
    except wire.UNREADABLE as error:
        raise wire.WireError(f"{cls.__name__}: {error}") from error


def decode_record(kind: int, body: bytes) -> Any:
    """The object in a record: event, command or one of this module's. WireError if it does not fit."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        return wire.decode_body(kind, body)
    try:
        return decoder.decode(body)
    except wire.UNREADABLE as error:
        raise wire.WireError(f"kind {kind}: {error}") from error


def sign(
    key: Ed25519PrivateKey, line: str, head: Head, final: bool, file_header: bytes
) -> Checkpoint:
    """A checkpoint of `head`. The line's name is signed too, so that it serves on no other line."""
    signature = key.sign(_signed_bytes(line, head, final, file_header))
    name = key_id(key.public_key())
    return Checkpoint(head.journal_seq, head.hash, final, name, signature, file_header)


def signature_holds(key: Ed25519PublicKey, line: str, checkpoint: Checkpoint) -> bool:
    """Whether `key` signed this checkpoint for `line`."""
    head = Head(checkpoint.journal_seq, checkpoint.head)
    signed = _signed_bytes(line, head, checkpoint.final, checkpoint.file_header)
    try:
        key.verify(checkpoint.signature, signed)
    except InvalidSignature:
        return False
    return True


def _signed_bytes(line: str, head: Head, final: bool, file_header: bytes) -> bytes:
    name = line.encode()
    fields = struct.pack(">I?Q", len(name), final, head.journal_seq)
    # Not the same first line: else a header could be taken off a signature, or put to one.
    version = b"2" if file_header else b"1"
    return b"parcelgate journal checkpoint %b\n" % version + fields + name + head.hash + file_header
