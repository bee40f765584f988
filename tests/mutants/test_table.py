"""The table of planted bugs fits the code as it stands, and planting is exact."""

import pytest

from tests.mutants.__main__ import OutOfDate, check_table, mutated
from tests.mutants.planted import Mutant
from tests.mutants.table import MUTANTS


def test_every_planted_bug_can_be_planted() -> None:
    assert check_table() == []


def test_no_bug_is_planted_twice() -> None:
    assert len({(m.file, m.old, m.new) for m in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize("text", ["nothing", "old old"])
def test_absent_or_ambiguous_text_is_refused(text: str) -> None:
    with pytest.raises(OutOfDate):
        mutated(Mutant("row", "file", "old", "new", "why"), text)
