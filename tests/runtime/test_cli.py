"""The command line: exit codes, one sentence for a person's mistake, and `run` end to end."""

import json
import socket
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import pytest

from controller.cli import NOT_OK, OK, WRONG_USE, main
from controller.config import load
from controller.process_list import process_specs

ROOT = Path(__file__).resolve().parents[2]
REFERENCE = ROOT / "sim" / "reference_line.toml"


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == OK
    assert capsys.readouterr().out == f"parcelgate {version('parcelgate')}\n"


@pytest.mark.parametrize("arguments", [[], ["run"], ["run", "--frobnicate", "x"]])
def test_wrong_use_is_exit_code_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == WRONG_USE


def test_a_wrong_configuration_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "/nonexistent/line.toml"]) == WRONG_USE
    captured = capsys.readouterr()
    assert captured.err == "/nonexistent/line.toml: cannot be read: No such file or directory.\n"
    assert captured.out == ""


def test_a_process_that_is_not_in_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(REFERENCE), "--only", "line"]) == WRONG_USE
    assert capsys.readouterr().err == (
        "there is no process 'line'; these lines have intake, line-L1, vision-L1, api, records.\n"
    )


def test_an_empty_folder_has_no_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(tmp_path)]) == WRONG_USE
    assert capsys.readouterr().err == f"{tmp_path}: no line.toml in this folder.\n"


def test_the_process_list_of_two_lines() -> None:
    first = load(REFERENCE)
    second = replace(first, line=replace(first.line, name="L2"))
    specs = process_specs([first, second])
    assert [spec.name for spec in specs] == [
        "intake",
        *("line-L1", "vision-L1"),
        *("line-L2", "vision-L2"),
        *("api", "records"),
    ]
    assert [spec.name for spec in specs if spec.fifo] == ["line-L1", "line-L2"]
    vision = next(spec for spec in specs if spec.name == "vision-L2")
    assert str(second.line_socket) in vision.argv


def test_run_says_in_one_sentence_what_does_not_start(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Everything real: the page's port is taken, so nothing stays running."""
    for name in ("reference_line.toml", "reference_rules.toml"):
        (tmp_path / name).write_bytes((REFERENCE.parent / name).read_bytes())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        file = tmp_path / "reference_line.toml"
        file.write_text(file.read_text().replace("8480", str(port)))
        assert main(["run", str(file), "--json"]) == NOT_OK
    captured = capsys.readouterr()
    assert captured.err == (
        "api did not start (ended with code 1): the status page cannot listen at "
        f"127.0.0.1:{port}: Address already in use.\n"
    )
    events = [json.loads(line) for line in captured.out.splitlines()]
    ready = [event["process"] for event in events if event["change"] == "ready"]
    assert ready == ["intake", "line-L1", "vision-L1"]
    ended = [event["process"] for event in events if event["change"] == "ended"]
    assert ended == ["api", "vision-L1", "line-L1", "intake"]
    assert (tmp_path / "run" / "log" / "line-L1.log").exists()
