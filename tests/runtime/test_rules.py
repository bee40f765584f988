"""New rules on a running line: whole or not at all, for new parcels only, and past every restart."""

import asyncio
import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller import wire
from controller.cli import NOT_OK, OK, WRONG_USE, main
from controller.config import ConfigError, LineConfig, load_rules, parse_rules
from controller.config.activation import RULES_BYTES_MAX, activation, activation_of_file
from controller.core import events as e
from controller.core.settings import Rules
from controller.core.vocabulary import Destination, Reason
from controller.journal.commands import line_core
from controller.journal.day_file import journal_files
from controller.journal.reader import JournalReader
from controller.journal.replay import replay
from controller.rules.history import versions
from sim.demo_files import RULES
from tests.runtime.running_line import RunningLine, a_line, config_of, eventually, running

UID = os.geteuid()
HEAVY_MG = 1_330_000  # 80 g over the declared 1.25 kg


@pytest.fixture
def config(tmp_path: Path) -> LineConfig:
    return a_line(tmp_path)


def rules_file(folder: Path, old: str = "50_000", new: str = "100_000") -> Path:
    text = RULES.read_text("utf-8")
    assert old in text
    file = folder / f"rules-{new}.toml"
    file.write_text(text.replace(old, new), "utf-8")
    return file


def id_of(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


async def rules(config: LineConfig, *words: object) -> int:
    """`parcelgate rules ...`, as another process would ask."""
    state_dir = ("--state-dir", str(config.paths.state_dir))
    return await asyncio.to_thread(main, ["rules", *map(str, words), *state_dir])


def heavy_parcel(line: RunningLine, at_ms: int, track_id: int) -> None:
    line.induct(at_ms, track_id)
    line.scan(at_ms, track_id, f"W{track_id}")


def weighed_parcel(line: RunningLine, at_ms: int, track_id: int) -> None:
    line.weigh(at_ms, track_id, HEAVY_MG)
    line.measure(at_ms, track_id)
    line.trigger(at_ms, track_id, track_id)
    line.picture(at_ms, track_id)


async def test_parcels_keep_the_rules_of_their_entry(
    config: LineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two parcels that weigh the same, one on each side of the activation, both on the belt then."""
    new = rules_file(tmp_path)
    async with running(config) as line:
        heavy_parcel(line, 0, 1)
        done = await rules(config, "activate", new, "--line", "L1", "--who", "Li Wei")
        assert done == OK, capsys.readouterr().err
        weighed_parcel(line, 0, 1)
        first = await line.verdict(1)
        heavy_parcel(line, 3_000, 2)
        weighed_parcel(line, 3_000, 2)
        second = await line.verdict(2)
        await eventually(lambda: line.link.sent[-1].destination is Destination.RELEASE)
    assert (first.rules_id, first.reasons) == (config.rules_id, (Reason.WEIGHT_DISAGREES,))
    assert (second.rules_id, second.reasons) == (id_of(new), ())
    printed = capsys.readouterr().out
    assert f"rules {id_of(new)} are active now" in printed
    assert "weight_tolerance_mg: 50000 -> 100000" in printed
    files = [JournalReader(path).header() for path in journal_files(config.journal_dir)]
    assert [file.rules_id for file in files] == [config.rules_id, id_of(new)]
    assert files[1].rules_text == new.read_text("utf-8")
    assert replay(config.journal_dir, line_core).differences == 0


async def test_an_activated_version_outlives_a_restart_and_an_edited_file(
    config: LineConfig,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    capsys: pytest.CaptureFixture[str],
) -> None:
    new = rules_file(tmp_path)
    async with running(config):
        assert await rules(config, "activate", new, "--who", "Li Wei") == OK
    async with running(config) as line:
        assert line.rules_id == id_of(new)
        assert line.core.state.rule_versions[-1].rules == load_rules(new)[0]
    assert f"rules {id_of(new)} are active" in caplog.text
    assert config.rules_id in caplog.text
    config.paths.rules_file.write_bytes(rules_file(tmp_path, new="900_000").read_bytes())
    edited = config_of(config.file)
    caplog.clear()
    async with running(edited) as line:
        assert line.rules_id == id_of(new)
    assert edited.rules_id in caplog.text  # named, not taken
    headers = [JournalReader(path).header() for path in journal_files(config.journal_dir)]
    assert [header.rules_id for header in headers] == [config.rules_id, *[id_of(new)] * 3]
    assert headers[-1].rules_text == new.read_text("utf-8")
    assert replay(config.journal_dir, line_core).differences == 0
    capsys.readouterr()
    assert await rules(config, "show", "--json") == OK
    shown = json.loads(capsys.readouterr().out)
    assert (shown["rules_id"], shown["who"]) == (id_of(new), f"Li Wei (uid {UID})")
    assert shown["text"] == new.read_text("utf-8")
    (before,) = shown["earlier"]
    assert (before["rules_id"], before["text"]) == (config.rules_id, RULES.read_text("utf-8"))


async def test_a_process_that_died_before_the_new_file_has_the_new_rules(
    config: LineConfig, tmp_path: Path
) -> None:
    """The activation is on the disk, the file that its header names is not."""
    new = rules_file(tmp_path)
    async with running(config) as line:
        line.link.deliver(activation(new.read_text("utf-8"), new.name, "Li Wei"))
    assert len(journal_files(config.journal_dir)) == 1
    assert [version.who for version in versions(config.journal_dir)] == ["", "Li Wei"]
    async with running(config) as line:
        assert line.rules_id == id_of(new)
    last = JournalReader(journal_files(config.journal_dir)[-1]).header()
    assert (last.rules_id, last.rules_text) == (id_of(new), new.read_text("utf-8"))
    assert [version.who for version in versions(config.journal_dir)] == ["", "Li Wei"]


async def test_the_rules_of_the_file_are_nothing_to_speak_of(
    config: LineConfig, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        async with running(config) as line:
            assert line.rules_id == config.rules_id
    assert "are active" not in caplog.text
    assert [version.who for version in versions(config.journal_dir)] == [""]


async def test_rolling_back_finds_the_version_before_in_the_journal(
    config: LineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = rules_file(tmp_path)
    async with running(config) as line:
        assert await rules(config, "rollback", "--who", "Li Wei") == WRONG_USE
        assert "has had no other rules" in capsys.readouterr().err
        assert await rules(config, "activate", new, "--who", "Li Wei") == OK
        new.unlink()
        config.paths.rules_file.unlink()
        assert await rules(config, "rollback", "--who", "Chen Jing") == OK
        assert line.rules_id == config.rules_id
        assert line.core.state.rule_versions[-1].rules == config.rules
        assert await rules(config, "rollback", "--who", "Li Wei") == OK
        assert line.core.state.rule_versions[-1].rules.weight_tolerance_mg == 100_000
    assert [version.who for version in versions(config.journal_dir)] == [
        "",
        f"Li Wei (uid {UID})",
        f"Chen Jing (uid {UID})",
        f"Li Wei (uid {UID})",
    ]
    capsys.readouterr()
    assert await rules(config, "show") == OK
    printed = capsys.readouterr().out.splitlines()
    assert printed[3] == f"by      Li Wei (uid {UID})"
    assert printed[0] == "line    L1"
    assert "line's first start" in printed[-1]


async def test_the_same_rules_again_are_not_activated_twice(
    config: LineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = rules_file(tmp_path)
    async with running(config):
        for who in ("Li Wei", "Chen Jing"):
            assert await rules(config, "activate", new, "--who", who) == OK
    assert "were active already" in capsys.readouterr().out
    assert [version.who for version in versions(config.journal_dir)] == ["", f"Li Wei (uid {UID})"]


def without(key: str) -> Callable[[str], str]:
    return lambda text: "".join(
        line for line in text.splitlines(keepends=True) if not line.startswith(key)
    )


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (lambda text: text.replace("30", "3000"), "line 3: a weight tolerance over 1000"),
        (lambda text: text + "rows_mising_max = 1\n", "unknown key 'rows_mising_max'"),
        (lambda text: text.replace("max = 2\n", "max = -2\n"), "recirculations_max is -2"),
        (lambda text: text[: text.index("_mm = 15")], "line 4, at the key 'picture_length"),
        (lambda text: text[: text.index("},\n") + 2], "at the key 'metal_limits'"),
        (
            lambda text: text[: text.index("0\nweight")],
            "ends within a line, after the key 'weight_",
        ),
        (lambda text: text[: text.index("metal_limits")], "lacks the key 'metal_limits'"),
        (without("rows_missing_max"), "lacks the key 'rows_missing_max'"),
        (lambda text: "", "lacks the key 'weight_tolerance_mg'"),
        (lambda text: "# all of it\n" * RULES_BYTES_MAX + text, "at most 16,384 bytes"),
    ],
)
async def test_a_broken_or_half_written_file_is_refused_in_one_sentence(
    config: LineConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    broken: Callable[[str], str],
    words: str,
) -> None:
    new = rules_file(tmp_path)
    new.write_text(broken(new.read_text("utf-8")), "utf-8")
    async with running(config) as line:
        assert await rules(config, "activate", new, "--who", "Li Wei") == WRONG_USE
        assert line.rules_id == config.rules_id
    error = capsys.readouterr().err
    assert words in error
    assert error.startswith("rules-100_000.toml")
    assert error.count("\n") == 1
    assert len(journal_files(config.journal_dir)) == 1


def test_no_beginning_of_a_rule_file_is_taken_for_a_whole_one(tmp_path: Path) -> None:
    whole, part = RULES.read_bytes(), tmp_path / "part.toml"
    for length in range(len(whole)):
        part.write_bytes(whole[:length])
        with pytest.raises(ConfigError, match=r"^part\.toml"):
            activation_of_file(part, whole.decode(), "Li Wei")
    part.write_bytes(whole)
    assert activation_of_file(part, whole.decode(), "Li Wei").rules == parse_rules(
        whole.decode(), "whole"
    )


def event(text: str = "rows_missing_max = 1\n", **changes: object) -> e.RulesActivated:
    return replace(activation(text, "rules", "Li Wei"), **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("role", "sent", "why"),
    [
        ("api", event(), "api may not send RulesActivated"),
        ("intake", event(), "intake may not send RulesActivated"),
        ("vision", event(), "vision may not send RulesActivated"),
        ("supervisor", event(rules_id="0" * 64), "the text is not the one that 0000"),
        ("supervisor", event(rules=Rules(rows_missing_max=9)), "the text says other rules"),
        ("supervisor", event(who=" "), "a person's name"),
        ("supervisor", event(who="Li\nWei"), "a person's name"),
        ("supervisor", e.VerdictDurable(1), "supervisor may not send VerdictDurable"),
    ],
)
async def test_the_line_believes_nobody(
    config: LineConfig, role: str, sent: object, why: str
) -> None:
    async with running(config) as line:
        reader, writer = await asyncio.open_unix_connection(config.line_socket)
        writer.write(wire.encode_frame(wire.Hello(role, 4, 1)) + wire.encode_frame(sent))
        (refused,) = wire.FrameBuffer().feed(await reader.read())
        writer.close()
        await writer.wait_closed()
        assert isinstance(refused, wire.Refused)
        assert why in refused.why
        assert line.rules_id == config.rules_id
    assert len(journal_files(config.journal_dir)) == 1


async def test_text_that_the_line_cannot_read_is_refused_there_too(config: LineConfig) -> None:
    text = "rows_missing_max = "
    rules_id = hashlib.sha256(text.encode()).hexdigest()
    broken = e.RulesActivated(rules_id, text, parse_rules("", "none"), "Li Wei")
    await test_the_line_believes_nobody(config, "supervisor", broken, "not valid TOML")


async def test_who_asks_where_nothing_runs_is_told_so(
    config: LineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    new = rules_file(tmp_path)

    async def said(*words: Any) -> tuple[int, str]:
        status = await rules(config, *words)
        return status, capsys.readouterr().err

    assert await said("show") == (WRONG_USE, f"no line has run in {tmp_path} (--state-dir).\n")
    async with running(config):
        status, why = await said("activate", new, "--line", "L2", "--who", "Li Wei")
        assert (status, why) == (WRONG_USE, f"there is no line 'L2'; {tmp_path} has L1.\n")
        status, why = await said("activate", tmp_path / "none.toml", "--who", "Li Wei")
        assert status == WRONG_USE
        assert "cannot be read" in why
    status, why = await said("activate", new, "--who", "Li Wei")
    assert status == NOT_OK
    assert "the line does not run" in why
    assert why.count("\n") == 1
