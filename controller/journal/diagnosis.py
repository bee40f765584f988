"""What was done to a journal at the first record that does not fit its chain. Pure.

The chain says where it breaks; comparing the records around it says, as far as hashes allow, how:
a record that was moved or renumbered still carries the hash of its old place.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from controller.journal.chain import Head, Record, fits


class Damage(StrEnum):
    """Kinds of damage; the words are part of `verify --json`."""

    EDITED = "edited"
    DELETED = "deleted"
    INSERTED = "inserted"
    REORDERED = "reordered"
    CUT = "cut"
    SIGNATURE = "signature"
    HEADER = "header"
    INDEX = "index"
    TREE = "tree"
    SET_ASIDE = "set aside"
    UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class Finding:
    """The first bad place: file name, record number (0: none), kind of damage, one sentence."""

    file: str
    journal_seq: int
    damage: Damage
    why: str


def name_damage(
    head: Head, bad: Record, following: list[Record], whole_file: Iterable[Record]
) -> tuple[Damage, str]:
    """Name what happened at `bad`, the record after the good `head`.

    `following` are the records after `bad` (two are enough), `whole_file` every record of the file.
    """
    missing = bad.journal_seq - head.journal_seq - 1
    if missing:
        return Damage.DELETED, f"{missing} record(s) before {bad.journal_seq} are missing"
    if _written_with_shift(1, bad, following):
        return Damage.DELETED, f"a record was taken out at {bad.journal_seq}, the rest renumbered"
    if _written_with_shift(-1, bad, following):
        return Damage.INSERTED, f"a record was put in at {bad.journal_seq}, the rest renumbered"
    moved_from = _old_place(bad, following, whole_file)
    if moved_from:
        return Damage.REORDERED, f"record {bad.journal_seq} was written as number {moved_from}"
    return (
        Damage.EDITED,
        f"record {bad.journal_seq} or the one before it was changed, or a record was put in here",
    )


def _old_place(bad: Record, following: list[Record], whole_file: Iterable[Record]) -> int:
    """The other number under which `bad` fits the file as it stands; 0 if there is none."""
    if following and _fits_as(bad.journal_seq + 1, following[0], bad):
        return bad.journal_seq + 1  # the two have changed places
    for before in whole_file:
        number = before.journal_seq + 1
        if number != bad.journal_seq and _fits_as(number, before, bad):
            return number
    return 0


def _written_with_shift(shift: int, bad: Record, following: list[Record]) -> bool:
    """Whether the records after `bad` fit each other once their numbers are shifted back."""
    pairs = list(zip([bad, *following], following, strict=False))[-1:]
    return any(_fits_as(record.journal_seq + shift, before, record) for before, record in pairs)


def _fits_as(number: int, before: Record, record: Record) -> bool:
    return fits(before.hash, replace(record, journal_seq=number))
