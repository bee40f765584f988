"""What an abort and a failed journal take back, and labels that a body without a pass has shown."""

import pytest

from controller.core import events as e
from controller.core.commands import Command, RecordOutcome
from controller.core.parcel import ParcelState
from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DefaultCause,
    Destination,
    LineRequest,
    LineState,
    LinkFault,
    PassEnd,
    PlcStateBit,
    Reason,
)
from tests.core.story import BOOT, SESSION, SETTINGS, Line, facts, sent_in

D = Destination
U32_MAX = 0xFFFF_FFFF
RELEASE_LANE, HOLD_LANE = 1, 5


def releases(commands: tuple[Command, ...]) -> list[int]:
    return [sent.track_id for sent in sent_in(commands) if sent.destination is D.RELEASE]


# --- an abort does not stop what was judged a moment before ------------------------------------


def held_body_in_the_release_lane(line: Line, at_ms: int, track_id: int) -> tuple[Command, ...]:
    return line.record(at_ms, e.LaneSeen, RELEASE_LANE, track_id)


def with_held_body_ahead(line: Line) -> None:
    """Its list is not released; a slip then carries it into the lane of the one before it."""
    line.lists["W9"] = (facts("W9", status=399),)
    assert line.until_verdict(100, 1, "W9").destination is D.HOLD


def test_a_release_is_not_commanded_while_the_line_is_aborted() -> None:
    """A held body was seen in the release lane: ids and bodies do not agree behind the last eye. A parcel
    that is judged one record later is held for LINE_ABORTED; this one's verdict was on its way to the
    disk, and its release is commanded on an aborted line."""
    line = Line()
    with_held_body_ahead(line)
    assert line.until_verdict(2_400, 2).destination is D.RELEASE  # at 4 655
    held_body_in_the_release_lane(line, 4_650, 1)
    assert line.core.state.state is LineState.ABORTED
    assert releases(line.durable(4_670, 2)) == []


def test_what_waited_for_the_link_is_not_released_on_an_aborted_line() -> None:
    """The records of the outage tell of the held body in the release lane; the last of them releases."""
    line = Line()
    with_held_body_ahead(line)
    assert line.until_verdict(2_400, 2).destination is D.RELEASE
    line.tell(4_660, e.PlcLost(LinkFault.NO_ANSWER))
    line.durable(4_665, 2)
    head = line.ring_seq + 1
    line.tell(4_800, e.PlcConnected(BOOT, SESSION, 1, head, 0, (), head))
    told = held_body_in_the_release_lane(line, 4_790, 1)
    assert line.core.state.state is LineState.ABORTED
    assert releases(told) == []


def test_leases_do_not_outlive_an_abort() -> None:
    """Wherever the slip came from, the body behind it has the same: after CLEAR it goes on with its
    lease, with nothing measured since."""
    line = Line()
    with_held_body_ahead(line)
    line.lease(2_400, 2)
    held_body_in_the_release_lane(line, 4_690, 1)
    assert line.core.state.state is LineState.ABORTED
    line.tell(60_000, e.LineRequested(LineRequest.CLEAR, "chief"))
    assert line.core.state.state is LineState.EXECUTE
    assert line.core.state.parcels[2].state is ParcelState.HELD


# --- records that wait in the queue of the program ---------------------------------------------


def test_a_parcel_whose_entry_waited_in_the_programs_queue_may_lack_records() -> None:
    """P5, P6 let records wait in a queue of the program behind a full ring ("or no room in your queue"; annex
    A drops them instead, and has room for 63). The one that is refused is newer than all that wait, in the
    ring (110) and in the queue. This parcel's entry is record 151; a record of its second label, or of a
    guard that was opened, is the one that was refused."""
    line = Line()
    line.tell(50, e.PlcStateSeen(0, 1))
    for _ in range(150):
        line.record(60, e.DeviceChanged, 9, 0, True, True, False)
    assert line.until_verdict(1_000, 1).destination is not D.RELEASE


# --- the copy of a label that nobody's reading showed first ------------------------------------


def test_a_label_that_nobody_showed_first_is_on_the_belt_all_the_same() -> None:
    """A body laid on between the induct eye and the scanner (an extra, held) shows W1 as nobody's; a copy
    comes 700 mm behind it. In the other order of the two readings both are held."""
    line = Line()
    line.record(650, e.CodeRead, 1, 0, 1, 0, 1, 0, "W1")  # over the scanner, of no tracked parcel
    line.record(1_450, e.ExtraSeen, 2, 77, 300, counts=1_150)
    assert 77 in line.core.state.parcels
    assert line.until_verdict(1_000, 1).destination is not D.RELEASE


@pytest.mark.parametrize("slipped", [False, True])
def test_the_label_of_a_body_that_was_lost_and_came_back_as_an_extra_is_on_the_belt(
    slipped: bool,
) -> None:
    """The encoder slips by 60 mm (more than the edge window): P22 gives record 10 for the body, and at the
    same eye an extra. It is the same body with the same label, now without a code. A copy that enters a
    moment later is released; without the slip both are held."""
    line = Line()
    line.lists["W1"] = (facts("W1"),)
    line.induct(0, 1)
    line.answer(370, line.scan(0, 1, "W1"))
    if slipped:
        line.record(850, e.ParcelLost, 2, 1)
        line.record(1_170, e.ExtraSeen, 2, 2, 300, counts=870)
        line.record(1_180, e.DefaultTaken, 0, 2, DefaultCause.UNKNOWN_PARCEL)
        assert line.core.state.parcels[2].state is ParcelState.HELD
    held = (e.EarlierPass(1, PassEnd.HELD),) if slipped else ()
    line.lists["W1"] = (facts("W1", earlier_passes=held),)
    assert line.until_verdict(1_400, 3).destination is not D.RELEASE


def test_the_label_of_a_body_whose_id_was_given_again_is_on_the_belt() -> None:
    """The PLC gives id 1 to a second body while the first, with W1, is on its way to the hold lane."""
    line = Line()
    line.lists["W1"] = ()
    line.until_verdict(0, 1)
    line.record(1_000, e.Inducted, 1, 1, U32_MAX)
    line.lists["W1"] = (facts("W1"),)
    assert line.until_verdict(2_400, 3).reasons == (Reason.DUPLICATE,)


def test_a_label_that_nobody_showed_is_forgotten_when_the_belt_has_carried_it_off() -> None:
    """Twice the belt's length, as for bodies; a body that shows it just before that is held."""
    far = 2 * SETTINGS.belt_end_mm
    for travelled_mm, destination in ((far, D.HOLD), (far + 1, D.RELEASE)):
        line = Line()
        line.record(650, e.CodeRead, 1, 0, 1, 0, 1, 0, "W1")
        scanned_at = 650 + travelled_mm  # at 1 mm a millisecond
        assert line.until_verdict(scanned_at - 350, 1).destination is destination


# --- a code that contradicts itself ------------------------------------------------------------


@pytest.mark.parametrize("texts", [("W1", "W2"), ("W2", "W1")])
def test_a_label_read_with_a_contradiction_is_on_the_belt_all_the_same(
    texts: tuple[str, str],
) -> None:
    """Two sides of the scanner number their codes alike: the body shows W1 and W2 as code 1, and is held as
    ambiguous. Its twin shows W1, too."""
    line = Line()
    line.lists["W1"] = (facts("W1"),)
    line.induct(100, 1)
    line.answer(470, line.record(450, e.CodeRead, 1, 1, 1, 0, 1, 0, texts[0]))
    line.record(475, e.CodeRead, 1, 1, 1, 0, 1, 0, texts[1])
    assert line.until_verdict(1_000, 2).destination is not D.RELEASE


def test_a_contradiction_that_contains_a_label_takes_its_release_back() -> None:
    """The body with the lease went first; its twin shows W1 as the second text of one code."""
    line = Line()
    line.lease(0, 1)
    line.induct(2_400, 2)
    told = line.record(2_750, e.CodeRead, 1, 2, 1, 0, 1, 0, "W2")
    told += line.record(2_751, e.CodeRead, 1, 2, 1, 0, 1, 0, "W1")
    assert [sent.track_id for sent in sent_in(told) if sent.destination is D.HOLD] == [1]


# --- stale bodies and a small hold lane --------------------------------------------------------


def test_stale_bodies_do_not_stop_a_line_whose_hold_lane_holds_the_belt_once() -> None:
    """Ten bodies went to the hold lane while 5.5 s of records were lost; three that entered meanwhile are
    seen at later eyes. The hold lane has room for twelve and is empty. Infeed and belt stop; no induct ever
    comes that would forget the ten, and the three cannot leave: only a PLC start ends it."""
    line = Line()
    for n in range(10):
        line.induct(600 * n, 1 + n)
    lost = line.ring_seq
    line.ring_seq += 60
    line.tell(11_500, e.RingGap(BOOT, lost, line.ring_seq + 1))
    line.record(11_550, e.LaneChanged, HOLD_LANE, 0, False, False, 12)
    for n in range(3):
        line.record(11_600 + 600 * n, e.EyePassed, 2, 11 + n, 300, 300, counts=11_300 + 600 * n)
    if not line.core.state.belt_permit:
        line.record(12_900, e.BeltChanged, 0, 0, BeltMotion.STOPPED, 0, BeltCause.HOST_PERMIT)
        # people empty the hold lane, look, clear; nothing on the belt can move
        line.record(60_000, e.LaneChanged, HOLD_LANE, 0, False, False, 12, counts=12_900)
        line.tell(61_000, e.LineRequested(LineRequest.CLEAR, "chief"))
    assert line.core.state.belt_permit, len(line.core.state.parcels)


# --- the journal failed meanwhile --------------------------------------------------------------


def test_what_waited_for_the_link_is_not_released_after_the_journal_failed() -> None:
    line = Line()
    assert line.until_verdict(100, 1).destination is D.RELEASE
    line.tell(2_360, e.PlcLost(LinkFault.NO_ANSWER))
    line.durable(2_365, 1)
    line.tell(2_400, e.JournalFailed("disk gone"))
    head = line.ring_seq
    told = line.tell(2_500, e.PlcConnected(BOOT, SESSION, 1, head + 1, 0, (), head))
    assert releases(told) == []


def test_what_waited_for_a_supervisors_word_is_released_when_it_comes() -> None:
    line = Line()
    assert line.until_verdict(100, 1).destination is D.RELEASE
    line.tell(2_360, e.JournalFailed("disk gone"))
    assert releases(line.durable(2_365, 1)) == []
    assert releases(line.tell(2_400, e.JournalRecovered("chief"))) == [1]


def test_what_waited_for_a_supervisors_word_too_long_is_held() -> None:
    line = Line()
    line.until_verdict(100, 1)
    line.tell(2_360, e.JournalFailed("disk gone"))
    line.durable(2_365, 1)
    told = line.tell(3_690, e.DeadlineReached())
    assert [sent.destination for sent in sent_in(told)] == [D.HOLD]
    assert releases(line.tell(3_695, e.JournalRecovered("chief"))) == []


# --- parts of two codes of a body that has ended -----------------------------------------------


@pytest.mark.parametrize("between", [False, True])
def test_a_late_code_in_parts_is_a_code_whatever_comes_between(between: bool) -> None:
    """As `test_a_late_code_in_two_parts_is_a_code_too`; between the parts comes the EAN of the goods, code 2.
    Section 4 numbers codes and parts; no duty has the parts of one code follow each other."""
    long = "YT" + "0123456789" * 4
    line = Line()
    line.lists[long] = (facts(long),)
    line.record(100, e.Inducted, 1, 1, U32_MAX)
    line.record(450, e.CodeRead, 1, 1, 0, 0, 0, 0, "")
    line.record(4_500, e.LaneSeen, HOLD_LANE, 1)
    line.induct(2_000, 2)
    line.record(2_350, e.CodeRead, 1, 2, 1, 0, 2, 0, long[:28])
    line.answer(2_370, line.record(2_351, e.CodeRead, 1, 2, 1, 1, 2, 0, long[28:]))
    line.weigh(2_000, 2)
    line.measure(2_000, 2)
    line.trigger(2_000, 2, 2)
    line.answer(4_255, line.picture(2_000, 2))
    line.durable(4_260, 2)
    line.echo(4_280, 2)
    assert line.core.state.parcels[2].state is ParcelState.LEASED
    told = line.record(4_700, e.CodeRead, 1, 1, 1, 0, 2, 0, long[:28])
    if between:
        told += line.record(4_701, e.CodeRead, 1, 1, 2, 0, 1, 0, "6901234567892")
    told += line.record(4_702, e.CodeRead, 1, 1, 1, 1, 2, 0, long[28:])
    assert [sent.destination for sent in sent_in(told)] == [D.HOLD]


# --- what an abort alone does not do ---------------------------------------------------------------


def test_a_parcel_that_was_on_the_belt_in_an_emergency_stop_is_held_after_clear() -> None:
    """The abort takes releases back; this parcel had none yet, and hands were at the belt."""
    line = Line()
    line.induct(100, 1)
    line.tell(200, e.PlcStateSeen(PlcStateBit.EMERGENCY_STOP, 0))
    line.tell(300, e.PlcStateSeen(0, 0))
    line.tell(310, e.LineRequested(LineRequest.CLEAR, "chief"))
    assert line.core.state.state is LineState.EXECUTE
    assert line.core.state.parcels[1].state is ParcelState.HELD


def test_the_pass_of_a_body_whose_lane_record_was_lost_ends_when_it_is_carried_off() -> None:
    """Else its label would be on the belt for good, and the same parcel laid on again never released."""
    line = Line()
    line.lists["W1"] = ()
    line.until_verdict(0, 1)
    line.lists["W1"] = (facts("W1"),)
    far = 2 * SETTINGS.belt_end_mm + 1  # ms at 1 m/s
    told = line.record(far, e.Inducted, 1, 2, U32_MAX)
    assert [each.pass_no for each in told if isinstance(each, RecordOutcome)] == [1]
    assert list(line.core.state.parcels) == [2]
