"""`torture powercut`: the power goes at any moment; nothing acknowledged is lost, nothing is corrupt.

A shift is journalled on a disk that notes every write, truncation, sync, new name and deletion. A cut
takes the notes up to a moment: what a file's own sync had not covered by then is kept, dropped or torn
into sectors, each by chance. From what is left the line's start recovers and the auditor verifies.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random

from controller.core.line import LineController
from controller.journal.chain import Head
from controller.journal.reader import read_directory
from controller.journal.records import encode_state
from controller.journal.recovery import recover
from controller.journal.verify import verify
from sim.torture.disk import SECTOR_BYTES, Gate, Handle, troubled
from sim.torture.journalled import DAY, NEXT_DAY, PUBLIC, Heard, Journalled, recovered
from sim.torture.report import Report, scratch
from sim.torture.shift import Shift, Turn, reference_line

PARCELS = 100
# The change of day comes with parcels on the belt, and leaves room for a snapshot and a checkpoint
# inside the second file.
RECORDS_BEFORE_MIDNIGHT = 300
TURNS_BEHIND_MAX = 5
# Every so many cuts the line starts again on what is left and writes on.
RESUME_EVERY = 8


@dataclass(frozen=True, slots=True)
class Note:
    """`kind` is name, write, truncate, sync, delete or acknowledged; `place` offset, size or number."""

    kind: str
    file_no: int
    name: str = ""
    place: int = 0
    data: bytes = b""


class NotingDisk(Gate):
    """Notes everything, and can be shut so that the next batch has a known size."""

    def __init__(self) -> None:
        super().__init__()
        self.notes: list[Note] = []

    def opened(self, file: Handle) -> None:
        self.notes.append(Note("name", file.file_no, file.path.name))

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        super().writing(file, data, offset)
        self.notes.append(Note("write", file.file_no, place=offset, data=data))

    def truncating(self, file: Handle, size_bytes: int) -> None:
        self.notes.append(Note("truncate", file.file_no, place=size_bytes))

    def synced(self, file: Handle) -> None:
        self.notes.append(Note("sync", file.file_no))

    def deleted(self, file: Handle, durable: bool) -> None:
        self.notes.append(Note("delete", file.file_no, place=int(durable)))


class _NotingHeard(Heard):
    def __init__(self, disk: NotingDisk) -> None:
        super().__init__()
        self._disk = disk

    def on_durable(self, journal_seq: int) -> None:
        self._disk.notes.append(Note("acknowledged", 0, place=journal_seq))
        super().on_durable(journal_seq)


@dataclass(slots=True)
class _CutFile:
    """A file on the medium, and what the machine wrote to it since its last sync."""

    name: str
    on_medium: bytearray = field(default_factory=bytearray)
    unsynced: list[Note] = field(default_factory=list)
    deleted: bool = False


class Medium:
    """What a disk holds after the notes given so far, were the power to go now."""

    def __init__(self) -> None:
        self.files: dict[int, _CutFile] = {}
        self.acknowledged_seq = 0

    def apply(self, note: Note) -> None:
        """One more note."""
        if note.kind == "acknowledged":
            self.acknowledged_seq = note.place
            return
        file = self.files.setdefault(note.file_no, _CutFile(note.name))
        if note.kind == "name":
            if note.name != file.name:
                self._directory_synced()  # the writer syncs it before it opens under the new name
            file.name = note.name
        elif note.kind == "sync":
            for written in file.unsynced:
                _put(file.on_medium, written)
            file.unsynced.clear()
        elif note.kind == "delete":
            file.deleted = True
            if note.place:
                self._directory_synced()
        else:
            file.unsynced.append(note)

    def write_cut(self, directory: Path, following: Note | None, chance: Random) -> None:
        """Make `directory` what the next start finds. `following` may be under way at the cut."""
        for number, file in self.files.items():
            if file.deleted and chance.random() < 0.5:
                continue  # else the deletion had not reached the medium
            name = file.name
            renaming = following is not None and following.file_no == number
            if renaming and following is not None and following.kind == "name":
                name = chance.choice((name, following.name))
            content = bytearray(file.on_medium)
            for written in file.unsynced:
                _put_by_chance(content, written, chance)
            (directory / name).write_bytes(content)

    def _directory_synced(self) -> None:
        self.files = {no: file for no, file in self.files.items() if not file.deleted}


def _put(content: bytearray, note: Note) -> None:
    if note.kind == "truncate":
        del content[note.place :]
        return
    if len(content) < note.place:
        content.extend(bytes(note.place - len(content)))
    content[note.place : note.place + len(note.data)] = note.data


def _put_by_chance(content: bytearray, note: Note, chance: Random) -> None:
    """Kept, dropped, or (a write) some of its sectors kept."""
    fate = chance.randrange(3)
    if fate == 0:
        return
    if fate == 1 or note.kind == "truncate":
        _put(content, note)
        return
    begin, end = note.place, note.place + len(note.data)
    while begin < end:
        upto = min(end, (begin // SECTOR_BYTES + 1) * SECTOR_BYTES)
        if chance.random() < 0.5:
            part = note.data[begin - note.place : upto - note.place]
            _put(content, Note("write", note.file_no, place=begin, data=part))
        begin = upto


@dataclass(frozen=True, slots=True)
class _Shift:
    """What was journalled: the notes, the chain's head at every record, the core's state after
    every turn's last record."""

    notes: list[Note]
    heads: dict[int, Head]
    states: dict[int, bytes]


def powercut(cuts: int, seed: int, make_disk: Callable[[], NotingDisk] = NotingDisk) -> Report:
    """`cuts` power cuts spread over one journalled shift with a change of day."""
    report = Report("powercut", seed)
    with scratch() as directory:
        shift = _journal_a_shift(directory / "live", seed, make_disk())
        _describe(report, shift)
        chance = Random(f"power cut {seed}")
        wanted = sorted(chance.choices(range(1, len(shift.notes) + 1), k=cuts))
        medium, done = Medium(), 0
        for number, cut in enumerate(wanted):
            while done < cut:
                medium.apply(shift.notes[done])
                done += 1
            left = directory / "left"
            left.mkdir()
            following = shift.notes[cut] if cut < len(shift.notes) else None
            medium.write_cut(left, following, chance)
            where = f"seed {seed}, cut {cut}"
            _judge(report, left, medium.acknowledged_seq, shift, where)
            if number % RESUME_EVERY == 0:
                _resume(report, left, where)
            _remove(left)
    return report


def _describe(report: Report, shift: _Shift) -> None:
    report.count("records", len(shift.heads))
    report.count("acknowledgements", sum(note.kind == "acknowledged" for note in shift.notes))
    report.count("writes_and_syncs", len(shift.notes))
    report.count("acknowledged_lost", 0)


def _journal_a_shift(directory: Path, seed: int, disk: NotingDisk) -> _Shift:
    """Batch sizes are drawn, not raced: the same seed gives the same notes."""
    chance = Random(f"batches {seed}")
    states: dict[int, bytes] = {}
    with troubled("power-cut", disk):
        line = Journalled(directory, "power-cut", heard=_NotingHeard(disk))
        shift = Shift(line.core, seed, PARCELS)
        line.begin()
        line.durable()
        first_day = True

        def keep(turn: Turn) -> None:
            line.keep(turn)
            states[line.seq] = _digest(line.core)

        turns = shift.turns()
        for turn in turns:
            behind = chance.randrange(TURNS_BEHIND_MAX + 1)
            if behind:
                disk.shut()
            keep(turn)
            if behind:
                disk.waiting.wait()  # this turn is a commit of its own, the next ones share one
            for later in islice(turns, behind):
                keep(later)
            disk.open()
            line.durable()
            if first_day and line.seq > RECORDS_BEFORE_MIDNIGHT:
                first_day = False
                line.begin(NEXT_DAY)
                line.durable()
        assert line.writer.close()
    heads = {record.journal_seq: record.head for record in read_directory(directory)}
    return _Shift(disk.notes, heads, states)


def _digest(core: LineController) -> bytes:
    return sha256(encode_state(core.state)).digest()


def _judge(report: Report, left: Path, acked: int, shift: _Shift, where: str) -> None:
    report.count("cuts")
    found = recover(left, PUBLIC)
    for aside in found.set_aside:
        report.fail(f"{where}: {aside.path.name} is corrupt: {aside.why}")
    head = found.start.head
    report.count("acknowledged_lost", max(0, acked - head.journal_seq))
    report.expect(
        head.journal_seq >= acked, f"{where}: {acked} acknowledged, {head.journal_seq} left"
    )
    report.count("durable_not_acknowledged", max(0, head.journal_seq - acked))
    if not head.journal_seq:
        return
    verified = verify(left, PUBLIC, shift.heads.get(acked))
    report.expect(verified.ok, f"{where}: {verified.first_bad}")
    report.expect(shift.heads[head.journal_seq] == head, f"{where}: another history")
    told = max((seq for seq in shift.states if seq <= head.journal_seq), default=0)
    if told:
        same = _digest(recovered(found, reference_line())) == shift.states[told]
        report.expect(same, f"{where}: the recovered core is not the one that wrote")


def _resume(report: Report, left: Path, where: str) -> None:
    """The line starts on what is left and writes on."""
    found = recover(left, PUBLIC)
    line = Journalled(left, None, found.start, recovered(found, reference_line()))
    line.begin(max(found.day, DAY))
    line.keep_all(Shift(line.core, 1, 1).turns())
    report.expect(line.writer.close(), f"{where}: the next start cannot write")
    verified = verify(left, PUBLIC)
    report.expect(verified.ok and verified.closed, f"{where}, next start: {verified.first_bad}")
    report.count("starts_again")


def _remove(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()
