"""Ring records, decision rows and echo rows to and from register words. Pure.

`decode_record` gives the core's event or None for a slot that is torn, stale or not ours: the caller
reads again. A slot counts only if both sequences are the expected one and the CRC fits; the CRC
covers the sequence too, so that a slot pasted together from two records never passes.
"""

import struct
from collections.abc import Callable, Sequence
from typing import Final

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import U32_MAX
from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
)
from plc import register_map as m

Words = Sequence[int]

SYMBOLOGY_UNKNOWN: Final = 0
CODE_BYTES_PER_PART: Final = 28


class RecordFault(ValueError):
    """A record that passed its CRC but whose content no map of ours allows."""


def crc16_modbus(data: bytes) -> int:
    """CRC-16/MODBUS (poly 0xA001 reflected, start 0xFFFF), check value of b'123456789' is 0x4B37."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc


def _crc_table_entry(index: int) -> int:
    for _ in range(8):
        index = (index >> 1) ^ 0xA001 if index & 1 else index >> 1
    return index


_CRC_TABLE: Final[tuple[int, ...]] = tuple(_crc_table_entry(index) for index in range(256))


def words_bytes(words: Words) -> bytes:
    """Registers as bytes, high byte first."""
    return struct.pack(f">{len(words)}H", *words)


def u32_words(value: int) -> tuple[int, int]:
    return value >> 16, value & 0xFFFF


def u32_at(words: Words, offset: int) -> int:
    return words[offset] << 16 | words[offset + 1]


def i32_words(value: int) -> tuple[int, int]:
    return u32_words(value & U32_MAX)


def i32_at(words: Words, offset: int) -> int:
    value = u32_at(words, offset)
    return value - (1 << 32) if value >> 31 else value


def _u64_words(value: int) -> tuple[int, int, int, int]:
    return value >> 48 & 0xFFFF, value >> 32 & 0xFFFF, value >> 16 & 0xFFFF, value & 0xFFFF


# --- ring records ---------------------------------------------------------------------------------


def encode_record(event: events.PlcRecord) -> list[int]:
    """The 31 registers of a record, complete (a PLC writes them in commit order, see the map)."""
    kind, payload = _encode_payload(event)
    words = [0] * m.R_SLOT_REGISTERS
    words[m.R_SEQ_BEGIN : m.R_SEQ_BEGIN + 2] = u32_words(event.ring_seq)
    words[m.R_KIND] = kind
    words[m.R_SOURCE] = event.source
    words[m.R_TRACK_ID : m.R_TRACK_ID + 2] = u32_words(event.track_id)
    words[m.R_ENCODER : m.R_ENCODER + 2] = u32_words(event.encoder_counts)
    words[m.R_PLC_TIME_US : m.R_PLC_TIME_US + 4] = _u64_words(event.plc_time_us)
    words[m.R_PAYLOAD : m.R_PAYLOAD + len(payload)] = payload
    words[m.R_CRC] = crc16_modbus(words_bytes(words[: m.R_CRC]))
    words[m.R_SEQ_END : m.R_SEQ_END + 2] = u32_words(event.ring_seq)
    return words


def decode_record(boot_id: int, expected_seq: int, words: Words) -> events.PlcRecord | None:
    """The record in a slot, or None if it is not (yet) wholly the expected one.

    RecordFault if the CRC fits but the content is outside the map: the PLC's program is wrong, and
    reading again would not help.
    """
    if u32_at(words, m.R_SEQ_BEGIN) != expected_seq or u32_at(words, m.R_SEQ_END) != expected_seq:
        return None
    if crc16_modbus(words_bytes(words[: m.R_CRC])) != words[m.R_CRC]:
        return None
    head = (
        boot_id,
        expected_seq,
        words[m.R_SOURCE],
        u32_at(words, m.R_TRACK_ID),
        u32_at(words, m.R_ENCODER),
        int.from_bytes(words_bytes(words[m.R_PLC_TIME_US : m.R_PLC_TIME_US + 4]), "big"),
    )
    decode = _DECODE_PAYLOAD.get(words[m.R_KIND])
    if decode is None:
        raise RecordFault(f"record {expected_seq}: kind {words[m.R_KIND]} is not in the map")
    try:
        return decode(head, words[m.R_PAYLOAD : m.R_PAYLOAD + m.R_PAYLOAD_WORDS])
    except ValueError as error:
        raise RecordFault(f"record {expected_seq}, kind {words[m.R_KIND]}: {error}") from error


Head = tuple[int, int, int, int, int, int]


def _decode_code(head: Head, p: Words) -> events.CodeRead:
    part_no, part_count = p[0] >> 4 & 0xF, p[0] & 0xF
    length = p[1] & 0xFF
    if length > CODE_BYTES_PER_PART or (part_count and part_no >= part_count):
        raise ValueError(f"part {part_no} of {part_count}, {length} bytes")
    raw = words_bytes(p[2:16])[:length]
    if any(byte < 0x20 or byte > 0x7E for byte in raw):
        raise ValueError("code text is not printable ASCII")
    return events.CodeRead(*head, p[0] >> 8, part_no, part_count, p[1] >> 8, raw.decode("ascii"))


def _encode_code(e: events.CodeRead) -> list[int]:
    raw = e.text.encode("ascii").ljust(CODE_BYTES_PER_PART, b"\0")
    text_words = [int.from_bytes(raw[i : i + 2], "big") for i in range(0, CODE_BYTES_PER_PART, 2)]
    first = e.code_no << 8 | e.part_no << 4 | e.part_count
    return [first, e.symbology << 8 | len(e.text), *text_words]


def _decode_weight(head: Head, p: Words) -> events.Weighed:
    return events.Weighed(*head, u32_at(p, 0), i32_at(p, 2), p[4], bool(p[5] & 1), bool(p[5] & 2))


def _encode_weight(e: events.Weighed) -> list[int]:
    flags = int(e.stable) | int(e.over_range) << 1
    return [*u32_words(e.weight_mg), *i32_words(e.zero_mg), e.measurement_no, flags]


def _decode_gate(head: Head, p: Words) -> events.GateMoved:
    return events.GateMoved(*head, GatePhase(p[0]), GatePosition(p[1]), p[2])


def _decode_belt(head: Head, p: Words) -> events.BeltChanged:
    return events.BeltChanged(*head, BeltMotion(p[0]), p[1], BeltCause(p[2]))


KIND_INDUCT: Final = 1
KIND_EYE: Final = 2
KIND_CODE: Final = 3
KIND_WEIGHT: Final = 4
KIND_DIMENSIONS: Final = 5
KIND_TRIGGER: Final = 6
KIND_GATE: Final = 7
KIND_LANE_SEEN: Final = 8
KIND_DEFAULT: Final = 9
KIND_LOST: Final = 10
KIND_EXTRA: Final = 11
KIND_ZONE: Final = 12
KIND_BELT: Final = 13
KIND_LANE: Final = 14
KIND_DEVICE: Final = 15

_DECODE_PAYLOAD: dict[int, Callable[[Head, Words], events.PlcRecord]] = {
    KIND_INDUCT: lambda h, p: events.Inducted(*h, u32_at(p, 0)),
    KIND_EYE: lambda h, p: events.EyePassed(*h, u32_at(p, 0), u32_at(p, 2)),
    KIND_CODE: _decode_code,
    KIND_WEIGHT: _decode_weight,
    KIND_DIMENSIONS: lambda h, p: events.Dimensioned(*h, p[0], p[1], p[2], p[3], bool(p[4] & 1)),
    KIND_TRIGGER: lambda h, p: events.Triggered(*h, u32_at(p, 0)),
    KIND_GATE: _decode_gate,
    KIND_LANE_SEEN: lambda h, p: events.LaneSeen(*h),
    KIND_DEFAULT: lambda h, p: events.DefaultTaken(*h, DefaultCause(p[0])),
    KIND_LOST: lambda h, p: events.ParcelLost(*h),
    KIND_EXTRA: lambda h, p: events.ExtraSeen(*h, u32_at(p, 0)),
    KIND_ZONE: lambda h, p: events.ZoneOpened(*h, p[0], p[1]),
    KIND_BELT: _decode_belt,
    KIND_LANE: lambda h, p: events.LaneChanged(*h, bool(p[0]), bool(p[1]), p[2]),
    KIND_DEVICE: lambda h, p: events.DeviceChanged(*h, bool(p[0]), bool(p[1]), bool(p[2])),
}

_ENCODE_PAYLOAD: dict[type, tuple[int, Callable[..., list[int]]]] = {
    events.Inducted: (KIND_INDUCT, lambda e: [*u32_words(e.gap_before_counts)]),
    events.EyePassed: (
        KIND_EYE,
        lambda e: [*u32_words(e.length_counts), *u32_words(e.gap_before_counts)],
    ),
    events.CodeRead: (KIND_CODE, _encode_code),
    events.Weighed: (KIND_WEIGHT, _encode_weight),
    events.Dimensioned: (
        KIND_DIMENSIONS,
        lambda e: [e.length_mm, e.width_mm, e.height_mm, e.measurement_no, int(e.measurable)],
    ),
    events.Triggered: (KIND_TRIGGER, lambda e: [*u32_words(e.trigger_no)]),
    events.GateMoved: (KIND_GATE, lambda e: [e.phase, e.position, e.travel_ms]),
    events.LaneSeen: (KIND_LANE_SEEN, lambda e: []),
    events.DefaultTaken: (KIND_DEFAULT, lambda e: [e.cause]),
    events.ParcelLost: (KIND_LOST, lambda e: []),
    events.ExtraSeen: (KIND_EXTRA, lambda e: [*u32_words(e.length_counts)]),
    events.ZoneOpened: (KIND_ZONE, lambda e: [e.from_mm, e.to_mm]),
    events.BeltChanged: (KIND_BELT, lambda e: [e.motion, e.speed_mm_per_s, e.cause]),
    events.LaneChanged: (KIND_LANE, lambda e: [int(e.full), int(e.jammed), e.room_parcels]),
    events.DeviceChanged: (
        KIND_DEVICE,
        lambda e: [int(e.on), int(e.interlock_closed), int(e.fault)],
    ),
}


def _encode_payload(event: events.PlcRecord) -> tuple[int, list[int]]:
    kind, encode = _ENCODE_PAYLOAD[type(event)]
    return kind, [int(word) for word in encode(event)]


# --- decision rows and their echoes ---------------------------------------------------------------


def encode_decision(decision: SendDecision) -> list[int]:
    """The 12 registers of a row of block D."""
    words = [
        *u32_words(decision.boot_id),
        *u32_words(decision.session),
        *u32_words(decision.track_id),
        decision.destination,
        decision.reason,
        *u32_words(decision.decision_seq),
        m.LAYOUT_VERSION,
    ]
    return [*map(int, words), crc16_modbus(words_bytes(words))]


def decode_decision(words: Words) -> SendDecision | None:
    """A row of block D as a PLC must judge it: None unless it is whole, of our layout and non-empty."""
    if crc16_modbus(words_bytes(words[: m.D_CRC])) != words[m.D_CRC]:
        return None
    if words[m.D_LAYOUT] != m.LAYOUT_VERSION or u32_at(words, m.D_DECISION_SEQ) == 0:
        return None
    try:
        destination = Destination(words[m.D_DESTINATION])
    except ValueError:
        return None
    return SendDecision(
        decision_seq=u32_at(words, m.D_DECISION_SEQ),
        boot_id=u32_at(words, m.D_BOOT_ID),
        session=u32_at(words, m.D_SESSION),
        track_id=u32_at(words, m.D_TRACK_ID),
        destination=destination,
        reason=words[m.D_REASON],
    )


def encode_echo(echo: events.DecisionEchoed) -> list[int]:
    """The 5 registers of a row of block E."""
    return [*u32_words(echo.decision_seq), *u32_words(echo.track_id), int(echo.result)]


def decode_echo(words: Words) -> events.DecisionEchoed | None:
    """A row of block E; None while empty or not in the map (torn: read again)."""
    seq = u32_at(words, m.E_DECISION_SEQ)
    try:
        result = DecisionResult(words[m.E_RESULT])
    except ValueError:
        return None
    return None if seq == 0 else events.DecisionEchoed(seq, u32_at(words, m.E_TRACK_ID), result)


def decode_belt_row(words: Words) -> events.BeltRow | None:
    """A row of table T; None if free."""
    track_id = u32_at(words, m.T_TRACK_ID)
    if track_id == 0:
        return None
    state = words[m.T_STATE_DESTINATION]
    return events.BeltRow(
        track_id, u32_at(words, m.T_ENCODER), words[m.T_LENGTH_MM], state >> 8, state & 0xFF
    )


def encode_belt_row(row: events.BeltRow) -> list[int]:
    """The 6 registers of a row of table T."""
    state = row.state << 8 | row.destination
    return [*u32_words(row.track_id), *u32_words(row.encoder_counts), row.length_mm, state]
