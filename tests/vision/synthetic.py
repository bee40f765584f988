"""Frames with known boxes, as a real detector would count them: dark, air, noise that grows in the dark."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.calibration import FlatField, flat_field
from vision.frame_assembly import FrameAssembler, ScanFrame
from vision.scan_rows import Calibration, FrameBegin, FrameEnd, Hello, Rows

FramePacket = FrameBegin | Rows | FrameEnd
# 2 mm rows, 1.5 mm columns: a typical frame is 260 x 480.
HELLO = Hello(4, 480, 1500, 2, 1000)
ROW_MM, COLUMN_MM = 2, 1.5
DARK = 2250
NET_HIGH, NET_LOW = 10_200, 17_900
NOISE_HIGH, NOISE_LOW = 0.0128, 0.0077
ORGANIC = (0.40, 0.48)  # -ln T high, low
STEEL = (1.1, 2.09)
ROWS_PER_PACKET = 16


@dataclass(frozen=True)
class Box:
    row: int
    column: int
    rows: int
    columns: int
    attenuation: tuple[float, float] = ORGANIC


def calibration(columns: int = HELLO.columns, calibration_id: str = "cal-1") -> Calibration:
    def curve(counts: int) -> bytes:
        return np.full(columns, counts, ">u2").tobytes()

    return Calibration(
        calibration_id, 0, curve(DARK), curve(DARK), curve(DARK + NET_HIGH), curve(DARK + NET_LOW)
    )


def field(columns: int = HELLO.columns) -> FlatField:
    return flat_field(calibration(columns))


def samples(
    boxes: Sequence[Box], row_count: int = 260, seed: int = 1, flux: float = 1.0
) -> NDArray[np.uint16]:
    """Rows x 2 x columns, as on the wire. Attenuations of overlapping boxes add up."""
    taken = np.zeros((row_count, 2, HELLO.columns))
    for box in boxes:
        region = (slice(box.row, box.row + box.rows), slice(box.column, box.column + box.columns))
        taken[region[0], 0, region[1]] += box.attenuation[0]
        taken[region[0], 1, region[1]] += box.attenuation[1]
    passed = np.exp(-taken) * flux
    rng = np.random.default_rng(seed)
    noise = np.array([NOISE_HIGH, NOISE_LOW])[:, None] * np.sqrt(passed)
    passed = passed + noise * rng.standard_normal(passed.shape)
    counts = DARK + passed * np.array([NET_HIGH, NET_LOW])[:, None]
    return np.asarray(np.clip(np.rint(counts), 0, 65_535), np.uint16)


def frame_packets(
    wire: NDArray[np.uint16], trigger_no: int = 7, first_row_encoder_counts: int = 1_000
) -> list[FramePacket]:
    """BEGIN, ROWS in packets of 16, END."""
    packets: list[FramePacket] = [FrameBegin(trigger_no, first_row_encoder_counts)]
    for first in range(0, len(wire), ROWS_PER_PACKET):
        part = wire[first : first + ROWS_PER_PACKET]
        packets.append(
            Rows(trigger_no, first, len(part), wire.shape[2], part.astype(">u2").tobytes())
        )
    return [*packets, FrameEnd(trigger_no, len(wire))]


def assembled(packets: Sequence[FramePacket], source: Hello = HELLO) -> ScanFrame:
    """The one frame that these packets make."""
    assembler = FrameAssembler(source)
    frames = [frame for packet in packets if (frame := assembler.take(packet)) is not None]
    last = assembler.close()
    frames += [last] if last else []
    assert len(frames) == 1
    return frames[0]


def frame(
    boxes: Sequence[Box], row_count: int = 260, seed: int = 1, flux: float = 1.0
) -> ScanFrame:
    return assembled(frame_packets(samples(boxes, row_count, seed, flux)))
