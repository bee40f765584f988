"""What a failing run leaves for a person: its plan, and its journal as files that `parcelgate replay`,
`verify` and every other reader take for a line's own.
"""

from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import serialization

from controller.journal.day_file import DayFile, journal_directory
from sim.sweep.plan import Plan
from sim.sweep.run import Run
from sim.sweep.virtual_host import KEY, PUBLIC_KEYS


def write_failure(directory: Path, run: Run) -> Path:
    """`<directory>/seed-<seed>/`: plan.json, journal/<line>/*.journal, keys/*.pub; its journal's path."""
    place = directory / f"seed-{run.plan.seed}"
    number = 1
    while place.exists():
        number += 1
        place = directory / f"seed-{run.plan.seed}-{number}"
    journal = journal_directory(place, run.scene.config.line.name)
    journal.mkdir(parents=True)
    (place / "plan.json").write_bytes(msgspec.json.format(msgspec.json.encode(run.plan)))
    _write_key(place / "keys")
    if run.scene.host.alive:  # a dead process writes nothing more
        run.scene.host.journal.flush()
    for file in run.scene.disk.files:
        name = f"{file.name}.corrupt-1" if file.set_aside else file.name
        DayFile.create(journal / name, file.records, file.notes).close()
    return journal


def read_plan(path: Path) -> Plan:
    """Inverse of what `write_failure` wrote. OSError, msgspec.MsgspecError."""
    return msgspec.json.decode(path.read_bytes(), type=Plan)


def _write_key(keys: Path) -> None:
    keys.mkdir()
    (name,) = PUBLIC_KEYS
    pem = KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    (keys / f"journal-{name}.pub").write_bytes(pem)
