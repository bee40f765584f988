"""A supervisor's word to a real line process over its socket: releases resume on nothing else."""

import asyncio
from argparse import ArgumentParser
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import apsw
import pytest

from controller import wire
from controller.config import LineConfig, load
from controller.core import events as e
from controller.core.commands import SendDecision
from controller.core.snapshot import LineSnapshot
from controller.core.vocabulary import AlarmKind, LineCause, LineRequest, LineState
from controller.interfaces import Deliver
from controller.journal.day_file import journal_files
from controller.journal.keys import public_keys
from controller.journal.reader import decode, read_directory
from controller.journal.verify import verify
from controller.runtime.commands import DONE, NOT_DONE, NoAnswer, ask, register
from controller.runtime.journal_word import JournalWord
from controller.runtime.line_process import LineProcess
from controller.runtime.line_socket import LineSocket
from controller.runtime.start import keys_dir
from sim.torture.disk import Handle, Trouble, troubled
from sim.torture.journalled import Journalled
from sim.torture.shift import Shift

REFERENCE = Path(__file__).resolve().parents[2] / "sim"
BOOT, SESSION = 0xB007, 0x5E55


class QuietLink:
    """A PLC that is there and says nothing more."""

    async def run(self, deliver: Deliver) -> None:
        deliver(e.PlcConnected(BOOT, SESSION, 1, 1, 0, ()))
        await asyncio.Event().wait()

    def send(self, decision: SendDecision) -> None: ...

    def acknowledge(self, boot_id: int, ring_seq: int) -> None: ...

    def permit(self, infeed: bool, belt: bool) -> None: ...


@pytest.fixture
def config(tmp_path: Path) -> LineConfig:
    for name in ("reference_line.toml", "reference_rules.toml"):
        (tmp_path / name).write_bytes((REFERENCE / name).read_bytes())
    return load(tmp_path / "reference_line.toml")


@asynccontextmanager
async def running(config: LineConfig) -> AsyncIterator[LineProcess]:
    process = LineProcess(config, "test", lambda *_: QuietLink())
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(process.run(stop))
        async with asyncio.timeout(20):
            while not (config.line_socket.exists() and process.core.state.plc_up):
                await asyncio.sleep(0.005)
        yield process
        stop.set()


def command(*words: object) -> int:
    parser = ArgumentParser()
    register(parser.add_subparsers(required=True))
    options = parser.parse_args([str(word) for word in words])
    return int(options.run(options))


async def said(config: LineConfig, verb: str) -> int:
    where = ("--state-dir", config.paths.state_dir)
    return await asyncio.to_thread(command, "line", verb, "L1", "--who", "Wang Li", *where)


async def test_stop_start_and_who_said_it(
    config: LineConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(config) as line:
        assert line.core.state.state is LineState.EXECUTE
        assert await said(config, "stop") == DONE
        assert "L1: stop: taken; the line is STOPPED (OFFICER)." in capsys.readouterr().out
        assert not line.core.state.infeed_permit
        assert await said(config, "start") == DONE
        assert "the line is EXECUTE (NORMAL)" in capsys.readouterr().out
        assert await said(config, "clear") == DONE
    asked = [m for m in map(decode, read_directory(config.journal_dir)) if hasattr(m, "request")]
    assert [m.request for m in asked] == [LineRequest.STOP, LineRequest.START, LineRequest.CLEAR]
    assert all(m.who.startswith("Wang Li (uid ") for m in asked)


def damage(config: LineConfig) -> None:
    (path,) = journal_files(config.journal_dir)
    db = apsw.Connection(str(path))
    db.execute("UPDATE records SET at_ns = at_ns + 1 WHERE journal_seq = 5")
    db.close()


async def test_after_a_corrupt_journal_only_a_word_lets_releases_resume(
    config: LineConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(config):
        pass
    damage(config)
    for _ in range(2):  # a restart is no word
        async with running(config) as line:
            assert not line.core.state.journal_ok
            assert line.core.state.cause is LineCause.JOURNAL
    async with running(config) as line:
        assert await said(config, "resume-journal") == DONE
        assert "Releases may resume; the line is EXECUTE" in capsys.readouterr().out
        assert line.core.state.journal_ok
        assert AlarmKind.JOURNAL_FAILED not in [alarm.kind for alarm in line.core.state.alarms]
    async with running(config) as line:
        assert line.core.state.journal_ok
    failures = [m for m in map(decode, read_directory(config.journal_dir)) if hasattr(m, "why")]
    assert "20" in failures[0].why and ".journal.corrupt-1" in failures[0].why
    newest = journal_files(config.journal_dir)[-1]
    assert verify(newest, public_keys(keys_dir(config))).ok


async def test_a_line_that_is_not_there_and_a_word_without_a_name(
    config: LineConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await said(config, "stop") == NOT_DONE
    assert "the line does not answer at" in capsys.readouterr().err
    async with running(config) as line:
        for who in ("", "  ", "x" * 200, "a\nb"):
            word = e.LineRequested(LineRequest.STOP, who)
            with pytest.raises(NoAnswer, match="a name of 1 to 100"):
                await asyncio.to_thread(ask, config.line_socket, word)
        assert line.core.state.wanted_running


async def test_a_socket_without_a_supervisor_refuses_the_word(tmp_path: Path) -> None:
    socket = LineSocket(tmp_path / "s", lambda _: None, lambda: None)
    await socket.open()
    with pytest.raises(NoAnswer, match="takes no supervisor's word"):
        await asyncio.to_thread(ask, tmp_path / "s", e.JournalRecovered("Wang Li"))
    await socket.close()


class DeadDisk(Trouble):
    dead = False

    def writing(self, file: Handle, data: bytes, offset: int) -> None:
        if self.dead:
            raise apsw.IOError("dead")


class Asking:
    """An asker, and what he was told."""

    def __init__(self) -> None:
        self.connected = True
        self.answers: list[LineSnapshot] = []
        self.refusals: list[str] = []

    def answer(self, message: LineSnapshot) -> None:
        self.answers.append(message)

    def refuse(self, why: str) -> None:
        self.refusals.append(why)


def test_the_word_waits_for_the_disk_and_a_disk_that_still_fails_is_said(tmp_path: Path) -> None:
    disk = DeadDisk()
    with troubled("dead", disk):
        line = Journalled(tmp_path, "dead")
        line.begin()
        assert line.durable()
        shift = Shift(line.core, 1, 1)
        word = JournalWord(
            line.writer.reopen,
            lambda event: line.keep(shift.tell(event)),
            lambda: line.core.snapshot(shift.now_ns),
        )
        disk.dead = True
        line.keep(shift.tell(e.ClockRead(1, True)))
        assert not line.durable()
        line.tell(shift, e.JournalFailed(line.heard.failures[-1]))
        first, second, gone = Asking(), Asking(), Asking()
        word.given(e.JournalRecovered("A"), first)
        assert first.answers == []  # nothing before the disk has spoken
        assert line.heard.settled(line.seq, failures=1) is False
        word.failed(line.heard.failures[-1])
        assert "cannot be written" in first.refusals[0]
        assert not line.core.state.journal_ok
        disk.dead = False
        gone.connected = False
        word.given(e.JournalRecovered("C"), gone)
        assert line.heard.settled(line.seq, failures=2)
        word.durable()
        assert not line.core.state.journal_ok  # whose word it was has gone
        calls = line.heard.durable_calls
        word.given(e.JournalRecovered("B"), second)
        assert line.heard.confirmed(calls, 2)  # a journal that works already answers the word, too
        word.durable()
        assert second.answers[0].journal_ok
        assert line.core.state.journal_ok
        line.writer.close()


def test_every_supervisor_message_is_on_the_wire() -> None:
    for message in (e.JournalRecovered("A"), e.LineRequested(LineRequest.CLEAR, "A")):
        assert wire.FrameBuffer().feed(wire.encode_frame(message)) == [message]
