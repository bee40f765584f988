"""Stands where X-ray and vision worker stand: for every trigger the true findings, when they were due.

It speaks the worker's protocol on the line's socket and comes back when the line does. Without pixels,
since an outage of the PLC's link does not touch them and the machine has two cores.
"""

import asyncio
import os
from collections.abc import Mapping
from contextlib import suppress

from controller import wire
from controller.config import LineConfig
from controller.core.events import PictureFindings, VisionUp
from controller.core.settings import LineSettings
from controller.core.units import NS_PER_MS, NS_PER_S, counts_from_mm, u32_sum
from controller.interfaces import Clock
from sim.contents import metal_area_mm2
from sim.outages.plc_truth import What, Word
from sim.parcels import SimParcel

ROW_PITCH_COUNTS = 2
TAIL_MM = 60
ANALYSIS_MS = 25
RETRY_S = 0.05
_READ_BYTES = 1 << 16


class Pictures:
    """`hear` every word of the PLC, `run` in a task. `parcels` by number are the truth."""

    def __init__(self, config: LineConfig, parcels: Mapping[int, SimParcel], clock: Clock) -> None:
        self._config = config
        self._parcels = parcels
        self._clock = clock
        self._writer: asyncio.StreamWriter | None = None

    def hear(self, word: Word) -> None:
        """A trigger: its findings go out when the parcel has passed the beam and was analysed."""
        if word.what is not What.TRIGGER:
            return
        trigger_no, counts, number = word.values
        line, parcel = self._config.line, self._parcels[number]
        scan_mm = _lead_mm(line) + parcel.length_mm + TAIL_MM
        due_ms = scan_mm * 1_000 // line.belt_speed_mm_per_s + ANALYSIS_MS
        wait_ns = word.plc_ns + due_ms * NS_PER_MS - self._clock.monotonic_ns()
        findings = findings_of(line, parcel, trigger_no, counts)
        asyncio.get_running_loop().call_later(max(0, wait_ns) / NS_PER_S, self._send, findings)

    async def run(self) -> None:
        """Be connected, until cancelled."""
        while True:
            with suppress(OSError):
                await self._serve()
            await asyncio.sleep(RETRY_S)

    async def _serve(self) -> None:
        reader, writer = await asyncio.open_unix_connection(self._config.line_socket)
        source = self._config.line.xray_source
        try:
            writer.write(wire.encode_frame(wire.Hello("vision", source, os.getpid())))
            writer.write(wire.encode_frame(VisionUp(source)))
            self._writer = writer
            while await reader.read(_READ_BYTES):
                pass  # what the line says of a parcel helps a worker that has to look
        finally:
            self._writer = None
            writer.close()

    def _send(self, findings: PictureFindings) -> None:
        if self._writer is not None:
            self._writer.write(wire.encode_frame(findings))


def findings_of(
    line: LineSettings, parcel: SimParcel, trigger_no: int, counts: int
) -> PictureFindings:
    """What a worker without error finds of `parcel`, whose leading edge gave the trigger at `counts`."""
    per_m, lead_mm = line.encoder_counts_per_m, _lead_mm(line)
    scan_counts = counts_from_mm(lead_mm + parcel.length_mm + TAIL_MM, per_m)
    return PictureFindings(
        source=line.xray_source,
        trigger_no=trigger_no,
        first_row_encoder_counts=counts,
        row_pitch_counts=ROW_PITCH_COUNTS,
        row_count=scan_counts // ROW_PITCH_COUNTS,
        rows_missing=0,
        outline_start_counts=u32_sum(counts, counts_from_mm(lead_mm, per_m)),
        length_mm=parcel.length_mm,
        width_mm=parcel.width_mm,
        outline_count=1,
        mean_attenuation_milli=400,
        max_attenuation_milli=900,
        metal_area_mm2=metal_area_mm2(parcel.contents),
        opaque_area_mm2=0,
        usable=True,
        calibration_id="sim",
        profile_version="",
        picture_sha256=f"{parcel.number:064x}",
    )


def _lead_mm(line: LineSettings) -> int:
    """From the eye that triggers, the last one before the beam, to the beam."""
    before = (e.position_mm for e in line.eyes if e.position_mm <= line.xray_position_mm)
    return line.xray_position_mm - max(before)
