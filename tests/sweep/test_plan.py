"""What runs are made of: near the wraps, across midnight, with every fault and a quiet end."""

from collections import Counter

from controller.config import load
from controller.core.units import U32_MAX
from sim.sweep.faults import FAULTS, NOT_INJECTABLE
from sim.sweep.plan import FAULTS_FROM_MS, PITCH_MS, WRAP_WITHIN, make_plan
from sim.sweep.run import Run
from sim.sweep.sweeping import REFERENCE_LINE, every_fault

SEEDS = range(7_000, 9_000)
PLANS = [make_plan(seed, 100, every_fault()) for seed in SEEDS]


def _near(value: int) -> bool:
    return U32_MAX - value < WRAP_WITHIN


def test_a_tenth_of_the_runs_starts_near_every_wrap() -> None:
    near = sum(
        all(
            _near(number)
            for number in (
                plan.starts.ring_seq,
                plan.starts.track_id,
                plan.starts.trigger_no,
                plan.starts.boot_id,
                plan.starts.encoder_counts,
                plan.starts.decision_seq,
            )
        )
        for plan in PLANS
    )
    assert near >= len(PLANS) // 10


def test_a_tenth_of_the_runs_begins_a_day_file_while_parcels_are_on_the_belt() -> None:
    config = load(REFERENCE_LINE)
    midnights = [plan for plan in PLANS if plan.utc_ns % (86_400 * 10**9) > 80_000 * 10**9]
    assert len(midnights) >= len(PLANS) // 10
    crossed = 0
    for plan in midnights[:4]:
        run = Run(plan, config)
        days: set[str] = set()

        def note(*_: object, run: Run = run, days: set[str] = days) -> None:
            if run.scene.parcels_on_belt:
                days.add(run.scene.host._day)

        run.scene.host.seen = note
        assert run.play().ok
        crossed += len(days) == 2
    assert crossed == 4


def test_every_fault_is_drawn_about_equally() -> None:
    drawn = Counter(injection.name for plan in PLANS for injection in plan.injections)
    assert set(drawn) == set(FAULTS)
    mean = sum(drawn.values()) / len(FAULTS)
    assert min(drawn.values()) > mean / 2


def test_some_runs_have_one_kind_of_fault_and_most_have_many() -> None:
    kinds = Counter(len({each.name for each in plan.injections}) for plan in PLANS)
    assert kinds[1] == len(PLANS) // 4
    assert max(kinds) > 8


def test_faults_end_long_before_the_last_parcel_comes() -> None:
    fed_ms = 100 * PITCH_MS
    for plan in PLANS:
        assert plan.injections
        last_ms = max(each.at_ms for each in plan.injections)
        assert FAULTS_FROM_MS <= last_ms < plan.faults_until_ms < fed_ms * 3 // 4


def test_what_cannot_be_injected_says_why() -> None:
    assert all(len(why) > 20 for why in NOT_INJECTABLE.values())
    assert not set(NOT_INJECTABLE) & set(FAULTS)
