"""A vision worker that runs out of memory: it dies at once, the line hears it, and it is started again."""

import asyncio
import sys
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


@pytest.mark.live
async def test_out_of_memory_is_a_restart_that_the_line_hears(tmp_path: Path) -> None:
    told: list[object] = []
    ended: list[str] = []
    greeted = asyncio.Queue[asyncio.StreamWriter]()

    async def source(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_packet(WIDE) + encode_packet(Heartbeat()))
        greeted.put_nowait(writer)
        await reader.read()
        writer.close()

    def heard(event: ProcessEvent) -> None:
        if event.change is Change.ENDED:
            ended.append(event.text)

    server = await asyncio.start_server(source, "127.0.0.1", 0)
    line = LineSocket(tmp_path / "line.sock", told.append, lambda: None)
    await line.open()
    arguments = (
        *("--source-host", "127.0.0.1", "--source-number", "4"),
        *("--source-port", str(server.sockets[0].getsockname()[1])),
        *("--line-socket", str(tmp_path / "line.sock"), "--evidence-dir", str(tmp_path)),
    )
    spec = ProcessSpec("vision-L1", (sys.executable, "-c", POOR, *arguments))
    try:
        async with Supervisor(tmp_path, [spec], on_event=heard, limits=Limits(grace_s=2.0)):
            async with asyncio.timeout(LIMIT_S):
                writer = await greeted.get()
                await _until(lambda: VisionUp(4) in told)
                writer.write(encode_packet(FrameBegin(1, 0)))
                await greeted.get()  # the one that was started again
                await _until(lambda: told.count(VisionUp(4)) == 2)
        assert ended[0] == "with code 1"
        assert VisionDown(4, source_silent=False) in told
        log = (tmp_path / "log" / "vision-L1.log").read_text("utf-8")
        assert "MemoryError" in log
    finally:
        await line.close()
        server.close()
        await server.wait_closed()


async def _until(happened: object) -> None:
    assert callable(happened)
    while not happened():
        await asyncio.sleep(0.02)
