import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.vision.synthetic import HELLO, calibration
from vision import scan_rows
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

U32 = st.integers(0, 2**32 - 1)


@st.composite
def rows_packets(draw: st.DrawFn) -> Rows:
    count, columns = draw(st.integers(1, 4)), draw(st.integers(1, 6))
    size = count * columns * 4
    samples = draw(st.binary(min_size=size, max_size=size))
    return Rows(draw(U32), draw(st.integers(0, 3996)), count, columns, samples)


PACKETS = st.one_of(
    st.just(HELLO),
    st.just(calibration(40)),
    st.builds(FrameBegin, U32, U32),
    rows_packets(),
    st.builds(FrameEnd, U32, st.integers(0, 4000)),
    st.just(Heartbeat()),
)


@given(st.lists(PACKETS, max_size=6), st.data())
def test_packets_survive_any_cutting_of_the_stream(
    packets: list[Packet], data: st.DataObject
) -> None:
    stream = b"".join(map(encode_packet, packets))
    buffer, received, at = PacketBuffer(), [], 0
    while at < len(stream):
        step = data.draw(st.integers(1, max(1, len(stream) // 3)))
        received += buffer.feed(stream[at : at + step])
        at += step
    assert received == packets


@given(PACKETS, st.data())
@settings(max_examples=200)
def test_no_changed_byte_is_ever_believed(packet: Packet, data: st.DataObject) -> None:
    encoded = bytearray(encode_packet(packet))
    at = data.draw(st.integers(0, len(encoded) - 1))
    encoded[at] ^= data.draw(st.integers(1, 255))
    try:
        received = PacketBuffer().feed(bytes(encoded))
    except SourceProtocolError:
        return
    assert received == []  # a longer length: still waiting, and no packet made up


@given(st.binary(min_size=10, max_size=200))
def test_garbage_raises_or_waits(garbage: bytes) -> None:
    if garbage.startswith(scan_rows.MAGIC):
        return
    with pytest.raises(SourceProtocolError):
        PacketBuffer().feed(garbage)


@pytest.mark.parametrize(
    "packet",
    [
        replace(HELLO, columns=0),
        replace(HELLO, columns=4097),
        replace(HELLO, pixel_pitch_um=0),
        replace(HELLO, pixel_pitch_um=10_001),
        replace(HELLO, row_pitch_counts=21),
        replace(HELLO, row_pitch_counts=70_000),
        replace(HELLO, encoder_counts_per_m=0),
        replace(calibration(40), calibration_id=""),
        replace(calibration(40), calibration_id="x" * 65),
        replace(calibration(40), calibration_id="Ä"),
        replace(calibration(40), calibration_id="two words"),
        replace(calibration(40), air_low=b"\0\0"),
        Rows(1, 0, 65, 1, bytes(260)),
        Rows(1, 3999, 2, 1, bytes(8)),
        Rows(1, 0, 1, 2, bytes(4)),
        Rows(1, 0, 0, 1, b""),
        Rows(2**32, 0, 1, 1, bytes(4)),
        FrameEnd(1, 4001),
    ],
)
def test_what_breaks_a_limit_cannot_be_sent(packet: Packet) -> None:
    with pytest.raises(SourceProtocolError):
        encode_packet(packet)


def framed(packet_type: int, payload: bytes) -> bytes:
    covered = b"PGXR\x01" + bytes([packet_type]) + len(payload).to_bytes(4, "big") + payload
    return covered + zlib.crc32(covered).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("packet_type", "payload"),
    [(0, b""), (7, b""), (1, b"\0"), (2, b""), (3, bytes(9)), (4, bytes(3)), (6, b"x")],
)
def test_a_valid_crc_does_not_make_a_packet(packet_type: int, payload: bytes) -> None:
    with pytest.raises(SourceProtocolError):
        PacketBuffer().feed(framed(packet_type, payload))


def test_an_oversized_length_is_refused_from_its_header_alone() -> None:
    header = b"PGXR\x01\x04" + (scan_rows.PAYLOAD_BYTES_MAX + 1).to_bytes(4, "big")
    with pytest.raises(SourceProtocolError, match="payload of"):
        PacketBuffer().feed(header)


def test_the_document_describes_this_layout() -> None:
    """Byte for byte, so that a source written from docs/xray-source.md alone is understood."""
    hello = b"\0\x04" + b"\x01\xe0" + b"\0\0\x05\xdc" + b"\0\x02" + b"\0\0\x03\xe8"
    assert PacketBuffer().feed(framed(1, hello)) == [Hello(4, 480, 1500, 2, 1000)]
    curves = b"\0\x01" + b"\0\x02" + b"\0\x03" + b"\0\x04"
    taken = framed(2, bytes(7) + b"\x09" + b"\0\x01" + b"\x02" + b"c7" + curves)
    assert PacketBuffer().feed(taken) == [
        Calibration("c7", 9, b"\0\x01", b"\0\x02", b"\0\x03", b"\0\x04")
    ]
    rows = framed(4, b"\0\0\0\x07" + b"\0\0\0\x10" + b"\0\x01" + b"\0\x01" + b"\1\2\3\4")
    assert PacketBuffer().feed(rows) == [Rows(7, 16, 1, 1, b"\1\2\3\4")]
