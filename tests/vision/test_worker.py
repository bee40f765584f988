"""The worker over real sockets: a small source, a small line, and everything that can go wrong between."""

import asyncio
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.core.commands import TellVision
from controller.core.events import PictureFindings, VisionDown, VisionUp
from controller.core.units import NS_PER_MS
from controller.wire import FrameBuffer, Hello, Refused, encode_frame
from tests.vision.synthetic import HELLO, STEEL, Box, calibration, frame_packets, samples
from vision import worker as worker_module
from vision.analysis import Measurement, measure
from vision.evidence import read_evidence
from vision.line_link import CONTEXTS_MAX
from vision.scan_rows import Heartbeat, Packet, encode_packet
from vision.source_link import SILENCE_CHECK_S, SourceAddress
from vision.worker import FRAME_NS_MAX, FRAMES_WAITING_MAX, VisionConfig, VisionWorker, main

PARCEL = [Box(60, 100, 120, 160), Box(80, 150, 30, 40, STEEL)]
GREETING: list[Packet] = [HELLO, calibration()]
UP, DOWN = VisionUp(4), VisionDown(4, source_silent=True)


@dataclass
class SteppedClock:
    """Time that moves only when a test says so: no stall of the machine is ever a silence."""

    now_ns: int = 10**15

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        return self.now_ns

    def step_ms(self, ms: int) -> None:
        self.now_ns += ms * NS_PER_MS


@dataclass
class Listener:
    """The other end of one of the worker's connections: what it said, and a way to speak to it."""

    connected: asyncio.Queue[asyncio.StreamWriter] = field(default_factory=asyncio.Queue)
    heard: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)

    async def serve_line(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        buffer = FrameBuffer()
        self.connected.put_nowait(writer)
        while data := await reader.read(65_536):
            for message in buffer.feed(data):
                self.heard.put_nowait(message)
        writer.close()

    async def serve_source(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connected.put_nowait(writer)
        await reader.read()
        writer.close()


@dataclass
class Bench:
    """A worker between a source and a line that the test plays."""

    config: VisionConfig
    worker: VisionWorker
    source: Listener
    line: Listener
    clock: SteppedClock

    async def source_says(self, writer: asyncio.StreamWriter, *packets: Packet) -> None:
        writer.write(b"".join(map(encode_packet, packets)))
        await writer.drain()

    async def hears(self) -> Any:
        return await self.line.heard.get()

    async def hears_findings(self) -> PictureFindings:
        findings = await self.hears()
        assert isinstance(findings, PictureFindings)
        return findings

    async def up(self) -> asyncio.StreamWriter:
        """The worker connected to both ends; returns the source's writer."""
        hello = await self.hears()
        assert (hello.role, hello.source) == ("vision", 4)
        assert await self.hears() == DOWN
        writer = await self.source.connected.get()
        await self.source_says(writer, *GREETING)
        assert await self.hears() == UP
        return writer


@asynccontextmanager
async def bench(directory: Path) -> AsyncIterator[Bench]:
    clock, source, line = SteppedClock(), Listener(), Listener()
    listening = await asyncio.start_server(source.serve_source, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    line_server = await asyncio.start_unix_server(line.serve_line, directory / "line.sock")
    address = SourceAddress("127.0.0.1", port, 4)
    config = VisionConfig(address, directory / "line.sock", directory / "evidence")
    worker = VisionWorker(config, clock)
    ready = asyncio.Event()
    try:
        async with asyncio.TaskGroup() as group:
            running = group.create_task(worker.run(ready.set, lambda: None))
            await ready.wait()
            yield Bench(config, worker, source, line, clock)
            running.cancel()
    finally:
        for server in (listening, line_server):
            server.close()
            await server.wait_closed()


async def wait_until(happens: Any) -> None:
    """Let the loop run until `happens()`; the suite's time limit ends what never does."""
    while not happens():
        await asyncio.sleep(0.005)


async def test_a_frame_becomes_findings_evidence_and_a_picture(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        writer = await b.up()
        await b.source_says(writer, *frame_packets(samples(PARCEL), 77, 5_000))
        found = await b.hears_findings()
        assert (found.trigger_no, found.usable, found.calibration_id) == (77, True, "cal-1")
        assert (found.length_mm, found.width_mm, found.outline_start_counts) == (240, 240, 5_120)
        assert abs(found.metal_area_mm2 - 3_600) <= 72
        # The evidence is there when its name is told, the picture soon after.
        (rows,) = (tmp_path / "evidence").rglob(f"{found.picture_sha256}.rows")
        assert read_evidence(rows)[0].trigger_no == 77
        await wait_until(rows.with_suffix(".png").exists)


async def test_a_frozen_source_is_seen(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        writer = await b.up()
        for trigger_no in (1, 2):
            await b.source_says(writer, *frame_packets(samples(PARCEL), trigger_no))
        assert [(await b.hears_findings()).usable for _ in range(2)] == [True, False]


async def test_garbage_ends_the_connection_and_holds_the_frame_in_progress(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        writer = await b.up()
        await b.source_says(writer, *frame_packets(samples(PARCEL), 5)[:9])
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        cut = await b.hears_findings()
        assert (cut.trigger_no, cut.usable, cut.row_count) == (5, False, 128)
        again = await b.source.connected.get()
        await b.source_says(again, *GREETING, *frame_packets(samples(PARCEL), 6))
        whole = await b.hears_findings()
        assert (whole.trigger_no, whole.usable) == (6, True)


async def test_a_source_that_is_another_one_never_counts_as_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.hears()
        assert await b.hears() == DOWN
        for _ in range(2):
            writer = await b.source.connected.get()
            await b.source_says(writer, type(HELLO)(9, 480, 1500, 2, 1000), Heartbeat())
        assert b.line.heard.empty()
        assert not b.worker._source.up


async def test_silence_is_told_and_the_return_too(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.up()
        b.clock.step_ms(1_501)
        assert await b.hears() == DOWN
        writer = await b.source.connected.get()  # it connects anew: the old one may be half open
        await b.source_says(writer, *GREETING)
        assert await b.hears() == UP


async def test_heartbeats_alone_keep_a_source_up(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        writer = await b.up()
        for _ in range(5):
            b.clock.step_ms(1_400)
            await b.source_says(writer, Heartbeat())
            await wait_until(lambda: b.worker._source._heard_ns == b.clock.now_ns)
        await asyncio.sleep(2 * SILENCE_CHECK_S)
        assert b.line.heard.empty()


async def test_a_frame_whose_rows_stop_is_closed_as_unusable(tmp_path: Path) -> None:
    """The belt stopped, or FRAME_END was lost: heartbeats go on, the frame does not."""
    async with bench(tmp_path) as b:
        writer = await b.up()
        packets = frame_packets(samples(PARCEL), 5)
        await b.source_says(writer, *packets[:9])
        await wait_until(lambda: b.worker._source._session.receiving)
        b.clock.step_ms(301)
        await b.source_says(writer, Heartbeat())
        found = await b.hears_findings()
        assert (found.trigger_no, found.usable) == (5, False)
        await b.source_says(writer, *packets[9:], *frame_packets(samples(PARCEL), 6))
        assert (await b.hears_findings()).trigger_no == 6


async def test_without_calibration_pictures_are_kept_but_not_judged(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        await b.hears()
        await b.hears()
        writer = await b.source.connected.get()
        await b.source_says(writer, HELLO, *frame_packets(samples(PARCEL)))
        assert await b.hears() == UP
        found = await b.hears_findings()
        assert (found.usable, found.calibration_id, found.length_mm) == (False, "", 0)
        assert list((tmp_path / "evidence").rglob(f"{found.picture_sha256}.rows"))


async def test_evidence_that_cannot_be_stored_is_no_usable_picture(tmp_path: Path) -> None:
    (tmp_path / "evidence").write_text("the disk says no")
    async with bench(tmp_path) as b:
        writer = await b.up()
        await b.source_says(writer, *frame_packets(samples(PARCEL)))
        found = await b.hears_findings()
        assert (found.usable, found.length_mm) == (False, 240)
        (tmp_path / "evidence").unlink()
        await b.source_says(writer, *frame_packets(samples(PARCEL, seed=2), 8))
        assert (await b.hears_findings()).usable


async def test_a_line_that_restarts_is_told_the_state_and_no_old_findings(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        writer = await b.up()
        (await b.line.connected.get()).transport.abort()
        await wait_until(lambda: b.worker._line._writer is None)
        await b.source_says(writer, *frame_packets(samples(PARCEL), 5))
        hello = await b.hears()
        assert isinstance(hello, Hello)
        assert await b.hears() == UP
        await wait_until(lambda: b.worker.counts.frames == 1)
        await b.source_says(writer, *frame_packets(samples(PARCEL, seed=2), 6))
        told = [await b.hears_findings()]
        if told[0].trigger_no == 5:  # it was made after the new connection: that is not old
            told.append(await b.hears_findings())
        assert told[-1].trigger_no == 6
        assert len(told) + b.worker.counts.findings_unsent == 2


async def test_a_line_that_refuses_is_asked_again(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        for _ in range(2):
            assert isinstance(await b.hears(), Hello)
            assert await b.hears() == DOWN
            writer = await b.line.connected.get()
            writer.write(encode_frame(Refused("another worker has source 4")))


async def test_contexts_are_bounded_and_end_with_their_findings(tmp_path: Path) -> None:
    async with bench(tmp_path) as b:
        source = await b.up()
        line = await b.line.connected.get()
        for trigger_no in range(200):
            line.write(encode_frame(TellVision(4, trigger_no, trigger_no, 240, 100)))
        contexts = b.worker._line.contexts
        await wait_until(lambda: 199 in contexts)
        assert len(contexts) == CONTEXTS_MAX
        assert 200 - CONTEXTS_MAX in contexts
        await b.source_says(source, *frame_packets(samples(PARCEL), 199))
        await b.hears_findings()
        assert 199 not in contexts


async def test_more_frames_than_can_be_analysed_are_dropped_and_counted(tmp_path: Path) -> None:
    many = 40
    async with bench(tmp_path) as b:
        writer = await b.up()
        wire = samples(PARCEL, row_count=200)
        burst = [p for number in range(many) for p in frame_packets(wire, number)]
        await b.source_says(writer, *burst)
        await wait_until(lambda: b.worker.counts.frames == many)
        dropped = b.worker.counts.frames_dropped
        told = [(await b.hears_findings()).trigger_no for _ in range(many - dropped)]
        assert told == sorted(told)
        assert told[:FRAMES_WAITING_MAX] == list(range(FRAMES_WAITING_MAX))
        assert len(list((tmp_path / "evidence").rglob("*.rows"))) == many - dropped


async def test_the_process_says_ready_and_ends_in_order(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as told:
        told.bind(str(tmp_path / "notify.sock"))
        told.setblocking(False)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "vision.worker", "--source-host", "127.0.0.1"),
            *("--source-port", "1", "--source-number", "4"),
            *("--line-socket", str(tmp_path / "line.sock"), "--evidence-dir", str(tmp_path)),
            env={**os.environ, "NOTIFY_SOCKET": str(tmp_path / "notify.sock")},
            cwd=Path(__file__).resolve().parents[2],
            stderr=asyncio.subprocess.PIPE,
        )
        assert await asyncio.get_running_loop().sock_recv(told, 100) == b"READY=1"
        assert process.stderr is not None
        first = await process.stderr.readline()  # both ends missing is no reason to end
        assert first.startswith(b"WARNING")
        process.send_signal(signal.SIGTERM)
        _, rest = await process.communicate()
        assert process.returncode == 0
        assert b"Traceback" not in rest


def test_the_command_line_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main(["--help"])
    assert end.value.code == 0
    assert "--evidence-dir" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(
            "--source-host h --source-port 70000 --source-number 4 --line-socket s --evidence-dir e".split()
        )
    assert "70000 is not between 1 and 65535" in capsys.readouterr().err


async def test_a_frame_that_never_ends_leaves_no_sign_of_life(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, let_go = threading.Event(), threading.Event()

    def stuck(*frame: Any) -> Measurement:
        begun.set()
        let_go.wait()
        return measure(*frame)

    monkeypatch.setattr(worker_module, "measure", stuck)
    async with bench(tmp_path) as b:
        writer = await b.up()
        await b.source_says(writer, *frame_packets(samples(PARCEL), 77, 5_000))
        await wait_until(begun.is_set)
        assert not b.worker.hangs
        b.clock.step_ms(FRAME_NS_MAX // NS_PER_MS)
        assert b.worker.hangs
        let_go.set()
        await b.hears_findings()
        assert not b.worker.hangs
