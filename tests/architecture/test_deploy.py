"""The systemd units start what the process list names, in a closed sandbox."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from controller.config import load
from controller.priority import FIFO_PRIORITY
from controller.process_list import process_specs

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted(DEPLOY.glob("*.service"))
# systemd's own scale, 0 (closed) to 10; ours are at 1.4 or less.
EXPOSURE_TENTHS_MAX = 20
every_unit = pytest.mark.parametrize("unit", UNITS, ids=[unit.name for unit in UNITS])


def values(unit: Path, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", unit.read_text(), re.MULTILINE)


def test_each_process_has_a_unit_that_starts_it() -> None:
    names = {spec.name: spec for spec in process_specs([load(ROOT / "sim/reference_line.toml")])}
    started = {}
    for unit in UNITS:
        (command,) = values(unit, "ExecStart")
        started[command.rpartition(" --only ")[2].replace("%i", "L1")] = unit
    assert set(started) == set(names)
    for name, spec in names.items():
        assert values(started[name], "Nice") == ([str(spec.nice)] if spec.nice else [])
        fifo = values(started[name], "CPUSchedulingPolicy") == ["fifo"]
        assert fifo == spec.fifo
        if spec.silence_max_s:
            (watchdog_s,) = values(started[name], "WatchdogSec")
            assert 0 < int(watchdog_s) <= spec.silence_max_s
    line = started["line-L1"]
    assert values(line, "CPUSchedulingPriority") == [str(FIFO_PRIORITY)]
    assert values(line, "LimitMEMLOCK") == ["infinity"]
    assert values(line, "WatchdogSec") == ["2"]


@every_unit
def test_a_unit_waits_for_readiness(unit: Path) -> None:
    assert values(unit, "Type") == ["notify"]
    assert values(unit, "User") == ["parcelgate"]


@every_unit
def test_a_unit_is_closed(unit: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed (apt-get install systemd)")
    limit = f"--threshold={EXPOSURE_TENTHS_MAX}"
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--no-pager", limit, str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-200:] + done.stderr
