"""A simulated run in virtual time, recorded: replayed, and judged again under other rules."""

from pathlib import Path

import pytest

from controller.core.commands import Check, CommitVerdict
from controller.core.settings import Rules
from controller.core.vocabulary import CheckKind, Destination, Reason
from controller.journal.commands import line_core
from controller.journal.reader import decode, read_directory
from controller.journal.replay_rules import replay_with_rules
from sim.parcels import ParcelKind
from sim.workload import make_workload
from tests.journal.real_day import rules_text
from tests.journal.sim_day import SimDay

PARCELS = 40


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, SimDay]:
    directory = tmp_path_factory.mktemp("sim")
    workload = make_workload(PARCELS, seed=3, rate_parcels_per_h=5_000, speed_mm_per_s=1_000)
    run = SimDay(workload, directory, rules_text())
    run.run()
    return directory, run


def verdicts(directory: Path) -> list[CommitVerdict]:
    found = (decode(record) for record in read_directory(directory) if record.kind == 102)
    return [each for each in found if isinstance(each, CommitVerdict) and each.revision == 0]


def weight_off_mg(verdict: CommitVerdict) -> int:
    (check,) = [check for check in verdict.checks if check.kind is CheckKind.WEIGHT]
    assert isinstance(check, Check)
    return abs(check.measured - check.expected)


def test_the_run_is_a_run(day: tuple[Path, SimDay]) -> None:
    """Parcels are released and held for what was planted, and went where they were sent."""
    directory, run = day
    found = verdicts(directory)
    honest = [p.waybill for p in run.parcels.values() if p.kind is ParcelKind.HONEST]
    released = {v.waybill for v in found if v.destination is Destination.RELEASE}
    assert len(found) >= PARCELS - 2
    assert len(released & set(honest)) >= len(honest) - 2
    assert any(v.reasons == (Reason.WEIGHT_DISAGREES,) for v in found)
    lanes = run.rig.lanes()
    assert {lanes[run.parcels[waybill].number] for waybill in released} == {1}


def test_a_loosened_tolerance_names_exactly_the_parcels_within_it(
    day: tuple[Path, SimDay],
) -> None:
    directory, _ = day
    held = [v for v in verdicts(directory) if v.reasons == (Reason.WEIGHT_DISAGREES,)]
    held.sort(key=weight_off_mg)
    for count in range(1, len(held) + 1):
        rules = Rules(weight_tolerance_mg=weight_off_mg(held[count - 1]))
        report = replay_with_rules(directory, rules, line_core)
        assert report.recorded.differences == 0
        wanted = {verdict.waybill for verdict in held[:count]}
        assert {change.waybill for change in report.would_release} == wanted
        assert len(report.changes) == count


def test_a_tightened_tolerance_holds_exactly_the_parcels_beyond_it(
    day: tuple[Path, SimDay],
) -> None:
    directory, run = day
    found = verdicts(directory)
    released = [v for v in found if v.destination is Destination.RELEASE]
    rules = Rules(weight_tolerance_mg=10_000, weight_tolerance_permille=0)
    report = replay_with_rules(directory, rules, line_core)
    wanted = [verdict.waybill for verdict in released if weight_off_mg(verdict) > 10_000]
    assert [change.waybill for change in report.would_hold] == wanted
    assert report.changes == report.would_hold
    assert report.parcels == len(found)
    assert len(wanted) > len(run.parcels) // 8
