"""What customs said of a list, and what it did not say: only 800 and 899 release."""

import pytest

from controller.core.customs import (
    RELEASING_STATUSES,
    customs_checks,
    customs_reasons,
    drawn_for_inspection,
)
from controller.core.settings import Rules
from controller.core.verdict import destination_of
from controller.core.vocabulary import CheckKind, Destination, Reason
from tests.core.evidence import AGREE, DISAGREE, check
from tests.core.story import RULES, facts

# GACC message standard 202205, CEB622. A status that stands nowhere here has not released.
MEANT = {
    500: Reason.STATUS_INSPECT,
    501: Reason.STATUS_DETAINED,
    502: Reason.STATUS_DETAINED,
    503: Reason.STATUS_DETAINED,
    505: Reason.STATUS_DETAINED,
    599: Reason.STATUS_DETAINED,
    700: Reason.STATUS_RETURNED,
    800: None,
    899: None,
}


def test_every_status_there_could_be() -> None:
    for status in range(-1, 1000):
        reason = MEANT.get(status, Reason.STATUS_NOT_RELEASED)
        expected = () if reason is None else (reason,)
        assert customs_reasons(facts(status=status), RULES) == expected, status


def test_no_rule_file_may_name_another_status_that_releases() -> None:
    releasing = tuple(status for status, reason in MEANT.items() if reason is None)
    assert releasing == RELEASING_STATUSES == Rules().release_statuses


def test_rules_may_name_fewer_statuses_but_never_release_what_is_detained() -> None:
    stricter = Rules(release_statuses=(800,))
    assert customs_reasons(facts(status=899), stricter) == (Reason.STATUS_NOT_RELEASED,)
    broken = Rules(release_statuses=tuple(range(1000)))
    for status, reason in MEANT.items():
        assert customs_reasons(facts(status=status), broken) == (() if not reason else (reason,))


def test_everything_that_is_true_is_said() -> None:
    listed = facts(status=501, open_instructions=("I1", "I2"))
    assert customs_reasons(listed, Rules(inspection_permille=1000)) == (
        Reason.STATUS_DETAINED,
        Reason.CONTROL_INSTRUCTION,
        Reason.DRAWN_FOR_INSPECTION,
    )


# --- the draw -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("salt", "list_key", "number"),
    [
        # The first eight bytes of HMAC-SHA256, big-endian, modulo 1000. The auditor's own word:
        #   printf 'LC/W1/C1' | openssl dgst -sha256 -hmac salt
        ("salt", "LC/W1/C1", 0xDB77C84F161A7A83 % 1000),
        ("salt", "LC/W2/C1", 543),
        ("other", "LC/W1/C1", 584),
    ],
)
def test_the_draw_can_be_repeated_by_anyone(salt: str, list_key: str, number: int) -> None:
    """A list with number n is drawn from a share of n + 1 permille on."""
    drawn = [
        permille
        for permille in range(1001)
        if drawn_for_inspection(list_key, Rules(inspection_salt=salt, inspection_permille=permille))
    ]
    assert drawn == list(range(number + 1, 1001))


def test_a_drawn_list_goes_to_inspection_although_it_is_released() -> None:
    rules = Rules(inspection_salt="salt", inspection_permille=684)
    assert customs_reasons(facts("W1"), rules) == (Reason.DRAWN_FOR_INSPECTION,)
    assert destination_of((Reason.DRAWN_FOR_INSPECTION,)) is Destination.INSPECT
    assert (
        customs_reasons(facts("W1"), Rules(inspection_salt="salt", inspection_permille=683)) == ()
    )


# --- for people -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "instructions", "rules", "results"),
    [
        (800, (), RULES, (AGREE, AGREE)),
        (899, (), RULES, (AGREE, AGREE)),
        (899, (), Rules(release_statuses=(800,)), (DISAGREE, AGREE)),
        (500, (), RULES, (DISAGREE, AGREE)),
        (0, ("I1",), RULES, (DISAGREE, DISAGREE)),
        (800, ("I1", "I2"), RULES, (AGREE, DISAGREE)),
    ],
)
def test_what_the_record_shows(
    status: int, instructions: tuple[str, ...], rules: Rules, results: tuple[object, object]
) -> None:
    shown = customs_checks(facts(status=status, open_instructions=instructions), rules)
    assert shown == (
        check(CheckKind.CUSTOMS_STATUS, results[0], status, 800),  # type: ignore[arg-type]
        check(CheckKind.INSTRUCTIONS, results[1], len(instructions), 0),  # type: ignore[arg-type]
    )
