"""What a starting host takes from a virtual disk: `controller.journal.recovery` around its own walk."""

from pathlib import Path

from controller.journal.chain import GENESIS
from controller.journal.keys import PublicKeys
from controller.journal.reader import NotAJournal
from controller.journal.recovery import (
    Recovered,
    SetAside,
    names_in_header,
    start_after,
    usable_part,
)
from controller.wire import WireError
from sim.virtual_disk import VirtualDisk, VirtualFile


def recover(disk: VirtualDisk, public_keys: PublicKeys) -> Recovered:
    """As `controller.journal.recovery.recover`: the newest file that holds, the others set aside. One that
    was set aside before counts until the header of a later file names it."""
    set_aside: list[SetAside] = []
    named = {name for file in disk.files if not file.set_aside for name in names_in_header(file)}
    for file in reversed(disk.files):
        if file.set_aside and file.name in named:
            continue
        try:
            header, head, state, events, problem = usable_part(file, public_keys)
        except (NotAJournal, WireError) as error:
            set_aside.append(_aside(file, str(error)))
            continue
        if problem or file.set_aside:
            set_aside.append(_aside(file, problem or "set aside before this start"))
        start = start_after(head, set_aside)
        return Recovered(header, state, events, start, disk.day, tuple(set_aside))
    return Recovered(None, b"", (), start_after(GENESIS, set_aside), disk.day, tuple(set_aside))


def _aside(file: VirtualFile, why: str) -> SetAside:
    file.set_aside = True
    return SetAside(Path(file.name), why)
