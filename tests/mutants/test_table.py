"""The table of planted bugs fits the code as it stands, leaves no row out, and planting is exact."""

import pytest

from tests.mutants.__main__ import check_table
from tests.mutants.hunting import ROOT, SUITES
from tests.mutants.planted import Mutant, OutOfDate, mutated
from tests.mutants.rows import MATRIX, PROMISES, WITHOUT_BUG, words
from tests.mutants.table import MUTANTS


def test_every_planted_bug_can_be_planted() -> None:
    assert check_table() == []


def test_no_bug_is_planted_twice() -> None:
    assert len({(bug.file, bug.old, bug.new) for bug in MUTANTS}) == len(MUTANTS)


def test_every_fault_every_word_and_every_promise_has_a_bug() -> None:
    asked = MATRIX | words() | PROMISES
    planted = {bug.row for bug in MUTANTS}
    assert asked - planted == set(WITHOUT_BUG)
    assert planted - asked == set()


def test_the_words_are_those_of_the_ring_record_and_the_decision_row() -> None:
    record = {"SEQ_BEGIN", "KIND", "SOURCE", "TRACK_ID", "ENCODER", "PLC_TIME_US", "PAYLOAD"}
    row = {"BOOT_ID", "SESSION", "TRACK_ID", "DESTINATION", "REASON", "DECISION_SEQ", "LAYOUT"}
    asked = {f"R_{name}" for name in record | {"CRC", "SEQ_END"}}
    asked |= {f"D_{name}" for name in row | {"CRC"}}
    assert {name for name in words() if name[0] in "RD"} == asked


def test_every_suite_is_there() -> None:
    assert [path for suite in SUITES.values() for path in suite if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("text", ["nothing", "old old"])
def test_absent_or_ambiguous_text_is_refused(text: str) -> None:
    with pytest.raises(OutOfDate):
        mutated(Mutant("row", "file", "old", "new", "why"), text)
