"""What the line process and its `opcua` child say to each other: a 4-byte big-endian length and msgpack.

One request at a time; an answer carries the number of its request, so that a late one is known as late.
"""

import msgspec

LENGTH_BYTES = 4
# Block T and the ring slots of one poll are under 2 kB.
FRAME_BYTES_MAX = 1 << 20


class Connect(msgspec.Struct, tag=True, frozen=True):
    """A new client. `certificate` empty: no security. Paths as text."""

    number: int
    url: str
    namespace_uri: str
    node_prefix: str
    node_suffix: str
    application_uri: str
    certificate: str = ""
    private_key: str = ""
    trusted: str = ""


class ReadWrite(msgspec.Struct, tag=True, frozen=True):
    """Write these nodes, then read those; names as the PLC has them."""

    number: int
    writes: list[tuple[str, list[int]]]
    reads: list[str]


class Submit(msgspec.Struct, tag=True, frozen=True):
    """Call SubmitDecision."""

    number: int
    arguments: list[int]


class Disconnect(msgspec.Struct, tag=True, frozen=True):
    """Drop the client; politely if its session still answers."""

    number: int
    politely: bool


Request = Connect | ReadWrite | Submit | Disconnect


class Connected(msgspec.Struct, tag=True, frozen=True):
    number: int
    has_method: bool
    has_rows: bool


class Values(msgspec.Struct, tag=True, frozen=True):
    number: int
    values: list[list[int]]


class Answered(msgspec.Struct, tag=True, frozen=True):
    number: int
    result: int


class TimedOut(msgspec.Struct, tag=True, frozen=True):
    """The PLC did not answer; the session may go on."""

    number: int


class Failed(msgspec.Struct, tag=True, frozen=True):
    """The session cannot go on. `fault` is a LinkFault."""

    number: int
    fault: int
    sentence: str


class Done(msgspec.Struct, tag=True, frozen=True):
    number: int


Reply = Connected | Values | Answered | TimedOut | Failed | Done

REQUESTS = msgspec.msgpack.Decoder(Request)
REPLIES: msgspec.msgpack.Decoder[Reply] = msgspec.msgpack.Decoder(Reply)


def frame(message: Request | Reply) -> bytes:
    """The message with its length."""
    payload = msgspec.msgpack.encode(message)
    return len(payload).to_bytes(LENGTH_BYTES, "big") + payload
