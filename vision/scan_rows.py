"""The X-ray source's protocol, both directions, as a pure codec: packets to bytes and back.

A packet is `magic, version, type, payload length, payload, CRC-32`, all big-endian; the CRC covers
everything before it. docs/xray-source.md is the interface control document. Nothing here opens a
socket, reads a clock or knows numpy: samples stay bytes, so that a source may be written with
nothing but this file. Whatever does not fit raises; a packet is never repaired or half used, and
the connection it came from is to be closed.
"""

import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

MAGIC = b"PGXR"
VERSION = 1
# The widest detector array on the market has 2,304 pixels; a power of two above it.
COLUMNS_MAX = 4096
# One packet is at most 64 rows of 4,096 columns: 1 MiB, so that one bad length cannot fill memory.
ROWS_PER_PACKET_MAX = 64
# 4,000 rows of 1.5 mm are 6 m of belt, far over any parcel.
ROWS_PER_FRAME_MAX = 4000
# Coarser than this is no picture; it also bounds what the analysis computes from the geometry.
PIXEL_PITCH_UM_MAX = 10_000
ROW_PITCH_UM_MAX = 20_000
CALIBRATION_ID_BYTES_MAX = 64
HEARTBEAT_PERIOD_MS = 500
SAMPLE_BYTES = 2
ENERGIES = 2  # high energy first, then low energy

_HEADER = struct.Struct(">4sBBI")
_CRC = struct.Struct(">I")
_HELLO = struct.Struct(">HHIHI")
_CALIBRATION = struct.Struct(">QHB")
_FRAME_BEGIN = struct.Struct(">II")
_ROWS = struct.Struct(">IIHH")
_FRAME_END = struct.Struct(">II")
PAYLOAD_BYTES_MAX = _ROWS.size + ROWS_PER_PACKET_MAX * COLUMNS_MAX * ENERGIES * SAMPLE_BYTES


class SourceProtocolError(ValueError):
    """The bytes are no packet of this protocol; close the connection they came from."""


@dataclass(frozen=True, slots=True)
class Hello:
    """First packet of a connection: who the source is and its geometry, all in the belt plane.

    `pixel_pitch_um` is the width of one column, `row_pitch_counts` the belt travel between two rows
    in encoder counts, `encoder_counts_per_m` the encoder's scale.
    """

    source: int
    columns: int
    pixel_pitch_um: int
    row_pitch_counts: int
    encoder_counts_per_m: int


@dataclass(frozen=True, slots=True)
class Calibration:
    """Dark (X-ray off) and air (X-ray on, empty belt) rows, each `columns` big-endian u16.

    `calibration_id` is 1 to 64 printable ASCII characters; it travels into every finding.
    """

    calibration_id: str
    taken_utc_ns: int
    dark_high: bytes
    dark_low: bytes
    air_high: bytes
    air_low: bytes


@dataclass(frozen=True, slots=True)
class FrameBegin:
    """A frame starts: the trigger's number and the encoder count of row 0 at the beam."""

    trigger_no: int
    first_row_encoder_counts: int


@dataclass(frozen=True, slots=True)
class Rows:
    """`row_count` rows from row `first_row_no`: per row `columns` high-energy then `columns`
    low-energy samples, big-endian u16 (row_count x 2 x columns in all).
    """

    trigger_no: int
    first_row_no: int
    row_count: int
    columns: int
    samples: bytes


@dataclass(frozen=True, slots=True)
class FrameEnd:
    """The frame is over; `row_count` rows were scanned, received or not."""

    trigger_no: int
    row_count: int


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Every HEARTBEAT_PERIOD_MS, rows or none: the source lives."""


Packet = Hello | Calibration | FrameBegin | Rows | FrameEnd | Heartbeat

TYPE_HELLO, TYPE_CALIBRATION, TYPE_FRAME_BEGIN, TYPE_ROWS, TYPE_FRAME_END, TYPE_HEARTBEAT = range(
    1, 7
)


def encode_packet(packet: Packet) -> bytes:
    """One packet as bytes. SourceProtocolError if it breaks a limit: a codec that can write what it
    cannot read would hide the fault until the other end sees it.
    """
    packet_type, payload = _encode_payload(packet)
    _decode_payload(packet_type, payload)
    covered = _HEADER.pack(MAGIC, VERSION, packet_type, len(payload)) + payload
    return covered + _CRC.pack(zlib.crc32(covered))


def _encode_payload(packet: Packet) -> tuple[int, bytes]:
    try:
        match packet:
            case Hello(source, columns, pixel, pitch, per_m):
                return TYPE_HELLO, _HELLO.pack(source, columns, pixel, pitch, per_m)
            case Calibration():
                return TYPE_CALIBRATION, _encode_calibration(packet)
            case FrameBegin(trigger_no, counts):
                return TYPE_FRAME_BEGIN, _FRAME_BEGIN.pack(trigger_no, counts)
            case Rows(trigger_no, first, count, columns, samples):
                return TYPE_ROWS, _ROWS.pack(trigger_no, first, count, columns) + samples
            case FrameEnd(trigger_no, count):
                return TYPE_FRAME_END, _FRAME_END.pack(trigger_no, count)
            case Heartbeat():
                return TYPE_HEARTBEAT, b""
    except (struct.error, UnicodeEncodeError) as error:
        raise SourceProtocolError(f"{type(packet).__name__}: {error}") from error


def _encode_calibration(packet: Calibration) -> bytes:
    name = packet.calibration_id.encode("ascii")
    columns = len(packet.dark_high) // SAMPLE_BYTES
    curves = packet.dark_high + packet.dark_low + packet.air_high + packet.air_low
    return _CALIBRATION.pack(packet.taken_utc_ns, columns, len(name)) + name + curves


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise SourceProtocolError(what)


def _decode_hello(payload: bytes) -> Hello:
    hello = Hello(*_HELLO.unpack(payload))
    _require(1 <= hello.columns <= COLUMNS_MAX, f"HELLO: {hello.columns} columns")
    _require(
        min(hello.pixel_pitch_um, hello.row_pitch_counts, hello.encoder_counts_per_m) > 0,
        "HELLO: a pitch or the encoder scale is zero",
    )
    row_pitch_um = hello.row_pitch_counts * 1_000_000 // hello.encoder_counts_per_m
    _require(row_pitch_um <= ROW_PITCH_UM_MAX, f"HELLO: rows {row_pitch_um} um apart")
    _require(
        hello.pixel_pitch_um <= PIXEL_PITCH_UM_MAX, f"HELLO: columns {hello.pixel_pitch_um} um wide"
    )
    return hello


def _decode_calibration(payload: bytes) -> Calibration:
    taken_utc_ns, columns, name_bytes = _CALIBRATION.unpack_from(payload)
    name, curves = (
        payload[_CALIBRATION.size :][:name_bytes],
        payload[_CALIBRATION.size + name_bytes :],
    )
    _require(1 <= columns <= COLUMNS_MAX, f"CALIBRATION: {columns} columns")
    _require(
        1 <= len(name) <= CALIBRATION_ID_BYTES_MAX and all(0x20 < byte < 0x7F for byte in name),
        "CALIBRATION: the id is not 1 to 64 printable ASCII characters",
    )
    size = columns * SAMPLE_BYTES
    _require(len(curves) == 4 * size, f"CALIBRATION: {len(curves)} bytes of curves, not {4 * size}")
    dark_high, dark_low, air_high, air_low = (
        curves[at : at + size] for at in range(0, 4 * size, size)
    )
    return Calibration(name.decode(), taken_utc_ns, dark_high, dark_low, air_high, air_low)


def _decode_rows(payload: bytes) -> Rows:
    trigger_no, first, count, columns = _ROWS.unpack_from(payload)
    samples = payload[_ROWS.size :]
    _require(1 <= columns <= COLUMNS_MAX, f"ROWS: {columns} columns")
    _require(1 <= count <= ROWS_PER_PACKET_MAX, f"ROWS: {count} rows in one packet")
    _require(first + count <= ROWS_PER_FRAME_MAX, f"ROWS: row {first + count - 1}")
    expected = count * columns * ENERGIES * SAMPLE_BYTES
    _require(len(samples) == expected, f"ROWS: {len(samples)} bytes of samples, not {expected}")
    return Rows(trigger_no, first, count, columns, samples)


def _decode_frame_end(payload: bytes) -> FrameEnd:
    end = FrameEnd(*_FRAME_END.unpack(payload))
    _require(end.row_count <= ROWS_PER_FRAME_MAX, f"FRAME_END: {end.row_count} rows")
    return end


def _decode_heartbeat(payload: bytes) -> Heartbeat:
    _require(not payload, "HEARTBEAT with a payload")
    return Heartbeat()


_DECODE: dict[int, Callable[[bytes], Packet]] = {
    TYPE_HELLO: _decode_hello,
    TYPE_CALIBRATION: _decode_calibration,
    TYPE_FRAME_BEGIN: lambda payload: FrameBegin(*_FRAME_BEGIN.unpack(payload)),
    TYPE_ROWS: _decode_rows,
    TYPE_FRAME_END: _decode_frame_end,
    TYPE_HEARTBEAT: _decode_heartbeat,
}


def _decode_payload(packet_type: int, payload: bytes) -> Packet:
    decode = _DECODE.get(packet_type)
    if decode is None:
        raise SourceProtocolError(f"unknown packet type {packet_type}")
    try:
        return decode(payload)
    except struct.error as error:
        raise SourceProtocolError(f"packet type {packet_type}: {error}") from error


class PacketBuffer:
    """Turns received bytes into packets. After an error it is spent: close the connection."""

    def __init__(self) -> None:
        self._bytes = bytearray()

    def feed(self, data: bytes) -> list[Packet]:
        """Every packet completed by `data`, in order. SourceProtocolError as `receive`."""
        return list(self.receive(data))

    def receive(self, data: bytes) -> Iterator[Packet]:
        """The same one by one, so that the packets before a fault are not lost with it.

        SourceProtocolError on anything else. At most one incomplete packet (PAYLOAD_BYTES_MAX) is
        kept. Nothing happens before the first packet is asked for.
        """
        self._bytes += data
        while len(self._bytes) >= _HEADER.size:
            magic, version, packet_type, length = _HEADER.unpack_from(self._bytes)
            _require(magic == MAGIC, "this is no X-ray source: wrong magic")
            _require(version == VERSION, f"version {version}, this software speaks {VERSION}")
            _require(length <= PAYLOAD_BYTES_MAX, f"payload of {length} bytes")
            end = _HEADER.size + length
            if len(self._bytes) < end + _CRC.size:
                break
            covered = bytes(self._bytes[:end])
            (crc,) = _CRC.unpack_from(self._bytes, end)
            _require(zlib.crc32(covered) == crc, f"packet type {packet_type}: CRC does not fit")
            del self._bytes[: end + _CRC.size]
            yield _decode_payload(packet_type, covered[_HEADER.size :])
