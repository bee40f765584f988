"""What the sweep found in the soft PLC, each with the situation that showed it."""

import pytest

from controller.core import events
from plc import register_map as m
from sim.plc_io import CodeSeen
from sim.plc_rows import PlcSettings
from tests.sim.plc_rig import LINE, Rig, parcels


@pytest.mark.parametrize("before_wrap", [4, 24, 60, 109])
def test_no_record_is_refused_around_the_wrap_while_the_host_stores_nothing(
    before_wrap: int,
) -> None:
    """Two living sequences share a slot there: the belt has to stop with far fewer than 94 waiting."""
    rig = Rig(parcels(12), numbers=PlcSettings(first_ring_seq=0xFFFF_FFFF - before_wrap))
    rig.host.acknowledges = False
    rig.host.ack = rig.plc.plant.ring.accepted_ack
    rig.run_ms(20_000)
    assert rig.plc.plant.ring.overflow_count == 0
    rig.host.acknowledges = True
    rig.host.ack = rig.host.next_seq - 1 or 0xFFFF_FFFF
    rig.finish()
    assert len(rig.lanes()) == 12
    assert rig.plc.plant.ring.overflow_count == 0


def test_room_in_a_lane_is_told_while_it_may_be_too_little() -> None:
    """A host that was told of two places kept its belt stopped for ever after the lane was emptied."""
    rig = Rig(parcels(1))
    rig.run_ms(100)
    for capacity in (2, 30, 0xFFFF):
        rig.world.lanes[5].capacity_parcels = capacity
        rig.run_ms(50)
    told = [record.room_parcels for record in rig.of(events.LaneChanged)]
    assert told == [2, 30, 0xFFFF]


def test_room_for_every_row_of_the_table_is_told_once() -> None:
    rig = Rig(parcels(1))
    for capacity in (0xFFFF, m.T_ROWS, m.T_ROWS + 5):
        rig.world.lanes[5].capacity_parcels = capacity
        rig.run_ms(50)
    assert not rig.of(events.LaneChanged)


def test_a_reading_that_comes_when_its_parcel_is_in_its_lane_is_nobodys() -> None:
    """The host had ended the pass: a record of the same id opened one that never ended."""
    rig = Rig(parcels(1))
    rig.run_until(lambda: bool(rig.of(events.CodeRead)))
    (read,) = rig.of(events.CodeRead)
    rig.run_until(lambda: bool(rig.of(events.LaneSeen)))
    late = CodeSeen(read.encoder_counts, read.plc_time_us, 1, 1, read.text)
    step = rig.world.step
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            rig.world,
            "step",
            lambda now_us, outputs: step(now_us, outputs)._replace(codes=(late,)),
        )
        rig.scan()
    rig.run_ms(100)
    assert [record.track_id for record in rig.of(events.CodeRead)] == [read.track_id, 0]


def test_a_body_that_was_told_lost_under_an_eye_is_told_nothing_of_any_more() -> None:
    """Its edge at the eye came later: the host opened a pass for it that never ended."""
    rig = Rig(parcels(1))
    rig.run_until(lambda: len(rig.of(events.EyePassed)) == 1)
    rig.to_mm(1, LINE.eyes[1].position_mm + 100)
    (row,) = rig.plc.plant.rows
    rig.plc.plant.record(events.ParcelLost, LINE.eyes[1].number, row.track_id)
    rig.plc.plant.drop(row)
    rig.run_ms(500)
    assert len(rig.of(events.ParcelLost)) == 1
    last = [record for record in rig.records if record.track_id == row.track_id][-1]
    assert isinstance(last, events.ParcelLost)
