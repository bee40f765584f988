"""Judging header H and probe block P of the exchange. Pure.

A header is torn (None: read again), honest (a `Header`) or shows a PLC that we must not talk to
(`ExchangeFault`). It must never take a torn sequence for a true one: head and its copy have to
agree, and head and accepted ack may not be further apart than the ring is long, because a 32-bit
value torn between its two registers is off by nearly 65,536.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from controller.core.vocabulary import LinkFault, PlcStateBit
from plc import register_map as m
from plc.record_codec import u32_at, u32_words
from plc.ring_reader import ring_distance

Words = Sequence[int]

_PROBE_U32: Final = u32_words(m.PROBE_U32)


class ExchangeFault(Exception):
    """The exchange is broken or refused: `fault` for the core, the text for a person."""

    def __init__(self, fault: LinkFault, sentence: str) -> None:
        super().__init__(sentence)
        self.fault = fault


class Header(NamedTuple):
    """Block H, whole and plausible."""

    heartbeat: int
    boot_id: int
    head_seq: int
    accepted_ack: int
    overflow_count: int
    state_bits: int


def judge_identity(h: Words, p: Words) -> None:
    """ExchangeFault unless H and P are those of our map in our word order.

    The probe is judged before anything that spans two registers, so that a PLC with swapped words
    is named as such and not as torn.
    """
    if h[m.H_MAGIC] == _bytes_swapped(m.MAGIC):
        raise ExchangeFault(LinkFault.WORD_ORDER, "the PLC swaps the bytes of every register")
    if h[m.H_MAGIC] != m.MAGIC:
        raise _not_ours(f"register 0 holds {h[m.H_MAGIC]:#06x}, not {m.MAGIC:#06x}")
    _judge_word_order(tuple(p[m.P_U32 : m.P_U32 + 2]), tuple(p[m.P_FLOAT : m.P_FLOAT + 2]))
    if p[m.P_LAYOUT] != m.LAYOUT_VERSION:
        raise _not_ours(
            f"the PLC has layout {p[m.P_LAYOUT]}, this software speaks {m.LAYOUT_VERSION}"
        )
    if (h[m.H_SLOTS], h[m.H_SLOT_REGISTERS]) != (m.R_SLOTS, m.R_SLOT_REGISTERS):
        raise _not_ours(
            f"the PLC's ring is {h[m.H_SLOTS]} x {h[m.H_SLOT_REGISTERS]} registers,"
            f" ours {m.R_SLOTS} x {m.R_SLOT_REGISTERS}"
        )


def read_header(h: Words) -> Header | None:
    """The header, or None if it is torn or not yet filled (boot id 0)."""
    head = u32_at(h, m.H_HEAD_SEQ)
    ack = u32_at(h, m.H_ACCEPTED_ACK)
    boot_id = u32_at(h, m.H_BOOT_ID)
    if boot_id == 0 or head != u32_at(h, m.H_HEAD_COPY):
        return None
    if not 0 <= ring_distance(head, ack) <= m.R_SLOTS:
        return None
    return Header(
        heartbeat=h[m.H_HEARTBEAT],
        boot_id=boot_id,
        head_seq=head,
        accepted_ack=ack,
        overflow_count=h[m.H_OVERFLOW_COUNT],
        state_bits=h[m.H_STATE_BITS],
    )


def judge_mode(header: Header) -> None:
    """ExchangeFault if the PLC is in test mode: what it reports is simulated, and its gates stand."""
    if header.state_bits & PlcStateBit.TEST_MODE:
        raise _not_ours("the PLC is in test mode: switch it off at the PLC")


def _judge_word_order(probe: tuple[int, ...], probe_float: tuple[int, ...]) -> None:
    if probe == _PROBE_U32 and probe_float == m.PROBE_FLOAT_WORDS:
        return
    orders = {
        _PROBE_U32[::-1]: "the PLC stores 32-bit values low word first",
        tuple(map(_bytes_swapped, _PROBE_U32)): "the PLC swaps the bytes of every register",
        tuple(map(_bytes_swapped, _PROBE_U32[::-1])): "the PLC stores 32-bit values little-endian",
        _PROBE_U32: "the PLC stores floats in another order than 32-bit integers",
    }
    sentence = orders.get(probe)
    if sentence is None:
        raise _not_ours(f"the probe block reads {probe[0]:#06x} {probe[1]:#06x}")
    raise ExchangeFault(LinkFault.WORD_ORDER, f"{sentence}: swap them in the PLC, see block P")


def _bytes_swapped(word: int) -> int:
    return (word & 0xFF) << 8 | word >> 8


def _not_ours(sentence: str) -> ExchangeFault:
    return ExchangeFault(LinkFault.NOT_OUR_MAP, sentence)
