"""A vision worker that runs out of memory or hangs: the line hears it, and it is started again."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from controller.core.events import VisionDown, VisionUp
from controller.runtime.line_socket import LineSocket
from controller.supervisor import Change, Limits, ProcessEvent, ProcessSpec, Supervisor
from vision.scan_rows import COLUMNS_MAX, FrameBegin, Heartbeat, Hello, encode_packet

# A worker that may take 40 MB more than it needs to start: a frame of the widest source is 65 MB.
POOR = """
import resource, sys
import vision.worker
from pathlib import Path
pages = int(Path("/proc/self/statm").read_text().split()[0])
limit = pages * resource.getpagesize() + (40 << 20)
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
sys.exit(vision.worker.main(sys.argv[1:]))
"""
WIDE = Hello(4, COLUMNS_MAX, 1500, 2, 1000)
LIMIT_S = 20.0


@dataclass
class Bench:
    """A kept vision worker between a source and a line that the test plays."""

    told: list[object] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)
    greeted: asyncio.Queue[asyncio.StreamWriter] = field(default_factory=asyncio.Queue)

    async def source(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_packet(WIDE) + encode_packet(Heartbeat()))
        self.greeted.put_nowait(writer)
        await reader.read()
        writer.close()

    def heard(self, event: ProcessEvent) -> None:
        if event.change is Change.ENDED:
            self.ended.append(event.text)

    @asynccontextmanager
    async def kept(
        self, directory: Path, program: tuple[str, ...], silence_max_s: float
    ) -> AsyncIterator[Supervisor]:
        """Everything runs and the line has heard that the worker is up."""
        server = await asyncio.start_server(self.source, "127.0.0.1", 0)
        line = LineSocket(directory / "line.sock", self.told.append, lambda: None)
        await line.open()
        arguments = (
            *("--source-host", "127.0.0.1", "--source-number", "4"),
            *("--source-port", str(server.sockets[0].getsockname()[1])),
            *("--line-socket", str(directory / "line.sock"), "--evidence-dir", str(directory)),
        )
        argv = (sys.executable, *program, *arguments)
        spec = ProcessSpec("vision-L1", argv, silence_max_s=silence_max_s)
        limits = Limits(grace_s=2.0)
        try:
            async with (
                Supervisor(directory, [spec], on_event=self.heard, limits=limits) as supervisor,
                asyncio.timeout(LIMIT_S),
            ):
                await _until(lambda: VisionUp(4) in self.told)
                yield supervisor
        finally:
            await line.close()
            server.close()
            await server.wait_closed()


@pytest.mark.live
async def test_out_of_memory_is_a_restart_that_the_line_hears(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.kept(tmp_path, ("-c", POOR), 0.0):
        writer = await bench.greeted.get()
        writer.write(encode_packet(FrameBegin(1, 0)))
        await bench.greeted.get()  # the one that was started again
        await _until(lambda: bench.told.count(VisionUp(4)) == 2)
    assert bench.ended[0] == "with code 1"
    assert VisionDown(4, source_silent=False) in bench.told
    log = (tmp_path / "log" / "vision-L1.log").read_text("utf-8")
    assert "MemoryError" in log


@pytest.mark.live
async def test_a_worker_that_hangs_is_a_restart_that_the_line_hears(tmp_path: Path) -> None:
    bench = Bench()
    async with bench.kept(tmp_path, ("-m", "vision.worker"), 3.0) as supervisor:
        await bench.greeted.get()
        os.kill(supervisor.pids["vision-L1"], signal.SIGSTOP)
        await bench.greeted.get()
        await _until(lambda: bench.told.count(VisionUp(4)) == 2)
    assert bench.ended[0] == "by SIGKILL"
    assert VisionDown(4, source_silent=False) in bench.told


async def _until(happened: object) -> None:
    assert callable(happened)
    while not happened():
        await asyncio.sleep(0.02)
