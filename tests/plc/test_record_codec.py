"""Records, decisions and echoes: what goes in comes out, what was touched on the way is refused."""

from collections.abc import Iterator
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import wire
from controller.core import events
from controller.core.commands import SendDecision
from controller.core.vocabulary import Destination
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
    words_bytes,
)
from tests.plc.records import BELT_ROWS, DECISIONS, ECHOES, RECORD_BY_KIND, RECORDS


def test_crc_is_the_published_one() -> None:
    assert crc16_modbus(b"123456789") == 0x4B37


def test_every_kind_of_record_has_a_strategy() -> None:
    kinds = {kind for kind in wire.KINDS.values() if issubclass(kind, events.PlcRecord)}
    assert set(RECORD_BY_KIND) == kinds


@pytest.mark.parametrize("kind", RECORD_BY_KIND, ids=lambda kind: kind.__name__)
def test_records_round_trip(kind: type[events.PlcRecord]) -> None:
    @given(RECORD_BY_KIND[kind])
    @settings(max_examples=40, deadline=None)
    def round_trip(record: events.PlcRecord) -> None:
        words = encode_record(record)
        assert len(words) == m.R_SLOT_REGISTERS
        assert all(0 <= word <= 0xFFFF for word in words)
        assert decode_record(record.boot_id, record.ring_seq, words) == record

    round_trip()


def flipped(words: list[int]) -> Iterator[list[int]]:
    """Every copy of `words` in which one bit is wrong."""
    for register, bit in product(range(len(words)), range(16)):
        wrong = list(words)
        wrong[register] ^= 1 << bit
        yield wrong


@given(RECORDS)
@settings(deadline=None, max_examples=10)
def test_any_flipped_bit_of_a_record_is_refused(record: events.PlcRecord) -> None:
    for wrong in flipped(encode_record(record)):
        assert decode_record(record.boot_id, record.ring_seq, wrong) is None


@given(RECORDS, RECORDS, st.lists(st.booleans(), min_size=31, max_size=31))
@settings(deadline=None, derandomize=True, max_examples=200)
def test_any_mix_of_two_records_is_refused(
    old: events.PlcRecord, new: events.PlcRecord, from_new: list[bool]
) -> None:
    """Derandomised: a 16-bit CRC lets one arbitrary mix in 65,536 pass. The mixes that commit order
    can show are covered without that escape below."""
    a, b = encode_record(old), encode_record(new)
    mix = [y if pick else x for x, y, pick in zip(a, b, from_new, strict=True)]
    for record in (old, new):
        assert mix in (a, b) or decode_record(record.boot_id, record.ring_seq, mix) is None


# The order in which a PLC writes a slot: (offset, word of the new record or 0).
_COMMIT_ORDER = [(0, True), (1, True), *((i, False) for i in range(2, 31)), (0, False), (1, False)]


@given(RECORDS, RECORDS, st.integers(0, 33), st.integers(0, 31), st.integers(0, 33))
@settings(deadline=None, max_examples=300)
def test_a_read_during_a_commit_gives_the_new_record_or_nothing(
    old: events.PlcRecord, new: events.PlcRecord, written: int, read: int, written_later: int
) -> None:
    """The reader copies `read` registers, is overtaken by the writer, and copies the rest."""
    slot, words = encode_record(old), encode_record(new)
    before, after = sorted((written, written_later))
    first = _written(slot, words, before)
    then = _written(slot, words, after)
    seen = first[:read] + then[read:]
    decoded = decode_record(new.boot_id, new.ring_seq, seen)
    assert decoded is None or decoded == new or seen == slot


def _written(slot: list[int], words: list[int], steps: int) -> list[int]:
    state = list(slot)
    for offset, cleared in _COMMIT_ORDER[:steps]:
        state[offset] = 0 if cleared else words[offset]
    return state


@given(RECORDS, st.integers(16, 0xFFFF))
@settings(deadline=None)
def test_an_unknown_kind_with_a_good_crc_is_a_fault(record: events.PlcRecord, kind: int) -> None:
    words = encode_record(record)
    words[m.R_KIND] = kind
    words[m.R_CRC] = crc16_modbus(words_bytes(words[: m.R_CRC]))
    with pytest.raises(RecordFault, match=f"kind {kind} is not in the map"):
        decode_record(record.boot_id, record.ring_seq, words)


@pytest.mark.parametrize(
    ("kind", "payload"),
    [
        (3, [0x0021, 0x001D]),  # 29 bytes in a part of 28
        (3, [0x0022, 0x0001, 0x4100]),  # part 2 of 2, counted from 0
        (3, [0x0001, 0x0001, 0x0700]),  # a bell is not printable
        (7, [4, 1, 0]),
        (7, [1, 0, 0]),
        (9, [0]),
        (13, [3, 0, 1]),
    ],
)
def test_content_outside_the_map_is_a_fault(kind: int, payload: list[int]) -> None:
    words = encode_record(events.LaneSeen(1, 5, 0, 0, 0, 0))
    words[m.R_KIND] = kind
    words[m.R_PAYLOAD : m.R_PAYLOAD + len(payload)] = payload
    words[m.R_CRC] = crc16_modbus(words_bytes(words[: m.R_CRC]))
    with pytest.raises(RecordFault, match="record 5"):
        decode_record(1, 5, words)


@given(DECISIONS)
@settings(deadline=None)
def test_decisions_round_trip(decision: SendDecision) -> None:
    words = encode_decision(decision)
    assert len(words) == m.D_SLOT_REGISTERS
    assert decode_decision(words) == decision


@given(DECISIONS)
@settings(deadline=None, max_examples=20)
def test_any_flipped_bit_of_a_decision_is_refused(decision: SendDecision) -> None:
    for wrong in flipped(encode_decision(decision)):
        assert decode_decision(wrong) is None


def test_a_zeroed_row_is_no_decision() -> None:
    assert decode_decision([0] * m.D_SLOT_REGISTERS) is None


@pytest.mark.parametrize(
    ("at", "wrong"),
    [
        (m.D_LAYOUT, [m.LAYOUT_VERSION + 1]),
        (m.D_LAYOUT, [0]),
        (m.D_DECISION_SEQ, [0, 0]),
        (m.D_DESTINATION, [0xFFFF]),
    ],
)
def test_a_row_of_another_map_is_refused_though_its_crc_fits(at: int, wrong: list[int]) -> None:
    words = encode_decision(SendDecision(9, 1, 2, 3, Destination.RELEASE, 0))
    assert decode_decision(words) is not None
    words[at : at + len(wrong)] = wrong
    words[m.D_CRC] = crc16_modbus(words_bytes(words[: m.D_CRC]))
    assert decode_decision(words) is None


@given(ECHOES)
@settings(deadline=None)
def test_echoes_round_trip(echo: events.DecisionEchoed) -> None:
    assert decode_echo(encode_echo(echo)) == echo


@pytest.mark.parametrize("result", [0, 5, 6, 10, 0xFFFF])
def test_an_echo_outside_the_map_is_none(result: int) -> None:
    assert decode_echo([0, 7, 0, 9, result]) is None
    assert decode_echo([0, 0, 0, 9, 1]) is None


@given(BELT_ROWS)
@settings(deadline=None)
def test_belt_rows_round_trip(row: events.BeltRow) -> None:
    assert decode_belt_row(encode_belt_row(row)) == row
    assert decode_belt_row([0] * m.T_ROW_REGISTERS) is None
