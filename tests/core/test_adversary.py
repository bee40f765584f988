"""Attempts to get a wrong parcel released, a bad one forgotten, or an alarm swallowed.

Each test is one thing that a plant, a PLC, a vision source or a person could do, and what must
happen instead. No code is changed by the attacker, only what the core is told.
"""

from dataclasses import replace

import pytest

from controller.core import events as e
from controller.core.commands import Command, RaiseAlarm, RecordOutcome
from controller.core.links import WAITING_RECORDS_MAX
from controller.core.parcel import ParcelState
from controller.core.readings import CODE_PARTS_MAX
from controller.core.vocabulary import (
    AlarmKind,
    BeltCause,
    BeltMotion,
    Destination,
    LineRequest,
    PassEnd,
    Reason,
)
from plc.register_map import R_SLOTS
from tests.core.story import BOOT, SESSION, Line, facts, held_for, sent_in, verdict_in


def alarms_in(commands: tuple[Command, ...]) -> list[AlarmKind]:
    return [command.kind for command in commands if isinstance(command, RaiseAlarm)]


def outcome_in(commands: tuple[Command, ...]) -> RecordOutcome:
    return next(command for command in commands if isinstance(command, RecordOutcome))


# --- one label, several parcels -------------------------------------------------------------------


@pytest.mark.parametrize(
    "ends",
    [
        (PassEnd.RELEASED, PassEnd.HELD),  # its forgery was held, taken off and laid on again
        (PassEnd.RELEASED, PassEnd.RECHECK),
        (PassEnd.OPEN, PassEnd.HELD),
        (PassEnd.OPEN, PassEnd.RECIRCULATED, PassEnd.HELD),
    ],
)
def test_a_label_once_released_is_a_duplicate_for_ever(ends: tuple[PassEnd, ...]) -> None:
    passes = tuple(e.EarlierPass(-9 + number, end) for number, end in enumerate(ends))
    line = Line(lists={"W1": (facts(earlier_passes=passes),)})
    assert line.until_verdict(100, 1).reasons == (Reason.DUPLICATE,)


def test_a_recheck_ends_what_was_open() -> None:
    passes = (e.EarlierPass(-2, PassEnd.OPEN), e.EarlierPass(-1, PassEnd.RECHECK))
    line = Line(lists={"W1": (facts(earlier_passes=passes),)})
    assert line.until_verdict(100, 1).destination is Destination.RELEASE


def test_pass_numbers_of_another_line_are_never_taken_for_our_own() -> None:
    passes = (e.EarlierPass(1, PassEnd.OPEN, line="L2"),)
    line = Line(lists={"W1": (facts(earlier_passes=passes),)})
    assert line.until_verdict(100, 1).reasons == (Reason.DUPLICATE,)


def test_a_label_that_turns_up_on_another_line_takes_the_lease_back() -> None:
    line = Line()
    line.lease(100, 1)
    same_line = (e.EarlierPass(8, PassEnd.OPEN),)
    assert not line.tell(2600, e.ListChanged(5, facts(earlier_passes=same_line)))
    other_line = (e.EarlierPass(8, PassEnd.OPEN, "L2"),)
    told = line.tell(2700, e.ListChanged(5, facts(earlier_passes=other_line)))
    assert held_for(told) == (Reason.DUPLICATE,)
    assert [decision.destination for decision in sent_in(told)] == [Destination.HOLD]


def test_a_leased_parcel_that_no_lane_saw_did_not_end_as_held() -> None:
    """The PLC restarts while the gate is open: nobody knows where the parcel went."""
    line = Line()
    line.lease(100, 1)
    done = line.tell(4500, e.PlcConnected(BOOT + 1, SESSION, 1, 1, 0, ()))
    assert outcome_in(done).end is PassEnd.OPEN


def test_a_held_parcel_that_no_lane_saw_may_come_again() -> None:
    line = Line()
    line.until_picture(100, 1)
    done = line.tell(4500, e.PlcConnected(BOOT + 1, SESSION, 1, 1, 0, ()))
    assert outcome_in(done).end is PassEnd.HELD


@pytest.mark.parametrize(
    ("lane", "end"),
    [(1, PassEnd.RELEASED), (2, PassEnd.OPEN), (3, PassEnd.OPEN), (4, PassEnd.RECIRCULATED)]
    + [(5, PassEnd.HELD), (99, PassEnd.OPEN)],
)
def test_only_hold_and_recirculation_end_a_pass_so_that_it_may_come_again(
    lane: int, end: PassEnd
) -> None:
    """Turning a parcel from the inspection lane on its side and laying it on again is no review."""
    line = Line(lists={"W1": (facts(status=500),)})
    assert line.until_verdict(100, 1).destination is Destination.INSPECT
    assert outcome_in(line.record(4400, e.LaneSeen, lane, 1)).end is end


# --- two labels on one parcel ---------------------------------------------------------------------


def test_a_second_label_of_which_only_a_part_was_read_is_ambiguous() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.record(460, e.CodeRead, 1, 1, 2, 0, 2, 0, "PART-OF-ANOTHER-LABEL")
    line.picture(100, 1)
    asked = line.tell(3100, e.DeadlineReached())
    assert held_for(line.answer(3110, asked)) == (Reason.AMBIGUOUS,)


def test_a_label_read_twice_with_two_texts_is_ambiguous_beside_a_good_one() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.record(460, e.CodeRead, 1, 1, 2, 0, 1, 0, "W8")
    line.record(465, e.CodeRead, 1, 1, 2, 0, 1, 0, "W9")
    line.picture(100, 1)
    asked = line.tell(3100, e.DeadlineReached())
    assert held_for(line.answer(3110, asked)) == (Reason.AMBIGUOUS,)


def test_more_codes_than_are_kept_hold() -> None:
    """The label's own code, over and over, must not crowd out the second label."""
    line = Line(lists={"W2": (facts("W2"),)})
    line.until_picture(100, 1)
    for _ in range(CODE_PARTS_MAX):
        line.record(460, e.CodeRead, 1, 1, 1, 0, 1, 0, "W1")
    line.record(470, e.CodeRead, 1, 1, 2, 0, 1, 0, "W2")
    asked = line.picture(100, 1)
    reasons = verdict_in(line.answer(2300, asked)).reasons
    assert reasons == (Reason.AMBIGUOUS,)


def test_more_different_codes_than_are_kept_hold() -> None:
    line = Line()
    line.until_picture(100, 1)
    for number in range(CODE_PARTS_MAX):
        line.record(460, e.CodeRead, 1, 1, 10 + number, 0, 1, 0, f"EAN-{number}")
    assert verdict_in(line.answer(2300, line.picture(100, 1))).reasons == (Reason.AMBIGUOUS,)


def test_as_many_records_wait_as_the_ring_and_the_longest_queue_hold() -> None:
    assert WAITING_RECORDS_MAX == R_SLOTS + 64  # interface P5


# --- what two bodies under one track id leave behind ----------------------------------------------


def test_a_second_trailing_edge_at_induct_is_a_second_body() -> None:
    line = Line()
    line.until_picture(100, 1)
    held = line.record(450, e.EyePassed, 1, 1, 340, 0xFFFF_FFFF, counts=100)
    assert Reason.LENGTH_CHANGED in held_for(held)


def test_a_second_measurement_of_dimensions_that_differs_holds() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.record(1320, e.Dimensioned, 3, 1, 180, 90, 60, 2, True)
    assert Reason.NO_DIMENSIONS in held_for(line.answer(2300, line.picture(100, 1)))


def test_a_second_trigger_for_one_parcel_breaks_the_association() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.record(1900, e.Triggered, 4, 1, 77)
    verdict = verdict_in(line.answer(2300, line.picture(100, 1)))
    assert Reason.ASSOCIATION_UNPROVEN in verdict.reasons
    assert verdict.trigger_no == 1


# --- pictures of another time ---------------------------------------------------------------------


def test_a_picture_from_before_the_plc_restart_meets_no_trigger_after_it() -> None:
    """Both counters begin anew, and the first parcel lies where one lay before."""
    line = Line()
    line.picture(100, 1)  # its trigger record never came
    line.tell(3000, e.PlcConnected(BOOT + 1, SESSION, 1, line.ring_seq + 1, 0, ()))
    for kind, counts, source, payload in (
        (e.Inducted, 100, 1, (0xFFFF_FFFF,)),
        (e.EyePassed, 100, 1, (300, 0xFFFF_FFFF)),
        (e.Triggered, 1840, 4, (1,)),
    ):
        line.ring_seq += 1
        event = kind(BOOT + 1, line.ring_seq, source, 1, counts, counts * 1000, *payload)
        line.tell(5000 + counts, event)
    assert line.core.state.parcels[1].picture is None


def test_a_second_worker_for_the_source_must_prove_itself() -> None:
    """The new worker says hello before the old one's end is noticed."""
    line = Line()
    line.lease(100, 1)
    line.tell(2500, e.VisionUp(4))
    assert not line.core.state.xray.proven


def test_a_worker_of_another_source_says_nothing_about_the_xray() -> None:
    line = Line()
    line.tell(2500, e.VisionDown(9, True))
    line.tell(2510, e.VisionUp(9))
    assert line.core.state.xray.up
    assert line.core.state.xray.proven


# --- records that are gone ------------------------------------------------------------------------


def test_records_that_found_no_slot_hold_who_is_on_the_belt() -> None:
    """A full ring refuses records without using up their numbers: no gap shows it."""
    line = Line()
    line.lease(100, 1)
    told = line.tell(2500, e.PlcStateSeen(0, 1))
    assert held_for(told) == (Reason.RECORDS_LOST,)
    assert AlarmKind.RECORDS_LOST in alarms_in(told)
    assert not sent_in(line.tell(2600, e.PlcStateSeen(1, 1)))


def test_records_lost_behind_a_backlog_hold_who_is_still_in_it() -> None:
    """The header is read before the records that wait: their parcels are inducted afterwards."""
    line = Line()
    line.tell(50, e.PlcStateSeen(0, 1))
    assert line.until_verdict(100, 1).reasons == (Reason.RECORDS_LOST,)
    line.ring_seq += WAITING_RECORDS_MAX
    line.tell(6000, e.RingGap(BOOT, 5, line.ring_seq + 1))
    assert line.until_verdict(8000, 2, "W2").destination is Destination.RELEASE


def test_a_plc_boot_counts_its_lost_records_from_zero() -> None:
    line = Line()
    line.tell(50, e.PlcStateSeen(0, 3))
    line.tell(60, e.LineRequested(LineRequest.CLEAR, "S1"))
    line.tell(70, e.PlcConnected(BOOT + 1, SESSION, 1, 1, 0, ()))
    assert AlarmKind.RECORDS_LOST not in alarms_in(line.tell(80, e.PlcStateSeen(0, 0)))
    assert AlarmKind.RECORDS_LOST in alarms_in(line.tell(90, e.PlcStateSeen(0, 3)))


# --- what was tried and held already --------------------------------------------------------------


def test_two_parcels_that_exchange_their_readings_hold_both() -> None:
    """The PLC swaps two ids in mid-belt: every reading after it lies a pitch away."""
    line = Line(lists={"W2": (facts("W2"),)})
    for at_ms, track_id in ((100, 1), (900, 2)):
        line.induct(at_ms, track_id)
        line.answer(at_ms + 370, line.scan(at_ms, track_id, f"W{track_id}"))
    line.weigh(100, 2)
    line.weigh(900, 1)
    states = [parcel.state for parcel in line.core.state.parcels.values()]
    assert states == [ParcelState.HELD, ParcelState.HELD]


def test_an_answer_to_the_first_question_never_judges() -> None:
    """IDENTIFY answered late, while DECIDE is open, with what customs has taken back since."""
    line = Line()
    line.induct(100, 1)
    identify = line.scan(100, 1, "W1")
    line.weigh(100, 1)
    line.measure(100, 1)
    line.trigger(100, 1, 1)
    line.lists["W1"] = (facts(),)
    decide = line.picture(100, 1)
    line.answer(2260, identify)
    assert line.core.state.parcels[1].state is ParcelState.DECIDING
    line.lists["W1"] = (facts(status=500),)
    assert held_for(line.answer(2270, decide)) == (Reason.STATUS_INSPECT,)


def test_an_hour_on_a_standing_belt_then_durable_then_bad_news() -> None:
    line = Line()
    line.until_verdict(100, 1)
    line.record(2400, e.BeltChanged, 0, 0, BeltMotion.STOPPED, 0, BeltCause.HOST_PERMIT)
    hour_ms = 3_600_000
    assert line.core.next_deadline_ns() is None
    told = line.tell(hour_ms, e.ListChanged(5, replace(facts(), status=0)))
    assert held_for(told) == (Reason.STATUS_NOT_RELEASED,)
    assert not sent_in(line.durable(hour_ms + 5, 1))
