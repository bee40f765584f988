"""`verify` and `replay` as a person calls them, on a journal of the real core."""

import json
import shutil
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from controller.core.state import first_state
from controller.journal.chain import FIRST_START
from controller.journal.commands import CANNOT_TELL, DOES_NOT_HOLD, HOLDS, register
from controller.journal.day_file import journal_directory
from controller.journal.keys import signing_key
from controller.journal.records import SCHEMA, FileHeader, encode_state
from controller.journal.writer import JournalWriter
from tests.core import story
from tests.journal.story import DAY, Heard


def run(*words: object) -> int:
    parser = ArgumentParser()
    register(parser.add_subparsers(required=True))
    args = parser.parse_args([str(word) for word in words])
    return int(args.run(args))


@pytest.fixture
def journal(tmp_path: Path) -> Path:
    """A released parcel and a parcel nobody read, through the real core, journalled as the line does."""
    line = story.Line(lists={"W1": (story.facts("W1"),)})
    line.induct(0, 11)
    line.scan(0, 11, "W1")
    line.weigh(0, 11)
    line.measure(0, 11)
    line.trigger(0, 11, 1)
    line.picture(0, 1)
    line.induct(4_000, 12)
    state = first_state(story.SETTINGS, "rules-1", story.RULES)
    header = FileHeader(SCHEMA, "test", "L1", story.SETTINGS, "rules-1", "", encode_state(state), 0)
    directory = journal_directory(tmp_path, "L1")
    heard = Heard()
    writer = JournalWriter(
        directory,
        "L1",
        signing_key(tmp_path / "keys"),
        FIRST_START,
        heard.on_durable,
        heard.on_failed,
    )
    writer.begin_file(story.START_NS, DAY, header)
    for at_ns, event, commands in line.log:
        writer.append(at_ns, event, commands)
    writer.append_snapshot(story.START_NS, encode_state(line.core.state))
    assert writer.close()
    return directory / f"{DAY}.journal"


def test_a_whole_journal_holds(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("verify", journal) == HOLDS
    printed = capsys.readouterr().out
    assert "ok         yes" in printed
    assert run("verify", journal.parent, "--json") == HOLDS
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] is True
    assert answer["first_bad"] is None
    assert answer["records"] > 10
    assert run("verify", journal, "--head", answer["head"]) == HOLDS


def test_the_real_core_replays_its_own_journal(
    journal: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("replay", journal, "--json") == HOLDS
    answer = json.loads(capsys.readouterr().out)
    assert answer["differences"] == 0
    assert answer["events"] >= 12
    assert run("replay", journal) == HOLDS
    assert "differences  0" in capsys.readouterr().out


def test_a_changed_journal_does_not_hold(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = apsw.Connection(str(journal))
    db.execute("UPDATE records SET at_ns = at_ns + 1 WHERE journal_seq = 9")
    db.close()
    assert run("verify", journal) == DOES_NOT_HOLD
    assert f"{DAY}.journal, edited: record 9" in capsys.readouterr().out
    assert run("verify", journal, "--json") == DOES_NOT_HOLD
    first_bad = json.loads(capsys.readouterr().out)["first_bad"]
    assert (first_bad["journal_seq"], first_bad["damage"]) == (9, "edited")


def test_an_auditor_brings_the_public_key(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "usb" / journal.name
    copy.parent.mkdir()
    shutil.copy(journal, copy)
    assert run("verify", copy) == DOES_NOT_HOLD
    assert "whose public key is not at hand" in capsys.readouterr().out
    (key,) = (tmp_path / "keys").glob("*.pub")
    assert run("verify", copy, "--public-key", key) == HOLDS
    assert run("verify", copy, "--public-key", journal) == CANNOT_TELL


def test_wrong_use_is_one_sentence(
    journal: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for command in ("verify", "replay"):
        assert run(command, tmp_path / "nothing.journal") == CANNOT_TELL
        assert "there is no " in capsys.readouterr().err
        assert run(command, tmp_path) == CANNOT_TELL
        assert "holds no journal" in capsys.readouterr().err
    foreign = tmp_path / "letter.txt"
    foreign.write_text("Dear officer, " * 100)
    assert run("replay", foreign) == CANNOT_TELL
    assert "letter.txt cannot be opened" in capsys.readouterr().err
    assert run("verify", foreign) == DOES_NOT_HOLD
    with pytest.raises(SystemExit):
        run("verify", journal, "--head", "7:xyz")


def test_an_open_tail_is_mentioned(journal: Path, capsys: pytest.CaptureFixture[str]) -> None:
    db = apsw.Connection(str(journal))
    db.execute("DELETE FROM records WHERE journal_seq = (SELECT max(journal_seq) FROM records)")
    db.close()
    assert run("verify", journal) == HOLDS
    assert "no closing signature" in capsys.readouterr().out


def test_a_header_of_another_core_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    heard = Heard()
    writer = JournalWriter(
        tmp_path,
        "L1",
        signing_key(tmp_path / "keys"),
        FIRST_START,
        heard.on_durable,
        heard.on_failed,
    )
    header = FileHeader(SCHEMA, "old", "L1", story.SETTINGS, "rules-1", "", b"\x80", 0)
    writer.begin_file(0, DAY, replace(header, state=b"\x93\x01\x02\x03"))
    assert writer.close()
    assert run("replay", tmp_path / f"{DAY}.journal") == CANNOT_TELL
    assert "state in the file header cannot be decoded" in capsys.readouterr().err
