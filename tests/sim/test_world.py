"""The plant itself: exact edges, honest sensors, and parcels that go where the metal stands."""

from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.core.units import u32_difference
from controller.core.vocabulary import GatePosition
from sim.beams import BeltParcel, Body
from sim.belt import NM_PER_MM, Belt
from sim.parcels import ParcelKind, SimParcel
from sim.plc_io import EyeEdge, GateOrder, PlcInputs, PlcOutputs
from sim.sensors import Dimensioner, Scale, bounded_noise, read_labels
from sim.world import World, WorldSettings
from tests.sim.plc_rig import LINE, parcel, parcels

RUN = PlcOutputs(belt_run=True, infeed_run=True)
STOP = PlcOutputs()


class Plant:
    """A world driven by plain outputs; everything its inputs ever showed."""

    def __init__(self, bodies: list[SimParcel], options: WorldSettings | None = None) -> None:
        self.world = World(LINE, bodies, Random(3), options)
        self.seen: list[PlcInputs] = []

    def run_ms(self, ms: int, outputs: PlcOutputs = RUN, step_ms: int = 10) -> None:
        for _ in range(ms // step_ms):
            to_us = self.world.belt.now_us + step_ms * 1_000
            self.seen.append(self.world.step(to_us, outputs))

    def edges(self, eye: int) -> list[EyeEdge]:
        return [edge for inputs in self.seen for edge in inputs.edges if edge.eye == eye]


def test_parcels_that_come_later_are_fed_to_a_belt_that_has_nothing_to_do() -> None:
    """A factory fills the infeed in batches; a world at rest forgot to look for the next one."""
    plant = Plant([parcel(1)])
    plant.run_ms(15_000)
    plant.world.infeed.add([parcel(2)])
    plant.run_ms(15_000)
    assert [one.number for one in plant.world.inducted] == [1, 2]


# --- belt and eyes --------------------------------------------------------------------------------


@given(
    speeds=st.lists(st.tuples(st.integers(0, 3_000), st.integers(1, 500_000)), max_size=12),
    share=st.integers(0, 1_000),
)
def test_time_of_a_travel_is_the_inverse_of_travel_at_a_time(
    speeds: list[tuple[int, int]], share: int
) -> None:
    belt = Belt(1_000)
    stretches = []
    for speed, us in speeds:
        belt.set_speed(speed)
        stretches.append((belt.now_us, belt.travel_nm, speed))
        belt.advance(belt.now_us + us)
    travel_nm = belt.travel_nm * share // 1_000
    at_us = belt.time_at_us(travel_nm)
    assert 0 <= at_us <= belt.now_us
    if travel_nm:
        then = max(entry for entry in stretches if entry[0] <= at_us)
        reached_nm = then[1] + then[2] * (at_us - then[0])
        assert travel_nm <= reached_nm < travel_nm + 3_000


def test_edges_carry_exact_counts_however_long_the_step() -> None:
    fine, coarse = Plant(parcels(3)), Plant(parcels(3))
    fine.run_ms(5_000)
    coarse.run_ms(5_000, step_ms=1_000)
    for eye in LINE.eyes:
        assert fine.edges(eye.number) == coarse.edges(eye.number)
    leading, trailing = fine.edges(1)[:2]
    assert (leading.blocked, trailing.blocked) == (True, False)
    assert u32_difference(trailing.counts, leading.counts) == 300


def test_counts_wrap_at_32_bits() -> None:
    plant = Plant(parcels(2), WorldSettings(encoder_start_counts=0xFFFF_FE00))
    plant.run_ms(2_000)
    counts = [edge.counts for edge in plant.edges(1)]
    assert counts[0] > 1 << 31 > counts[-1]
    assert u32_difference(counts[1], counts[0]) == 300


def test_touching_parcels_are_one_body_to_every_eye() -> None:
    plant = Plant([parcel(1), parcel(2, length_mm=200, gap_mm=0), parcel(3)])
    plant.run_ms(6_000)
    for eye in LINE.eyes:
        leading, trailing = plant.edges(eye.number)[:2]
        assert u32_difference(trailing.counts, leading.counts) == 500
    body = plant.world.bodies[(3, plant.edges(3)[0].counts)]
    assert [one.parcel.number for one in body] == [1, 2]


def test_infeed_waits_for_its_permit_but_never_splits_a_pair() -> None:
    plant = Plant([parcel(1), parcel(2, gap_mm=0), parcel(3)])
    plant.run_ms(500)
    plant.run_ms(3_000, PlcOutputs(belt_run=True))
    assert [one.number for one in plant.world.inducted] == [1, 2]
    plant.run_ms(1_000)
    assert [one.number for one in plant.world.inducted] == [1, 2, 3]


def test_infeed_rate_keeps_parcels_apart_in_time() -> None:
    plant = Plant(parcels(4, gap_mm=320), WorldSettings(parcels_per_h=3_600))
    plant.run_ms(4_500)
    starts = [edge.at_us for edge in plant.edges(1) if edge.blocked]
    assert [later - earlier for earlier, later in zip(starts, starts[1:], strict=False)] == [
        1_000_000
    ] * 3


def test_speed_profile_and_stop_change_the_travel() -> None:
    plant = Plant(parcels(1), WorldSettings(speed_profile=((1_000_000, 500),)))
    plant.run_ms(2_000)
    assert plant.world.belt.counts == 1_500
    plant.run_ms(1_000, STOP)
    assert plant.world.belt.counts == 1_500
    plant.world.emergency_stop = True
    plant.run_ms(1_000)
    assert plant.world.belt.counts == 1_500


# --- sensors --------------------------------------------------------------------------------------


def body_at(belt: Belt, *bodies: SimParcel) -> Body:
    """These parcels, touching, whose last trailing edge is at the sensor now."""
    length_nm = sum(one.length_mm for one in bodies) * NM_PER_MM
    start_nm = belt.travel_nm - length_nm - LINE.scale_position_mm * NM_PER_MM
    placed = []
    for one in bodies:
        places = tuple(one.length_mm // 2 for _ in one.labels)
        placed.append(BeltParcel(one, start_nm, places))
        start_nm += one.length_mm * NM_PER_MM
    return Body(belt.travel_nm - length_nm, belt.travel_nm, tuple(placed))


def running_belt() -> Belt:
    belt = Belt(1_000)
    belt.set_speed(1_000)
    belt.advance(5_000_000)
    return belt


@pytest.mark.parametrize("weight_mg", [20_000, 1_000_000, 4_000_000, 30_000_000])
def test_scale_noise_stays_inside_its_bound(weight_mg: int) -> None:
    belt, rng, scale = running_belt(), Random(1), Scale(LINE.scale_position_mm)
    body = body_at(belt, parcel(1, weight_mg=weight_mg))
    bound_mg = max(20_000, weight_mg * 5 // 1_000)
    errors = [scale.read(body, [], belt, rng).weight_mg - weight_mg for _ in range(2_000)]
    assert max(map(abs, errors)) <= bound_mg + 1_000
    assert max(errors) > bound_mg // 2
    assert scale.measurement_no == 2_000


def test_touching_parcels_weigh_together_and_are_one_long_object() -> None:
    belt, rng = running_belt(), Random(1)
    body = body_at(belt, parcel(1, width_mm=150), parcel(2, length_mm=250, gap_mm=0))
    weight = Scale(LINE.scale_position_mm).read(body, [], belt, rng)
    assert abs(weight.weight_mg - 2_000_000) <= 20_000
    box = Dimensioner(LINE.dimensioner_position_mm).read(body, belt, rng)
    assert abs(box.length_mm - 550) <= 5
    assert abs(box.width_mm - 200) <= 5


def test_a_neighbour_on_the_platform_is_weighed_by_the_part_that_lies_on_it() -> None:
    belt = running_belt()
    body = body_at(belt, parcel(1))
    close = BeltParcel(parcel(2), body.trailing_nm - 850 * NM_PER_MM)
    reading = Scale(LINE.scale_position_mm).read(body, [*body.parcels, close], belt, Random(1))
    assert reading.weight_mg > 1_100_000


def test_scale_says_what_is_wrong_with_a_reading() -> None:
    belt, rng, scale = running_belt(), Random(1), Scale(LINE.scale_position_mm)
    good = scale.read(body_at(belt, parcel(1)), [], belt, rng)
    assert (good.stable, good.over_range, good.measurement_no) == (True, False, 1)
    assert abs(good.zero_mg) <= 2_000
    scale.residue_mg = 300_000
    assert scale.read(body_at(belt, parcel(1)), [], belt, rng).zero_mg > 290_000
    assert scale.read(body_at(belt, parcel(1, weight_mg=70_000_000)), [], belt, rng).over_range
    scale.stuck = True
    assert scale.read(body_at(belt, parcel(1)), [], belt, rng).measurement_no == 3
    belt.set_speed(0)
    belt.advance(belt.now_us + 1_000_000)
    belt.set_speed(1_000)
    belt.advance(belt.now_us + 100_000)
    body = body_at(belt, parcel(1))
    assert not Scale(LINE.scale_position_mm).read(body, [], belt, rng).stable
    assert not Dimensioner(LINE.scale_position_mm).read(body, belt, rng).measurable


def test_dimension_noise_is_bounded_and_real() -> None:
    belt, rng = running_belt(), Random(1)
    body, meter = body_at(belt, parcel(1)), Dimensioner(LINE.dimensioner_position_mm)
    errors = {meter.read(body, belt, rng).length_mm - 300 for _ in range(300)}
    assert max(map(abs, errors)) <= 5
    assert len(errors) > 4


@given(st.integers(0, 2**40), st.integers(0, 10**9))
def test_noise_never_leaves_its_bound(seed: int, bound: int) -> None:
    assert abs(bounded_noise(Random(seed), bound)) <= bound


def test_scanner_reads_every_label_once_and_says_when_there_is_none() -> None:
    belt, at_mm = running_belt(), LINE.scale_position_mm
    two = parcel(1, labels=("A", "B"))
    codes = read_labels(body_at(belt, two, parcel(2, labels=("B",))), belt, at_mm)
    assert [(code.code_no, code.text) for code in codes] == [(1, "A"), (2, "B")]
    silent = read_labels(body_at(belt, parcel(1, labels=())), belt, at_mm)
    assert [(code.code_no, code.text) for code in silent] == [(0, "")]


# --- gates and lanes ------------------------------------------------------------------------------


def order(gate: int, position: GatePosition) -> PlcOutputs:
    return PlcOutputs(True, True, (GateOrder(gate, position),))


def test_a_gate_needs_its_time_and_says_where_it_stands() -> None:
    plant = Plant([])
    plant.run_ms(10)
    left = order(1, GatePosition.LEFT)
    shown = []
    for _ in range(31):
        plant.run_ms(10, left)
        shown.append(plant.seen[-1].gates[0].position)
    assert shown[:29] == [None] * 29
    assert shown[29:] == [GatePosition.LEFT] * 2
    plant.run_ms(290, order(1, GatePosition.HOLD))
    assert plant.seen[-1].gates[0].position is None
    plant.run_ms(10, order(1, GatePosition.HOLD))
    assert plant.seen[-1].gates[0].position is GatePosition.HOLD


@pytest.mark.parametrize(
    ("gate", "side", "lane"),
    [
        (1, GatePosition.LEFT, 1),
        (1, GatePosition.RIGHT, 2),
        (2, GatePosition.LEFT, 3),
        (2, GatePosition.RIGHT, 4),
        (1, GatePosition.HOLD, 5),
    ],
)
def test_parcels_go_where_the_gate_stands(gate: int, side: GatePosition, lane: int) -> None:
    plant = Plant(parcels(2))
    plant.run_ms(9_000, order(gate, side))
    assert [entry.lane for entry in plant.world.left] == [lane, lane]
    assert plant.world.finished
    lane_edges = [edge for inputs in plant.seen for edge in inputs.lane_edges]
    assert [(edge.lane, edge.blocked) for edge in lane_edges] == [(lane, True), (lane, False)] * 2


def test_a_follower_enters_a_gate_that_is_still_open() -> None:
    """The model does not protect anybody: that is the PLC's duty."""
    plant = Plant(parcels(2, gap_mm=100))
    left, hold = order(1, GatePosition.LEFT), order(1, GatePosition.HOLD)
    plant.run_ms(5_000, left)
    assert plant.world.position_mm(2) is not None
    plant.run_ms(4_000, hold)
    assert [entry.lane for entry in plant.world.left] == [1, 1]


def test_a_gate_that_moves_against_a_body_is_counted() -> None:
    plant = Plant([parcel(1, length_mm=400)])
    while (plant.world.position_mm(1) or 0) < 4_300:
        plant.run_ms(10)
    plant.run_ms(100, order(1, GatePosition.LEFT))
    assert plant.world.diverters[1].strikes == 1
    plant.run_ms(3_000, order(1, GatePosition.LEFT))
    assert [entry.lane for entry in plant.world.left] == [5]


def test_a_jammed_gate_stays_where_it_is() -> None:
    plant = Plant(parcels(1))
    plant.run_ms(10)
    plant.run_ms(100, order(1, GatePosition.LEFT))
    plant.world.diverters[1].jam(plant.world.belt.now_us)
    plant.run_ms(1_000, order(1, GatePosition.LEFT))
    assert plant.seen[-1].gates[0].position is None
    plant.world.diverters[1].free(plant.world.belt.now_us)
    plant.run_ms(300, order(1, GatePosition.LEFT))
    assert plant.seen[-1].gates[0].position is GatePosition.LEFT


def test_a_lane_fills_and_is_emptied() -> None:
    plant = Plant(parcels(3))
    plant.world.lanes[5].capacity_parcels = 2
    plant.run_ms(8_000)
    full = [inputs.lanes[4].full for inputs in plant.seen]
    assert full[-1]
    assert not full[0]
    plant.world.lanes[5].takeaway_ms = 500
    plant.run_ms(3_000)
    assert plant.seen[-1].lanes[4].room_parcels == 2


def test_removed_and_inserted_parcels_change_what_the_eyes_see() -> None:
    plant = Plant(parcels(1))
    plant.run_ms(2_500)
    plant.world.remove(1)
    plant.world.insert(parcel(9, kind=ParcelKind.HONEST), 3_000)
    plant.run_ms(5_000)
    assert plant.edges(5)[0].blocked
    assert len(plant.edges(5)) == 2
    assert [entry.parcel_number for entry in plant.world.left] == [9]
    assert plant.world.finished


def test_taking_a_parcel_out_of_a_beam_clears_it() -> None:
    plant = Plant(parcels(1))
    while (plant.world.position_mm(1) or 0) < 900:
        plant.run_ms(10)
    plant.world.remove(1)
    plant.run_ms(10)
    assert [edge.blocked for edge in plant.edges(2)] == [True, False]
