"""The PLC's tracking duties: every reading to the body it was taken of, by encoder."""

import pytest

from controller.core import events
from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
)
from plc import register_map as m
from sim.plc_io import DeviceState, OpenZone
from tests.sim.plc_rig import LINE, Rig, parcel, parcels


def test_one_parcel_leaves_its_records_in_order() -> None:
    rig = Rig([parcel(1, length_mm=287)])
    rig.release_all()
    rig.finish()
    mine = [record for record in rig.records if record.track_id == 1]
    assert [type(record).__name__ for record in mine] == [
        "Inducted",
        "EyePassed",
        "CodeRead",
        "EyePassed",
        "Weighed",
        "Dimensioned",
        "Triggered",
        "EyePassed",
        "EyePassed",
        "EyePassed",
        "GateMoved",
        "GateMoved",
        "LaneSeen",
    ]
    entered = mine[0].encoder_counts
    for eye, passed in zip(LINE.eyes, rig.of(events.EyePassed), strict=True):
        assert (passed.source, passed.length_counts) == (eye.number, 287)
        assert passed.encoder_counts - entered == eye.position_mm
    (trigger,) = rig.of(events.Triggered)
    assert trigger.encoder_counts - entered == 1_740
    assert rig.lanes() == {1: 1}


def test_edges_carry_their_own_time_not_the_scan() -> None:
    rig = Rig([parcel(1, gap_mm=3_003)])
    rig.finish()
    (inducted,) = rig.of(events.Inducted)
    assert inducted.plc_time_us % 10_000 == 3_000


def test_gap_before_is_measured_at_every_eye() -> None:
    rig = Rig(parcels(2, gap_mm=333))
    rig.finish()
    gaps = [r.gap_before_counts for r in rig.of(events.EyePassed, 2)]
    assert gaps == [333] * 5


def test_readings_belong_to_their_own_bodies() -> None:
    bodies = [parcel(n, gap_mm=320, weight_mg=n * 1_000_000) for n in range(1, 9)]
    rig = Rig(bodies)
    rig.finish()
    for number in range(1, 9):
        (weight,) = rig.of(events.Weighed, number)
        assert abs(weight.weight_mg - number * 1_000_000) <= 40_000
        (code,) = rig.of(events.CodeRead, number)
        assert code.text == f"YT{number:012d}"


def test_no_read_is_said_and_long_codes_come_in_parts() -> None:
    long = "X" * 28 + "Y" * 28 + "Z"
    rig = Rig([parcel(1, labels=()), parcel(2, labels=(long, "SHORT"))])
    rig.finish()
    (silent,) = rig.of(events.CodeRead, 1)
    assert (silent.part_count, silent.text) == (0, "")
    parts = [(r.code_no, r.part_no, r.part_count, r.text) for r in rig.of(events.CodeRead, 2)]
    assert parts == [
        (1, 0, 3, "X" * 28),
        (1, 1, 3, "Y" * 28),
        (1, 2, 3, "Z"),
        (2, 0, 1, "SHORT"),
    ]


def test_a_touching_pair_is_one_body() -> None:
    rig = Rig([parcel(1), parcel(2, gap_mm=0), parcel(3)])
    rig.finish()
    assert len(rig.of(events.Inducted)) == 2
    (weight,) = rig.of(events.Weighed, 1)
    assert weight.weight_mg > 1_900_000
    assert rig.of(events.EyePassed, 1)[0].length_counts == 600
    assert len(rig.of(events.CodeRead, 1)) == 2
    assert rig.truth.passes()[0].parcel_numbers == (1, 2)


def test_table_shows_what_is_on_the_belt_and_frees_its_rows() -> None:
    rig = Rig(parcels(2))
    rig.release_all()
    rig.to_mm(1, 3_000)
    shown = {row.track_id: row for row in rig.table()}
    assert set(shown) == {1, 2}
    assert shown[1].length_mm == 300
    assert (shown[1].state, shown[1].destination) == (m.T_STATE_LEASED, Destination.RELEASE)
    rig.to_mm(1, 4_100)
    assert {row.track_id: row.state for row in rig.table()}[1] == m.T_STATE_DIVERTING
    rig.finish()
    assert rig.table() == []


def test_a_lost_parcel_is_said_at_the_eye_that_missed_it() -> None:
    rig = Rig(parcels(3))
    rig.to_mm(2, 2_000)
    rig.world.remove(2)
    rig.finish()
    (lost,) = rig.of(events.ParcelLost)
    assert (lost.track_id, lost.source) == (2, 4)
    assert rig.lanes() == {1: 5, 3: 5}


def test_an_extra_gets_its_own_id_and_is_held() -> None:
    rig = Rig(parcels(2, gap_mm=1_500))
    rig.release_all()
    rig.to_mm(1, 3_000)
    rig.world.insert(parcel(9, length_mm=200), 2_000)
    rig.finish()
    (extra,) = rig.of(events.ExtraSeen)
    assert (extra.source, extra.length_counts) == (4, 200)
    named = [record for record in rig.records if record.track_id == extra.track_id]
    assert named[0] is extra
    (default,) = rig.of(events.DefaultTaken, extra.track_id)
    assert default.cause is DefaultCause.UNKNOWN_PARCEL
    assert rig.lanes() == {1: 1, 9: 5, 2: 1}


def test_an_extra_is_given_no_lease_whoever_asks() -> None:
    rig = Rig(parcels(2, gap_mm=1_500))
    rig.to_mm(1, 3_000)
    rig.world.insert(parcel(9, length_mm=200), 2_000)
    rig.run_until(lambda: bool(rig.of(events.ExtraSeen)))
    (extra,) = rig.of(events.ExtraSeen)
    assert rig.answer(rig.decide(extra.track_id)) is DecisionResult.REVOKED
    rig.finish()
    assert rig.lanes()[9] == 5


@pytest.mark.parametrize("ahead_mm", [50, 120])
def test_a_parcel_laid_before_another_does_not_take_its_id(ahead_mm: int) -> None:
    """The stranger ahead must not run under the released id."""
    rig = Rig(parcels(1))
    rig.release_all()
    rig.to_mm(1, 2_600)
    rig.world.insert(parcel(9, length_mm=100), 2_600 + ahead_mm + 100)
    rig.finish()
    assert rig.lanes()[9] == 5
    assert [r.length_counts for r in rig.of(events.EyePassed, 1)] == [300] * 5
    assert all(p.lane != 1 for p in rig.truth.passes() if 9 in p.parcel_numbers)


def test_lane_eye_says_where_it_really_went() -> None:
    """Feedback lies, the gate does not move: only the lane eye tells."""
    rig = Rig(parcels(1))
    rig.release_all()
    rig.world.diverters[1].jam(0)
    rig.world.diverters[1].blind = True
    rig.finish()
    assert rig.echoes == {1: DecisionResult.ACCEPTED}
    (seen,) = rig.of(events.LaneSeen)
    assert (seen.track_id, seen.source) == (1, 5)


def test_an_opened_zone_makes_what_lies_in_it_unknown() -> None:
    rig = Rig(parcels(4, gap_mm=900))
    rig.release_all()
    rig.to_mm(1, 3_000)
    rig.world.open_zones = (OpenZone(7, 1_500, 2_100),)
    rig.run_ms(50)
    rig.world.open_zones = ()
    rig.finish()
    (opened,) = rig.of(events.ZoneOpened)
    assert (opened.source, opened.from_mm, opened.to_mm) == (7, 1_500, 2_100)
    assert rig.lanes() == {1: 1, 2: 5, 3: 1, 4: 1}


def test_a_body_already_in_its_lane_takes_no_default() -> None:
    """Its tail still lies in an opened zone when the lane eye has long named its lane."""
    rig = Rig([parcel(1, length_mm=400)])
    rig.release_all()
    rig.run_until(lambda: bool(rig.of(events.LaneSeen)))
    rig.world.open_zones = (OpenZone(7, 4_000, 4_600),)
    rig.finish()
    assert rig.of(events.ZoneOpened)
    assert not rig.of(events.DefaultTaken)


def test_emergency_stop_stops_and_holds_everything_until_reset() -> None:
    rig = Rig(parcels(3))
    rig.release_all()
    rig.to_mm(1, 4_000)
    rig.world.emergency_stop = True
    rig.run_ms(500)
    rig.world.emergency_stop = False
    where = rig.world.position_mm(1)
    rig.run_ms(500)
    assert rig.world.position_mm(1) == where
    rig.host.reset = True
    rig.finish()
    assert rig.lanes() == {1: 5, 2: 5, 3: 5}
    causes = [r.cause for r in rig.of(events.BeltChanged)]
    assert causes == [BeltCause.HOST_PERMIT, BeltCause.STARTED] + [
        BeltCause.EMERGENCY_STOP,
        BeltCause.STARTED,
    ]
    assert rig.world.diverters[1].strikes == 0


def test_belt_changes_are_told_with_cause_and_speed() -> None:
    rig = Rig(parcels(3))
    rig.run_ms(3_000)
    rig.host.belt = False
    rig.run_ms(200)
    rig.host.belt = True
    rig.run_ms(200)
    changes = [(r.motion, r.speed_mm_per_s, r.cause) for r in rig.of(events.BeltChanged)]
    assert changes[1:] == [
        (BeltMotion.RUNNING, 1_000, BeltCause.STARTED),
        (BeltMotion.STOPPED, 0, BeltCause.HOST_PERMIT),
        (BeltMotion.RUNNING, 1_000, BeltCause.STARTED),
    ]


def test_device_states_are_told_at_start_and_on_change() -> None:
    rig = Rig()
    rig.run_ms(100)
    rig.world.devices = (DeviceState(LINE.xray_source, interlock_closed=False, fault=True),)
    rig.run_ms(100)
    told = [(r.on, r.interlock_closed, r.fault) for r in rig.of(events.DeviceChanged)]
    assert told == [(True, True, False), (True, False, True)]


def test_gate_feedback_is_recorded_with_its_travel_time() -> None:
    rig = Rig(parcels(1))
    rig.release_all()
    rig.finish()
    moves = [(r.phase, r.track_id, r.travel_ms) for r in rig.of(events.GateMoved)]
    assert moves == [
        (GatePhase.BEGAN, 1, 0),
        (GatePhase.ARRIVED, 1, 300),
        (GatePhase.BEGAN, 0, 0),
        (GatePhase.ARRIVED, 0, 300),
    ]
