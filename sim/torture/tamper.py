"""`torture tamper`: somebody with write access changes a journal; `verify` must not hold it for true.

Every attack is made with the tools that the attacker would have: the database, the hash function, an
older copy, another line's journal, a signing key of his own or the stolen one. Attacks that leave a
history which is whole in itself (a cut end, an older copy, a rewrite with the stolen key) can only be
found by a head that was kept elsewhere: they are checked with one, and the report says how many needed
it. `sim/torture/attacks.py` has the attacks.
"""

from dataclasses import dataclass
from pathlib import Path
from random import Random

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.journal.chain import Head
from controller.journal.day_file import journal_files
from controller.journal.verify import verify
from sim.torture import attacks
from sim.torture.attacks import ATTACKS, Attack, Material
from sim.torture.bitrot import Files, remove, restore, snapshot
from sim.torture.journalled import KEY, NEXT_DAY, PUBLIC, Journalled
from sim.torture.report import Report, scratch
from sim.torture.shift import Shift

PARCELS = 30
RECORDS_A_FILE = 250
THIRD_DAY = "20260303"


@dataclass(frozen=True, slots=True)
class _Written:
    """A line's journal: the files as they lie closed, an older copy of them, a head from the middle of
    the first file and the last head."""

    files: Files
    older: Files
    first_head: Head
    head: Head


def tamper(runs: int, seed: int) -> Report:
    """`runs` attacks, every kind in turn."""
    report = Report("tamper", seed)
    for name in ("attacks", "found", "found_by_head", "undetected"):
        report.count(name, 0)
    with scratch() as directory:
        ours = _write(directory / "ours", seed, "L1", KEY)
        others = _write(directory / "others", seed + 1, "L2", KEY)
        chance = Random(f"tamper {seed}")
        report.expect(_holds(directory / "untouched", ours.files, ours.head), "untouched: refused")
        for run in range(runs):
            attack = ATTACKS[run % len(ATTACKS)]
            target = directory / "tampered"
            restore(target, ours.files)
            attack.change(Material(target, ours.older, others.files, chance))
            _judge(report, attack, target, ours, f"attack {run}, {attack.name}")
            remove(target)
    return report


def _write(directory: Path, seed: int, name: str, key: Ed25519PrivateKey) -> _Written:
    """Three days of a line; the older copy is from the third day's middle."""
    line = Journalled(directory, key=key, name=name)
    line.begin()
    days = [THIRD_DAY, NEXT_DAY]
    older: Files = {}
    for turn in Shift(line.core, seed, PARCELS).turns():
        line.keep(turn)
        line.durable()
        if days and line.seq > RECORDS_A_FILE * (3 - len(days)):
            line.begin(days.pop())
        if not older and line.seq > RECORDS_A_FILE * 5 // 2:
            older = snapshot(directory)
    assert line.writer.close()
    assert older, "the shift is too short for an older copy"
    first_head = attacks.read(journal_files(directory)[0])[RECORDS_A_FILE // 2].head
    head = verify(directory, PUBLIC).head
    files = snapshot(directory)
    remove(directory)
    return _Written(files, older, first_head, head)


def _holds(directory: Path, files: Files, head: Head) -> bool:
    restore(directory, files)
    report = verify(directory, PUBLIC, head)
    remove(directory)
    return report.ok and report.closed


def _judge(report: Report, attack: Attack, target: Path, ours: _Written, where: str) -> None:
    report.count("attacks")
    alone = verify(target, PUBLIC)
    if not alone.ok:
        report.count("found")
        assert alone.first_bad is not None
        report.count(f"named_{alone.first_bad.damage.value.replace(' ', '_')}")
    elif not verify(target, PUBLIC, ours.first_head if attack.head_of_first else ours.head).ok:
        report.count("found_by_head")
        report.expect(attack.needs_head, f"{where}: only a head found it")
    else:
        report.count("undetected")
        report.fail(f"{where}: holds")
