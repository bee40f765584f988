"""Keeps the processes of one controller alive, for `run` and `demo`. In production systemd does this.

Children start in order, each only when the one before said it is ready, and end in reverse order. A
child that dies is started again after a growing pause; one that dies too often in a row ends them
all, in one sentence: a line that flaps is worse than a line that stands. It must never know what a
child does.
"""

import asyncio
import contextlib
import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import IO, Self

from controller.clock import SystemClock
from controller.core.units import NS_PER_S
from controller.interfaces import Clock
from controller.priority import Priority, apply
from controller.supervisor.child_process import ChildProcess, ProcessEnd
from controller.supervisor.readiness import ReadinessSocket

LAST_LINES = 10


class SupervisorError(RuntimeError):
    """The processes cannot run; the text is one sentence, `last_lines` what the child wrote."""

    def __init__(self, sentence: str, last_lines: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.last_lines = tuple(last_lines)


@dataclass(frozen=True, slots=True)
class ProcessSpec:
    """A process to keep. Without `restart`, its end with code 0 is fine and any other ends them all.

    With `silence_max_s` over 0 it says WATCHDOG=1 more often than that once it is ready, or is killed.
    """

    name: str
    argv: tuple[str, ...]
    nice: int = 0
    fifo: bool = False
    ready_timeout_s: float = 30.0
    restart: bool = True
    silence_max_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`crashes_max` ends within `crash_window_s` are a crash loop."""

    crashes_max: int = 5
    crash_window_s: int = 30
    pause_first_s: float = 0.25
    pause_max_s: float = 5.0
    grace_s: float = 5.0


class Change(Enum):
    STARTED = "started"
    READY = "ready"
    STATUS = "status"
    ENDED = "ended"
    RESTARTING = "restarting"


@dataclass(frozen=True, slots=True)
class ProcessEvent:
    at_ns: int
    name: str
    change: Change
    text: str


@dataclass(frozen=True, slots=True)
class ExitRecord:
    """One end of one process; `expected` when the supervisor asked for it."""

    at_ns: int
    name: str
    end: ProcessEnd
    expected: bool


class _Kept:
    """A spec with the process that serves it now."""

    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.process: ChildProcess | None = None
        self.ready = False
        self.heard_at_ns = 0
        # Ready, ended, or nobody waits for it any more.
        self.settled = asyncio.Event()
        self.crashes_at_ns: list[int] = []


class Supervisor:
    """`async with Supervisor(state_dir, specs) as s: await s.wait()`.

    Entering starts everything or raises SupervisorError with nothing left behind. `exits` keeps every
    end of a process, `priorities` what each was granted, `pids` who is running.
    """

    def __init__(
        self,
        state_dir: Path,
        specs: Sequence[ProcessSpec],
        *,
        on_event: Callable[[ProcessEvent], None] = lambda event: None,
        limits: Limits | None = None,
        clock: Clock | None = None,
    ) -> None:
        self.exits: list[ExitRecord] = []
        self.priorities: dict[str, str] = {}
        self._state_dir = state_dir
        self._on_event = on_event
        self._limits = limits or Limits()
        self._clock = clock or SystemClock()
        self._kept = [_Kept(spec) for spec in specs]
        self._finished = asyncio.Event()
        self._failure: SupervisorError | None = None
        self._keepers = asyncio.TaskGroup()
        self._closing = False
        self._keeper_tasks: list[asyncio.Task[None]] = []

    @property
    def pids(self) -> dict[str, int]:
        """Process id by name, of those that run now."""
        running = ((kept.spec.name, kept.process) for kept in self._kept)
        return {name: p.pid for name, p in running if p is not None and not p.ended.done()}

    def stop(self) -> None:
        """Let `wait` return; leaving the `async with` then ends the children. Safe in a signal handler."""
        self._finished.set()
        for kept in self._kept:
            kept.settled.set()

    async def wait(self) -> None:
        """Until `stop`, or until every process ended that is not restarted. SupervisorError if one
        cannot be kept alive."""
        await self._finished.wait()
        if self._failure is not None:
            raise self._failure

    async def __aenter__(self) -> Self:
        self._lock = _lock(self._state_dir)
        self._socket = ReadinessSocket(self._state_dir / "notify.sock", self._told)
        await self._keepers.__aenter__()
        try:
            for kept in self._kept:
                if self._finished.is_set():
                    break
                await self._start(kept)
                self._keeper_tasks.append(self._keepers.create_task(self._keep(kept)))
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._close()

    async def _close(self) -> None:
        """Reverse order, one after the other: nobody loses the process it depends on."""
        self._closing = True
        self.stop()
        for task in self._keeper_tasks:
            task.cancel()
        await self._keepers.__aexit__(None, None, None)
        for kept in reversed(self._kept):
            if kept.process is not None:
                await kept.process.end(self._limits.grace_s)
        await asyncio.sleep(0)  # the last end is recorded by a callback of its future
        self._socket.close()
        self._lock.close()

    async def _start(self, kept: _Kept) -> None:
        """Start and await readiness. SupervisorError if it ends first or stays silent too long."""
        spec = kept.spec
        kept.ready = False
        kept.settled.clear()
        environment = os.environ | {
            "NOTIFY_SOCKET": str(self._socket.path),
            "PYTHONUNBUFFERED": "1",
        }
        log = self._state_dir / "log" / f"{spec.name}.log"
        try:
            process = ChildProcess(spec.argv, environment, log)
        except OSError as error:
            kept.crashes_at_ns.append(self._clock.monotonic_ns())
            raise SupervisorError(f"{spec.name} cannot be started: {error.strerror}.") from error
        kept.process = process
        process.ended.add_done_callback(lambda ended: self._record(kept, ended.result()))
        granted = apply(process.pid, Priority(spec.nice, spec.fifo))
        self.priorities[spec.name] = granted
        self._emit(spec.name, Change.STARTED, f"pid {process.pid}, {granted}")
        await self._await_ready(kept, process)

    async def _await_ready(self, kept: _Kept, process: ChildProcess) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(kept.spec.ready_timeout_s):
                await kept.settled.wait()
        if kept.ready or self._finished.is_set():
            return
        if process.ended.done():
            what = f"did not start (ended {process.ended.result()})"
        else:
            what = f"was not ready within {kept.spec.ready_timeout_s:g} s"
            await process.end(self._limits.grace_s)
        raise _failure(kept.spec.name, what, process)

    async def _keep(self, kept: _Kept) -> None:
        """Until the process ended for good. Never raises: a failure is noted for `wait`."""
        while True:
            assert kept.process is not None, "started before it is kept"
            await self._ended_or_silent(kept, kept.process)
            if self._finished.is_set():
                return
            end = kept.process.ended.result()
            if not kept.spec.restart:
                self._ended_for_good(kept, end)
                return
            crashes = self._recent_crashes(kept)
            if crashes >= self._limits.crashes_max:
                what = (
                    f"ended {crashes} times within {self._limits.crash_window_s} s (the last time "
                    f"{end}), so everything is stopped"
                )
                self._fail(_failure(kept.spec.name, what, kept.process))
                return
            pause_s = min(
                self._limits.pause_first_s * 2 ** max(crashes - 1, 0), self._limits.pause_max_s
            )
            self._emit(kept.spec.name, Change.RESTARTING, f"in {pause_s:g} s")
            await asyncio.sleep(pause_s)
            # A start that fails has counted as a crash; the next turn of the loop judges it.
            with contextlib.suppress(SupervisorError):
                await self._start(kept)

    async def _ended_or_silent(self, kept: _Kept, process: ChildProcess) -> None:
        """Until it ended. One that hangs is killed: it would hold its place and do nothing."""
        limit_s = kept.spec.silence_max_s
        ended = False
        while not ended:
            silent_s = (self._clock.monotonic_ns() - kept.heard_at_ns) / NS_PER_S
            left_s = limit_s - silent_s if limit_s else None
            if left_s is not None and left_s <= 0:
                self._emit(kept.spec.name, Change.STATUS, f"silent for {silent_s:.1f} s: killed")
                process.signal(signal.SIGKILL)
                left_s = None
            # by this way the end is recorded before it is judged
            ended = bool((await asyncio.wait([process.ended], timeout=left_s))[0])

    def _ended_for_good(self, kept: _Kept, end: ProcessEnd) -> None:
        if end.code != 0:
            assert kept.process is not None, "it ended, so it was started"
            self._fail(_failure(kept.spec.name, f"ended {end}", kept.process))
        elif not self.pids:
            self.stop()

    def _recent_crashes(self, kept: _Kept) -> int:
        since_ns = self._clock.monotonic_ns() - self._limits.crash_window_s * NS_PER_S
        kept.crashes_at_ns = [at_ns for at_ns in kept.crashes_at_ns if at_ns >= since_ns]
        return len(kept.crashes_at_ns)

    def _fail(self, failure: SupervisorError) -> None:
        self._failure = self._failure or failure
        self.stop()

    def _record(self, kept: _Kept, end: ProcessEnd) -> None:
        kept.settled.set()
        at_ns = self._clock.monotonic_ns()
        expected = self._closing or (end.code == 0 and not kept.spec.restart)
        self.exits.append(ExitRecord(at_ns, kept.spec.name, end, expected))
        if not expected:
            kept.crashes_at_ns.append(at_ns)
        self._emit(kept.spec.name, Change.ENDED, str(end))

    def _told(self, pid: int, name: str, value: str) -> None:
        for kept in self._kept:
            if kept.process is not None and kept.process.pid == pid:
                if name in ("READY", "WATCHDOG"):
                    kept.heard_at_ns = self._clock.monotonic_ns()
                if name == "READY":
                    kept.ready = True
                    kept.settled.set()
                    self._emit(kept.spec.name, Change.READY, "")
                elif name == "STATUS":
                    self._emit(kept.spec.name, Change.STATUS, value)

    def _emit(self, name: str, change: Change, text: str) -> None:
        self._on_event(ProcessEvent(self._clock.monotonic_ns(), name, change, text))


def _failure(name: str, what: str, process: ChildProcess) -> SupervisorError:
    lines = process.last_lines(LAST_LINES)
    return SupervisorError(f"{name} {what}: {lines[-1] if lines else 'it wrote nothing'}", lines)


def _lock(state_dir: Path) -> IO[str]:
    """One supervisor a state directory; the lock goes with the process, however it ends."""
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
        lock = (state_dir / "supervisor.lock").open("w")
    except OSError as error:
        raise SupervisorError(f"{state_dir} cannot be written: {error.strerror}.") from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.close()
        raise SupervisorError(f"another parcelgate already runs in {state_dir}.") from None
    return lock
