"""Gates, gaps, lanes and the watchdog: every DefaultCause, and no parcel in a lane that is not its own."""

from dataclasses import replace

import pytest

from controller.core import events
from controller.core.vocabulary import (
    BeltCause,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    PlcStateBit,
)
from tests.sim.plc_rig import LINE, Rig, parcel, parcels


def causes(rig: Rig) -> dict[int, DefaultCause]:
    return {record.track_id: record.cause for record in rig.of(events.DefaultTaken)}


def stops(rig: Rig) -> list[BeltCause]:
    return [r.cause for r in rig.of(events.BeltChanged)][2:]


# --- undecided, gap, busy ---------------------------------------------------------------------------


def test_undecided_parcels_are_held() -> None:
    rig = Rig(parcels(3))
    rig.finish()
    assert set(rig.lanes().values()) == {5}
    assert causes(rig) == dict.fromkeys((1, 2, 3), DefaultCause.UNDECIDED)


@pytest.mark.parametrize(
    ("gap_mm", "released"), [(100, False), (300, False), (313, False), (316, True)]
)
def test_a_lease_needs_room_behind_it_else_both_hold(gap_mm: int, released: bool) -> None:
    rig = Rig([parcel(1), parcel(2, gap_mm=gap_mm), parcel(3, gap_mm=900)])
    rig.release_all()
    rig.finish()
    first = 1 if released else 5
    assert rig.lanes() == {1: first, 2: first, 3: 1}
    if not released:
        assert causes(rig) == {1: DefaultCause.GAP, 2: DefaultCause.GAP}


def test_a_held_follower_never_enters_an_open_gate() -> None:
    rig = Rig(parcels(2, gap_mm=320))
    rig.to_mm(1, 2_000)
    rig.decide(1)
    rig.finish()
    assert rig.lanes() == {1: 1, 2: 5}
    assert stops(rig) == []


def test_a_stranger_close_behind_takes_the_lease_of_both() -> None:
    """Laid on the belt behind the camera eye, seen first at the pre-gate eye."""
    rig = Rig(parcels(1, length_mm=150))
    rig.release_all()
    rig.to_mm(1, 3_000)
    rig.world.insert(parcel(9, length_mm=100), 3_000 - 150 - 80)
    rig.finish()
    assert rig.lanes() == {1: 5, 9: 5}
    assert causes(rig)[1] is DefaultCause.GAP


def test_a_stranger_seen_too_late_meets_a_belt_that_stands() -> None:
    """The gate already moves for a long parcel when the stranger shows: the interlock keeps it out."""
    rig = Rig(parcels(1, length_mm=400))
    rig.release_all()
    rig.to_mm(1, 3_300)
    rig.world.insert(parcel(9, length_mm=200), 3_300 - 400 - 100)
    rig.finish()
    assert rig.lanes() == {1: 1, 9: 5}
    assert stops(rig) == [BeltCause.GAP_INTERLOCK, BeltCause.STARTED]
    assert rig.world.diverters[1].strikes == 0


def test_a_gate_that_cannot_be_there_in_time_means_hold() -> None:
    rig = Rig(parcels(2, gap_mm=290))
    rig.to_mm(2, 2_000)
    rig.decide(2)
    rig.finish()
    assert rig.lanes() == {1: 5, 2: 5}
    assert causes(rig)[2] is DefaultCause.GATE_BUSY


@pytest.mark.parametrize("first", [Destination.RELEASE, Destination.INSPECT])
def test_of_two_opposite_leases_the_release_is_kept(first: Destination) -> None:
    second = Destination.INSPECT if first is Destination.RELEASE else Destination.RELEASE
    rig = Rig(parcels(2, gap_mm=400))
    rig.to_mm(2, 2_000)
    rig.decide(1, first)
    rig.decide(2, second)
    rig.finish()
    kept, held = (1, 2) if first is Destination.RELEASE else (2, 1)
    assert rig.lanes() == {kept: 1, held: 5}
    assert causes(rig) == {held: DefaultCause.GATE_BUSY}


def test_opposite_leases_with_room_for_the_whole_swing_are_both_kept() -> None:
    rig = Rig(parcels(2, gap_mm=640))
    rig.to_mm(2, 2_000)
    rig.decide(1)
    rig.decide(2, Destination.INSPECT)
    rig.finish()
    assert rig.lanes() == {1: 1, 2: 2}


def test_touching_pair_is_held_or_goes_as_one() -> None:
    rig = Rig([parcel(1), parcel(2, gap_mm=0), parcel(3)])
    rig.to_mm(1, 2_600)
    rig.decide(1)
    rig.finish()
    assert rig.lanes() == {1: 1, 2: 1, 3: 5}
    assert rig.world.diverters[1].strikes == 0


# --- lanes ------------------------------------------------------------------------------------------


def test_leases_end_when_their_lane_fills_and_the_infeed_stops() -> None:
    rig = Rig(parcels(8))
    rig.release_all()
    rig.to_mm(1, 3_000)
    rig.world.lanes[1].capacity_parcels = 0
    rig.run_ms(50)
    assert causes(rig)[1] is DefaultCause.LANE_FULL
    assert not rig.bits() & PlcStateBit.INFEED_RUNNING
    fed = len(rig.world.inducted)
    rig.run_ms(8_000)
    assert len(rig.world.inducted) == fed
    assert set(rig.lanes().values()) == {5}
    rig.world.lanes[1].capacity_parcels = 100
    rig.finish()
    assert list(rig.lanes().values())[-1] == 1


def test_a_lane_that_fills_after_the_gate_began_changes_nothing_for_that_parcel() -> None:
    rig = Rig(parcels(1))
    rig.release_all()
    rig.to_mm(1, 4_000)
    rig.world.lanes[1].capacity_parcels = 0
    rig.finish()
    assert rig.lanes() == {1: 1}
    assert causes(rig) == {}


def test_a_hold_lane_without_room_stops_first_the_infeed_then_the_belt() -> None:
    rig = Rig(parcels(30))
    rig.world.lanes[5].capacity_parcels = 10
    rig.run_ms(60_000)
    assert len(rig.lanes()) <= 10
    assert not rig.bits() & PlcStateBit.INFEED_RUNNING
    assert stops(rig) == []
    assert rig.world.lanes[5].parcels <= 10
    rig.world.insert(parcel(99), 500)
    rig.world.insert(parcel(98), 1_200)
    rig.run_ms(2_000)
    assert stops(rig) == [BeltCause.HOLD_LANE_FULL]
    rig.world.lanes[5].parcels = 0
    rig.world.lanes[5].capacity_parcels = 100
    rig.finish()
    assert len(rig.lanes()) == 32


def test_a_jammed_hold_lane_stops_the_belt() -> None:
    rig = Rig(parcels(3))
    rig.run_ms(3_000)
    rig.world.lanes[5].jammed = True
    rig.run_ms(50)
    assert rig.bits() & PlcStateBit.JAM
    assert not rig.bits() & PlcStateBit.BELT_RUNNING
    assert stops(rig) == [BeltCause.JAM]


# --- a gate that does not obey ------------------------------------------------------------------------


def test_a_gate_stuck_at_hold_is_found_and_its_parcel_held() -> None:
    rig = Rig(parcels(6))
    rig.release_all()
    rig.run_ms(100)
    rig.world.diverters[1].jam(rig.now_us)
    rig.run_ms(14_000)
    assert DecisionResult.LANE_FULL in rig.echoes.values()
    phases = [r.phase for r in rig.of(events.GateMoved)]
    assert GatePhase.STUCK in phases
    assert rig.bits() & PlcStateBit.GATE_FAULT
    assert set(rig.lanes().values()) == {5}
    assert set(causes(rig).values()) == {DefaultCause.GATE_FAULT}
    assert not rig.bits() & PlcStateBit.INFEED_RUNNING


def test_a_gate_stuck_halfway_stops_the_belt_until_it_is_cleared() -> None:
    rig = Rig(parcels(3))
    rig.release_all()
    rig.to_mm(1, 4_050)
    rig.world.diverters[1].jam(rig.now_us)
    rig.run_ms(5_000)
    assert rig.lanes() == {}
    assert not rig.bits() & PlcStateBit.BELT_RUNNING
    assert stops(rig) == [BeltCause.GAP_INTERLOCK]
    rig.world.diverters[1].free(rig.now_us)
    rig.run_ms(500)
    rig.host.reset = True
    rig.finish()
    assert rig.lanes()[1] == 5
    assert rig.world.diverters[1].strikes == 0


def test_alarm_reset_makes_a_freed_gate_usable_again() -> None:
    rig = Rig(parcels(12))
    rig.release_all()
    rig.run_ms(100)
    rig.world.diverters[1].jam(rig.now_us)
    rig.run_until(lambda: bool(rig.bits() & PlcStateBit.GATE_FAULT))
    rig.world.diverters[1].free(rig.now_us)
    rig.run_ms(500)
    rig.host.reset = True
    rig.run_ms(50)
    assert not rig.bits() & PlcStateBit.GATE_FAULT
    rig.finish()
    assert list(rig.lanes().values())[-1] == 1


# --- watchdog and restart -----------------------------------------------------------------------------


def test_watchdog_revokes_leases_whose_gate_has_not_begun() -> None:
    rig = Rig(parcels(6))
    rig.release_all()
    rig.to_mm(1, 3_600)
    rig.host.alive = False
    rig.run_ms(12_000)
    rig.host.alive = True
    rig.run_ms(200)
    # the first one's gate had begun to move when 400 ms had passed
    lanes = rig.lanes()
    assert lanes[1] == 1
    assert set(lanes.values()) == {1, 5}
    assert [lanes[n] for n in sorted(lanes)][1:] == [5] * (len(lanes) - 1)
    assert DefaultCause.LEASE_ENDED in causes(rig).values()
    assert DefaultCause.UNDECIDED in causes(rig).values()
    assert len(lanes) == len(rig.world.inducted)


def test_no_gate_starts_later_than_500_ms_after_the_host_is_gone() -> None:
    rig = Rig(parcels(12))
    rig.release_all()
    rig.to_mm(1, 3_000)
    rig.host.alive = False
    gone_us = rig.now_us
    rig.run_ms(10_000)
    rig.host.alive = True
    rig.run_ms(300)
    starts = [r for r in rig.of(events.GateMoved) if r.track_id and r.plc_time_us > gone_us]
    assert all(r.plc_time_us - gone_us <= 500_000 for r in starts)


def test_a_short_silence_changes_nothing() -> None:
    rig = Rig(parcels(6))
    rig.release_all()
    rig.to_mm(1, 2_000)
    rig.host.alive = False
    rig.run_ms(380)
    rig.host.alive = True
    rig.finish()
    assert set(rig.lanes().values()) == {1}


def test_after_a_restart_everything_on_the_belt_is_unknown_and_held() -> None:
    rig = Rig(parcels(12))
    rig.release_all()
    rig.to_mm(1, 3_700)
    on_belt = [one.parcel.number for one in rig.world.on_belt]
    old = rig.plc.boot_id
    rig.boot()
    rig.records.clear()
    rig.run_ms(20)
    assert rig.table() == []
    rig.finish()
    assert rig.plc.boot_id != old
    lanes = rig.lanes()
    assert {number: lanes[number] for number in on_belt} == dict.fromkeys(on_belt, 5)
    assert {lane for number, lane in lanes.items() if number not in on_belt} == {1}
    assert all(lanes[r.track_id] for r in rig.of(events.LaneSeen) if r.track_id in lanes)
    strangers = rig.of(events.ExtraSeen)
    assert 0 < len(strangers) <= len(on_belt)


def test_after_a_restart_the_belt_stands_while_a_gate_is_not_at_hold() -> None:
    """Found by the sweep: what lay before a gate stuck open was in no table, and was driven into it."""
    rig = Rig(parcels(3))
    rig.release_all()
    rig.to_mm(1, 4_150)
    gate = rig.world.diverters[1]
    assert gate.side_at(rig.now_us) is GatePosition.LEFT
    gate.jam(rig.now_us)
    rig.boot()
    rig.run_ms(4_000)
    assert rig.lanes() == {}
    assert not rig.bits() & PlcStateBit.BELT_RUNNING
    gate.free(rig.now_us)
    rig.run_ms(1_000)
    rig.host.reset = True
    rig.finish()
    assert rig.lanes()[1] == 5


def test_gates_stay_at_hold_until_the_belt_has_moved_its_whole_length() -> None:
    """A parcel that slips in before the infeed is free would reach the gate too early: it is held."""
    rig = Rig()
    rig.release_all()
    rig.world.insert(parcel(1), -500)
    rig.finish()
    assert set(rig.echoes.values()) == {DecisionResult.ACCEPTED}
    assert rig.lanes() == {1: 5}
    assert causes(rig) == {1: DefaultCause.UNKNOWN_PARCEL}


def test_a_decision_of_the_old_boot_is_refused_after_a_restart() -> None:
    rig = Rig(parcels(2))
    rig.to_mm(1, 1_000)
    old = rig.plc.boot_id
    rig.boot()
    rig.run_ms(100)
    seq = rig.decide(1, boot_id=old)
    assert rig.answer(seq) is DecisionResult.WRONG_BOOT_OR_SESSION


def test_gates_need_not_be_symmetric() -> None:
    """Another line: slower gates, 2 counts a millimetre, slower belt."""
    gates = tuple(replace(gate, travel_ms=450) for gate in LINE.gates)
    line = replace(LINE, gates=gates, encoder_counts_per_m=2_000, belt_speed_mm_per_s=600)
    rig = Rig(parcels(20), line=line)
    rig.release_all()
    rig.finish()
    assert set(rig.lanes().values()) == {1}
    assert rig.world.diverters[1].strikes == 0
