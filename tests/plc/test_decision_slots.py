"""Block D: order, row reuse, taking back, and echoes that are read half-written."""

from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.commands import SendDecision
from controller.core.events import DecisionEchoed
from controller.core.vocabulary import DecisionResult, Destination
from plc import register_map as m
from plc.decision_slots import DecisionSlots
from plc.record_codec import decode_decision, encode_echo

_EMPTY = [0] * (m.E_SLOTS * m.E_SLOT_REGISTERS)


def _release(seq: int, track_id: int | None = None) -> SendDecision:
    return SendDecision(seq, 1, 2, seq if track_id is None else track_id, Destination.RELEASE, 0)


def _hold(seq: int, track_id: int | None = None) -> SendDecision:
    return SendDecision(seq, 1, 2, seq if track_id is None else track_id, Destination.HOLD, 31)


def _sent(slots: DecisionSlots) -> list[int]:
    """Sequences in the order in which they leave, everything confirmed."""
    sequences: list[int] = []
    while (write := slots.next_write()) is not None:
        slots.written(write, 1)
        size = m.D_SLOT_REGISTERS
        for start in range(0, len(write.words), size):
            decision = decode_decision(write.words[start : start + size])
            assert decision is not None
            sequences.append(decision.decision_seq)
    return sequences


def _block_e(*rows: tuple[SendDecision, DecisionResult]) -> list[int]:
    words = list(_EMPTY)
    for decision, result in rows:
        at = decision.decision_seq % m.E_SLOTS * m.E_SLOT_REGISTERS
        echo = DecisionEchoed(decision.decision_seq, decision.track_id, result)
        words[at : at + m.E_SLOT_REGISTERS] = encode_echo(echo)
    return words


def test_a_hold_overtakes_waiting_releases() -> None:
    slots = DecisionSlots()
    for seq in (1, 2, 12):
        slots.queue(_release(seq))
    slots.queue(_hold(5))
    slots.queue(_hold(8))
    assert _sent(slots) == [5, 8, 1, 2, 12]


def test_a_hold_takes_back_the_waiting_release_of_its_parcel() -> None:
    slots = DecisionSlots()
    slots.queue(_release(1, track_id=70))
    slots.queue(_release(2, track_id=71))
    assert slots.queue(_hold(3, track_id=70)) == 1
    assert _sent(slots) == [3, 2]


def test_neighbouring_rows_share_a_request_within_its_limit() -> None:
    slots = DecisionSlots()
    for seq in range(16, 32):
        slots.queue(_release(seq))
    first = slots.next_write()
    assert first is not None
    assert first.rows == tuple(range(10))
    assert len(first.words) <= m.FC16_REGISTERS_MAX
    slots.written(first, 1)
    second = slots.next_write()
    assert second is not None
    assert second.rows == tuple(range(10, 16))


def test_an_unconfirmed_write_is_offered_again_unchanged() -> None:
    slots = DecisionSlots()
    slots.queue(_release(4))
    first = slots.next_write()
    assert slots.next_write() == first


def test_a_row_is_reused_only_after_its_echo_and_others_pass() -> None:
    slots = DecisionSlots()
    slots.queue(_release(3))
    assert _sent(slots) == [3]
    slots.queue(_release(19))
    slots.queue(_release(20))
    assert _sent(slots) == [20]
    e = _block_e((_release(3), DecisionResult.ACCEPTED))
    assert slots.take_echoes(e) == []
    assert slots.take_echoes(e) == [DecisionEchoed(3, 3, DecisionResult.ACCEPTED)]
    assert _sent(slots) == [19]


def test_an_echo_of_another_parcel_or_an_older_decision_does_not_count() -> None:
    slots = DecisionSlots()
    slots.queue(_release(19, track_id=7))
    _sent(slots)
    for stranger in (_release(3, track_id=7), _release(19, track_id=8)):
        e = _block_e((stranger, DecisionResult.ACCEPTED))
        assert slots.take_echoes(e) + slots.take_echoes(e) == []
    assert slots.outstanding


def test_a_bad_crc_is_reported_under_our_own_track_id() -> None:
    slots = DecisionSlots()
    slots.queue(_release(19, track_id=7))
    _sent(slots)
    e = _block_e((_release(19, track_id=0xDEAD), DecisionResult.BAD_CRC))
    slots.take_echoes(e)
    assert slots.take_echoes(e) == [DecisionEchoed(19, 7, DecisionResult.BAD_CRC)]


@given(st.permutations(range(5)), st.integers(0, 5))
@settings(deadline=None)
def test_an_echo_written_in_any_order_is_never_misread(order: list[int], seen: int) -> None:
    """The row still holds ACCEPTED of the decision before; the new answer is LATE."""
    slots = DecisionSlots()
    slots.queue(_release(19, track_id=7))
    _sent(slots)
    old = _block_e((_release(3, track_id=7), DecisionResult.ACCEPTED))
    new = _block_e((_release(19, track_id=7), DecisionResult.LATE))
    row = 3 * m.E_SLOT_REGISTERS
    half = list(old)
    for offset in order[:seen]:
        half[row + offset] = new[row + offset]
    echoes = slots.take_echoes(half) + slots.take_echoes(new) + slots.take_echoes(new)
    assert echoes == [DecisionEchoed(19, 7, DecisionResult.LATE)]


def test_drop_counts_what_nobody_confirmed() -> None:
    slots = DecisionSlots()
    for decision in (_release(1), _release(2), _release(17)):
        slots.queue(decision)
    write = slots.next_write()
    assert write is not None
    slots.written(write, 1)
    assert slots.drop() == 1
    assert not slots.outstanding
    assert slots.next_write() is None
