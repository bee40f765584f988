"""A document before anybody has looked into it: its bytes and the name a person knows it by."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

from controller.declared_lists.declared import MessageError
from controller.declared_lists.limits import DOCUMENT_BYTES_MAX


@dataclass(frozen=True, slots=True)
class Source:
    """`data` is untrusted."""

    name: str
    data: bytes


def read_source(path: Path) -> Source:
    """The file at `path`, read only if it is a plain file of allowed size. MessageError otherwise."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise MessageError("", "", "is no plain file")
            if status.st_size > DOCUMENT_BYTES_MAX:
                why = f"has {status.st_size} bytes, the limit is {DOCUMENT_BYTES_MAX}"
                raise MessageError("", "", why)
            return Source(str(path), file.read(DOCUMENT_BYTES_MAX + 1))
    except OSError as error:
        raise MessageError("", "", f"cannot be read: {error.strerror}") from error


def _without_waiting(name: str, flags: int) -> int:
    return os.open(name, flags | os.O_NONBLOCK | os.O_CLOEXEC)  # a named pipe must not hang us
