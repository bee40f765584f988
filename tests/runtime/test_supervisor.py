"""The supervisor with real children: small Python programs that do one thing each."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.supervisor import (
    Change,
    Limits,
    ProcessEvent,
    ProcessSpec,
    Supervisor,
    SupervisorError,
)

QUICK = Limits(pause_first_s=0.01, pause_max_s=0.02, grace_s=1.0)
SAY_READY = """
import os, signal, socket, sys
def tell(text):
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.sendto(text.encode(), os.environ["NOTIFY_SOCKET"])
"""
STAY = SAY_READY + "tell('READY=1'); signal.pause()\n"


def spec(name: str, program: str, **options: object) -> ProcessSpec:
    argv = (sys.executable, "-S", "-E", "-c", textwrap.dedent(program))
    return ProcessSpec(name, argv, **options)  # type: ignore[arg-type]


class Story:
    """What the supervisor told, and a way to wait for a line of it."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, Change]] = []
        self.events: list[ProcessEvent] = []
        self._grown = asyncio.Event()

    def __call__(self, event: ProcessEvent) -> None:
        self.events.append(event)
        self.lines.append((event.name, event.change))
        self._grown.set()

    async def until(self, reached: Callable[[], bool]) -> None:
        while not reached():
            self._grown.clear()
            await self._grown.wait()

    def count(self, name: str, change: Change) -> int:
        return self.lines.count((name, change))


async def test_children_start_in_order_when_ready_and_end_in_reverse(tmp_path: Path) -> None:
    story = Story()
    specs = [spec("first", STAY), spec("second", STAY)]
    async with Supervisor(tmp_path, specs, on_event=story, limits=QUICK) as supervisor:
        assert list(supervisor.pids) == ["first", "second"]
        supervisor.stop()
        await supervisor.wait()
    assert story.lines == [
        ("first", Change.STARTED),
        ("first", Change.READY),
        ("second", Change.STARTED),
        ("second", Change.READY),
        ("second", Change.ENDED),
        ("first", Change.ENDED),
    ]
    assert [(record.name, record.end.code, record.expected) for record in supervisor.exits] == [
        ("second", -signal.SIGTERM, True),
        ("first", -signal.SIGTERM, True),
    ]
    assert supervisor.exits[0].end.cpu_s > 0
    assert not (tmp_path / "notify.sock").exists()


async def test_a_child_speaks_only_for_itself(tmp_path: Path) -> None:
    """A stranger's READY=1 does not make a silent child ready."""
    silent = spec("silent", "import signal; signal.pause()", ready_timeout_s=0.5)

    def impersonate(event: ProcessEvent) -> None:
        if event.change is Change.STARTED:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.sendto(b"READY=1", str(tmp_path / "notify.sock"))

    with pytest.raises(SupervisorError, match=r"silent was not ready within 0.5 s"):
        async with Supervisor(tmp_path, [silent], on_event=impersonate, limits=QUICK):
            pass


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    story = Story()
    async with Supervisor(
        tmp_path, [spec("line", STAY)], on_event=story, limits=QUICK
    ) as supervisor:
        first_pid = supervisor.pids["line"]
        os.kill(first_pid, signal.SIGKILL)
        await story.until(lambda: story.count("line", Change.READY) == 2)
        assert supervisor.pids["line"] != first_pid
        assert supervisor.exits[0].end.code == -signal.SIGKILL
        assert not supervisor.exits[0].expected


async def test_a_child_that_falls_silent_is_killed_and_started_again(tmp_path: Path) -> None:
    """One feeds its watchdog, one says that it is ready and hangs, one is not watched."""
    feeds = (
        SAY_READY
        + "import time\ntell('READY=1')\nwhile True: tell('WATCHDOG=1'); time.sleep(0.02)\n"
    )
    story = Story()
    watched = [
        spec("lively", feeds, silence_max_s=5.0),
        spec("mute", STAY, silence_max_s=0.2),
        spec("free", STAY),
    ]
    async with Supervisor(tmp_path, watched, on_event=story, limits=QUICK) as supervisor:
        before = dict(supervisor.pids)
        await story.until(lambda: story.count("mute", Change.READY) == 3)
        assert {exit.name for exit in supervisor.exits} == {"mute"}
        assert {exit.end.code for exit in supervisor.exits} == {-signal.SIGKILL}
        assert supervisor.pids["lively"] == before["lively"]
        assert supervisor.pids["free"] == before["free"]
    assert any("silent for" in event.text for event in story.events)


async def test_a_crash_loop_ends_everything_in_one_sentence(tmp_path: Path) -> None:
    dying = SAY_READY + "tell('READY=1'); sys.exit('Port 502 is taken.')"
    specs = [spec("steady", STAY), spec("dying", dying)]
    async with Supervisor(tmp_path, specs, limits=QUICK) as supervisor:
        with pytest.raises(SupervisorError) as caught:
            await supervisor.wait()
    assert str(caught.value) == (
        "dying ended 5 times within 30 s (the last time with code 1), so everything is "
        "stopped: Port 502 is taken."
    )
    assert supervisor.pids == {}


async def test_a_child_that_cannot_start_names_its_reason_and_leaves_nobody(tmp_path: Path) -> None:
    specs = [spec("steady", STAY), spec("api", "import sys; sys.exit('Port 8480 is in use.')")]
    supervisor = Supervisor(tmp_path, specs, limits=QUICK)
    with pytest.raises(SupervisorError) as caught:
        async with supervisor:
            pytest.fail("the body must not run")
    assert str(caught.value) == "api did not start (ended with code 1): Port 8480 is in use."
    assert caught.value.last_lines == ("Port 8480 is in use.",)
    assert supervisor.pids == {}
    assert [record.name for record in supervisor.exits] == ["api", "steady"]


async def test_a_program_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(SupervisorError, match=r"^ghost cannot be started: No such file"):
        async with Supervisor(tmp_path, [ProcessSpec("ghost", ("/nonexistent/ghost",))]):
            pass


async def test_a_child_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    deaf = SAY_READY + "signal.signal(signal.SIGTERM, signal.SIG_IGN); tell('READY=1')\n"
    deaf += "while True: signal.pause()"
    limits = Limits(grace_s=0.05)
    async with Supervisor(tmp_path, [spec("deaf", deaf)], limits=limits) as supervisor:
        pass
    assert supervisor.exits[0].end.code == -signal.SIGKILL


async def test_wait_returns_when_all_that_may_end_have_ended(tmp_path: Path) -> None:
    short = spec("short", SAY_READY + "tell('READY=1')", restart=False)
    async with Supervisor(tmp_path, [short], limits=QUICK) as supervisor:
        await supervisor.wait()
    assert [(record.end.code, record.expected) for record in supervisor.exits] == [(0, True)]


async def test_a_failure_of_one_that_is_not_restarted_is_told(tmp_path: Path) -> None:
    failing = SAY_READY + "tell('READY=1'); sys.exit('no belt')"
    async with Supervisor(tmp_path, [spec("factory", failing, restart=False)]) as supervisor:
        with pytest.raises(SupervisorError, match=r"^factory ended with code 1: no belt$"):
            await supervisor.wait()


async def test_status_and_output_are_kept(tmp_path: Path) -> None:
    story = Story()
    talking = SAY_READY + "print('hello log', flush=True); tell('READY=1\\nSTATUS=2 lists')\n"
    talking += "signal.pause()"
    async with Supervisor(tmp_path, [spec("talking", talking)], on_event=story, limits=QUICK):
        await story.until(lambda: story.count("talking", Change.STATUS) == 1)
    assert story.events[2].text == "2 lists"
    assert (tmp_path / "log" / "talking.log").read_text() == "hello log\n"


async def test_two_supervisors_never_share_a_state_directory(tmp_path: Path) -> None:
    async with Supervisor(tmp_path, []):
        with pytest.raises(SupervisorError, match=r"another parcelgate already runs in "):
            async with Supervisor(tmp_path, []):
                pass


async def test_stop_during_start_starts_nothing_more(tmp_path: Path) -> None:
    specs = [spec("slow", "import signal; signal.pause()"), spec("never", STAY)]

    def stop_at_once(event: ProcessEvent) -> None:
        supervisor.stop()

    supervisor = Supervisor(tmp_path, specs, on_event=stop_at_once, limits=QUICK)
    async with supervisor:
        await supervisor.wait()
    assert [record.name for record in supervisor.exits] == ["slow"]


def start(program: str) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)


async def test_children_die_with_a_killed_supervisor(tmp_path: Path) -> None:
    """PDEATHSIG: nobody is left behind who could command a PLC."""
    program = f"""
        import asyncio
        from pathlib import Path
        from controller.supervisor import ProcessSpec, Supervisor
        async def main():
            specs = [ProcessSpec("child", ({sys.executable!r}, "-S", "-c", {STAY!r}))]
            async with Supervisor(Path({str(tmp_path)!r}), specs) as supervisor:
                print(supervisor.pids["child"], flush=True)
                await supervisor.wait()
        asyncio.run(main())
    """
    parent = start(textwrap.dedent(program))
    assert parent.stdout is not None
    child = os.pidfd_open(int(parent.stdout.readline()))
    gone = asyncio.Event()
    asyncio.get_running_loop().add_reader(child, gone.set)
    parent.kill()
    await asyncio.wait_for(gone.wait(), 10)
    asyncio.get_running_loop().remove_reader(child)
    os.close(child)
    parent.stdout.close()
    parent.wait()
