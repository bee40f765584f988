"""What .ci/run promises: with PARCELGATE_NO_SKIPS set, a skip is a failure; and no task stays behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

CONFTEST = Path(__file__).resolve().parents[1] / "conftest.py"
SKIPPING = """
import pytest
def test_skips():
    pytest.skip("../shared is absent")
@pytest.mark.xfail
def test_expected_to_fail():
    assert False
"""
SKIPPING_WHOLE = "import pytest\npytest.skip('no libmodbus', allow_module_level=True)\n"
LEAVING = """
import asyncio
async def test_leaves_a_task():
    asyncio.get_running_loop().create_task(asyncio.Event().wait(), name="forgotten")
"""


def outcome(folder: Path, text: str, *, no_skips: bool) -> subprocess.CompletedProcess[str]:
    shutil.copy(CONFTEST, folder)
    (folder / "test_it.py").write_text(text)
    environment = {key: value for key, value in os.environ.items() if key != "PARCELGATE_NO_SKIPS"}
    if no_skips:
        environment["PARCELGATE_NO_SKIPS"] = "1"
    options = [
        "-q",
        "-rs",
        "-o",
        "asyncio_mode=auto",
        "-p",
        "no:cacheprovider",
        f"--rootdir={folder}",
    ]
    command = [sys.executable, "-m", "pytest", *options, str(folder)]
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize(
    ("text", "reason"), [(SKIPPING, "../shared is absent"), (SKIPPING_WHOLE, "no libmodbus")]
)
def test_a_skip_is_a_failure_where_nothing_may_be_skipped(
    tmp_path: Path, text: str, reason: str
) -> None:
    free = outcome(tmp_path, text, no_skips=False)
    assert free.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert reason in free.stdout
    strict = outcome(tmp_path, text, no_skips=True)
    assert strict.returncode not in (0, pytest.ExitCode.NO_TESTS_COLLECTED)
    assert f"Nothing may be skipped here: Skipped: {reason}" in strict.stdout


def test_a_task_left_behind_fails_its_test(tmp_path: Path) -> None:
    done = outcome(tmp_path, LEAVING, no_skips=False)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED
    assert "left running" in done.stdout
    assert "forgotten" in done.stdout
