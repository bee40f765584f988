"""The X-ray source's stream in any pieces and with any damage: packets, frames, or a refused connection."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.looking import CUTS, anything, looked_at, mutated, pieces
from vision.analysis import findings_of, measure
from vision.scan_rows import (
    Calibration,
    FrameBegin,
    FrameEnd,
    Heartbeat,
    Hello,
    Packet,
    PacketBuffer,
    Rows,
    SourceProtocolError,
    encode_packet,
)
from vision.source_session import AcquiredFrame, SourceSession

HELLO = Hello(4, 8, 1500, 2, 1000)
OTHER = Hello(4, 9, 1500, 2, 1000)
CURVE = b"\x20\x00" * 8
AIR = b"\x80\x00" * 8
CALIBRATION = Calibration("cal-1", 1, CURVE, CURVE, AIR, AIR)
FLAT = Calibration("flat", 1, CURVE, CURVE, CURVE, CURVE)


def rows(trigger_no: int, first: int, count: int, columns: int = 8) -> Rows:
    return Rows(trigger_no, first, count, columns, b"\x40\x07" * (count * columns * 2))


PACKETS: list[Packet] = [
    HELLO,
    OTHER,
    CALIBRATION,
    FLAT,
    Heartbeat(),
    *(FrameBegin(n, 1_000 * n) for n in (1, 2)),
    *(
        rows(n, first, count)
        for n in (1, 2)
        for first, count in ((0, 4), (4, 4), (2, 4), (3_990, 9))
    ),
    rows(1, 0, 2, columns=9),
    *(FrameEnd(n, count) for n in (1, 2) for count in (0, 6, 8, 4_000)),
]
STORY: list[Packet] = [
    HELLO,
    CALIBRATION,
    FrameBegin(1, 5),
    rows(1, 0, 4),
    rows(1, 4, 4),
    FrameEnd(1, 8),
]
SENT = [*PACKETS, *STORY, rows(2, 0, 9)]
STREAMS = [b"".join(map(encode_packet, STORY)), encode_packet(rows(2, 0, 9)), encode_packet(FLAT)]


@looked_at(300)
@given(anything(STREAMS), CUTS)
def test_any_stream_in_any_pieces(stream: bytes, cuts: list[int]) -> None:
    buffer, packets = PacketBuffer(), list[Packet]()
    try:
        for part in pieces(stream, cuts):
            for packet in buffer.receive(part):
                packets.append(packet)
                assert packet in SENT, "a packet that nobody sent"
    except SourceProtocolError as error:
        assert str(error)


@looked_at(200)
@given(mutated(STREAMS), CUTS)
def test_the_cutting_of_a_broken_stream_changes_nothing(stream: bytes, cuts: list[int]) -> None:
    in_pieces, why = _one_by_one(pieces(stream, cuts))
    assert (in_pieces, why) == _one_by_one([stream])


def _one_by_one(parts: Sequence[bytes]) -> tuple[list[Packet], str]:
    buffer, packets = PacketBuffer(), list[Packet]()
    try:
        for part in parts:
            for packet in buffer.receive(part):
                packets.append(packet)
    except SourceProtocolError as error:
        return packets, str(error)
    return packets, ""


@looked_at(300)
@given(st.lists(st.sampled_from(PACKETS), max_size=20))
def test_any_order_of_packets_gives_frames_that_can_be_measured(packets: list[Packet]) -> None:
    session, frames = SourceSession(4), list[AcquiredFrame]()
    try:
        for packet in [HELLO, *packets]:
            frames += [done] if (done := session.take(packet)) else []
    except SourceProtocolError as error:
        assert str(error)
    frames += [done] if (done := session.close()) else []
    begun = [packet.trigger_no for packet in packets if isinstance(packet, FrameBegin)]
    assert [each.frame.trigger_no for each in frames] == begun[: len(frames)]
    for each in frames:
        frame = each.frame
        assert frame.rows_missing == frame.row_count - int(frame.row_present.sum())
        assert not frame.samples.transpose(0, 2, 1)[~frame.row_present].any()
        measured = measure(frame, each.field, None)
        found = findings_of(frame, measured, "cal", "ab" * 32)
        assert not found.usable or (frame.ended and not frame.rows_missing)
