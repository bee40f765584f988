"""The one encoding of everything that crosses a process border or goes into a journal.

A frame is a 4-byte big-endian length and msgpack `[SCHEMA, kind number, body]`; a body is a map of
field names, so that any msgpack library can read a journal. One decoder per kind: msgspec refuses a
union of plain dataclasses, and a decoder that knows its kind refuses everything else. Kind numbers
are part of the journal: never renumber, only append.
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from controller.core import commands, events, snapshot

SCHEMA = 1
# A frame larger than this is refused before it is read: the largest honest one is a LineSnapshot of
# 48 parcels (about 20 kB).
FRAME_BYTES_MAX = 1 << 20


class WireError(ValueError):
    """The bytes are no frame of ours; the connection they came from is to be closed."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First frame on every connection to the line's socket: `role` is vision, api, intake or supervisor."""

    role: str
    source: int
    pid: int


@dataclass(frozen=True, slots=True)
class ListsImported:
    """Intake to line: a wake-up that the store moved past `store_seq`; the store stays the truth."""

    store_seq: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The line refuses what was sent; the connection closes after it."""

    why: str


@dataclass(frozen=True, slots=True)
class ImportDocument:
    """To intake: take this customs message. `zlib` says that `data` is compressed (a large one)."""

    name: str
    data: bytes
    zlib: bool = False


@dataclass(frozen=True, slots=True)
class ImportFault:
    """One thing that was wrong: which message or list, which field, why."""

    message: str
    field: str
    why: str


@dataclass(frozen=True, slots=True)
class ImportDone:
    """Intake's answer to ImportDocument, once what was understood is durable.

    `other` names a message that is not for this store. `store_failed`: nothing was taken, ask again.
    """

    messages: int
    lists: int
    receipts: int
    errors: tuple[ImportFault, ...]
    store_seq: int
    other: str = ""
    store_failed: bool = False


KINDS: dict[int, type[Any]] = {
    # events
    1: events.Inducted,
    2: events.EyePassed,
    3: events.CodeRead,
    4: events.Weighed,
    5: events.Dimensioned,
    6: events.Triggered,
    7: events.GateMoved,
    8: events.LaneSeen,
    9: events.DefaultTaken,
    10: events.ParcelLost,
    11: events.ExtraSeen,
    12: events.ZoneOpened,
    13: events.BeltChanged,
    14: events.LaneChanged,
    15: events.DeviceChanged,
    30: events.PlcConnected,
    31: events.PlcLost,
    32: events.PlcStateSeen,
    33: events.RingGap,
    34: events.DecisionEchoed,
    40: events.VisionUp,
    41: events.VisionDown,
    42: events.PictureFindings,
    50: events.ListsAnswered,
    51: events.ListChanged,
    60: events.HostStarted,
    61: events.VerdictDurable,
    62: events.JournalFailed,
    63: events.JournalRecovered,
    64: events.DeadlineReached,
    65: events.ClockRead,
    66: events.RulesActivated,
    67: events.LineRequested,
    # commands
    100: commands.LookUp,
    101: commands.TellVision,
    102: commands.CommitVerdict,
    103: commands.SendDecision,
    104: commands.SetPermits,
    105: commands.RecordOutcome,
    106: commands.RaiseAlarm,
    107: commands.ClearAlarm,
    108: commands.EnterLineState,
    109: commands.OpenPass,
    # messages between processes; 150 to 199 are the journal's own records (controller/journal)
    200: Hello,
    201: ListsImported,
    202: Refused,
    203: snapshot.LineSnapshot,
    210: ImportDocument,
    211: ImportDone,
}
_NUMBER_OF: dict[type[Any], int] = {cls: number for number, cls in KINDS.items()}
_DECODERS: dict[int, msgspec.msgpack.Decoder[Any]] = {
    number: msgspec.msgpack.Decoder(cls, strict=True) for number, cls in KINDS.items()
}
_ENCODER = msgspec.msgpack.Encoder()
_ENVELOPE = msgspec.msgpack.Decoder(tuple[int, int, msgspec.Raw])


# A text that is no UTF-8 and a nesting deeper than any of ours leave msgspec under other names.
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


def is_event(kind: int) -> bool:
    return 1 <= kind < 100


def is_command(kind: int) -> bool:
    return 100 <= kind < 150


def kind_of(message: object) -> int:
    """Kind number of a message object. KeyError for a type that is not in KINDS (a bug)."""
    return _NUMBER_OF[type(message)]


def encode_body(message: object) -> bytes:
    """The msgpack map of a message, as journals store it beside its kind number."""
    return _ENCODER.encode(message)


def decode_body(kind: int, body: bytes) -> Any:
    """Inverse of `encode_body`. WireError on an unknown kind or a body that does not fit it."""
    decoder = _DECODERS.get(kind)
    if decoder is None:
        raise WireError(f"unknown kind {kind}")
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        raise WireError(f"kind {kind}: {error}") from error


def encode_frame(message: object) -> bytes:
    """Length prefix and payload, ready to be written to a stream socket."""
    payload = _ENCODER.encode((SCHEMA, kind_of(message), message))
    if len(payload) > FRAME_BYTES_MAX:
        raise WireError(f"frame of {len(payload)} bytes")
    return len(payload).to_bytes(4, "big") + payload


def decode_payload(payload: bytes) -> Any:
    """The message in a frame's payload (without the length prefix). WireError if it is none of ours."""
    try:
        schema, kind, body = _ENVELOPE.decode(payload)
    except UNREADABLE as error:
        raise WireError(str(error)) from error
    if schema != SCHEMA:
        raise WireError(f"schema {schema}, this software speaks {SCHEMA}")
    return decode_body(kind, bytes(body))


class FrameBuffer:
    """Turns received bytes into messages: `feed` bytes, iterate what is complete."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Any]:
        """Every message completed by `data`. WireError as `decode_payload`, or on an oversized frame."""
        self._bytes += data
        messages = []
        while len(self._bytes) >= 4:
            length = int.from_bytes(self._bytes[:4], "big")
            if length > FRAME_BYTES_MAX:
                raise WireError(f"frame of {length} bytes")
            if len(self._bytes) < 4 + length:
                break
            payload = bytes(self._bytes[4 : 4 + length])
            del self._bytes[: 4 + length]
            messages.append(decode_payload(payload))
        return messages
