"""A disk of sim/torture that fails on order."""

import apsw

from sim.torture.disk import Handle, Trouble, TroubledDisk

NAME = "faulty"


class FaultyDisk(Trouble):
    """Real files. `room_bytes` is what may still be written, None for no limit; after `good_syncs`
    more syncs, `fail_syncs` fail though the writes went in; `fail_writes` makes every write fail."""

    def __init__(self) -> None:
        self.room_bytes: int | None = None
        self.good_syncs = 0
        self.fail_syncs = 0
        self.fail_writes = False
        self._disk = TroubledDisk(NAME, self)

    def unregister(self) -> None:
        self._disk.unregister()

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        if self.fail_writes:
            raise apsw.IOError("no write reaches the disk")
        if self.room_bytes is not None:
            if len(data) > self.room_bytes:
                raise apsw.FullError("no room")
            self.room_bytes -= len(data)

    def syncing(self, file: Handle) -> None:
        if self.good_syncs:
            self.good_syncs -= 1
        elif self.fail_syncs:
            self.fail_syncs -= 1
            raise apsw.IOError("the disk did not confirm")
