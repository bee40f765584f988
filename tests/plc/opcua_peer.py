"""The test's side of `tests.plc.opcua_plc`: start a PLC, stop, kill or freeze it, hear what it says."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from controller.clock import SystemClock
from plc.opcua_link import Backend, OpcuaLink
from plc.opcua_settings import OpcuaSettings
from tests.plc.host import SESSION, Host

ROOT = Path(__file__).resolve().parents[2]
PREFIX = "L1."


@contextmanager
def plc_maker(folder: Path) -> Iterator[Path]:
    """The process that forks PLCs; the socket where they are asked for."""
    where = folder / "plcs.sock"
    command = [sys.executable, "-m", "tests.plc.opcua_plc", str(where)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", "the PLCs' process did not start"
        try:
            yield where
        finally:
            process.kill()


@dataclass(slots=True)
class OpcuaPlc:
    """A running PLC and what it has said so far."""

    port: int
    pid: int
    published_ns: dict[int, int] = field(default_factory=dict)
    own: set[int] = field(default_factory=set)
    accepted: list[tuple[int, int, int]] = field(default_factory=list)
    watchdog_trips: int = 0
    sessions: list[int] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)

    def pause(self) -> None:
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def kill(self) -> None:
        self._signal(signal.SIGKILL)

    def stop(self) -> None:
        self._signal(signal.SIGCONT)
        self._signal(signal.SIGTERM)

    def _signal(self, number: signal.Signals) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, number)

    def all_delivered(self, host: Host, records: int) -> bool:
        """Every one of `records` known records has been published and every published one delivered."""
        return len(self.published_ns) == records and len(host.records) == records + len(self.own)

    async def listen(self, reader: asyncio.StreamReader) -> None:
        """Take down what it says until it ends."""
        async for line in reader:
            match line.decode().split():
                case ["R", seq, at_ns]:
                    self.published_ns[int(seq)] = int(at_ns)
                case ["X", seq, _]:
                    self.own.add(int(seq))
                case ["A", seq, track_id, destination]:
                    self.accepted.append((int(seq), int(track_id), int(destination)))
                case ["W"]:
                    self.watchdog_trips += 1
                case ["L", session]:
                    self.sessions.append(int(session))
                case ["S", *counts]:
                    self.counts = {k: int(v) for k, v in (c.split("=") for c in counts)}


@asynccontextmanager
async def running(maker: Path, **options: object) -> AsyncIterator[OpcuaPlc]:
    """A PLC with these `opcua_plc.Options`; ended on leaving."""
    reader, writer = await asyncio.open_unix_connection(maker)
    writer.write(json.dumps(options).encode() + b"\n")
    first = (await reader.readline()).decode().split()
    assert first[:1] == ["P"], "the PLC did not start"
    plc = OpcuaPlc(int(first[1]), int(first[2]))
    async with asyncio.TaskGroup() as group:
        group.create_task(plc.listen(reader))
        try:
            yield plc
        finally:
            plc.stop()
    writer.close()


def settings_for(port: int, **more: object) -> OpcuaSettings:
    more.setdefault("node_prefix", PREFIX)
    return OpcuaSettings(f"opc.tcp://127.0.0.1:{port}/", **more)  # type: ignore[arg-type]


@asynccontextmanager
async def connected_host(
    port: int,
    session: int = SESSION,
    *,
    settings: OpcuaSettings | None = None,
    backend: Backend | None = None,
    **options: bool | int,
) -> AsyncIterator[Host]:
    """A host whose link runs against `port`; cancelled on leaving."""
    settings = settings or settings_for(port)
    link = OpcuaLink(settings, SystemClock(), session, backend)
    host = Host(link, **options)  # type: ignore[arg-type]
    async with asyncio.TaskGroup() as group:
        task = group.create_task(link.run(host.deliver))
        try:
            yield host
        finally:
            task.cancel()
