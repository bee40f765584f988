"""What a start makes of journals that were set aside."""

from pathlib import Path

from controller.config import load
from controller.journal.chain import FIRST_START
from controller.journal.recovery import Recovered, SetAside
from controller.runtime.start import PASS_NO_STEP_AFTER_LOSS, replayed_core

LINE = load(Path(__file__).parents[2] / "sim" / "reference_line.toml")


def next_pass_no(lost: int) -> int:
    aside = tuple(SetAside(Path(f"{number}.corrupt-1"), "rot") for number in range(lost))
    found = Recovered(None, b"", (), FIRST_START, "", aside)
    return replayed_core(LINE.line, LINE.rules_id, LINE.rules, found).state.next_pass_no


def test_pass_numbers_that_a_lost_journal_may_have_given_are_not_given_again() -> None:
    assert next_pass_no(lost=0) == 1
    assert next_pass_no(lost=1) == 1 + PASS_NO_STEP_AFTER_LOSS
    assert next_pass_no(lost=2) == 1 + 2 * PASS_NO_STEP_AFTER_LOSS
