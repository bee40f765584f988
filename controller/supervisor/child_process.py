"""One child process at the level of Linux: born on a leash, its end seen at once, its CPU counted.

PDEATHSIG ties the child to this process, so that a killed supervisor leaves nobody behind to command
a PLC. The child gets its own session: Ctrl-C reaches the supervisor alone, which ends the children in
order. It must never decide whether a child is started again.
"""

import asyncio
import ctypes
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

LOG_BYTES_MAX = 10_000_000
_TAIL_BYTES = 4_096
_PR_SET_PDEATHSIG = 1
# Loaded here: after fork nothing may be imported or allocated that another thread could hold locked.
_prctl = ctypes.CDLL(None).prctl


@dataclass(frozen=True, slots=True)
class ProcessEnd:
    """How a process ended: an exit code, or minus the signal's number; `cpu_s` is user and system."""

    code: int
    cpu_s: float

    def __str__(self) -> str:
        """Completes 'ended ...'."""
        if self.code >= 0:
            return f"with code {self.code}"
        return f"by {signal.Signals(-self.code).name}"


class ChildProcess:
    """A started process. `ended` resolves to its ProcessEnd; the kernel tells it, nothing polls."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], log: Path) -> None:
        """Start it with stdout and stderr appended to `log`. OSError if it cannot be started."""
        loop = asyncio.get_running_loop()
        self.log = log
        self.log_start_bytes = _roll(log)
        with log.open("ab") as sink:
            self._popen = subprocess.Popen(
                argv,
                env=dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
                preexec_fn=_Leash(os.getpid()),
            )
        self.pid = self._popen.pid
        self.ended: asyncio.Future[ProcessEnd] = loop.create_future()
        self._pidfd = os.pidfd_open(self.pid)
        loop.add_reader(self._pidfd, self._reap)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; nothing happens once the process has ended."""
        if not self.ended.done():
            signal.pidfd_send_signal(self._pidfd, number)

    async def end(self, grace_s: float) -> ProcessEnd:
        """SIGTERM, and SIGKILL after `grace_s`; returns when it is gone."""
        self.signal(signal.SIGTERM)
        await asyncio.wait([self.ended], timeout=grace_s)
        self.signal(signal.SIGKILL)
        return await self.ended

    def last_lines(self, count: int) -> list[str]:
        """The last lines this process (not an earlier one) wrote."""
        with self.log.open("rb") as source:
            size = source.seek(0, os.SEEK_END)
            source.seek(max(self.log_start_bytes, size - _TAIL_BYTES))
            text = source.read().decode("utf-8", "replace")
        return [line.rstrip() for line in text.splitlines() if line.strip()][-count:]

    def _reap(self) -> None:
        _, status, usage = os.wait4(self.pid, 0)
        asyncio.get_running_loop().remove_reader(self._pidfd)
        os.close(self._pidfd)
        code = os.waitstatus_to_exitcode(status)
        self._popen.returncode = code  # reaped here, for the CPU time; Popen must not wait again
        self.ended.set_result(ProcessEnd(code, usage.ru_utime + usage.ru_stime))


class _Leash:
    """Runs in the child between fork and exec: dies with the parent, signals at their defaults."""

    def __init__(self, parent_pid: int) -> None:
        self._parent_pid = parent_pid

    def __call__(self) -> None:
        # SIGKILL, since nobody would be left to follow a SIGTERM up.
        _prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
        if os.getppid() != self._parent_pid:  # it died before the leash was on
            os._exit(1)


def _roll(log: Path) -> int:
    """Keep one older log file; returns the size from which new lines will follow."""
    log.parent.mkdir(parents=True, exist_ok=True)
    size = log.stat().st_size if log.exists() else 0
    if size > LOG_BYTES_MAX:
        log.replace(log.with_suffix(".log.1"))
        return 0
    return size
