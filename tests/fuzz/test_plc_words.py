"""Registers of a PLC gone wild: a record, a row or nothing, and RecordFault where the CRC vouches."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from controller.core.events import PlcRecord
from plc import register_map as m
from plc.record_codec import (
    RecordFault,
    crc16_modbus,
    decode_belt_row,
    decode_decision,
    decode_echo,
    decode_record,
    encode_belt_row,
    encode_decision,
    encode_echo,
    encode_record,
    u32_at,
    words_bytes,
)
from tests.fuzz.looking import looked_at
from tests.plc.records import DECISIONS, RECORDS, U16

CHANGES = st.lists(st.tuples(st.integers(0, m.R_SLOT_REGISTERS - 1), U16), max_size=6)


def words(count: int) -> st.SearchStrategy[list[int]]:
    return st.lists(U16, min_size=count, max_size=count)


def changed(right: Sequence[int], changes: Sequence[tuple[int, int]], crc_at: int) -> list[int]:
    """`right` with registers changed and the CRC repaired: a PLC whose program is wrong."""
    wrong = list(right)
    for at, word in changes:
        wrong[at % len(wrong)] = word
    wrong[crc_at] = crc16_modbus(words_bytes(wrong[:crc_at]))
    return wrong


@looked_at(400)
@given(RECORDS, CHANGES)
def test_a_record_with_a_right_crc_is_taken_or_named(
    record: PlcRecord, changes: list[tuple[int, int]]
) -> None:
    slot = changed(encode_record(record), changes, m.R_CRC)
    seq = u32_at(slot, m.R_SEQ_BEGIN)
    try:
        taken = decode_record(record.boot_id, seq, slot)
    except RecordFault as fault:
        assert str(seq) in str(fault)
        return
    if taken is None:
        assert u32_at(slot, m.R_SEQ_END) != seq
    else:
        assert decode_record(record.boot_id, seq, encode_record(taken)) == taken


@looked_at(300)
@given(RECORDS, CHANGES)
def test_a_changed_record_without_its_crc_is_never_taken(
    record: PlcRecord, changes: list[tuple[int, int]]
) -> None:
    right = encode_record(record)
    slot = list(right)
    for at, word in changes:
        slot[at] = word
    # Two changes may cancel in a 16-bit sum, one burst of up to 16 bits never does.
    if sum(old != new for old, new in zip(right, slot, strict=True)) == 1:
        assert decode_record(record.boot_id, record.ring_seq, slot) is None


@looked_at(300)
@given(words(m.R_SLOT_REGISTERS), U16, U16)
def test_any_slot(slot: list[int], boot_id: int, kind: int) -> None:
    slot[m.R_KIND] = kind % 20
    slot[m.R_SEQ_END : m.R_SEQ_END + 2] = slot[m.R_SEQ_BEGIN : m.R_SEQ_BEGIN + 2]
    slot[m.R_CRC] = crc16_modbus(words_bytes(slot[: m.R_CRC]))
    try:
        taken = decode_record(boot_id, u32_at(slot, m.R_SEQ_BEGIN), slot)
    except RecordFault:
        return
    assert taken is not None


@looked_at(300)
@given(DECISIONS, CHANGES)
def test_any_row_of_block_d(decision: object, changes: list[tuple[int, int]]) -> None:
    row = changed(encode_decision(decision), changes, m.D_CRC)  # type: ignore[arg-type]
    read = decode_decision(row)
    if read is not None:
        assert encode_decision(read) == row


@looked_at(300)
@given(words(m.E_SLOT_REGISTERS), words(m.T_ROW_REGISTERS), U16)
def test_any_row_of_blocks_e_and_t(echo: list[int], belt: list[int], result: int) -> None:
    for number in (echo[m.E_RESULT], result % 12):
        echo[m.E_RESULT] = number
        answer = decode_echo(echo)
        assert answer is None or encode_echo(answer) == echo
    row = decode_belt_row(belt)
    assert row is None or encode_belt_row(row) == belt
