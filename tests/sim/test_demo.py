"""The demo from its command line: real processes and sockets, judged by the simulator's truth."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PARCELS = 6


def parcelgate(*arguments: str) -> "subprocess.CompletedProcess[str]":
    argv = (sys.executable, "-m", "controller.cli", *arguments)
    root = Path(__file__).resolve().parents[2]
    return subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, timeout=150)


@pytest.mark.live
@pytest.mark.timeout(180)
def test_a_short_demo_releases_the_honest_and_holds_the_rest(tmp_path: Path) -> None:
    file = tmp_path / "report.json"
    ended = parcelgate(
        "demo", "--parcels", str(PARCELS), "--seed", "7", "--json", "--report", str(file)
    )
    report = json.loads(ended.stdout)
    assert ended.returncode == 0, ended.stderr
    assert report == json.loads(file.read_text("utf-8"))
    assert report["parcels"] == PARCELS
    assert report["released"] + report["held"] == PARCELS
    assert report["wrong_releases"] == report["unaccounted"] == report["false_reasons"] == 0
    assert report["deaths"] == []
    assert report["decision_ms"]["n"] == PARCELS
    assert report["decision_ms"]["p50"] is None  # six samples carry no percentile
    assert report["plc"]["records"] >= 10 * PARCELS
    assert len(report["journal"]["head"]) == 64
    assert {"line-L1", "vision-L1", "intake", "api", "records", "factory-L1"} <= set(
        report["cpu_s"]
    )


def test_a_rate_that_does_not_fit_is_refused_before_anything_starts() -> None:
    ended = parcelgate("demo", "--rate", "9000")
    assert ended.returncode == 2
    assert "9000 parcels/h at 1000 mm/s leave 400 mm a parcel" in ended.stderr
    assert ended.stdout == ""


def test_a_directory_in_use_is_refused(tmp_path: Path) -> None:
    (tmp_path / "something").touch()
    ended = parcelgate("demo", "--keep", str(tmp_path))
    assert ended.returncode == 1
    assert f"{tmp_path}: is not empty" in ended.stderr


def test_no_parcels_are_no_demo() -> None:
    ended = parcelgate("demo", "--parcels", "0")
    assert ended.returncode == 2
    assert "0 is not 1 or more" in ended.stderr
