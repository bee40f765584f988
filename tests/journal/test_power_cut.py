"""A power cut at any moment, un-synced writes lost, kept or torn: nothing acknowledged is lost.

The disk below SQLite notes every write, truncation and sync; a cut replays the notes up to a moment
and treats what was not synced by then as a disk without power does.
"""

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import pytest

from controller.journal.recovery import recover
from controller.journal.verify import verify
from tests.journal.story import DAY, PUBLIC, Line, parcel

NAME = "noting"
SECTOR_BYTES = 512
CUTS = 60

# (kind, file name, offset or number, data)
Note = tuple[str, str, int, bytes]


class NotingDisk(apsw.VFS):
    def __init__(self) -> None:
        self.notes: list[Note] = []
        super().__init__(NAME, base="")

    def xOpen(self, name: Any, flags: list[int]) -> "NotingFile":
        return NotingFile(self.notes, name, flags)


class NotingFile(apsw.VFSFile):
    def __init__(self, notes: list[Note], name: Any, flags: list[int]) -> None:
        self._notes = notes
        full_name = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(full_name or "").name
        super().__init__("", name, flags)

    def xWrite(self, data: bytes, offset: int) -> None:
        self._notes.append(("write", self._name, offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:
        self._notes.append(("truncate", self._name, newsize, b""))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:
        super().xSync(flags)
        self._notes.append(("sync", self._name, 0, b""))


@pytest.fixture
def disk() -> Iterator[NotingDisk]:
    noting = NotingDisk()
    yield noting
    noting.unregister()


def after_cut(base: dict[str, bytes], notes: list[Note], chance: random.Random) -> dict[str, bytes]:
    """What each file holds after a cut behind `notes`."""
    files = {name: bytearray(content) for name, content in base.items()}
    synced_upto = {name: i for i, (kind, name, _, _) in enumerate(notes) if kind == "sync"}
    for i, (kind, name, place, data) in enumerate(notes):
        if kind not in ("write", "truncate"):
            continue
        file = files.setdefault(name, bytearray())
        if i > synced_upto.get(name, -1):
            fate = chance.randrange(3)
            if fate == 0:
                continue
            if fate == 1 and kind == "write":
                data = data[: chance.randrange(len(data) // SECTOR_BYTES + 1) * SECTOR_BYTES]
        if kind == "truncate":
            del file[place:]
            continue
        if len(file) < place:
            file.extend(bytes(place - len(file)))
        file[place : place + len(data)] = data
    return {name: bytes(content) for name, content in files.items()}


def test_no_cut_loses_what_was_acknowledged(tmp_path: Path, disk: NotingDisk) -> None:
    live = tmp_path / "live"
    line = Line(live, vfs=NAME)
    line.begin()
    line.heard.durable(line.seq)
    base = {
        path.name: path.read_bytes()
        for path in (live / f"{DAY}.journal", live / f"{DAY}.journal-wal")
        if path.exists()
    }
    acknowledged = line.heard.durable_seqs[-1]
    file = line.writer._committer._file
    assert file is not None
    file._db.wal_autocheckpoint(100)  # several checkpoints in a short run

    def on_durable(journal_seq: int) -> None:
        disk.notes.append(("acknowledged", "", journal_seq, b""))
        line.heard.on_durable(journal_seq)

    disk.notes.clear()
    line.writer._committer._on_durable = on_durable
    for number in range(1, 90):
        for event in parcel(number):
            line.tell([event])
            line.heard.durable(line.seq)
    notes = list(disk.notes)
    assert ("sync", f"{DAY}.journal", 0, b"") in notes, "no checkpoint ran"
    line.writer.close()
    chance = random.Random(7)
    lost_something = 0
    for cut in sorted(chance.sample(range(len(notes)), CUTS)):
        directory = tmp_path / f"cut{cut}"
        directory.mkdir()
        for name, content in after_cut(base, notes[:cut], chance).items():
            (directory / name).write_bytes(content)
        acked = max(
            [seq for kind, _, seq, _ in notes[:cut] if kind == "acknowledged"] or [acknowledged]
        )
        found = recover(directory, PUBLIC)
        assert not found.set_aside, (cut, found.set_aside)
        assert found.start.head.journal_seq >= acked, cut
        assert verify(directory, PUBLIC).ok
        lost_something += found.start.head.journal_seq < line.seq
    assert lost_something > CUTS // 2
