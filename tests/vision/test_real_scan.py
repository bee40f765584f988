"""A real raw dual-energy line scan through codec, assembly, flat field and analysis.

Private validation: the scan is no part of this repository and the test is skipped without it. Its
pitch is unknown, so only what does not depend on it is asserted: 1 mm pixels are assumed.
"""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.analysis import Measurement, PictureFault, measure
from vision.calibration import flat_field, reference_transmission
from vision.frame_assembly import ScanFrame
from vision.scan_rows import (
    Calibration,
    FrameBegin,
    FrameEnd,
    Hello,
    Packet,
    PacketBuffer,
    Rows,
    encode_packet,
)
from vision.source_session import AcquiredFrame, SourceSession

SCAN = Path(__file__).resolve().parents[2].parent / "shared" / "xray" / "dual-energy-line-scan"
pytestmark = pytest.mark.skipif(not SCAN.is_dir(), reason="the real scan is not on this machine")
COLUMNS = 1152
ROWS_PER_PACKET = 9
FIRST_PACKET, LAST_PACKET = 100, 286
TRAY_PACKETS = (111, 194)  # between the curtain before it and the clear belt behind it


def counts(path: Path) -> NDArray[np.uint16]:
    """Rows x (1,152 high energy, 1,152 low energy)."""
    picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    return np.asarray(picture.T, np.uint16)


def acquired(first_packet: int, last_packet: int) -> AcquiredFrame:
    """The scan's packets as our protocol carries them; a packet file that is not there was lost."""
    dark, air = (
        counts(SCAN / name).mean(axis=0).round() for name in ("Offset/offset.png", "Gain/gain.png")
    )
    curves = [curve.astype(">u2").tobytes() for both in (dark, air) for curve in np.split(both, 2)]
    packets: list[Packet] = [
        Hello(4, COLUMNS, 1000, 1, 1000),
        Calibration("real", 0, *curves),
        FrameBegin(1, 0),
    ]
    for number in range(first_packet, last_packet + 1):
        if (path := SCAN / "Line" / f"{number:03d}.png").exists():
            samples = counts(path).astype(">u2").tobytes()
            first_row = (number - first_packet) * ROWS_PER_PACKET
            packets.append(Rows(1, first_row, ROWS_PER_PACKET, COLUMNS, samples))
    packets.append(FrameEnd(1, (last_packet - first_packet + 1) * ROWS_PER_PACKET))
    session = SourceSession(4)
    taken = [session.take(p) for p in PacketBuffer().feed(b"".join(map(encode_packet, packets)))]
    assert taken[-1] is not None
    return taken[-1]


def analysed(first_packet: int, last_packet: int) -> tuple[ScanFrame, Measurement]:
    got = acquired(first_packet, last_packet)
    return got.frame, measure(got.frame, got.field, None)


def test_the_flat_field_of_a_real_machine_is_accepted_and_holds() -> None:
    got = acquired(*TRAY_PACKETS)
    assert got.field is not None
    assert got.calibration is not None
    assert flat_field(got.calibration).dead.sum() == 0
    reference = reference_transmission(got.frame, got.field)
    assert np.abs(reference - 1).max() < 0.02


def test_fourteen_lost_packets_are_counted_and_make_it_unusable() -> None:
    frame, found = analysed(FIRST_PACKET, LAST_PACKET)
    assert (frame.row_count, frame.rows_missing) == (187 * 9, 14 * 9)
    assert PictureFault.ROWS_MISSING in found.faults
    assert PictureFault.CUT in found.faults  # the scan starts inside another object


def test_the_tray_is_found_with_its_metal_and_nothing_absurd() -> None:
    frame, found = analysed(*TRAY_PACKETS)
    lost = (frame.row_count - np.count_nonzero(frame.row_present)) // ROWS_PER_PACKET
    assert lost == 2
    assert found.faults == ()
    assert found.outline_count == 1
    assert 680 <= found.length_rows <= 740
    assert 700 <= found.width_columns <= 760
    tray_mm2 = found.length_rows * found.width_columns
    assert 0.05 * tray_mm2 < found.metal_area_mm2 < 0.3 * tray_mm2  # cables, pins, a closed case
    assert found.opaque_area_mm2 < 0.01 * tray_mm2
    assert 200 < found.mean_attenuation_milli < 1_000
