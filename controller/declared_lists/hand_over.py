"""The sender's side of `intake.sock`: hand a document over, wait until it is durable. Blocking, no XML."""

import os
import socket
import zlib
from pathlib import Path
from typing import Self

from controller.declared_lists.declared import MessageError
from controller.declared_lists.sources import Source
from controller.wire import (
    FrameBuffer,
    Hello,
    ImportDocument,
    ImportDone,
    Refused,
    WireError,
    encode_frame,
)

# Larger documents travel compressed: a frame holds 1 MB.
PLAIN_BYTES_MAX = 900_000
# A commit on a failing disk; the sender may ask again, importing twice changes nothing.
ANSWER_S_MAX = 60.0
_READ_BYTES = 1 << 16


class HandOverError(Exception):
    """Intake did not answer; the only argument is one sentence. What was sent may have been taken."""


def document_frame(source: Source) -> bytes:
    """`source` as a frame for intake. MessageError if it does not fit one even compressed."""
    large = len(source.data) > PLAIN_BYTES_MAX
    data = zlib.compress(source.data, 6) if large else source.data
    try:
        return encode_frame(ImportDocument(source.name, data, zlib=large))
    except WireError:
        why = f"has {len(source.data)} bytes, too many to hand over: put it into the inbox folder"
        raise MessageError("", "", why) from None


class IntakeConnection:
    """A connection to the intake process of the state directory that `socket_path` lies in."""

    def __init__(self, socket_path: Path, answer_s_max: float = ANSWER_S_MAX) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(answer_s_max)
        self._buffer = FrameBuffer()
        try:
            self._socket.connect(str(socket_path))
            self._socket.sendall(encode_frame(Hello(role="cli", source=0, pid=os.getpid())))
        except OSError as error:
            self._socket.close()
            raise HandOverError(f"intake does not answer at {socket_path}: {error}") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def hand_over(self, source: Source) -> ImportDone:
        """The answer, once durable. HandOverError, or MessageError as `document_frame`."""
        try:
            self._socket.sendall(document_frame(source))
            return self._answer()
        except (OSError, WireError) as error:
            raise HandOverError(f"intake broke off: {error}") from error

    def _answer(self) -> ImportDone:
        while data := self._socket.recv(_READ_BYTES):
            for message in self._buffer.feed(data):
                if isinstance(message, ImportDone):
                    return message
                if isinstance(message, Refused):
                    raise HandOverError(f"intake refused: {message.why}")
        raise HandOverError("intake closed the connection")
