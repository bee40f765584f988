"""A file of real blocks beside the journal, given up when the disk is full.

What it frees is enough to write down the holds of every parcel on the belt while the infeed stands.
"""

import os
from pathlib import Path

# 48 parcels on the belt are 0.3 MB; the rest is for the alarms and readings until a person comes.
BALLAST_BYTES = 8 << 20


class Ballast:
    """The reserve of one journal directory."""

    def __init__(self, directory: Path, size_bytes: int = BALLAST_BYTES) -> None:
        self._path = directory / "ballast"
        self._size_bytes = size_bytes

    def reserve(self) -> None:
        """Claim the blocks (again). OSError if the disk has not that much room."""
        if self._path.exists() and self._path.stat().st_size == self._size_bytes:
            return
        try:
            with self._path.open("wb") as file:
                os.posix_fallocate(file.fileno(), 0, self._size_bytes)
                os.fsync(file.fileno())
        except OSError:
            self._path.unlink(missing_ok=True)
            raise

    def release(self) -> bool:
        """Free the blocks; false if they were freed before."""
        if not self._path.exists():
            return False
        self._path.unlink()
        return True
