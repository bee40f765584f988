"""`torture kill --plain`: SIGKILL for a process that journals as fast as it can, again and again.

No factory: a fork of this process writes shift after shift through the production writer and tells its
parent over a pipe what became durable; the parent kills it at a random moment, recovers what is left as
a start does, and the next life goes on from there, in the same directory, with the same chain.
"""

import os
import signal
import struct
from itertools import count
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import NoReturn

from controller.clock import SystemClock
from controller.journal.recovery import recover
from controller.journal.verify import verify
from sim.torture.journalled import DAY, PUBLIC, Heard, Journalled, recovered
from sim.torture.report import Report
from sim.torture.shift import Shift, reference_line

PARCELS_A_SHIFT = 50
# A kill comes after so many acknowledgements and a moment within a commit; every fifth comes at the
# start instead, while the life before is recovered and the new file is made.
ACKNOWLEDGEMENTS_MAX = 60
LINGER_NS_MAX = 3_000_000
START_EVERY = 5
START_LINGER_NS_MAX = 40_000_000
# Turns in flight: enough for batches, few enough that the pipe never fills.
TURNS_AHEAD_MAX = 12
_SEQ = struct.Struct(">Q")


class _PipeHeard(Heard):
    """Tells the parent as the loop would tell the PLC: after the callback, never before."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def on_durable(self, journal_seq: int) -> None:
        os.write(self._descriptor, _SEQ.pack(journal_seq))
        super().on_durable(journal_seq)


def plain_kill(kills: int, seed: int) -> Report:
    """`kills` lives of a journal, each ended by SIGKILL."""
    report = Report("kill --plain", seed)
    chance = Random(f"plain kill {seed}")
    # A real disk: the time that a sync takes is when most kills come.
    with TemporaryDirectory(prefix="parcelgate-") as name:
        directory, acked = Path(name), 0
        for kill in range(kills):
            acked = max(acked, _life(directory, seed * 1_000_003 + kill, chance, report))
            found = recover(directory, PUBLIC)
            head = found.start.head
            report.count("kills")
            report.expect(not found.set_aside, f"kill {kill}: {found.set_aside}")
            report.count("acknowledged_lost", max(0, acked - head.journal_seq))
            report.expect(
                head.journal_seq >= acked, f"kill {kill}: {acked} acknowledged, then lost"
            )
            report.count("durable_not_acknowledged", max(0, head.journal_seq - acked))
        verified = verify(directory, PUBLIC)
        report.count("records", verified.records)
        report.expect(verified.ok, f"at the end: {verified.first_bad}")
        report.expect(
            verified.head.journal_seq >= acked, "at the end: acknowledged records are gone"
        )
    return report


def _life(directory: Path, seed: int, chance: Random, report: Report) -> int:
    """Fork a writer, kill it; the last record that it said was durable (0: none)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _write_until_killed(directory, seed, writing)
    os.close(writing)
    told = b""
    at_start = chance.randrange(START_EVERY) == 0
    wanted = 0 if at_start else chance.randrange(1, ACKNOWLEDGEMENTS_MAX)
    with os.fdopen(reading, "rb") as pipe:
        for _ in range(wanted):
            told += pipe.read(_SEQ.size)
        _linger(chance.randrange(START_LINGER_NS_MAX if at_start else LINGER_NS_MAX))
        os.kill(child, signal.SIGKILL)
        told += pipe.read()
    _, status = os.waitpid(child, 0)
    report.expect(os.WIFSIGNALED(status), f"seed {seed}: the writer ended by itself ({status})")
    acknowledged = [seq for (seq,) in _SEQ.iter_unpack(told[: len(told) // _SEQ.size * _SEQ.size])]
    report.count("acknowledgements", len(acknowledged))
    return max(acknowledged, default=0)


def _linger(wait_ns: int) -> None:
    """A moment that falls anywhere within a commit; shorter than any timer is exact."""
    clock = SystemClock()
    until_ns = clock.monotonic_ns() + wait_ns
    while clock.monotonic_ns() < until_ns:
        pass


def _write_until_killed(directory: Path, seed: int, descriptor: int) -> NoReturn:
    """In the child: recover, begin a file, write shifts without end."""
    try:
        found = recover(directory, PUBLIC)
        core = recovered(found, reference_line())
        line = Journalled(directory, None, found.start, core, heard=_PipeHeard(descriptor))
        line.begin(found.day or DAY)
        for again in count():
            shift = Shift(line.core, seed + again, PARCELS_A_SHIFT)
            for number, turn in enumerate(shift.turns()):
                line.keep(turn)
                if number % TURNS_AHEAD_MAX == 0:
                    line.durable()
    finally:
        os._exit(1)  # whatever happened: the parent's own work is not this process's
    raise AssertionError("unreachable")
