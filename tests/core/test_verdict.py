"""The verdict on what a parcel carries: only an empty list of reasons releases."""

from dataclasses import replace

import pytest

from controller.core.commands import CommitVerdict
from controller.core.events import CodeRead, EarlierPass
from controller.core.verdict import destination_of, is_duplicate, judge
from controller.core.vocabulary import (
    CheckKind,
    CheckResult,
    Destination,
    LookUpResult,
    PassEnd,
    Reason,
)
from tests.core.evidence import AGREE, DISAGREE, UNKNOWN, check, code, parcel
from tests.core.story import RULES, SETTINGS, Line, facts

K = CheckKind
ANSWERED, UNAVAILABLE = LookUpResult.ANSWERED, LookUpResult.UNAVAILABLE

# Customs or a measured contradiction. Whatever is not named here is held, straight on.
OFFICERS = {
    Reason.STATUS_DETAINED: Destination.DETAIN,
    Reason.STATUS_RETURNED: Destination.RETURN,
    Reason.CONTROL_INSTRUCTION: Destination.INSPECT,
    Reason.STATUS_INSPECT: Destination.INSPECT,
    Reason.DRAWN_FOR_INSPECTION: Destination.INSPECT,
    Reason.UNDECLARED_METAL: Destination.INSPECT,
    Reason.WEIGHT_DISAGREES: Destination.INSPECT,
    Reason.DIMENSIONS_DISAGREE: Destination.INSPECT,
    Reason.PICTURE_DISAGREES: Destination.INSPECT,
    Reason.OPAQUE: Destination.INSPECT,
}


@pytest.mark.parametrize("reason", list(Reason))
def test_every_reason_has_its_lane_and_none_of_them_is_release(reason: Reason) -> None:
    destination = OFFICERS.get(reason, Destination.HOLD)
    assert destination_of((reason,)) is destination
    judged = judge(parcel(), (reason,), SETTINGS, RULES)
    assert (judged.destination, judged.reasons) == (destination, (reason,))
    flagged = judge(parcel(flags=(reason,)), (), SETTINGS, RULES)
    assert (flagged.destination, flagged.reasons) == (destination, (reason,))


def test_the_heaviest_reason_decides_and_each_is_said_once() -> None:
    several = parcel(
        flags=(Reason.STOPPED_IN_SENSOR, Reason.LATE, Reason.UNDECLARED_METAL),
        weight=None,
        lists=(facts(status=700),),
    )
    judged = judge(several, (Reason.LATE, Reason.DUPLICATE), SETTINGS, RULES)
    assert judged.destination is Destination.RETURN
    assert judged.reasons == (
        Reason.STATUS_RETURNED,
        Reason.DUPLICATE,
        Reason.UNDECLARED_METAL,
        Reason.STOPPED_IN_SENSOR,
        Reason.NO_WEIGHT,
        Reason.LATE,
    )


def test_a_clean_parcel_is_released_with_every_comparison_on_record() -> None:
    judged = judge(parcel(), (), SETTINGS, RULES)
    assert (judged.destination, judged.reasons) == (Destination.RELEASE, ())
    assert judged.facts == facts()
    assert judged.checks == (
        check(K.IDENTITY, AGREE, 1, 1),
        check(K.CUSTOMS_STATUS, AGREE, 800, 800),
        check(K.INSTRUCTIONS, AGREE, 0, 0),
        check(K.WEIGHT, AGREE, 2_000_000, 2_000_000, 60_000),
        check(K.LENGTH, AGREE, 300, 300, 15),
        check(K.SINGLE_PARCEL, AGREE, 1, 1),
        check(K.PICTURE_ROWS, AGREE, 0, 0),
        check(K.OPAQUE_AREA, AGREE, 0, 100),
        check(K.PICTURE_LENGTH, AGREE, 300, 300, 15),
        check(K.PICTURE_WIDTH, AGREE, 200, 200, 30),
        check(K.METAL_AREA, AGREE, 0, 100),
    )


def test_the_record_of_a_release_names_its_list_so_that_the_next_pass_is_a_duplicate() -> None:
    verdict: CommitVerdict = Line().until_verdict(100, 1)
    listed = facts()
    assert (verdict.list_key, verdict.waybill) == (listed.list_key, listed.waybill)
    assert (verdict.list_revision, verdict.list_status) == (listed.revision, listed.status)


# --- who it is ------------------------------------------------------------------------------------

HELD = (Reason.LATE,)
TWO_LABELS = (code("W1"), code("W2", 2, 0, 2))


@pytest.mark.parametrize(
    ("parts", "flags", "answer", "waybills", "reason", "result", "found"),
    [
        pytest.param((), (), ANSWERED, "1", Reason.NO_READ, UNKNOWN, -1, id="no label read"),
        pytest.param(
            TWO_LABELS, (), ANSWERED, "1", Reason.AMBIGUOUS, UNKNOWN, -1, id="half a second label"
        ),
        pytest.param(
            (code("W1"),), (), ANSWERED, "", Reason.NOT_DECLARED, DISAGREE, 0, id="no list"
        ),
        pytest.param((code("W1"),), (), ANSWERED, "1", None, AGREE, 1, id="one list"),
        pytest.param(
            (code("W1"),), (), ANSWERED, "12", Reason.AMBIGUOUS, DISAGREE, 2, id="two lists"
        ),
        pytest.param(
            (code("W1"),),
            (),
            UNAVAILABLE,
            "1",
            Reason.LISTS_UNAVAILABLE,
            UNKNOWN,
            -1,
            id="no answer",
        ),
        pytest.param(
            (code("W1"),),
            HELD,
            UNAVAILABLE,
            "",
            Reason.LISTS_UNAVAILABLE,
            UNKNOWN,
            -1,
            id="no answer for one that is held anyway",
        ),
        pytest.param(
            (code("W1"),),
            (),
            None,
            "1",
            Reason.LISTS_UNAVAILABLE,
            UNKNOWN,
            -1,
            id="never asked must not pass as known",
        ),
        pytest.param(
            (code("W1"),), HELD, None, "1", None, UNKNOWN, -1, id="never asked, held anyway"
        ),
    ],
)
def test_identity(
    parts: tuple[CodeRead, ...],
    flags: tuple[Reason, ...],
    answer: LookUpResult | None,
    waybills: str,
    reason: Reason | None,
    result: CheckResult,
    found: int,
) -> None:
    lists = tuple(facts(f"W{number}") for number in waybills)
    known = parcel(code_parts=parts, flags=flags, lists_result=answer, lists=lists)
    judged = judge(known, (), SETTINGS, RULES)
    assert judged.reasons == tuple(sorted({*flags, *([reason] if reason else [])}))
    assert judged.checks[0] == check(K.IDENTITY, result, found, 1)
    assert judged.facts == (facts() if found == 1 else None)


def test_a_code_beside_the_scanners_word_that_it_read_nothing_is_somebody_elses() -> None:
    judged = judge(parcel(scanner_said_no_read=True), (), SETTINGS, RULES)
    assert judged.reasons == (Reason.AMBIGUOUS,)
    assert judged.checks[0] == check(K.IDENTITY, UNKNOWN, -1, 1)


@pytest.mark.parametrize(
    ("shared", "reasons"),
    [((), ()), (("6901234567892",), ()), (("6901234567892", "W1"), (Reason.DUPLICATE,))],
)
def test_a_code_that_another_body_shows_is_a_doubt_if_it_is_the_label(
    shared: tuple[str, ...], reasons: tuple[Reason, ...]
) -> None:
    assert judge(parcel(shared_codes=shared), (), SETTINGS, RULES).reasons == reasons


BESIDE = (code("W1"), code("W2", 2))


@pytest.mark.parametrize(
    ("parts", "forms", "waybills", "found"),
    [
        pytest.param(BESIDE, ("W#",), "1", 2, id="a second waybill that nobody declared"),
        pytest.param(BESIDE[::-1], ("@@", "W#"), "1", 2, id="whichever comes first"),
        pytest.param(BESIDE, (), "1", 1, id="forms not known"),
        pytest.param(BESIDE, ("Z#",), "1", 1, id="a code of another form"),
        pytest.param(BESIDE[:1], ("W#",), "1", 1, id="its own waybill alone"),
        pytest.param((*BESIDE, code("W3", 3)), ("W#",), "12", 3, id="two declared and one not"),
        pytest.param(BESIDE, ("W#",), "", 0, id="none declared"),
    ],
)
def test_an_undeclared_waybill_beside_a_declared_one_is_a_contradiction(
    parts: tuple[CodeRead, ...], forms: tuple[str, ...], waybills: str, found: int
) -> None:
    """Found by the sweep: an undeclared parcel with a second label, a copy of a declared one's."""
    lists = tuple(facts(f"W{number}") for number in waybills)
    known = parcel(code_parts=parts, lists_result=ANSWERED, lists=lists)
    judged = judge(known, (), SETTINGS, replace(RULES, waybill_forms=forms))
    reason = {0: (Reason.NOT_DECLARED,), 1: ()}.get(found, (Reason.AMBIGUOUS,))
    assert judged.reasons == reason
    assert judged.checks[0] == check(K.IDENTITY, AGREE if found == 1 else DISAGREE, found, 1)
    assert judged.facts == (facts() if found == 1 else None)


# --- seen before ----------------------------------------------------------------------------------

RELEASED, OPEN, RECHECK = PassEnd.RELEASED, PassEnd.OPEN, PassEnd.RECHECK
OURS = 7


@pytest.mark.parametrize(
    ("earlier", "duplicate"),
    [
        pytest.param((), False, id="never seen"),
        pytest.param((EarlierPass(OURS, OPEN),), False, id="this very pass"),
        pytest.param((EarlierPass(OURS, OPEN, "L2"),), True, id="the same number elsewhere"),
        pytest.param((EarlierPass(3, PassEnd.HELD),), False, id="held before"),
        pytest.param((EarlierPass(3, PassEnd.RECIRCULATED),), False, id="went round before"),
        pytest.param((EarlierPass(3, RELEASED),), True, id="released before"),
        pytest.param((EarlierPass(3, OPEN),), True, id="nobody knows where it went"),
        pytest.param((EarlierPass(3, OPEN), EarlierPass(4, RECHECK)), False, id="rechecked since"),
        pytest.param(
            (EarlierPass(4, RECHECK), EarlierPass(3, OPEN)), False, id="told newest first"
        ),
        pytest.param((EarlierPass(3, RECHECK), EarlierPass(4, OPEN)), True, id="open again since"),
        pytest.param(
            (EarlierPass(3, RELEASED), EarlierPass(4, RECHECK)), True, id="nothing ends a release"
        ),
        pytest.param(
            (EarlierPass(3, OPEN), EarlierPass(9, RECHECK, "L2")),
            True,
            id="a recheck on another line does not say what became of ours",
        ),
    ],
)
def test_a_label_seen_before(earlier: tuple[EarlierPass, ...], duplicate: bool) -> None:
    assert is_duplicate(earlier, OURS) is duplicate
    judged = judge(parcel(lists=(facts(earlier_passes=earlier),)), (), SETTINGS, RULES)
    assert judged.reasons == ((Reason.DUPLICATE,) if duplicate else ())


@pytest.mark.parametrize(("loops", "reasons"), [(2, ()), (3, (Reason.DUPLICATE,))])
def test_two_loops_and_no_third(loops: int, reasons: tuple[Reason, ...]) -> None:
    earlier = tuple(EarlierPass(number, PassEnd.RECIRCULATED) for number in range(loops))
    judged = judge(parcel(lists=(facts(earlier_passes=earlier),)), (), SETTINGS, RULES)
    assert judged.reasons == reasons
