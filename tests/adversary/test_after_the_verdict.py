"""What the core is told after a verdict, and what is no label at all."""

import pytest

from controller.core import events as e
from controller.core.commands import Command
from controller.core.vocabulary import (
    AlarmKind,
    Destination,
    GatePhase,
    GatePosition,
    LineState,
    Reason,
)
from controller.journal import records
from tests.core.story import BOOT, Line, facts, held_for, sent_in, verdict_in

D = Destination


# --- A: a twin read after the verdict -------------------------------------------------------------


def with_twin_read(line: Line, at_ms: int = 2000) -> tuple[Command, ...]:
    """A second body comes in behind the first and shows the same label."""
    line.induct(at_ms, 2)
    return line.scan(at_ms, 2, "W1")


def test_a_release_that_is_not_sent_yet_is_not_sent_once_its_twin_is_read() -> None:
    line = Line()
    assert line.until_verdict(100, 1).destination is D.RELEASE
    with_twin_read(line)  # the disk is slow: the verdict is still on its way
    assert not [d for d in sent_in(line.durable(2400, 1)) if d.destination is D.RELEASE]


def test_a_lease_is_taken_back_when_its_twin_is_read() -> None:
    line = Line()
    line.lease(100, 1)
    told = with_twin_read(line, 2100)
    assert Reason.DUPLICATE in held_for(told)
    assert [(d.track_id, d.destination) for d in sent_in(told)] == [(1, D.HOLD)]


# --- B: a second reading after the verdict --------------------------------------------------------


def test_a_second_weight_after_the_verdict_takes_the_release_back() -> None:
    line = Line()
    line.lease(100, 1)
    again = line.record(2400, e.Weighed, 2, 1, 9_000_000, 0, 2, True, False, counts=1150)
    assert held_for(again) == (Reason.WEIGHT_NOT_VALID,)
    assert [d.destination for d in sent_in(again)] == [D.HOLD]


def test_second_dimensions_after_the_verdict_take_the_release_back() -> None:
    line = Line()
    line.lease(100, 1)
    again = line.record(2400, e.Dimensioned, 3, 1, 180, 90, 60, 2, True, counts=1210)
    assert held_for(again) == (Reason.NO_DIMENSIONS,)
    assert [d.destination for d in sent_in(again)] == [D.HOLD]


# --- C: a code that is no label -------------------------------------------------------------------


def test_two_boxes_of_one_product_are_no_twins() -> None:
    """Each bears its own waybill and the EAN of the same goods."""
    line = Line()
    for at_ms, track_id in ((100, 1), (1_100, 2)):
        code = f"W{track_id}"
        line.lists[code] = (facts(code),)
        line.induct(at_ms, track_id)
        line.answer(at_ms + 370, line.scan(at_ms, track_id, code))
        line.scan(at_ms + 5, track_id, "6901234567892", code_no=2)
        line.weigh(at_ms, track_id)
        line.measure(at_ms, track_id)
        line.trigger(at_ms, track_id, track_id)
        verdict = verdict_in(line.answer(at_ms + 2_255, line.picture(at_ms, track_id)))
        assert verdict.reasons == (), verdict.reasons


# --- E: PLC time "from any start" -----------------------------------------------------------------


@pytest.mark.parametrize("plc_time_us", [13_400_000_000_000_000, (1 << 64) - 1])
def test_any_plc_time_leaves_a_state_that_can_be_written(plc_time_us: int) -> None:
    """Microseconds since 1601, as a TwinCAT PLC counts them; and the largest u64."""
    line = Line()
    line.tell(112, e.Inducted(BOOT, 1, 1, 1, 100, plc_time_us, 0xFFFF_FFFF))
    records.encode_state(line.core.state)


# --- F: one id for two bodies ---------------------------------------------------------------------


def test_a_lease_does_not_outlive_its_parcel_under_the_same_id() -> None:
    line = Line()
    line.lease(100, 1)
    told = line.record(2_500, e.Inducted, 1, 1, 0xFFFF_FFFF)
    assert [(d.track_id, d.destination) for d in sent_in(told)] == [(1, D.HOLD)]


# --- G: pictures of another source ----------------------------------------------------------------


def test_a_cameras_picture_is_not_taken_for_the_xrays() -> None:
    """Each source counts its triggers alone, so that numbers meet."""
    line = Line()
    line.picture(-3_000, 1, source=7)
    line.until_picture(100, 1)
    assert AlarmKind.ASSOCIATION_BROKEN not in [alarm.kind for alarm in line.core.state.alarms]
    assert line.core.state.xray.proven


# --- H: a neighbour's reading ---------------------------------------------------------------------


def test_a_reading_a_short_parcels_pitch_away_is_the_neighbours() -> None:
    """Two of 100 mm, 330 mm apart; the leader's own weight is missing, the follower's is given to it."""
    line = Line()
    line.induct(100, 1, 100)
    line.induct(530, 2, 100)
    line.record(530 + 950, e.Weighed, 2, 1, 2_000_000, 0, 1, True, False)
    assert line.core.state.parcels[1].weight is None


# --- I: a gate that does not come back ------------------------------------------------------------


def test_a_gate_that_does_not_come_back_to_hold_aborts_the_line() -> None:
    """Kind 7 names the position that was *ordered* (docs/plc-interface.md): this one stands open."""
    line = Line()
    line.lease(100, 1)
    line.record(4_100, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    line.record(4_400, e.GateMoved, 1, 1, GatePhase.ARRIVED, GatePosition.LEFT, 300)
    line.record(4_500, e.LaneSeen, 1, 1)
    line.record(4_600, e.GateMoved, 1, 0, GatePhase.BEGAN, GatePosition.HOLD, 0)
    line.record(5_500, e.GateMoved, 1, 0, GatePhase.STUCK, GatePosition.HOLD, 900)
    assert line.core.state.state is LineState.ABORTED
    assert not line.core.state.belt_permit
