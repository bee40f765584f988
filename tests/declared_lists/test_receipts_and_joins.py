import csv
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.settings import Rules
from controller.declared_lists.joins import Names, Tie, in_label_window, list_key, speaks_for, tie
from controller.declared_lists.receipts import (
    NO_RECEIPT,
    STATUSES,
    Stand,
    Standing,
    releases,
    spoken_for_content,
    standing_receipt,
    status_of,
)
from tests.declared_lists import ceb

T1, T2 = "20260115130000000", "20260115130000001"
NAMES = Names("COP1", "", "", "P", "S", "A")
ANSWER = Names("COP1", "B1", "I1", "P", "S", "A")


def test_newer_stands_over_older_in_any_order() -> None:
    released, inspect = Stand(800, T1), Stand(500, T2)
    assert standing_receipt([released, inspect]) == inspect
    assert standing_receipt([inspect, released]) == inspect
    assert standing_receipt([]) == NO_RECEIPT


@pytest.mark.parametrize(
    ("milder", "harder"),
    [(800, 500), (899, 120), (120, 100), (500, 700), (700, 501), (800, -621029), (800, 26)],
)
def test_at_one_instant_the_more_restrictive_stands(milder: int, harder: int) -> None:
    assert standing_receipt([Stand(harder, T1), Stand(milder, T1)]).status == harder
    assert standing_receipt([Stand(milder, T1), Stand(harder, T1)]).status == harder


@given(
    st.lists(
        st.tuples(st.sampled_from([120, 399, 500, 800, 899, -1, 26]), st.sampled_from([T1, T2]))
    )
)
def test_what_stands_does_not_depend_on_arrival(entries: list[tuple[int, str]]) -> None:
    stands = [Stand(status, time) for status, time in entries]
    assert standing_receipt(stands) == standing_receipt(reversed(stands))


def test_releasing_statuses_are_those_of_the_default_rules() -> None:
    assert {code for code in STATUSES if releases(code)} == set(Rules().release_statuses)


@pytest.mark.skipif(not ceb.SHARED.is_dir(), reason="the code tables are not on this machine")
def test_the_status_table_is_the_transcribed_one() -> None:
    lanes = {
        "INSPECT": Standing.INSPECT,
        "DETAIN": Standing.DETAIN,
        "RETURN": Standing.RETURN,
        "RELEASE": Standing.RELEASE,
    }
    with (ceb.SHARED / "customs/codes/return_status.csv").open(encoding="utf-8") as file:
        rows = {row["code"]: row["line_meaning"] for row in csv.DictReader(file)}
    rows.pop("<0")
    assert set(STATUSES) == {int(code) for code in rows}
    for code, meaning in rows.items():
        expected = lanes.get(meaning.split()[0])
        standing = STATUSES[int(code)].standing
        assert standing is expected or (
            expected is None and standing in (Standing.HOLD, Standing.REFUSED)
        )


def test_every_status_has_a_text_in_both_languages() -> None:
    for code in (*STATUSES, 0, 26, -10101):
        assert status_of(code).zh
        assert status_of(code).en
    assert status_of(26).standing is Standing.HOLD


def test_a_release_does_not_carry_over_to_changed_content() -> None:
    released = Stand(800, "20260115130000000")
    assert spoken_for_content(released, False, "20260115140000") == released
    assert spoken_for_content(released, True, "20260115140000") == NO_RECEIPT
    assert spoken_for_content(released, True, "20260115130000") == released
    inspect = Stand(500, "20260115130000000")
    assert spoken_for_content(inspect, True, "20260115140000") == inspect


@pytest.mark.parametrize(
    ("declared", "receipt", "expected"),
    [
        (NAMES, ANSWER, Tie.COP_NO),
        (replace(NAMES, pre_no="B1"), ANSWER, Tie.PRE_NO),
        (replace(NAMES, invt_no="I1"), ANSWER, Tie.INVT_NO),
        (replace(NAMES, cop_no="COP2"), ANSWER, Tie.NONE),
        (replace(NAMES, ebc_code="S2"), ANSWER, Tie.NONE),
        (replace(NAMES, ebc_code="S2", pre_no="B1"), ANSWER, Tie.PRE_NO),
        (replace(NAMES, pre_no="B2"), ANSWER, Tie.DOUBTFUL),
        (replace(NAMES, cop_no="COP2", pre_no="B1"), ANSWER, Tie.DOUBTFUL),
        (NAMES, replace(ANSWER, ebc_code="", agent_code=""), Tie.DOUBTFUL),
        (replace(NAMES, cop_no=""), replace(ANSWER, cop_no=""), Tie.NONE),
    ],
)
def test_how_a_receipt_belongs_to_a_list(declared: Names, receipt: Names, expected: Tie) -> None:
    assert tie(declared, receipt) is expected


def test_only_the_one_list_tied_most_firmly_may_be_released() -> None:
    assert speaks_for([Tie.COP_NO], 0)
    assert speaks_for([Tie.COP_NO, Tie.PRE_NO, Tie.DOUBTFUL], 1)
    assert not speaks_for([Tie.COP_NO, Tie.PRE_NO], 0)
    assert not speaks_for([Tie.COP_NO, Tie.COP_NO], 0)
    assert not speaks_for([Tie.DOUBTFUL], 0)


def test_list_keys_are_one_to_one() -> None:
    assert list_key("C", "W1", "COP1") == "C/W1/COP1"
    assert list_key("C", "W/1", "X") != list_key("C", "W", "1/X")
    assert list_key("C", "W%2F1", "X") != list_key("C", "W/1", "X")


def test_a_label_is_the_same_parcels_for_six_months() -> None:
    assert in_label_window("20260101000000", "20260630000000")
    assert not in_label_window("20251130000000", "20260630000000")
