"""Where things are: the PLC's clock against ours, the encoder between two records, the time of arrival."""

from dataclasses import replace

import pytest

from controller.core.belt import Belt

S = 1_000_000_000
US_PER_S = 1_000_000
# 1.5 m/s and 2 counts/mm, so that a millimetre, a count and a millisecond are three numbers.
BELT = Belt(counts_per_m=2000, speed_mm_per_s=1500)


def belt_after(*samples: tuple[int, int, int]) -> Belt:
    """The belt after (host ns, PLC us, counts) of each record."""
    belt = replace(BELT)
    for at_ns, plc_time_us, counts in samples:
        belt.sample(at_ns, plc_time_us, counts)
    return belt


FIRST = (5 * S, 1 * US_PER_S, 700)


def test_a_belt_of_which_nothing_was_told_runs_from_zero() -> None:
    assert BELT.counts_now(0) == 0
    assert BELT.arrival_ns(0, 1500) == S
    assert belt_after((0, 50, 12)).counts == 12


# --- the PLC's clock ------------------------------------------------------------------------------


def test_the_first_record_sets_the_clock() -> None:
    belt = belt_after(FIRST)
    assert (belt.offset_ns, belt.counts, belt.counts_at_ns) == (4 * S, 700, 5 * S)


@pytest.mark.parametrize(
    ("at_ns", "offset_ns"),
    [
        (7 * S - 1_000_000, 4 * S - 1_000_000),  # told faster than ever: nearer to the truth
        (7 * S, 4 * S),
        (7 * S + 2_000, 4 * S + 2_000),  # drift of a quartz can explain this much
        (7 * S + 500_000_000, 4 * S + 125_000),  # told late: 50 ppm of the 2.5 s, no more
        (7 * S + 500_019_999, 4 * S + 125_000),  # rounded down
        (7 * S + 500_020_000, 4 * S + 125_001),
    ],
)
def test_a_late_record_moves_the_clock_by_drift_alone(at_ns: int, offset_ns: int) -> None:
    belt = belt_after(FIRST, (at_ns, 3 * US_PER_S, 6700))
    assert (belt.offset_ns, belt.offset_at_ns) == (offset_ns, at_ns)
    assert (belt.counts, belt.counts_at_ns) == (6700, 3 * S + offset_ns)
    assert isinstance(belt.counts_at_ns, int)


def test_the_drift_counts_from_the_record_before_not_from_the_first() -> None:
    late_ns = 40_000_000
    belt = belt_after(
        FIRST,
        (6 * S + late_ns, 2 * US_PER_S, 3700),
        (7 * S + late_ns, 3 * US_PER_S, 6700),
    )
    assert belt.offset_ns == 4 * S + 52_000 + 50_000


# --- the last known place -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("plc_time_us", "counts"),
    [
        (2 * US_PER_S, 3700),  # newer
        (1 * US_PER_S, 3700),  # of the same instant: the later word
        (1 * US_PER_S - 1, 700),  # older, told later: the belt does not go back
    ],
)
def test_the_newest_encoder_counts(plc_time_us: int, counts: int) -> None:
    at_ns = 4 * S + plc_time_us * 1000  # told as fast as the first
    belt = belt_after(FIRST, (at_ns, plc_time_us, 3700))
    assert belt.counts == counts


def test_every_newer_record_counts_not_the_first_alone() -> None:
    belt = belt_after(FIRST, (6 * S, 2 * US_PER_S, 3500), (7 * S, 3 * US_PER_S, 6300))
    assert (belt.counts, belt.counts_at_ns) == (6300, 7 * S)


@pytest.mark.parametrize("at_ns", [0, 2 * S, 9 * S])
def test_after_a_restart_of_either_side_the_next_record_counts_whatever_its_time(
    at_ns: int,
) -> None:
    belt = belt_after(FIRST)
    belt.forget_clock()
    belt.sample(at_ns, 50, 12)
    assert (belt.counts, belt.counts_at_ns, belt.offset_ns) == (12, at_ns, at_ns - 50_000)


# --- between two records --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("after_ns", "counts"),
    [
        (0, 700),
        (S, 3700),
        (1_333_333, 700 + 2),  # 1.99 mm: only whole millimetres are travelled
        (-S, 700),  # asked for a time before the record
    ],
)
def test_the_encoder_goes_on_at_the_last_speed(after_ns: int, counts: int) -> None:
    found = belt_after(FIRST).counts_now(5 * S + after_ns)
    assert found == counts
    assert isinstance(found, int)


def test_a_standing_belt_stays_where_it_is() -> None:
    belt = belt_after(FIRST)
    belt.running = False
    assert belt.counts_now(8 * S) == 700


@pytest.mark.parametrize(
    ("known_mm_per_s", "told_mm_per_s", "believed_mm_per_s"),
    [(1_500, 1_000, 1_500), (500, 1_000, 1_000)],
)
def test_a_belt_of_which_word_was_lost_moves_and_not_slower_than_it_should(
    known_mm_per_s: int, told_mm_per_s: int, believed_mm_per_s: int
) -> None:
    belt = replace(BELT, running=False, speed_mm_per_s=known_mm_per_s)
    belt.forget_motion(told_mm_per_s)
    assert (belt.running, belt.speed_mm_per_s) == (True, believed_mm_per_s)


def test_the_encoder_wraps_at_32_bits() -> None:
    belt = belt_after((5 * S, US_PER_S, (1 << 32) - 100))
    assert belt.counts_now(6 * S) == 2900
    assert belt.travelled_mm(2900, (1 << 32) - 100) == 1500
    assert belt.travelled_mm((1 << 32) - 100, 2900) == -1500


# --- arrival --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("since_counts", "travel_mm", "arrival_ns"),
    [
        (700, 1500, 6 * S),
        (700, 1000, 5 * S + 666_666_666),  # rounded down: never later than true
        (700, 0, 5 * S),
        (3700, 0, 6 * S),  # not there yet
        (700, -1000, 5 * S - 666_666_667),  # long past, rounded down as well
        ((1 << 32) - 2300, 3000, 6 * S),  # across the wrap
    ],
)
def test_arrival(since_counts: int, travel_mm: int, arrival_ns: int) -> None:
    found = belt_after(FIRST).arrival_ns(since_counts, travel_mm)
    assert found == arrival_ns
    assert isinstance(found, int)


@pytest.mark.parametrize(
    ("running", "speed_mm_per_s", "arrival_ns"),
    [(True, 1, 1505 * S), (True, 0, None), (True, -1, None), (False, 1500, None)],
)
def test_nothing_arrives_on_a_belt_that_stands(
    running: bool, speed_mm_per_s: int, arrival_ns: int | None
) -> None:
    belt = belt_after(FIRST)
    belt.running, belt.speed_mm_per_s = running, speed_mm_per_s
    assert belt.arrival_ns(700, 1500) == arrival_ns
