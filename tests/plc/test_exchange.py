"""The exchange without I/O: opening, time, the ring, decisions, each rule by itself."""

import pytest

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import U32_MAX
from controller.core.vocabulary import DecisionResult, Destination, LinkFault, PlcStateBit
from plc import register_map as m
from plc.exchange import HEADER_AND_ECHO_RUN, HEADER_RUN, Exchange
from plc.header import ExchangeFault
from plc.record_codec import encode_record, u32_at
from tests.plc.register_plc import BOOT, MS, SESSION, Registers, drained, opened

# --- opening --------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [0, 0x1234_0000, U32_MAX + 1, -1])
def test_a_session_without_a_low_word_is_refused(session: int) -> None:
    with pytest.raises(ValueError, match="low word"):
        Exchange(session)


@pytest.mark.parametrize(
    ("address", "word", "fault"),
    [
        (m.H_MAGIC, 0, LinkFault.NOT_OUR_MAP),
        (m.H_MAGIC, m.MAGIC + 1, LinkFault.NOT_OUR_MAP),
        (m.H_STATE_BITS, PlcStateBit.TEST_MODE, LinkFault.NOT_OUR_MAP),
        (m.H_MAGIC, 0xC1A5, LinkFault.WORD_ORDER),
        (m.H_SLOTS, 64, LinkFault.NOT_OUR_MAP),
        (m.H_SLOT_REGISTERS, 30, LinkFault.NOT_OUR_MAP),
        (m.P_ADDRESS + m.P_LAYOUT, 2, LinkFault.NOT_OUR_MAP),
        (m.P_ADDRESS + m.P_U32, 7, LinkFault.NOT_OUR_MAP),
        (m.P_ADDRESS + m.P_FLOAT, 0, LinkFault.WORD_ORDER),
        (m.P_ADDRESS + m.P_LATCHED_SESSION_LOW, 0x1111, LinkFault.SECOND_HOST),
    ],
)
def test_what_is_not_ours_is_refused_by_name(address: int, word: int, fault: LinkFault) -> None:
    plc = Registers()
    plc.words[address] = word
    with pytest.raises(ExchangeFault) as refusal:
        Exchange(SESSION).greet(0, plc.read(HEADER_RUN))
    assert refusal.value.fault is fault


@pytest.mark.parametrize(
    "order", [(0x0304, 0x0102), (0x0201, 0x0403), (0x0403, 0x0201)], ids=["words", "bytes", "both"]
)
def test_every_wrong_order_is_named(order: tuple[int, int]) -> None:
    plc = Registers()
    plc.words[m.P_ADDRESS + m.P_U32 : m.P_ADDRESS + m.P_U32 + 2] = order
    with pytest.raises(ExchangeFault) as refusal:
        Exchange(SESSION).greet(0, plc.read(HEADER_RUN))
    assert refusal.value.fault is LinkFault.WORD_ORDER


@pytest.mark.parametrize("address", [m.H_HEAD_SEQ, m.H_HEAD_COPY + 1, m.H_ACCEPTED_ACK])
def test_a_torn_header_is_read_again(address: int) -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    plc.words[address] ^= 1
    assert not exchange.greet(0, plc.read(HEADER_RUN))
    assert exchange.counters.torn_rejected == 1


def test_what_was_written_in_an_outage_is_told_when_the_exchange_is_back() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    first = opened(plc, exchange)
    assert first.head_ring_seq == first.next_ring_seq - 1
    exchange.close()
    for _ in range(3):
        plc.commit()
    plc.settle()
    again = opened(plc, exchange)
    assert (again.next_ring_seq, again.head_ring_seq) == (
        first.next_ring_seq,
        first.next_ring_seq + 2,
    )


def test_the_ring_may_not_go_back_within_one_boot() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    plc.commit()
    plc.settle()
    exchange.take_header(0, plc.read(HEADER_RUN))
    drained(plc, exchange)
    exchange.close()
    with pytest.raises(ExchangeFault, match="boot id") as refusal:
        exchange.greet(0, Registers().read(HEADER_RUN))
    assert refusal.value.fault is LinkFault.NOT_OUR_MAP


# --- time -----------------------------------------------------------------------------------------


def test_a_standing_life_sign_is_silence_only_after_the_limit() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    exchange.take_header(400 * MS, plc.read(HEADER_RUN))
    with pytest.raises(ExchangeFault) as lost:
        exchange.take_header(400 * MS + 1, plc.read(HEADER_RUN))
    assert lost.value.fault is LinkFault.SILENT


def test_our_own_silence_ends_the_exchange_too() -> None:
    """The PLC has ended our leases meanwhile, even if its life sign moved."""
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    plc.beat()
    plc.settle()
    with pytest.raises(ExchangeFault) as lost:
        exchange.take_header(401 * MS, plc.read(HEADER_RUN))
    assert lost.value.fault is LinkFault.SILENT


def test_unanswered_requests_are_no_answer() -> None:
    exchange = Exchange(SESSION)
    opened(Registers(), exchange)
    exchange.check(400 * MS, answered=False)
    with pytest.raises(ExchangeFault) as lost:
        exchange.check(401 * MS, answered=False)
    assert lost.value.fault is LinkFault.NO_ANSWER


@pytest.mark.parametrize(
    ("latched", "fault"), [(0, LinkFault.SILENT), (0x7777, LinkFault.SECOND_HOST)]
)
def test_losing_the_latch_ends_the_exchange(latched: int, fault: LinkFault) -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    plc.latch(latched)
    plc.settle()
    with pytest.raises(ExchangeFault) as lost:
        exchange.take_header(1, plc.read(HEADER_RUN))
    assert lost.value.fault is fault


def test_a_new_boot_id_behind_the_same_connection_ends_the_exchange() -> None:
    exchange = Exchange(SESSION)
    opened(Registers(), exchange)
    reborn = Registers(boot_id=BOOT + 1)
    reborn.latch(SESSION)
    reborn.settle()
    with pytest.raises(ExchangeFault, match="restarted") as lost:
        exchange.take_header(1, reborn.read(HEADER_RUN))
    assert lost.value.fault is LinkFault.SILENT


# --- the ring -------------------------------------------------------------------------------------


def test_records_overwritten_before_we_read_them_are_a_gap() -> None:
    """Another host acknowledged them: the PLC was free to overwrite."""
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    for _ in range(m.R_SLOTS + 20):
        plc.commit()
    plc.put32(m.H_ACCEPTED_ACK, 30)
    plc.settle()
    exchange.take_header(0, plc.read(HEADER_RUN))
    first, *records = drained(plc, exchange)
    assert first == events.RingGap(BOOT, 0, 21)
    assert [r.ring_seq for r in records if isinstance(r, events.PlcRecord)] == list(range(21, 131))


def test_one_overwritten_slot_is_a_gap_of_one() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    for _ in range(3):
        plc.commit()
    plc.settle()
    newer = events.LaneSeen(BOOT, 2 + m.R_SLOTS, 0, 0, 0, 0)
    at = m.R_ADDRESS + 2 * m.R_SLOT_REGISTERS
    plc.words[at : at + m.R_SLOT_REGISTERS] = encode_record(newer)
    exchange.take_header(0, plc.read(HEADER_RUN))
    taken = drained(plc, exchange)
    assert [type(event) for event in taken] == [events.Triggered, events.RingGap, events.Triggered]
    assert taken[1] == events.RingGap(BOOT, 1, 3)


def test_a_refused_record_count_reaches_the_core_on_change() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    plc.put(m.H_OVERFLOW_COUNT, 3)
    plc.settle()
    assert exchange.take_header(0, plc.read(HEADER_RUN)) == [events.PlcStateSeen(0, 3)]
    assert exchange.take_header(0, plc.read(HEADER_RUN)) == []


def test_only_delivered_records_of_this_boot_are_acknowledged() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    for _ in range(4):
        plc.commit()
    plc.settle()
    exchange.take_header(0, plc.read(HEADER_RUN))
    drained(plc, exchange)
    for boot_id, seq, expected in [(BOOT, 2, 2), (BOOT, 1, 2), (BOOT + 1, 4, 2), (BOOT, 9, 2)]:
        exchange.acknowledge(boot_id, seq)
        assert u32_at(exchange.host_words(), m.C_ACK) == expected


def test_permits_are_off_until_given() -> None:
    exchange = Exchange(SESSION)
    assert exchange.host_words()[m.C_COMMAND_BITS] == 0
    exchange.permit(infeed=True, belt=True)
    assert exchange.host_words()[m.C_COMMAND_BITS] == 3
    exchange.permit(infeed=False, belt=True)
    assert exchange.host_words()[m.C_COMMAND_BITS] == m.C_BIT_BELT_PERMIT


# --- decisions ------------------------------------------------------------------------------------


def test_decisions_wait_for_an_open_exchange_of_their_boot() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    release = SendDecision(1, BOOT, SESSION, 5, Destination.RELEASE, 0)
    exchange.send(release)
    opened(plc, exchange)
    assert exchange.next_write() is None
    exchange.send(SendDecision(2, BOOT + 1, SESSION, 5, Destination.RELEASE, 0))
    assert exchange.next_write() is None
    assert exchange.counters.decisions_dropped == 2


def test_an_echo_is_read_along_and_delivered_once() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    decision = SendDecision(18, BOOT, SESSION, 5, Destination.RELEASE, 0)
    exchange.send(decision)
    write = exchange.next_write()
    assert write is not None
    assert write.address == m.D_ADDRESS + 2 * m.D_SLOT_REGISTERS
    exchange.written(write, 1)
    assert exchange.poll_run() == HEADER_AND_ECHO_RUN
    plc.echo(decision, DecisionResult.LATE)
    plc.settle()
    answers = [exchange.take_header(2, plc.read(HEADER_AND_ECHO_RUN)) for _ in range(4)]
    assert answers == [[], [events.DecisionEchoed(18, 5, DecisionResult.LATE)], [], []]
    assert exchange.poll_run() == HEADER_RUN


def test_an_unanswered_decision_breaks_the_exchange() -> None:
    plc = Registers()
    exchange = Exchange(SESSION)
    opened(plc, exchange)
    exchange.send(SendDecision(1, BOOT, SESSION, 5, Destination.HOLD, 31))
    write = exchange.next_write()
    assert write is not None
    exchange.written(write, 1)
    for now_ms in range(100, 1_100, 100):
        plc.beat()
        plc.settle()
        exchange.take_header(now_ms * MS, plc.read(HEADER_RUN))
        if now_ms == 1_000:
            break
    plc.beat()
    plc.settle()
    with pytest.raises(ExchangeFault, match="decision 1 is not answered"):
        exchange.take_header(1_001 * MS + 2, plc.read(HEADER_RUN))


def test_decision_seq_max_is_the_newest_across_a_wrap() -> None:
    plc = Registers()
    for seq in (U32_MAX - 1, U32_MAX, 1, 2):
        plc.echo(SendDecision(seq, BOOT, 1, 5, Destination.HOLD, 31), DecisionResult.ACCEPTED)
    plc.settle()
    assert opened(plc, Exchange(SESSION)).decision_seq_max == 2
