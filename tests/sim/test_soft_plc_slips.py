"""Gates under an encoder that slips: it may cost a release, never move a body into a wrong gate."""

import pytest

from controller.core import events
from controller.core.units import u32_difference, u32_sum
from controller.core.vocabulary import GatePhase, GatePosition, PlcStateBit
from tests.sim.plc_rig import LINE, Rig, parcels

GATE_MM = LINE.gates[0].position_mm
EYE_WINDOW_MM = 40


def slip(rig: Rig, counts: int) -> None:
    rig.world.belt.counts_start = u32_sum(rig.world.belt.counts_start, counts)


def opened_after_last_eye(counts: int) -> int:
    """Counts from the last eye to the gate's start, for an encoder that slipped before that eye."""
    rig = Rig(parcels(1))
    rig.release_all()
    rig.to_mm(1, 2_000)
    slip(rig, counts)
    rig.finish()
    assert rig.lanes() == {1: 1}
    (eye,) = [r for r in rig.of(events.EyePassed) if r.source == LINE.eyes[-1].number]
    opened = [r for r in rig.of(events.GateMoved) if r.position is not GatePosition.HOLD]
    began = next(record for record in opened if record.phase is GatePhase.BEGAN)
    return u32_difference(began.encoder_counts, eye.encoder_counts)


@pytest.mark.parametrize("counts", [-30, 30])
def test_the_last_eye_makes_good_what_the_encoder_lost_on_the_way(counts: int) -> None:
    assert opened_after_last_eye(counts) == opened_after_last_eye(0)


def before_a_gate_stuck_halfway() -> Rig:
    """The belt stands, with a parcel before a gate that does not arrive."""
    rig = Rig(parcels(3))
    rig.release_all()
    rig.to_mm(1, 4_050)
    rig.world.diverters[1].jam(rig.now_us)
    rig.run_ms(1_000)
    assert not rig.bits() & PlcStateBit.BELT_RUNNING
    return rig


@pytest.mark.parametrize("counts", [-60, 60])
def test_a_body_that_waits_before_its_gate_goes_on_waiting(counts: int) -> None:
    rig = before_a_gate_stuck_halfway()
    stands_mm = rig.world.position_mm(1)
    slip(rig, counts)
    rig.run_ms(1_000)
    assert rig.world.position_mm(1) == stands_mm
    assert not rig.bits() & PlcStateBit.BELT_RUNNING


def test_before_a_gate_that_does_not_close_there_is_room_for_a_slip() -> None:
    rig = Rig(parcels(2, gap_mm=700))
    rig.to_mm(1, 2_000)
    rig.decide(1)
    rig.to_mm(1, GATE_MM + 100)
    rig.world.diverters[1].jam(rig.now_us)
    rig.run_ms(3_000)
    assert rig.lanes() == {1: 1}
    stands_mm = rig.world.position_mm(2)
    assert stands_mm is not None and GATE_MM - 100 < stands_mm <= GATE_MM - EYE_WINDOW_MM
