"""The exchange without I/O, against a PLC that is a list of registers and writes piece by piece."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import NS_PER_MS, U32_MAX
from controller.core.vocabulary import DecisionResult, Destination, LinkFault
from plc import register_map as m
from plc.exchange import HEADER_AND_ECHO_RUN, HEADER_RUN, Exchange
from plc.header import ExchangeFault
from plc.record_codec import encode_echo, encode_record, u32_at, u32_words
from plc.ring_reader import RegisterRun, RingReader

SESSION = 0x0001_BEEF
BOOT = 0x5EED_0001
MS = NS_PER_MS


class Registers:
    """A PLC's memory; `pending` are writes not yet visible, in the order the PLC makes them.

    Records are counted 0, 1, 2 .. from the start; only `seq` knows how sequences wrap.
    """

    def __init__(self, boot_id: int = BOOT, ack: int = 0) -> None:
        self.words = [0] * m.MAP_REGISTERS
        self.pending: list[tuple[int, int]] = []
        self.boot_id = boot_id
        self.start = ack
        self.made = self.acked = 0
        self.count_in_slot: dict[int, int] = {}
        self.count_of_seq = {ack: 0}
        self.put(m.H_MAGIC, m.MAGIC)
        self.put32(m.H_BOOT_ID, boot_id)
        self.put(m.H_SLOTS, m.R_SLOTS)
        self.put(m.H_SLOT_REGISTERS, m.R_SLOT_REGISTERS)
        self.put32(m.H_ACCEPTED_ACK, ack)
        self.put32(m.H_HEAD_SEQ, ack)
        self.put32(m.H_HEAD_COPY, ack)
        self.put(m.P_ADDRESS + m.P_LAYOUT, m.LAYOUT_VERSION)
        self.put32(m.P_ADDRESS + m.P_U32, m.PROBE_U32)
        self.put(m.P_ADDRESS + m.P_FLOAT, m.PROBE_FLOAT_WORDS[0])
        self.settle()

    def put(self, address: int, word: int) -> None:
        self.pending.append((address, word))

    def put32(self, address: int, value: int) -> None:
        for offset, word in enumerate(u32_words(value)):
            self.put(address + offset, word)

    def settle(self, writes: int | None = None) -> None:
        """Make the next `writes` register writes visible, all by default."""
        count = len(self.pending) if writes is None else writes
        for address, word in self.pending[:count]:
            self.words[address] = word
        del self.pending[:count]

    def read(self, run: RegisterRun) -> list[int]:
        return self.words[run.address : run.address + run.count]

    def beat(self) -> None:
        self.put(m.H_HEARTBEAT, (self.words[m.H_HEARTBEAT] + 1) & 0xFFFF)

    def latch(self, session: int) -> None:
        self.put(m.P_ADDRESS + m.P_LATCHED_SESSION_LOW, session & 0xFFFF)

    def seq(self, count: int) -> int:
        """1 .. 2**32 - 1 and again from 1; what was there before the first is the start."""
        return (self.start + count - 1) % U32_MAX + 1

    def has_room(self) -> bool:
        slot = self.seq(self.made + 1) % m.R_SLOTS
        return self.count_in_slot.get(slot, 0) <= self.acked

    def commit(self, *, early_head: bool = False) -> events.PlcRecord:
        """One more record, visible as far as `settle` goes; in commit order unless `early_head`."""
        self.made += 1
        seq = self.seq(self.made)
        record = events.Triggered(self.boot_id, seq, 4, self.made, 7, 9, seq ^ 0xFFFF)
        words = encode_record(record)
        slot = seq % m.R_SLOTS
        self.count_in_slot[slot] = self.made
        self.count_of_seq[seq] = self.made
        at = m.R_ADDRESS + slot * m.R_SLOT_REGISTERS
        if early_head:
            self._publish(seq)
        self.put32(at, 0)
        for offset in range(m.R_KIND, m.R_SLOT_REGISTERS):
            self.put(at + offset, words[offset])
        self.put32(at, seq)
        self._publish(seq)
        return record

    def _publish(self, seq: int) -> None:
        self.put32(m.H_HEAD_SEQ, seq)
        self.put32(m.H_HEAD_COPY, seq)

    def take_ack(self, c: list[int]) -> None:
        ack = u32_at(c, m.C_ACK)
        assert ack ^ u32_at(c, m.C_ACK_COMPLEMENT) == U32_MAX
        assert self.count_of_seq[ack] >= self.acked, "an acknowledgement never goes back"
        self.acked = self.count_of_seq[ack]
        self.put32(m.H_ACCEPTED_ACK, ack)

    def echo(self, decision: SendDecision, result: DecisionResult) -> None:
        row = decision.decision_seq % m.E_SLOTS
        words = encode_echo(
            events.DecisionEchoed(decision.decision_seq, decision.track_id, result)
        )
        for offset, word in enumerate(words):
            self.put(m.E_ADDRESS + row * m.E_SLOT_REGISTERS + offset, word)


def opened(plc: Registers, exchange: Exchange, now_ns: int = 0) -> events.PlcConnected:
    """Shake hands at `now_ns`."""
    assert exchange.greet(now_ns, plc.read(HEADER_RUN))
    exchange.host_words()
    plc.latch(exchange.session)
    plc.settle()
    assert exchange.latched(now_ns, plc.read(HEADER_RUN))
    belt = RegisterRun(m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS)
    echoes = RegisterRun(m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS)
    connected, *_ = exchange.open(plc.read(echoes), plc.read(belt))
    assert isinstance(connected, events.PlcConnected)
    return connected


def drained(plc: Registers, exchange: Exchange, now_ns: int = 0) -> list[events.Event]:
    """Read until nothing waits or a read brings nothing."""
    taken: list[events.Event] = []
    while (run := exchange.next_read()) is not None:
        more = exchange.take_records(now_ns, plc.read(run))
        taken += more
        if not more:
            break
    return taken


class ExchangeMachine(RuleBasedStateMachine):
    """Any interleaving of half-made commits, polls, reads, acknowledgements, losses and restarts."""

    @initialize(start=st.sampled_from([0, 5, U32_MAX - 4, U32_MAX - 120, 0xFFFE, 0x1_FFF0]))
    def start(self, start: int) -> None:
        self.plc = Registers(ack=start)
        self.exchange = Exchange(SESSION)
        self.now_ns = 1
        self.committed: list[events.PlcRecord] = []
        self.delivered: list[events.PlcRecord] = []
        self.durable = 0
        self.boots = 1
        self.polls_since_open = 0
        assert opened(self.plc, self.exchange, self.now_ns).next_ring_seq == self.plc.seq(1)

    @rule(count=st.integers(1, 40), early_head=st.booleans())
    def commit(self, count: int, early_head: bool) -> None:
        for _ in range(count):
            if self.plc.has_room():
                self.committed.append(self.plc.commit(early_head=early_head))

    @rule(writes=st.integers(1, 200))
    def settle_some(self, writes: int) -> None:
        self.plc.settle(writes)

    @rule()
    def settle_all(self) -> None:
        self.plc.settle()

    @rule(pause_ms=st.integers(0, 150))
    def poll(self, pause_ms: int) -> None:
        self.now_ns += pause_ms * MS
        self.polls_since_open += 1
        self.plc.settle(1)
        words = self.exchange.host_words()
        self.plc.take_ack(words)
        self.plc.words[m.H_HEARTBEAT] = (self.plc.words[m.H_HEARTBEAT] + 1) & 0xFFFF
        run = self.exchange.poll_run()
        try:
            self.take(self.exchange.take_header(self.now_ns, self.plc.read(run)))
        except ExchangeFault:
            self.exchange.close()
            self.reopen()

    @rule(reads=st.integers(1, 12))
    def read_records(self, reads: int) -> None:
        for _ in range(reads):
            run = self.exchange.next_read()
            if run is None:
                break
            self.take(self.exchange.take_records(self.now_ns, self.plc.read(run)))

    @precondition(lambda self: len(self.delivered) > self.durable)
    @rule(share=st.integers(1, 100))
    def acknowledge(self, share: int) -> None:
        waiting = len(self.delivered) - self.durable
        self.durable += max(waiting * share // 100, 1)
        record = self.delivered[self.durable - 1]
        self.exchange.acknowledge(record.boot_id, record.ring_seq)

    @precondition(lambda self: self.polls_since_open >= 3)
    @rule()
    def lose_and_reconnect(self) -> None:
        self.exchange.close()
        self.reopen()

    @precondition(lambda self: len(self.delivered) >= 30 * self.boots)
    @rule()
    def restart_plc(self) -> None:
        self.boots += 1
        self.plc = Registers(boot_id=BOOT + self.boots)
        self.committed = list(self.delivered)
        self.durable = len(self.delivered)
        with pytest.raises(ExchangeFault):
            self.exchange.take_header(self.now_ns, self.plc.read(HEADER_RUN))
        self.exchange.close()
        self.reopen()

    def reopen(self) -> None:
        self.plc.settle()
        self.polls_since_open = 0
        opened(self.plc, self.exchange, self.now_ns)

    def take(self, taken: list[events.Event]) -> None:
        for event in taken:
            assert not isinstance(event, events.RingGap), "an honest PLC leaves no gap"
            if isinstance(event, events.PlcRecord):
                self.delivered.append(event)

    @invariant()
    def delivered_is_a_prefix_of_committed(self) -> None:
        if hasattr(self, "committed"):
            assert self.delivered == self.committed[: len(self.delivered)]

    def teardown(self) -> None:
        if not hasattr(self, "plc"):
            return
        self.plc.settle()
        self.exchange.close()
        self.reopen()
        self.take(drained(self.plc, self.exchange, self.now_ns))
        assert self.delivered == self.committed, "everything committed arrives in the end"


TestExchangeMachine = ExchangeMachine.TestCase
TestExchangeMachine.settings = settings(
    max_examples=80, stateful_step_count=50, deadline=None, print_blob=True
)


# --- opening --------------------------------------------------------------------------------------


@pytest.mark.parametrize("session", [0, 0x1234_0000, U32_MAX + 1, -1])
def test_a_session_without_a_low_word_is_refused(session: int) -> None:
    with pytest.raises(ValueError, match="low word"):
        Exchange(session)


@pytest.mark.parametrize(
    ("address", "word", "fault"),
    [
        (m.H_MAGIC, 0, LinkFault.NOT_OUR_MAP),
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


def test_a_read_ends_where_neighbouring_sequences_are_not_neighbouring_slots() -> None:
    for head, next_seq, slots in [(120, 107, 3), (3, U32_MAX - 1, 2), (130, 110, 4)]:
        reader = RingReader(BOOT, next_seq)
        assert reader.see_head(head)
        address = m.R_ADDRESS + next_seq % m.R_SLOTS * m.R_SLOT_REGISTERS
        assert reader.next_read() == RegisterRun(address, slots * m.R_SLOT_REGISTERS)


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
