"""systemd's datagrams and what the machine grants, both seen from the other side."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from controller import notify
from controller.priority import FIFO_PRIORITY, Priority, apply


def test_notify_speaks_systemds_protocol(tmp_path: Path) -> None:
    path = str(tmp_path / "notify.sock")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind(path)
        supervisor.settimeout(5)
        assert notify.send("READY=1", "STATUS=two\nlines", environment={"NOTIFY_SOCKET": path})
        assert supervisor.recv(100) == b"READY=1\nSTATUS=two lines"


def test_notify_reaches_an_abstract_socket() -> None:
    name = f"parcelgate-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as supervisor:
        supervisor.bind("\0" + name)
        assert notify.send("WATCHDOG=1", environment={"NOTIFY_SOCKET": "@" + name})
        assert supervisor.recv(100) == b"WATCHDOG=1"


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nonexistent/socket"}])
def test_notify_never_raises(environment: dict[str, str]) -> None:
    assert not notify.send("READY=1", environment=environment)


def waiting_child() -> subprocess.Popen[bytes]:
    program = "import sys; sys.stdin.read()"
    return subprocess.Popen([sys.executable, "-S", "-c", program], stdin=subprocess.PIPE)


@pytest.mark.parametrize("wanted", [Priority(nice=19), Priority(nice=-5), Priority(fifo=True)])
def test_priority_says_what_the_kernel_did(wanted: Priority) -> None:
    """With or without the right: the answer is the truth about the process."""
    with waiting_child() as child:
        answer = apply(child.pid, wanted)
        policy = os.sched_getscheduler(child.pid)
        nice = os.getpriority(os.PRIO_PROCESS, child.pid)
        child.communicate()
    granted = f"FIFO {FIFO_PRIORITY}" if policy == os.SCHED_FIFO else f"nice {nice}"
    assert answer.split(" (")[0] == granted
    if "refused" not in answer:
        assert (policy == os.SCHED_FIFO) == wanted.fifo


def test_lock_memory_tells_the_truth() -> None:
    program = (
        "from controller.priority import lock_memory\n"
        "print(lock_memory())\n"
        "print(next(l.split()[1] for l in open('/proc/self/status') if l.startswith('VmLck')))"
    )
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    answer, locked_kb = done.stdout.splitlines()
    assert (answer == "memory locked") == (int(locked_kb) > 0)
