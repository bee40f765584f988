"""An SQLite file system over the machine's own that can be told to fail."""

from typing import Any

import apsw

NAME = "faulty"


class FaultyDisk(apsw.VFS):
    """Real files. `room_bytes` is what may still be written, None for no limit; after `good_syncs`
    more syncs, `fail_syncs` fail though the writes went in; `fail_writes` makes every write fail."""

    def __init__(self) -> None:
        self.room_bytes: int | None = None
        self.good_syncs = 0
        self.fail_syncs = 0
        self.fail_writes = False
        super().__init__(NAME, base="")

    def xOpen(self, name: Any, flags: list[int]) -> "FaultyFile":
        return FaultyFile(self, name, flags)


class FaultyFile(apsw.VFSFile):
    def __init__(self, disk: FaultyDisk, name: Any, flags: list[int]) -> None:
        self._disk = disk
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        disk = self._disk
        if disk.fail_writes:
            raise apsw.IOError("no write reaches the disk")
        if disk.room_bytes is not None:
            if len(data) > disk.room_bytes:
                raise apsw.FullError("no room")
            disk.room_bytes -= len(data)
        super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        if self._disk.good_syncs:
            self._disk.good_syncs -= 1
        elif self._disk.fail_syncs:
            self._disk.fail_syncs -= 1
            raise apsw.IOError("the disk did not confirm")
        super().xSync(flags)
