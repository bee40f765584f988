"""The X-ray source over a real socket, read by the vision side's own codec and assembler."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from controller.clock import SystemClock
from controller.core.settings import LineSettings
from sim.absorption import (
    COLUMNS,
    LEAD_MM,
    MU_PER_MM,
    TAIL_MM,
    calibration_rows,
    make_detector,
    render,
    row_count,
)
from sim.contents import metal_area_mm2
from sim.frames import FrameStore, bodies, placed
from sim.parcels import Material, ParcelKind
from sim.workload import make_workload
from sim.xray_source import XraySource
from tests.sim.test_judge import SETTINGS
from vision.analysis import findings_of, measure
from vision.calibration import FlatField, flat_field
from vision.frame_assembly import FrameAssembler, ScanFrame
from vision.scan_rows import (
    Calibration,
    FrameBegin,
    FrameEnd,
    Heartbeat,
    Hello,
    Packet,
    PacketBuffer,
    Rows,
)

RUN = make_workload(40, 7, rate_parcels_per_h=5000, speed_mm_per_s=1000)
DETECTOR = make_detector(7)


class FastBelt:
    """An encoder that moves 400 counts a look, so that no test waits for a real belt."""

    def __init__(self, counts: int) -> None:
        self.counts = counts
        self.standing = False

    def now(self) -> int:
        if not self.standing:
            self.counts = (self.counts + 400) % (1 << 32)
        return self.counts


class LastRows:
    """The triggers whose last row went out."""

    def __init__(self) -> None:
        self.triggers: list[int] = []
        self.lost: list[int] = []
        self.first = asyncio.Event()

    def sent(self, trigger_no: int, at_ns: int, rows_lost: int) -> None:
        assert at_ns > 0
        self.lost.append(rows_lost)
        self.triggers.append(trigger_no)
        self.first.set()


class Worker:
    """What a vision worker receives."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader
        self._buffer = PacketBuffer()
        self._packets: list[Packet] = []

    async def next(self) -> Packet:
        while not self._packets:
            data = await self._reader.read(65_536)
            if not data:
                raise ConnectionError("the source closed")
            self._packets = list(self._buffer.feed(data))
        return self._packets.pop(0)

    async def until(self, kind: type[Packet]) -> list[Packet]:
        """Packets but heartbeats up to the first of `kind`."""
        seen: list[Packet] = []
        while not (seen and isinstance(seen[-1], kind)):
            packet = await self.next()
            if not isinstance(packet, Heartbeat):
                seen.append(packet)
        return seen


@asynccontextmanager
async def running(
    belt: FastBelt, settings: LineSettings = SETTINGS
) -> AsyncIterator[tuple[XraySource, Callable[[], Awaitable[Worker]], LastRows]]:
    store = FrameStore(DETECTOR, 7)
    store.add(RUN.parcels)
    last_rows = LastRows()
    source = XraySource(settings, store, belt.now, SystemClock(), last_rows.sent)
    listening = asyncio.Event()
    writers = []

    async def connect() -> Worker:
        reader, writer = await asyncio.open_connection("127.0.0.1", source.port)
        writers.append(writer)
        return Worker(reader)

    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(source.run("127.0.0.1", 0, listening.set))
        await listening.wait()
        yield source, connect, last_rows
        for writer in writers:
            writer.close()
        task.cancel()


def assembled(hello: Hello, packets: list[Packet]) -> ScanFrame:
    assembler = FrameAssembler(hello)
    for packet in packets:
        assert isinstance(packet, FrameBegin | Rows | FrameEnd)
        frame = assembler.take(packet)
        if frame is not None:
            return frame
    raise AssertionError("no frame was completed")


async def test_a_worker_gets_geometry_calibration_and_a_whole_frame() -> None:
    start = (1 << 32) - 100
    async with running(FastBelt(start)) as (source, connect, last_rows):
        worker = await connect()
        hello, calibration = await worker.next(), await worker.next()
        assert isinstance(hello, Hello)
        assert isinstance(calibration, Calibration)
        parcel = RUN.parcels[0]
        source.trigger(41, start, [parcel])
        frame = assembled(hello, await worker.until(FrameEnd))
    assert (frame.trigger_no, frame.first_row_encoder_counts) == (41, start)
    assert frame.rows_missing == 0
    assert frame.row_count == -(-(LEAD_MM + parcel.length_mm + TAIL_MM) // 2)
    sent = render(placed([parcel]), DETECTOR, 7)
    assert np.array_equal(frame.samples_as_sent(), sent)
    assert last_rows.triggers == [41]


async def test_a_stopped_belt_sends_no_rows() -> None:
    belt = FastBelt(0)
    async with running(belt) as (source, connect, last_rows):
        worker = await connect()
        belt.standing = True
        source.trigger(1, 0, [RUN.parcels[0]])
        source.trigger(2, 5000, [RUN.parcels[1]])
        while not isinstance(await worker.next(), FrameBegin):
            pass
        # A heartbeat is the next thing that comes, 500 ms later: no row came before it.
        assert isinstance(await worker.next(), Heartbeat)
        assert not last_rows.triggers
        belt.standing = False
        await worker.until(FrameEnd)
        assert last_rows.triggers == [1]


async def test_lost_rows_are_missing_in_that_frame_only() -> None:
    async with running(FastBelt(0)) as (source, connect, sent):
        worker = await connect()
        hello = await worker.next()
        assert isinstance(hello, Hello)
        await worker.next()
        source.faults.rows_lost = (40, 10)
        source.trigger(1, 0, [RUN.parcels[0]])
        source.trigger(2, 5000, [RUN.parcels[1]])
        torn = assembled(hello, await worker.until(FrameEnd))
        whole = assembled(hello, await worker.until(FrameEnd))
    assert torn.rows_missing == 32  # two packets of 16 rows hold them
    assert not torn.row_present[40:50].any()
    assert whole.rows_missing == 0
    assert sent.lost == [32, 0]


async def test_a_silent_source_sends_nothing_and_comes_back() -> None:
    async with running(FastBelt(0)) as (source, connect, last_rows):
        worker = await connect()
        await worker.next()
        await worker.next()
        source.faults.silent = True
        source.trigger(1, 0, [RUN.parcels[0]])
        await last_rows.first.wait()
        source.faults.silent = False
        source.trigger(2, 5000, [RUN.parcels[1]])
        packets = await worker.until(FrameEnd)
        assert all(getattr(packet, "trigger_no", 2) == 2 for packet in packets)


async def test_a_dropped_worker_can_come_again() -> None:
    async with running(FastBelt(0)) as (source, connect, _):
        worker = await connect()
        await worker.next()
        source.drop_workers()
        with pytest.raises(ConnectionError):
            await worker.until(FrameEnd)
        again = await connect()
        assert isinstance(await again.next(), Hello)


def field() -> FlatField:
    dark, air = calibration_rows(DETECTOR)
    curves = [curve.astype(">u2").tobytes() for curve in (*dark, *air)]
    return flat_field(Calibration("test", 0, *curves))


def test_the_analyser_finds_in_the_frames_what_was_put_into_them() -> None:
    geometry = Hello(4, COLUMNS, 1250, 2, 1000)
    flat = field()
    for body in bodies(RUN.parcels):
        samples = render(placed(body), DETECTOR, 7)
        frame = ScanFrame(
            geometry, 1, 0, samples.transpose(0, 2, 1), np.ones(len(samples), np.bool_), True, False
        )
        measured = measure(frame, flat, None)
        found = findings_of(frame, measured, "test", "")
        assert found.usable, measured.faults
        assert abs(found.length_mm - sum(parcel.length_mm for parcel in body)) <= 4
        assert abs(found.width_mm - max(parcel.width_mm for parcel in body)) <= 4
        assert found.opaque_area_mm2 == 0
        true_mm2 = sum(metal_area_mm2(parcel.contents) for parcel in body)
        assert 0.9 * true_mm2 <= found.metal_area_mm2 <= 1.15 * true_mm2
        if body[0].kind is ParcelKind.UNDECLARED_METAL:
            assert found.metal_area_mm2 > 600


def test_metal_and_organic_material_differ_clearly() -> None:
    ratio = {material: low / high for material, (high, low) in MU_PER_MM.items()}
    assert ratio[Material.ORGANIC] == pytest.approx(1.2)
    assert ratio[Material.METAL] == pytest.approx(1.9)


def test_touching_parcels_share_a_frame() -> None:
    pair = next(body for body in bodies(RUN.parcels) if len(body) == 2)
    assert all(parcel.kind is ParcelKind.TOUCHING for parcel in pair)
    places = placed(pair)
    assert places[1].x_mm == pair[0].length_mm
    assert row_count(places) == -(-(120 + pair[0].length_mm + pair[1].length_mm) // 2)


def test_the_store_keeps_a_bounded_number_of_frames_in_belt_order() -> None:
    store = FrameStore(DETECTOR, 7, ahead=3)
    store.add(RUN.parcels[:8])
    store.render_ahead(1)
    assert [store.low] == [True]
    store.render_ahead()
    assert [store.low] == [False]
    groups = list(bodies(RUN.parcels[:8]))
    first = store.take(groups[0])
    assert np.array_equal(first, render(placed(groups[0]), DETECTOR, 7))
    store.take(groups[1])
    store.take(groups[2])
    assert [store.low] == [True]
    store.render_ahead()
    assert [store.low] == [False]
