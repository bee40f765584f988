"""The story of one parcel and what can go wrong in it."""

import pytest

from controller.core import events as e
from controller.core.commands import CommitVerdict, RaiseAlarm, RecordOutcome
from controller.core.parcel import ParcelState
from controller.core.vocabulary import (
    AlarmKind,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    LookUpResult,
    OutcomeKind,
    PassEnd,
    Reason,
)
from tests.core.story import BOOT, SESSION, Line, facts, held_for, sent_in, verdict_in


def test_clean_parcel_is_released_only_after_its_record_is_durable() -> None:
    line = Line()
    verdict = line.until_verdict(100, 1)
    assert (verdict.destination, verdict.reasons) == (Destination.RELEASE, ())
    assert not any(sent_in(commands) for _, _, commands in line.log)
    sent = sent_in(line.durable(2360, 1))
    assert [(d.track_id, d.destination, d.boot_id, d.session) for d in sent] == [
        (1, Destination.RELEASE, BOOT, SESSION)
    ]
    line.echo(2380, 1)
    line.record(4000, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    done = line.record(4400, e.LaneSeen, 1, 1)
    outcome = next(c for c in done if isinstance(c, RecordOutcome))
    assert (outcome.kind, outcome.lane, outcome.end) == (
        OutcomeKind.IN_PLANNED_LANE,
        1,
        PassEnd.RELEASED,
    )
    assert line.core.state.parcels == {}


@pytest.mark.parametrize(
    ("changes", "destination", "reason"),
    [
        ({"status": 501}, Destination.DETAIN, Reason.STATUS_DETAINED),
        ({"status": 700}, Destination.RETURN, Reason.STATUS_RETURNED),
        ({"status": 500}, Destination.INSPECT, Reason.STATUS_INSPECT),
        ({"status": 399}, Destination.HOLD, Reason.STATUS_NOT_RELEASED),
        ({"status": 0}, Destination.HOLD, Reason.STATUS_NOT_RELEASED),
        ({"gross_weight_mg": 2_070_000}, Destination.INSPECT, Reason.WEIGHT_DISAGREES),
        ({"gross_weight_mg": -1}, Destination.INSPECT, Reason.WEIGHT_DISAGREES),
        ({"open_instructions": ("I1",)}, Destination.INSPECT, Reason.CONTROL_INSTRUCTION),
        (
            {"earlier_passes": (e.EarlierPass(0, PassEnd.RELEASED),)},
            Destination.HOLD,
            Reason.DUPLICATE,
        ),
    ],
)
def test_what_the_list_says(
    changes: dict[str, object], destination: Destination, reason: Reason
) -> None:
    line = Line(lists={"W1": (facts(**changes),)})
    verdict = line.until_verdict(100, 1)
    assert (verdict.destination, verdict.reasons) == (destination, (reason,))


def test_an_earlier_hold_may_come_again() -> None:
    earlier = (e.EarlierPass(0, PassEnd.HELD),)
    line = Line(lists={"W1": (facts(earlier_passes=earlier),)})
    assert line.until_verdict(100, 1).destination is Destination.RELEASE


@pytest.mark.parametrize(
    ("loops", "destination"), [(2, Destination.RELEASE), (3, Destination.HOLD)]
)
def test_at_most_two_loops(loops: int, destination: Destination) -> None:
    earlier = tuple(e.EarlierPass(-n, PassEnd.RECIRCULATED) for n in range(1, loops + 1))
    line = Line(lists={"W1": (facts(earlier_passes=earlier),)})
    assert line.until_verdict(100, 1).destination is destination


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"metal_area_mm2": 101}, Reason.UNDECLARED_METAL),
        ({"opaque_area_mm2": 101}, Reason.OPAQUE),
        ({"length_mm": 316}, Reason.PICTURE_DISAGREES),
        ({"width_mm": 231}, Reason.PICTURE_DISAGREES),
        ({"outline_count": 2}, Reason.TOUCHING),
        ({"usable": False}, Reason.PICTURE_INCOMPLETE),
        ({"rows_missing": 1}, Reason.PICTURE_INCOMPLETE),
        ({"first_row_encoder_counts": 99}, Reason.ASSOCIATION_UNPROVEN),
        ({"outline_start_counts": 100}, Reason.ASSOCIATION_UNPROVEN),
        ({"row_count": 20}, Reason.ASSOCIATION_UNPROVEN),
    ],
)
def test_what_the_picture_says(changes: dict[str, object], reason: Reason) -> None:
    line = Line()
    line.until_picture(100, 1)
    asked = line.picture(100, 1, **changes)
    assert held_for(line.answer(2360, asked)) == (reason,)


def test_two_labels_and_no_label() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.lists["W2"] = (facts("W2"),)
    line.scan(110, 1, "W2", code_no=2)
    asked = line.picture(100, 1)
    parcel = line.core.state.parcels[1]
    both = (facts("W1"), facts("W2"))
    reply = e.ListsAnswered(parcel.pass_no, asked[0].purpose, LookUpResult.ANSWERED, 1, both)  # type: ignore[union-attr]
    assert held_for(line.tell(2360, reply)) == (Reason.AMBIGUOUS,)

    line.induct(5000, 2)
    line.record(5350, e.CodeRead, 1, 2, 0, 0, 0, 0, "")
    line.weigh(5000, 2)
    line.measure(5000, 2)
    line.trigger(5000, 2, 2)
    assert held_for(line.picture(5000, 2)) == (Reason.NO_READ,)


def test_unknown_waybill_is_not_declared() -> None:
    line = Line(lists={"W1": ()})
    assert line.until_verdict(100, 1).reasons == (Reason.NOT_DECLARED,)


def test_same_list_twice_on_the_belt_holds_the_second() -> None:
    line = Line()
    line.lease(100, 1)
    assert Reason.DUPLICATE in line.until_verdict(1100, 2).reasons


def test_missing_picture_is_held_at_the_evidence_limit() -> None:
    line = Line()
    line.until_picture(100, 1)
    due_ns = line.core.next_deadline_ns()
    assert due_ns is not None
    # trailing edge leaves the X-ray at 1,800 + 300 mm, 800 ms of grace, learnt 12 ms late at most
    due_ms = (due_ns - 1_000_000_000) // 1_000_000
    assert 100 + 2100 + 800 <= due_ms <= 100 + 2100 + 800 + 13
    asked = line.tell(due_ms + 1, e.DeadlineReached())
    assert held_for(line.answer(due_ms + 5, asked)) == (Reason.NO_PICTURE,)


def test_look_up_that_never_answers_holds() -> None:
    line = Line()
    line.until_picture(100, 1)
    line.picture(100, 1)
    assert line.tell(2400, e.DeadlineReached()) == ()
    commands = line.tell(2600, e.DeadlineReached())
    assert held_for(commands) == (Reason.LISTS_UNAVAILABLE,)


def test_slow_disk_turns_a_release_into_a_hold_and_never_back() -> None:
    line = Line()
    line.until_verdict(100, 1)
    commands = line.tell(3660, e.DeadlineReached())
    assert held_for(commands) == (Reason.RECORD_NOT_DURABLE,)
    assert sent_in(line.durable(3670, 1)) == []
    assert line.core.state.parcels[1].state is ParcelState.HELD


def test_late_inspection_order_revokes_until_the_gate_begins() -> None:
    line = Line()
    line.lease(100, 1)
    news = facts(status=500, revision=1)
    commands = line.tell(3000, e.ListChanged(9, news))
    revoked = verdict_in(commands)
    assert (revoked.revision, revoked.destination) == (1, Destination.HOLD)
    assert revoked.reasons == (Reason.STATUS_INSPECT,)
    (hold,) = sent_in(commands)
    assert hold.destination is Destination.HOLD
    assert hold.decision_seq == 2
    # the other way round is deaf: nothing makes it released again
    assert line.tell(3010, e.ListChanged(10, facts(status=800))) == ()


def test_bad_news_after_the_gate_began_is_an_alarm() -> None:
    line = Line()
    line.lease(100, 1)
    line.record(4000, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    commands = line.tell(4020, e.ListChanged(9, facts(status=500)))
    assert [c.kind for c in commands if isinstance(c, RaiseAlarm)] == [
        AlarmKind.RELEASED_BUT_BAD_NEWS
    ]
    assert not any(isinstance(c, CommitVerdict) for c in commands)


@pytest.mark.parametrize(
    ("result", "reason"),
    [
        (DecisionResult.LATE, Reason.LATE),
        (DecisionResult.UNKNOWN_ID, Reason.UNKNOWN_PARCEL),
        (DecisionResult.LANE_FULL, Reason.LANE_FULL),
        (DecisionResult.BAD_CRC, Reason.REFUSED_BY_PLC),
        (DecisionResult.REVOKED, Reason.REFUSED_BY_PLC),
        (DecisionResult.WRONG_BOOT_OR_SESSION, Reason.REFUSED_BY_PLC),
    ],
)
def test_a_refused_release_is_recorded_as_hold(result: DecisionResult, reason: Reason) -> None:
    line = Line()
    line.until_verdict(100, 1)
    line.durable(2360, 1)
    assert held_for(line.echo(2380, 1, result)) == (reason,)


@pytest.mark.parametrize(
    ("cause", "reason"),
    [
        (DefaultCause.UNDECIDED, Reason.LATE),
        (DefaultCause.GAP, Reason.GAP),
        (DefaultCause.LANE_FULL, Reason.LANE_FULL),
        (DefaultCause.LEASE_ENDED, Reason.LINK_LOST),
        (DefaultCause.UNKNOWN_PARCEL, Reason.UNKNOWN_PARCEL),
        (DefaultCause.GATE_FAULT, Reason.REFUSED_BY_PLC),
        (DefaultCause.GATE_BUSY, Reason.GAP),
    ],
)
def test_a_default_by_the_plc_is_recorded_as_hold(cause: DefaultCause, reason: Reason) -> None:
    line = Line()
    line.lease(100, 1)
    assert held_for(line.record(3700, e.DefaultTaken, 1, 1, cause)) == (reason,)
    done = line.record(6100, e.LaneSeen, 5, 1)
    outcome = next(c for c in done if isinstance(c, RecordOutcome))
    assert outcome.kind is OutcomeKind.IN_PLANNED_LANE
