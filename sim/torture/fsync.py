"""`torture fsync`: syncs that fail and lose what they were to keep, and a disk that stands still.

A failed sync drops, keeps or tears every write since the last good one, as Linux does: the pages count
as clean and are gone. Nothing may be acknowledged that is not there at the next start. A disk that
stands still must delay releases and nothing else: the loop's `append` never waits, holds go at once.
"""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from shutil import rmtree

import apsw

from controller.clock import SystemClock
from controller.core.commands import SendDecision
from controller.core.units import NS_PER_S
from controller.core.vocabulary import Destination
from controller.journal.recovery import recover
from controller.journal.verify import verify
from sim.torture.disk import SECTOR_BYTES, Gate, Handle, Trouble, troubled
from sim.torture.journalled import NEXT_DAY, PUBLIC, Journalled, compare, recovered
from sim.torture.report import Report, scratch
from sim.torture.shift import Shift, Turn

PARCELS = 8
# The writer's thread gets to its first sync within this, however busy the machine.
ASKED_WITHIN_S = 20.0
PARCELS_IN_STALL = 30
TURNS_BEFORE_MIDNIGHT = 60
FAILING_PERMILLE = 50
REOPENS_MAX = 8
STALL_S = 2.0


@dataclass(frozen=True, slots=True)
class _Undo:
    """What a write or a truncation covered: its place and the bytes that were there."""

    offset: int
    before: bytes


class LosingDisk(Trouble):
    """Syncs fail by chance; each write since the last good one is then kept, lost or torn."""

    def __init__(self, chance: Random, failing_permille: int) -> None:
        self.failing_permille = failing_permille
        self.sync_failures = 0
        self._chance = chance
        self._undo: dict[int, list[_Undo]] = {}

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        self._note(file, offset, len(data))

    def truncating(self, file: Handle, size_bytes: int) -> None:
        self._note(file, size_bytes, file.path.stat().st_size - size_bytes)

    def syncing(self, file: Handle) -> None:
        if self._chance.randrange(1_000) >= self.failing_permille:
            return
        self.sync_failures += 1
        with file.path.open("r+b") as real:
            for undo in reversed(self._undo.pop(file.file_no, [])):
                if self._chance.random() < 0.5:
                    self._lose(real.fileno(), undo)
        raise apsw.IOError("the disk did not confirm")

    def synced(self, file: Handle) -> None:
        self._undo.pop(file.file_no, None)

    def _note(self, file: Handle, offset: int, length: int) -> None:
        with file.path.open("rb") as real:
            before = os.pread(real.fileno(), length, offset)
        before += bytes(length - len(before))
        self._undo.setdefault(file.file_no, []).append(_Undo(offset, before))

    def _lose(self, descriptor: int, undo: _Undo) -> None:
        """Some or all sectors of a write are as they were before it."""
        torn = self._chance.random() < 0.5
        begin, end = undo.offset, undo.offset + len(undo.before)
        while begin < end:
            upto = min(end, (begin // SECTOR_BYTES + 1) * SECTOR_BYTES)
            if not torn or self._chance.random() < 0.5:
                part = undo.before[begin - undo.offset : upto - undo.offset]
                os.pwrite(descriptor, part, begin)
            begin = upto


def fsync(runs: int, seed: int, stall_s: float = STALL_S) -> Report:
    """`runs` shifts on a disk whose syncs fail now and then, then one on a disk that stalls."""
    report = Report("fsync", seed)
    for name in ("sync_failures", "acknowledged", "acknowledged_lost", "changed"):
        report.count(name, 0)
    with scratch() as directory:
        for run in range(runs):
            _run(report, directory / f"run{run}", seed * 1_000_003 + run, restart=run % 2 == 1)
        _stalled(report, directory / "stalled", seed, stall_s)
    return report


def _run(report: Report, directory: Path, seed: int, restart: bool) -> None:
    """One shift with a change of day. A failure is made good as a supervisor would, or (`restart`) the
    process ends on a disk that confirms nothing more."""
    where = f"seed {seed}"
    disk = LosingDisk(Random(f"fsync {seed}"), FAILING_PERMILLE)
    with troubled("losing", disk):
        line = Journalled(directory, "losing")
        line.begin()
        for number, turn in enumerate(Shift(line.core, seed, PARCELS).turns()):
            line.keep(turn)
            if number == TURNS_BEFORE_MIDNIGHT:
                line.begin(NEXT_DAY)
            if line.durable():
                continue
            if restart or not _made_good(report, line):
                disk.failing_permille = 1_000
                report.count("restarts")
                break
        else:
            disk.failing_permille = 0
        line.writer.close()
    report.count("runs")
    report.count("sync_failures", disk.sync_failures)
    acked = line.heard.durable_seq
    found = recover(directory, PUBLIC)
    report.expect(not found.set_aside, f"{where}: {found.set_aside}")
    report.expect(found.start.head.journal_seq >= acked, f"{where}: acknowledged records are gone")
    compare(report, directory, line.told, acked, where)
    again = Journalled(directory, None, found.start, recovered(found, line.config))
    again.begin(NEXT_DAY)
    again.keep_all(Shift(again.core, seed, 1).turns())
    report.expect(again.writer.close(), f"{where}: the next start cannot write")
    verified = verify(directory, PUBLIC)
    report.expect(verified.ok and verified.closed, f"{where}: {verified.first_bad}")
    rmtree(directory)


def _made_good(report: Report, line: Journalled) -> bool:
    """A failure was reported: ask again until the disk confirms."""
    for _ in range(REOPENS_MAX):
        report.count("reopens")
        if line.reopen():
            return True
        if "restart" in line.heard.failures[-1]:
            return False
    return False


def _stalled(report: Report, directory: Path, seed: int, stall_s: float) -> None:
    """The disk stands still for a whole shift; the loop's side must not notice."""
    gate, clock = Gate(), SystemClock()
    with troubled("stalling", gate):
        line = Journalled(directory, "stalling")
        line.begin()
        line.durable()
        gate.shut()
        begun_ns, slowest_ns = clock.monotonic_ns(), 0
        sent: Counter[Destination] = Counter()
        shift = Shift(line.core, seed, PARCELS_IN_STALL, durable_at_once=False)
        for turn in shift.turns():
            before_ns = clock.monotonic_ns()
            line.keep(turn)
            slowest_ns = max(slowest_ns, clock.monotonic_ns() - before_ns)
            sent.update(_sent(turn))
            for late in line.tell_durables(shift):
                sent.update(_sent(late))
        held_back = line.releases_waiting
        left_s = stall_s - (clock.monotonic_ns() - begun_ns) / NS_PER_S
        threading.Event().wait(max(0.0, left_s))
        report.expect(gate.waiting.wait(ASKED_WITHIN_S), "the disk was never asked")
        report.count("stall_records_taken", len(line.told))
        report.count("stall_slowest_append_us", slowest_ns // 1_000)
        report.count("stall_holds_sent", sent.total() - sent[Destination.RELEASE])
        report.count("stall_releases_sent", sent[Destination.RELEASE])
        report.count("stall_releases_waiting", held_back)
        report.expect(sent[Destination.RELEASE] == 0, "a release was sent before it was durable")
        report.expect(sent.total() > 0, "no hold was sent while the disk stood still")
        gate.open()
        report.expect(line.durable(), "the disk goes on, the journal does not")
        line.tell_durables(shift)
        report.expect(_releases_after(line, seed) > 0, "no release after the stall")
        line.writer.close()
    compare(report, directory, line.told, line.heard.durable_seq, "stall")
    verified = verify(directory, PUBLIC)
    report.expect(verified.ok, f"stall: {verified.first_bad}")


def _sent(turn: Turn) -> Iterator[Destination]:
    return (c.destination for c in turn.commands if isinstance(c, SendDecision))


def _releases_after(line: Journalled, seed: int) -> int:
    """Releases sent in a shift on a disk that is well."""
    shift = Shift(line.core, seed + 1, PARCELS, durable_at_once=False)
    sent: Counter[Destination] = Counter()
    for turn in shift.turns():
        line.keep(turn)
        line.durable()
        for durable in line.tell_durables(shift):
            sent.update(_sent(durable))
    return sent[Destination.RELEASE]
