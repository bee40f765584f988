"""Every point of the PLC's map, read back and decoded for a person. Words in, rows out; no I/O."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from controller.core.vocabulary import DecisionResult, Destination, PlcStateBit
from plc import register_map as m
from plc.record_codec import decode_belt_row, decode_echo, u32_at

Words = Sequence[int]


@dataclass(frozen=True, slots=True, order=True)
class Point:
    """`address` relative to the base."""

    address: int
    name: str
    value: str


def header_points(words: Words) -> Iterator[Point]:
    """H, P and E, as one read of HEADER_AND_ECHO_RUN gives them."""
    yield Point(m.H_MAGIC, "magic", f"{words[m.H_MAGIC]:#06x}")
    yield Point(m.H_HEARTBEAT, "PLC life sign", f"{words[m.H_HEARTBEAT]}")
    yield Point(m.H_BOOT_ID, "boot id", f"{u32_at(words, m.H_BOOT_ID):#010x}")
    yield Point(m.H_HEAD_SEQ, "head", f"{u32_at(words, m.H_HEAD_SEQ)}")
    yield Point(m.H_SLOTS, "ring", f"{words[m.H_SLOTS]} x {words[m.H_SLOT_REGISTERS]}")
    yield Point(m.H_ACCEPTED_ACK, "accepted ack", f"{u32_at(words, m.H_ACCEPTED_ACK)}")
    yield Point(m.H_OVERFLOW_COUNT, "overflow count", f"{words[m.H_OVERFLOW_COUNT]}")
    yield Point(m.H_STATE_BITS, "state", state_words(words[m.H_STATE_BITS]))
    yield Point(m.H_HEAD_COPY, "head copy", f"{u32_at(words, m.H_HEAD_COPY)}")
    p = m.P_ADDRESS
    yield Point(p + m.P_LAYOUT, "layout", f"{words[p + m.P_LAYOUT]}")
    yield Point(p + m.P_U32, "probe", f"{u32_at(words, p + m.P_U32):#010x}")
    yield Point(p + m.P_FLOAT, "probe float", f"{u32_at(words, p + m.P_FLOAT):#010x}")
    latched = words[p + m.P_LATCHED_SESSION_LOW]
    yield Point(p + m.P_LATCHED_SESSION_LOW, "latched session", f"..{latched:04x}")
    for row in range(m.E_SLOTS):
        at = m.E_ADDRESS + row * m.E_SLOT_REGISTERS
        echo = decode_echo(words[at : at + m.E_SLOT_REGISTERS])
        if echo is not None:
            result = DecisionResult(echo.result).name.lower().replace("_", " ")
            yield Point(at, f"answer {row}", f"{echo.decision_seq}, {echo.track_id}: {result}")


def state_words(bits: int) -> str:
    """The names of the bits that are set, and the number."""
    names = [bit.name.lower().replace("_", " ") for bit in PlcStateBit if bits & bit]
    return f"{bits:#06x} {', '.join(names)}".rstrip()


def host_points(c: Words) -> Iterator[Point]:
    """Block C as the PLC gives it back."""
    yield Point(m.C_ADDRESS + m.C_HEARTBEAT, "host life sign", f"{c[m.C_HEARTBEAT]}")
    yield Point(m.C_ADDRESS + m.C_COMMAND_BITS, "permits", f"{c[m.C_COMMAND_BITS]:#06x}")
    yield Point(m.C_ADDRESS + m.C_ACK, "acknowledged", f"{u32_at(c, m.C_ACK)}")
    yield Point(m.C_ADDRESS + m.C_SESSION, "session", f"{u32_at(c, m.C_SESSION):#010x}")


def table_points(d: Words, t: Words) -> Iterator[Point]:
    """Rows of D and T that are not empty."""
    for at in range(0, len(d), m.D_SLOT_REGISTERS):
        seq = u32_at(d, at + m.D_DECISION_SEQ)
        if seq:
            where = _destination(d[at + m.D_DESTINATION])
            value = f"{seq}, {u32_at(d, at + m.D_TRACK_ID)}: {where}"
            yield Point(m.D_ADDRESS + at, f"decision {at // m.D_SLOT_REGISTERS}", value)
    for at in range(0, len(t), m.T_ROW_REGISTERS):
        row = decode_belt_row(t[at : at + m.T_ROW_REGISTERS])
        if row is not None:
            value = (
                f"{row.track_id} at {row.encoder_counts}, {row.length_mm} mm, state {row.state}, "
                f"{_destination(row.destination)}"
            )
            yield Point(m.T_ADDRESS + at, f"belt {at // m.T_ROW_REGISTERS}", value)


def _destination(number: int) -> str:
    known = {destination.value: destination.name.lower() for destination in Destination}
    return known.get(number, "undecided" if number == 0 else f"destination {number}")
