"""Percentiles, the witness and the report's keys."""

import json
from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from controller.core.units import NS_PER_MS, NS_PER_S
from sim.judge import Decision, Judged
from sim.percentiles import figures_ms, percentile_ns
from sim.report import Measures, holds, make_report, print_report
from sim.witness import Witness, WitnessLog

KEYS = {
    "parcels",
    "released",
    "held",
    "by_destination",
    "held_by_reason",
    "wrong_releases",
    "missed",
    "needless_holds",
    "false_reasons",
    "released_clean_share",
    "unaccounted",
    "decision_ms",
    "decision_ms_net",
    "floor_ms",
    "freezes_excluded_share",
    "plc",
    "journal",
    "cpu_s",
}


def measures(freezes: tuple[tuple[int, int], ...] = (), deaths: tuple[str, ...] = ()) -> Measures:
    return Measures(
        witness=WitnessLog(((3, 50), (20, 50)), freezes),
        plc={"polls": 1, "reconnects": 0, "torn_rejected": 2, "records": 3},
        journal={"records": 9, "head": "ab"},
        cpu_s={"line-L1": 1.5},
        priorities={"line-L1": "FIFO 45"},
        deaths=deaths,
    )


def decisions(count: int, undecided: int = 0) -> list[Decision]:
    timed = [Decision(n * NS_PER_S, n * NS_PER_S + 20 * NS_PER_MS) for n in range(count)]
    return timed + [Decision(0, None)] * undecided


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=300))
def test_a_percentile_has_enough_samples_beyond_it_or_is_none(samples: list[int]) -> None:
    ordered = sorted(samples)
    p50 = percentile_ns(ordered, 500)
    if len(samples) < 40:
        assert p50 is None
    else:
        assert p50 is not None
        assert sum(sample > p50 for sample in samples) <= len(samples) // 2
        assert sum(sample <= p50 for sample in samples) >= len(samples) // 2


@pytest.mark.parametrize(("permille", "enough"), [(500, 40), (990, 2_000), (999, 20_000)])
def test_the_least_number_of_samples(permille: int, enough: int) -> None:
    assert percentile_ns([1] * (enough - 1), permille) is None
    assert percentile_ns([1] * enough, permille) == 1


def test_undecided_counts_as_infinite() -> None:
    figures = figures_ms([NS_PER_MS] * 30, undecided=31)
    assert figures["n"] == 61
    assert figures["p50"] == "infinite"
    assert figures["max"] == "infinite"
    assert figures_ms([])["max"] is None


def test_the_report_has_the_keys_and_is_json() -> None:
    report = make_report([Judged(parcels=1, decisions=decisions(50))], measures())
    assert set(report) >= KEYS
    assert set(report["decision_ms"]) == {"n", "p50", "p99", "p99_9", "max"}
    assert json.loads(json.dumps(report)) == json.loads(json.dumps(report))
    assert report["decision_ms"] == {"n": 50, "p50": 20.0, "p99": None, "p99_9": None, "max": 20.0}
    assert report["floor_ms"]["p50"] == 0.03


def test_decisions_in_a_freeze_are_left_out_of_the_net_and_counted() -> None:
    freeze = (5 * NS_PER_S + 10 * NS_PER_MS, 5 * NS_PER_S + 30 * NS_PER_MS)
    report = make_report([Judged(parcels=1, decisions=decisions(100))], measures((freeze,)))
    assert report["decision_ms"]["n"] == 100
    assert report["decision_ms_net"]["n"] == 99
    assert report["freezes_excluded_share"] == 0.01


def test_too_many_freezes_make_the_net_void() -> None:
    report = make_report(
        [Judged(parcels=1, decisions=decisions(10))], measures(((0, 100 * NS_PER_S),))
    )
    assert report["freezes_excluded_share"] == 1.0
    assert report["decision_ms_net"]["n"] == 0


def test_a_freeze_never_excuses_a_parcel_without_a_decision() -> None:
    report = make_report(
        [Judged(parcels=1, decisions=decisions(100, undecided=1))], measures(((0, NS_PER_S),))
    )
    assert report["decision_ms_net"]["max"] == "infinite"


def test_a_run_holds_only_if_nothing_is_wrong() -> None:
    assert holds(make_report([Judged(parcels=1)], measures()))
    assert not holds(make_report([Judged()], measures()))
    assert not holds(make_report([Judged(parcels=1)], measures(deaths=("line-L1 code 1",))))
    for spoilt in (
        Judged(parcels=1, wrong_releases=[(1, "x")]),
        Judged(parcels=1, unaccounted=[(1, "x")]),
        Judged(parcels=1, false_reasons=[(1, "x")]),
    ):
        assert not holds(make_report([spoilt], measures()))


def test_lines_add_up() -> None:
    one, two = Judged(parcels=2, released=1), Judged(parcels=3, released=2)
    one.missed["weight_off"] = 1
    two.missed["weight_off"] = 2
    report = make_report([one, two], measures())
    assert (report["parcels"], report["released"]) == (5, 3)
    assert report["missed"] == {"weight_off": 3}


def test_people_see_the_cases() -> None:
    text = StringIO()
    report = make_report([Judged(parcels=1, wrong_releases=[(4, "touching")])], measures())
    print_report(report, Console(file=text, width=120))
    assert "parcel 4: touching" in text.getvalue()


class Steps:
    """A clock that only moves when slept on, and oversleeps where told."""

    def __init__(self, oversleeps_ns: list[int]) -> None:
        self.now_ns = 0
        self._oversleeps_ns = oversleeps_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        return 0

    def sleep(self, seconds: float) -> bool:
        if not self._oversleeps_ns:
            return True
        self.now_ns += round(seconds * NS_PER_S) + self._oversleeps_ns.pop(0)
        return False


def test_the_witness_counts_lateness_and_freezes() -> None:
    steps = Steps([0, 50_000, 12 * NS_PER_MS, 0, 0])
    log = Witness(steps, steps.sleep).watch()
    assert len(log.samples_ns()) == 5
    assert log.samples_ns()[-1] == 12 * NS_PER_MS
    ((start, end),) = log.freezes
    assert end - start == 12 * NS_PER_MS
    assert log.frozen(start - 5, start + 5)
    assert not log.frozen(end + 1, end + NS_PER_S)
