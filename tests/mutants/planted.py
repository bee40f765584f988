"""Planted bugs: exact old text, new text, and what it would do to a real line.

Written down before the tests that catch them. A text that is absent or not unique fails the run: the
table is then out of date, and a bug that was never planted counts for nothing.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Mutant:
    """`row` names the fault-matrix row or the wire field that it stands for."""

    row: str
    file: str
    old: str
    new: str
    why: str
