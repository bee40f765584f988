"""`torture diskfull`: the disk fills under a shift; the ballast takes the holds, no release goes.

The disk has so much room and no more; giving up the ballast file makes room again. In every third run
that is not enough either, and the records wait in memory. Then somebody makes room and a supervisor
gives the word: everything that was told must be on the disk, and releases must go again.
"""

import threading
from pathlib import Path
from random import Random
from shutil import rmtree

import apsw

from controller.core.commands import CommitVerdict, SendDecision
from controller.core.events import JournalFailed, JournalRecovered
from controller.core.vocabulary import Destination
from controller.journal.ballast import BALLAST_BYTES
from controller.journal.reader import read_directory
from controller.journal.verify import verify
from controller.wire import decode_body
from sim.torture.disk import Handle, Trouble, troubled
from sim.torture.journalled import PUBLIC, WAIT_S, Journalled, compare
from sim.torture.report import Report, scratch
from sim.torture.shift import Shift, Turn

PARCELS = 24
PARCELS_AFTER = 8
# What the disk has beside the ballast: a file's first records, up to most of a shift.
ROOM_BYTES_MIN, ROOM_BYTES_MAX = 60_000, 900_000
# The room that a ballast gives that others have eaten into.
SMALL_BALLAST_BYTES = 30_000
_LOOK_S = 0.002


class SmallDisk(Trouble):
    """`room_bytes` for the journal's files, and what the ballast gives once it is gone."""

    def __init__(self, ballast: Path, room_bytes: int, ballast_bytes: int) -> None:
        self.room_bytes = room_bytes
        self.refused = 0
        self._ballast = ballast
        self._ballast_bytes = ballast_bytes
        self._size_bytes: dict[int, int] = {}

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        size = max(self._size_bytes.get(file.file_no, 0), offset + len(data))
        others = sum(self._size_bytes.values()) - self._size_bytes.get(file.file_no, 0)
        freed = 0 if self._ballast.exists() else self._ballast_bytes
        if size + others > self.room_bytes + freed:
            self.refused += 1
            raise apsw.FullError("no room")
        self._size_bytes[file.file_no] = size

    def truncating(self, file: Handle, size_bytes: int) -> None:
        self._size_bytes[file.file_no] = size_bytes

    def deleted(self, file: Handle, durable: bool) -> None:
        self._size_bytes.pop(file.file_no, None)


def diskfull(runs: int, seed: int) -> Report:
    """`runs` shifts, each of which fills its disk at another moment."""
    report = Report("diskfull", seed)
    for name in ("acknowledged", "acknowledged_lost", "changed", "releases_while_full"):
        report.count(name, 0)
    with scratch() as directory:
        for run in range(runs):
            _run(report, directory / f"run{run}", seed * 1_000_003 + run, small=run % 3 == 2)
            rmtree(directory / f"run{run}")
    return report


def _run(report: Report, directory: Path, seed: int, small: bool) -> None:
    where = f"seed {seed}"
    chance = Random(f"disk full {seed}")
    room_bytes = chance.randrange(ROOM_BYTES_MIN, ROOM_BYTES_MAX)
    ballast_bytes = SMALL_BALLAST_BYTES if small else BALLAST_BYTES
    disk = SmallDisk(directory / "ballast", room_bytes, ballast_bytes)
    with troubled("small", disk):
        line = Journalled(directory, "small")
        line.begin()
        line.durable()
        shift = Shift(line.core, seed, PARCELS, durable_at_once=False)
        full_seq = _until_full(line, shift)
        report.count("runs")
        if full_seq:
            _while_full(report, directory, line, shift, full_seq, where, small)
            disk.room_bytes += 1 << 30
            report.expect(line.reopen(), f"{where}: room again, and no word from the journal")
            line.tell(shift, JournalRecovered("supervisor"))
        else:
            report.count("runs_that_fitted")
        disk.room_bytes += 1 << 30
        releases = _releases_after(line, seed)
        report.count("releases_after", releases)
        report.expect(releases > 0, f"{where}: room again, and no parcel is released")
        report.expect(line.writer.close(), f"{where}: not everything was written")
    compare(report, directory, line.told, line.heard.durable_seq, where)
    missing = line.told.keys() - {record.journal_seq for record in read_directory(directory)}
    report.expect(not missing, f"{where}: {len(missing)} told records were never written")
    verified = verify(directory, PUBLIC)
    report.expect(verified.ok and verified.closed, f"{where}: {verified.first_bad}")


def _until_full(line: Journalled, shift: Shift) -> int:
    """The last acknowledged record when the disk is full; 0 if the shift ends before."""
    for turn in shift.turns():
        line.keep(turn)
        while line.durable():
            if not line.tell_durables(shift):
                break
        else:
            acked = line.heard.durable_seq
            line.tell(shift, JournalFailed(line.heard.failures[-1]))
            return acked
    return 0


def _while_full(
    report: Report,
    directory: Path,
    line: Journalled,
    shift: Shift,
    acked: int,
    where: str,
    small: bool,
) -> None:
    """The rest of the shift on a full disk: holds only, on the ballast, nothing acknowledged."""
    releases = holds = 0
    report.expect("full" in line.heard.failures[-1], f"{where}: {line.heard.failures[-1]}")
    for turn in shift.turns():
        line.keep(turn)
        line.tell_durables(shift)
        releases += sum(_is_release(command) for command in turn.commands)
        holds += sum(isinstance(command, CommitVerdict) for command in turn.commands)
    if not small:
        report.expect(_all_written(directory, line), f"{where}: the ballast did not take the holds")
        written = [decode_body(*line.told[seq]) for seq in line.told if seq > acked]
        report.count("holds_on_ballast", sum(isinstance(one, CommitVerdict) for one in written))
    else:
        report.count("holds_in_memory", holds)
    report.count("releases_while_full", releases)
    report.expect(releases == 0, f"{where}: a release on a full disk")
    report.expect(line.heard.durable_seq == acked, f"{where}: acknowledged on a full disk")


def _is_release(command: object) -> bool:
    return (
        isinstance(command, CommitVerdict | SendDecision)
        and command.destination is Destination.RELEASE
    )


def _all_written(directory: Path, line: Journalled) -> bool:
    """Whether the disk gets everything told, though nobody says so; waits for the writer's thread."""
    look = threading.Event()
    for _ in range(int(WAIT_S / _LOOK_S)):
        last = 0
        for record in read_directory(directory, line.seq - 1):
            last = record.journal_seq
        if last >= line.seq:
            return True
        look.wait(_LOOK_S)
    return False


def _releases_after(line: Journalled, seed: int) -> int:
    """Releases sent in another shift, with room again."""
    sent: list[Turn] = []
    shift = Shift(line.core, seed + 1, PARCELS_AFTER, durable_at_once=False)
    for turn in shift.turns():
        line.keep(turn)
        line.durable()
        sent += line.tell_durables(shift)
    return sum(_is_release(command) for turn in sent for command in turn.commands)
