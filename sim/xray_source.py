"""The X-ray scanner as its buyer meets it: a TCP source of scan rows, driven by the belt encoder.

It listens, a vision worker connects and is told geometry and calibration, then heartbeats and, for
each trigger of the PLC, rows as the parcel moves through the beam: a stopped belt sends nothing. Every
connected worker gets the same packets; with none connected the rows are gone, as in a real scanner.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from controller.core.settings import LineSettings
from controller.core.units import MM_PER_M, u32_difference
from controller.interfaces import Clock
from sim.absorption import (
    COLUMNS,
    PIXEL_PITCH_UM,
    ROW_PITCH_COUNTS,
    Counts,
    calibration_rows,
)
from sim.frames import FrameStore
from sim.parcels import SimParcel
from vision.scan_rows import (
    HEARTBEAT_PERIOD_MS,
    Calibration,
    FrameBegin,
    FrameEnd,
    Heartbeat,
    Hello,
    Packet,
    Rows,
    encode_packet,
)

ROWS_PER_PACKET = 16
# A belt that stands is looked at this often; a moving one is waited for exactly.
STANDSTILL_POLL_MS = 5
# A worker that reads nothing for 20 frames is cut off rather than kept in memory.
UNREAD_BYTES_MAX = 8 << 20
CALIBRATION_ID = "sim-2026-01-05"


@dataclass(frozen=True, slots=True)
class _Scan:
    trigger_no: int
    start_counts: int
    samples: Counts


@dataclass(slots=True)
class SourceFaults:
    """What is wrong with the source now. `rows_lost` are (first row, row count) of the next frame."""

    silent: bool = False
    rows_lost: tuple[int, int] | None = None


class XraySource:
    """One scanner. `on_frame_sent(trigger_no, at_ns, rows_lost)` hears when a frame's last row was due;
    rows that no worker was sent are lost. `connected` is set once a worker has come.
    """

    def __init__(
        self,
        settings: LineSettings,
        frames: FrameStore,
        encoder_now: Callable[[], int],
        clock: Clock,
        on_frame_sent: Callable[[int, int, int], None],
    ) -> None:
        self.faults = SourceFaults()
        self.port = 0
        self.connected = asyncio.Event()
        self._settings = settings
        self._frames = frames
        self._encoder_now = encoder_now
        self._clock = clock
        self._on_frame_sent = on_frame_sent
        self._workers: set[asyncio.StreamWriter] = set()
        self._scans: deque[_Scan] = deque()
        self._triggered = asyncio.Event()

    def trigger(
        self, trigger_no: int, encoder_counts: int, parcels_in_view: Sequence[SimParcel]
    ) -> None:
        """The PLC's trigger: a frame of the parcels of this body starts at `encoder_counts`."""
        samples = self._frames.take(parcels_in_view)
        self._scans.append(_Scan(trigger_no, encoder_counts, samples))
        self._triggered.set()

    def drop_workers(self) -> None:
        """Break every connection, as a pulled cable does."""
        for worker in self._workers:
            worker.transport.abort()
        self._workers.clear()

    async def run(self, host: str, port: int, on_listening: Callable[[], None]) -> None:
        """Serve until cancelled. `port` 0 takes a free one, then in `self.port`. OSError if in use."""
        server = await asyncio.start_server(self._serve, host, port)
        self.port = server.sockets[0].getsockname()[1]
        on_listening()
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._beat())
                tasks.create_task(self._scan())
        finally:
            server.close()
            self.drop_workers()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(encode_packet(self._hello()) + encode_packet(self._calibration()))
        self._workers.add(writer)
        self.connected.set()
        try:
            while await reader.read(4096):
                pass  # the protocol has nothing to say in this direction
        except ConnectionError:
            pass
        finally:
            self._workers.discard(writer)
            writer.close()

    def _hello(self) -> Hello:
        return Hello(
            source=self._settings.xray_source,
            columns=COLUMNS,
            pixel_pitch_um=PIXEL_PITCH_UM,
            row_pitch_counts=ROW_PITCH_COUNTS,
            encoder_counts_per_m=self._settings.encoder_counts_per_m,
        )

    def _calibration(self) -> Calibration:
        dark, air = calibration_rows(self._frames.detector)
        curves = (dark[0], dark[1], air[0], air[1])
        return Calibration(
            CALIBRATION_ID, self._clock.utc_ns(), *(_big_endian(curve) for curve in curves)
        )

    def _send(self, packet: Packet) -> bool:
        """To every worker; False if none was sent it."""
        if self.faults.silent:
            return False
        data = encode_packet(packet)
        for worker in tuple(self._workers):
            if worker.transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
                worker.transport.abort()
                self._workers.discard(worker)
            else:
                worker.write(data)
        return bool(self._workers)

    async def _beat(self) -> None:
        while True:
            self._send(Heartbeat())
            await asyncio.sleep(HEARTBEAT_PERIOD_MS / 1000)

    async def _scan(self) -> None:
        while True:
            while not self._scans:
                self._triggered.clear()
                await self._triggered.wait()
            await self._stream(self._scans.popleft())

    async def _stream(self, scan: _Scan) -> None:
        """Rows of one frame, a packet as soon as the belt has moved its last row through the beam."""
        lost, self.faults.rows_lost = self.faults.rows_lost, None
        row_count, rows_lost = len(scan.samples), 0
        self._send(FrameBegin(scan.trigger_no, scan.start_counts))
        for first in range(0, row_count, ROWS_PER_PACKET):
            rows = scan.samples[first : first + ROWS_PER_PACKET]
            await self._belt_reaches(scan.start_counts, (first + len(rows)) * ROW_PITCH_COUNTS)
            dropped = lost is not None and _overlap(first, len(rows), lost)
            packet = Rows(scan.trigger_no, first, len(rows), COLUMNS, _big_endian(rows))
            if dropped or not self._send(packet):
                rows_lost += len(rows)
        self._on_frame_sent(scan.trigger_no, self._clock.monotonic_ns(), rows_lost)
        self._send(FrameEnd(scan.trigger_no, row_count))

    async def _belt_reaches(self, start_counts: int, travel_counts: int) -> None:
        speed_counts_per_s = (
            self._settings.belt_speed_mm_per_s * self._settings.encoder_counts_per_m / MM_PER_M
        )
        before = None
        while True:
            now = self._encoder_now()
            left_counts = travel_counts - u32_difference(now, start_counts)
            if left_counts <= 0:
                return
            standing = now == before
            before = now
            wait_s = left_counts / speed_counts_per_s
            await asyncio.sleep(max(wait_s, STANDSTILL_POLL_MS / 1000) if standing else wait_s)


def _big_endian(samples: Counts) -> bytes:
    return samples.astype(np.dtype(">u2")).tobytes()


def _overlap(first: int, count: int, lost: tuple[int, int]) -> bool:
    return first < lost[0] + lost[1] and lost[0] < first + count
