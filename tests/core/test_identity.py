"""From code parts to codes: what counts as read, and when a label leaves a doubt."""

from itertools import product

import pytest

from controller.core.events import CodeRead
from controller.core.identity import codes_are_whole, complete_codes, has_form, shown_codes
from tests.core.evidence import code

LONG = (code("ABC", 1, 0, 3), code("DEF", 1, 1, 3), code("GHI", 1, 2, 3))


@pytest.mark.parametrize(
    ("parts", "codes", "whole"),
    [
        pytest.param((), (), False, id="nothing read"),
        pytest.param((code("W1"),), ("W1",), True, id="one code"),
        pytest.param((code("W2", 2), code("W1", 1)), ("W1", "W2"), True, id="by code number"),
        pytest.param(LONG, ("ABCDEFGHI",), True, id="parts in order, nothing between them"),
        pytest.param(LONG[::-1], ("ABCDEFGHI",), True, id="parts out of order"),
        pytest.param(LONG[:2], (), False, id="last part missing"),
        pytest.param(LONG[1:], (), False, id="first part missing"),
        pytest.param((*LONG, LONG[1]), ("ABCDEFGHI",), True, id="a part read twice"),
        pytest.param((*LONG, code("DEX", 1, 1, 3)), (), False, id="a part read with two texts"),
        pytest.param((*LONG, code("ABC", 1, 0, 2)), (), False, id="two numbers of parts"),
        pytest.param((code("A", 1, 0, 1), code("B", 1, 1, 1)), (), False, id="a part too many"),
        pytest.param((code("A", 1, 1, 1),), (), False, id="part numbers that begin at 1"),
        pytest.param((code(" W1 "),), ("W1",), True, id="blanks around the text"),
        pytest.param(
            (code("W 1 ", 1, 0, 2), code(" 7", 1, 1, 2)), ("W 1  7",), True, id="blanks inside"
        ),
        pytest.param((code("  "),), (), False, id="blanks alone are no code"),
        pytest.param((code("W1"), code("  ", 2)), ("W1",), False, id="a code of blanks beside one"),
        pytest.param((code("W1"), code("W1", 2)), ("W1",), True, id="one text on two sides"),
        pytest.param(
            (code("W8"), code("W9"), code("W1", 2)), ("W1",), False, id="whole after contradicted"
        ),
        pytest.param(
            (code("W8", 1, 0, 2), code("W1", 2)), ("W1",), False, id="whole after incomplete"
        ),
    ],
)
def test_codes(parts: tuple[CodeRead, ...], codes: tuple[str, ...], whole: bool) -> None:
    assert complete_codes(parts) == codes
    assert codes_are_whole(parts) is whole


@pytest.mark.parametrize(
    ("code_text", "form", "fits"),
    [
        ("YT0070000000012", "YT#############", True),
        ("YT007000000001", "YT#############", False),
        ("YT00700000000120", "YT#############", False),
        ("YX0070000000012", "YT#############", False),
        ("YT007000000001O", "YT#############", False),
        ("09AZ", "##@@", True),
        ("/:@[", "##@@", False),
        ("A0", "#@", False),
        ("RR123456785CN", "@@#########CN", True),
        ("rr123456785CN", "@@#########CN", False),
        ("R1123456785CN", "@@#########CN", False),
        ("\u0661\u0662", "##", False),
        ("\u00c9", "@", False),
    ],
)
def test_a_waybill_form_fits_whole_and_exactly(code_text: str, form: str, fits: bool) -> None:
    assert has_form(code_text, form) is fits


@pytest.mark.parametrize(
    ("parts", "codes"),
    [
        pytest.param((), (), id="nothing read"),
        pytest.param((code("W1"), code("W2", 2)), ("W1", "W2"), id="two codes"),
        pytest.param((code("W1"), code("W1", 2)), ("W1",), id="one text on two sides"),
        pytest.param((code("W2"), code("W1")), ("W2", "W1"), id="contradicted"),
        pytest.param((code(" W2"), code("W1 ")), ("W2", "W1"), id="contradicted, with blanks"),
        pytest.param((code("W2"), code(" ")), ("W2",), id="blanks are no code"),
        pytest.param(
            (code("W8"), code("W9"), code("W1", 2)), ("W1", "W8", "W9"), id="whole ones first"
        ),
        pytest.param((code("W8", 2), code("W1"), code("W9", 2)), ("W1", "W8", "W9"), id="code 2"),
        pytest.param(LONG[:2], (), id="last part missing"),
        pytest.param(
            (*LONG, code("DEX", 1, 1, 3)), ("ABCDEFGHI", "ABCDEXGHI"), id="one part twice"
        ),
        pytest.param(
            (*LONG, code("AB", 1, 0, 1)),
            ("ABC", "AB", "ABCDEFGHI", "ABDEFGHI"),
            id="two numbers of parts",
        ),
        pytest.param(
            tuple(code(text, 1, no, 7) for no in range(7) for text in "ab"),
            tuple("a" + "".join(rest) for rest in product("ab", repeat=6)),
            id="no more than 64 choices",
        ),
    ],
)
def test_shown_codes(parts: tuple[CodeRead, ...], codes: tuple[str, ...]) -> None:
    assert shown_codes(parts) == codes
