"""Planted bugs: exact old text, new text, and what it would do to a real line.

Written down before the tests that catch them. A text that is absent or not unique fails the run: the
table is then out of date, and a bug that was never planted counts for nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """`row` is one of the names in rows.py: a row of the fault matrix, a word on the wire, a promise."""

    row: str
    file: str
    old: str
    new: str
    why: str


class OutOfDate(ValueError):
    """A mutant's text is absent or not unique."""


def mutated(mutant: Mutant, text: str) -> str:
    """`text` with the bug in it. OutOfDate unless the old text stands there exactly once."""
    found = text.count(mutant.old)
    if found != 1:
        raise OutOfDate(f"{mutant.file}: {mutant.row}: the old text stands there {found} times")
    return text.replace(mutant.old, mutant.new)
