"""Whole runs in virtual time: planned lanes, same seed same run, and a random plant that never errs."""

from random import Random

import pytest

from controller.core import events
from controller.core.vocabulary import DecisionResult, Destination
from sim.parcels import SimParcel
from sim.plc_rows import PlcSettings
from sim.world import WorldSettings
from tests.sim.plc_rig import Rig, parcel, parcels

NEAR_WRAP = PlcSettings(
    first_ring_seq=0xFFFF_FC00, first_track_id=0xFFFF_FFC0, first_trigger_no=0xFFFF_FFA0
)


def test_200_parcels_all_arrive_in_their_planned_lanes() -> None:
    rig = Rig(
        parcels(200, length_mm=300, gap_mm=420),
        options=WorldSettings(encoder_start_counts=0xFFFF_0000),
        numbers=NEAR_WRAP,
    )
    rig.release_all()
    rig.finish()
    assert rig.lanes() == dict.fromkeys(range(1, 201), 1)
    assert set(rig.echoes.values()) == {DecisionResult.ACCEPTED}
    assert not rig.of(events.DefaultTaken)
    assert not rig.of(events.ParcelLost)
    assert not rig.of(events.ExtraSeen)
    passes = rig.truth.passes()
    assert [entry.parcel_numbers for entry in passes] == [(number,) for number in range(1, 201)]
    assert all(entry.lane == 1 and entry.accepted_ns > entry.last_record_ns > 0 for entry in passes)
    assert all(entry.gate_began_ns > entry.accepted_ns for entry in passes)
    assert 12 <= len(rig.records) / 200 <= 13


def test_the_tightest_line_still_releases_everything() -> None:
    """5,000 parcels/h of 400 mm: pitch 720 mm, clear belt 320 mm."""
    rig = Rig(parcels(40, length_mm=400, gap_mm=320))
    rig.release_all()
    rig.finish()
    assert set(rig.lanes().values()) == {1}
    assert [type(r) for r in rig.records].count(events.BeltChanged) == 2


def mixed(seed: int, count: int) -> list[SimParcel]:
    """Lengths and gaps as they come, touching pairs and too small gaps included."""
    rng = Random(seed)
    gaps = [0, rng.randint(20, 300), *[rng.randint(320, 700) for _ in range(6)]]
    return [
        parcel(number, length_mm=rng.randint(150, 400), gap_mm=rng.choice(gaps))
        for number in range(1, count + 1)
    ]


def random_run(seed: int, count: int = 40, traced: bool = False) -> Rig:
    """A host that decides at random, in time or not, and changes its mind; a plant that stops."""
    rig = Rig(mixed(seed, count), seed=seed)
    rig.traced = traced
    rng = Random(seed * 7 + 1)
    choices = [Destination.RELEASE] * 4 + [
        Destination.INSPECT,
        Destination.DETAIN,
        Destination.HOLD,
    ]

    def decide(record: events.PlcRecord) -> None:
        if isinstance(record, events.EyePassed) and record.source in (3, 4) and rng.random() < 0.7:
            rig.decide(record.track_id, rng.choice(choices))

    rig.on_record = decide
    while not rig.world.finished:
        rig.scan()
        if rng.random() < 0.001:
            rig.host.belt = not rig.host.belt
        elif not rig.host.belt and rng.random() < 0.02:
            rig.host.belt = True
        if rng.random() < 0.0005 and rig.world.on_belt:
            rig.world.remove(rng.choice(rig.world.on_belt).parcel.number)
    rig.run_ms(300)
    return rig


def test_same_seed_same_run_bit_for_bit() -> None:
    one, two, other = (random_run(seed, 25, traced=True) for seed in (5, 5, 6))
    assert one.trace.digest() == two.trace.digest()
    assert one.world.left == two.world.left
    assert one.trace.digest() != other.trace.digest()


@pytest.mark.parametrize("seed", range(6))
def test_no_parcel_enters_a_lane_without_an_accepted_lease_for_it(seed: int) -> None:
    rig = random_run(seed)
    lane_of = {
        Destination.RELEASE: 1,
        Destination.INSPECT: 2,
        Destination.DETAIN: 3,
        Destination.HOLD: 5,
    }
    rows = {entry.track_id: entry for entry in rig.truth.passes()}
    leased: dict[int, set[int]] = {}
    for track_id, destination in rig.accepted:
        leased.setdefault(track_id, set()).add(lane_of[destination])
    lanes = rig.lanes()
    for entry in rows.values():
        for number in entry.parcel_numbers:
            if number in lanes and lanes[number] != 5:
                assert lanes[number] in leased.get(entry.track_id, set())
    assert all(diverter.strikes == 0 for diverter in rig.world.diverters.values())
    held = [t for t, d in rig.accepted if d is Destination.HOLD]
    for track_id in held:
        assert all(lanes.get(number, 5) == 5 for number in rows[track_id].parcel_numbers)
    tracked = {number for entry in rows.values() for number in entry.parcel_numbers}
    assert {one.number for one in rig.world.inducted} <= tracked
