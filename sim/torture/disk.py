"""An SQLite file system over the machine's own files that reports and delays, refuses or loses.

What goes wrong is a `Trouble`: it is asked before and told after every open, write, truncation, sync
and deletion. The files underneath are real, so what a journal's production code writes through this
disk is read back without it.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apsw

SECTOR_BYTES = 512


@dataclass(frozen=True, slots=True)
class Handle:
    """A file as the disk knows it: `file_no` stays with it when it is renamed."""

    file_no: int
    path: Path


class Trouble:
    """A disk without any; subclasses override what they are about. apsw.Error makes the call fail."""

    def opened(self, file: Handle) -> None:
        """The file is open under this name."""

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        """Before a write."""

    def truncating(self, file: Handle, size_bytes: int) -> None:
        """Before a truncation."""

    def syncing(self, file: Handle) -> None:
        """Before a sync."""

    def synced(self, file: Handle) -> None:
        """After a sync that succeeded."""

    def deleted(self, file: Handle, durable: bool) -> None:
        """The name is gone; `durable`: the directory was synced."""


class TroubledDisk(apsw.VFS):
    """Registered under `name` from its making to `unregister`."""

    def __init__(self, name: str, trouble: Trouble) -> None:
        self.trouble = trouble
        self._numbers: dict[int, int] = {}
        self._next_no = 1
        super().__init__(name, base="")

    def xOpen(self, name: Any, flags: list[int]) -> "TroubledFile":  # noqa: N802
        """SQLite opens a file."""
        return TroubledFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802
        """SQLite deletes a file."""
        path = Path(filename)
        file = self.handle(path) if path.exists() else None
        super().xDelete(filename, syncdir)
        if file is not None:
            self._numbers = {ino: no for ino, no in self._numbers.items() if no != file.file_no}
            self.trouble.deleted(file, syncdir)

    def handle(self, path: Path) -> Handle:
        """The file that has this name now."""
        inode = os.stat(path).st_ino
        if inode not in self._numbers:
            self._numbers[inode] = self._next_no
            self._next_no += 1
        return Handle(self._numbers[inode], path)


class TroubledFile(apsw.VFSFile):
    """An open file of the disk."""

    def __init__(self, disk: TroubledDisk, name: Any, flags: list[int]) -> None:
        super().__init__("", name, flags)
        full_name = name.filename() if isinstance(name, apsw.URIFilename) else name
        assert full_name, "a journal keeps no temporary files"
        self._disk = disk
        self._file = disk.handle(Path(full_name))
        disk.trouble.opened(self._file)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        """SQLite writes."""
        self._disk.trouble.writing(self._file, bytes(data), offset)
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        """SQLite cuts the file."""
        self._disk.trouble.truncating(self._file, newsize)
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: N802
        """SQLite wants everything on the medium."""
        self._disk.trouble.syncing(self._file)
        super().xSync(flags)
        self._disk.trouble.synced(self._file)


class Gate(Trouble):
    """A disk that stands still while it is shut; `waiting` is set when a write has come to it."""

    def __init__(self) -> None:
        self._open = threading.Event()
        self._open.set()
        self.waiting = threading.Event()

    def shut(self) -> None:
        """From the next write or sync on the disk stalls."""
        self.waiting.clear()
        self._open.clear()

    def open(self) -> None:
        """Let everything go on."""
        self._open.set()

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        self._pass()

    def syncing(self, file: Handle) -> None:
        self._pass()

    def _pass(self) -> None:
        if not self._open.is_set():
            self.waiting.set()
            self._open.wait()


@contextmanager
def troubled(name: str, trouble: Trouble) -> Iterator[TroubledDisk]:
    """A registered disk; `name` is what JournalWriter's `vfs` takes."""
    disk = TroubledDisk(name, trouble)
    try:
        yield disk
    finally:
        disk.unregister()
