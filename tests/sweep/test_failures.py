"""A failing run: made short, written down, repeated from its plan, shown by the product's own commands.

What fails here is the judge: it is made to dislike a fault. The bugs are planted in tests/mutants.
"""

import json
from pathlib import Path

import pytest

from controller import cli
from controller.clock import SystemClock
from sim.sweep import run as run_module
from sim.sweep.scene import Scene
from sim.sweep.sweeping import SweepOptions, SweepReport, every_fault, sweep


def _left_behind(scene: Scene, found: object) -> list[str]:
    return ["I9: a black frame"] * (scene.injected["black_frame"] > 0)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> SweepReport:
    left = tmp_path_factory.mktemp("left")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_module, "left_behind", _left_behind)
        for seed in range(4_301, 4_400):
            options = SweepOptions(seed, 1, 16, every_fault(), 1, left)
            report = sweep(options, SystemClock(), lambda done: None)
            if report.failures:
                return report
    pytest.fail("no black frame in a hundred runs")


def test_the_shortest_reproduction_keeps_the_fault_and_drops_the_others(
    report: SweepReport,
) -> None:
    assert not report.ok
    failure = report.failures[0]
    assert failure.failures == failure.shortest_failures == ("I9: a black frame",)
    assert [each.name for each in failure.shortest.injections] == ["black_frame"]
    assert failure.shortest.fed < failure.shortest.parcels


def test_what_it_leaves_is_repeated_and_replayed(
    report: SweepReport, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_module, "left_behind", _left_behind)
    told = report.as_json()["invariant_failures"][0]
    assert cli.main(["sweep", "--plan", told["reproduction"]["plan"]]) == 1
    assert "I9: a black frame" in capsys.readouterr().out
    assert cli.main(["replay", told["journal"]]) == 0
    assert capsys.readouterr().out


def test_a_plan_that_is_none_is_refused_in_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for text in ("", "[]", '{"seed": 1}', "\x00"):
        (tmp_path / "plan.json").write_text(text)
        assert cli.main(["sweep", "--plan", str(tmp_path / "plan.json")]) == 2
        told = capsys.readouterr().err
        assert told.count("\n") == 1
        assert "is no plan of a run" in told
    assert cli.main(["sweep", "--plan", str(tmp_path / "absent.json")]) == 1
    assert "absent.json" in capsys.readouterr().err


def test_keys_and_exit_code_of_a_good_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["sweep", "--seeds", "3", "--parcels", "70", "--seed", "5", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["runs"] == 3
    assert report["parcels"] >= 210
    assert report["wrong_releases"] == 0
    assert report["invariant_failures"] == []
    assert report["released_clean_share"] == 1
    assert report["faults_injected"].keys() > {"host_killed", "torn_read"}
    assert report["released"] + report["held"] == report["parcels"]
    assert (report["compiled"], report["journals_differ"]) == (False, False)
    for key in ("cpu_ms_per_parcel", "events_per_parcel", "parcels_per_s", "not_injectable"):
        assert report[key]


def test_a_sweep_over_two_processes_counts_what_one_counts(
    capsys: pytest.CaptureFixture[str],
) -> None:
    reports = []
    for jobs in ("1", "2"):
        asked = ["sweep", "--seeds", "4", "--parcels", "15", "--seed", "9", "--json"]
        assert cli.main([*asked, "--jobs", jobs]) == 0
        report = json.loads(capsys.readouterr().out)
        reports.append(
            {k: v for k, v in report.items() if not k.endswith(("_per_s", "_ms_per_parcel"))}
        )
    assert reports[0] == reports[1]


def test_one_fault_and_an_unknown_one(capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["sweep", "--seed", "8", "--seeds", "2", "--parcels", "20", "--faults"]
    assert cli.main([*asked, "torn_read,jam", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert set(report["faults_injected"]) - {"touching"} == {"torn_read", "jam"}
    assert cli.main([*asked, "torn_raed"]) == 2
    assert "torn_read" in capsys.readouterr().err
