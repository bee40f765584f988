"""The exchange under any interleaving, also across the wrap of the sequences (Hypothesis)."""

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from controller.core import events
from controller.core.units import U32_MAX
from plc import register_map as m
from plc.exchange import HEADER_RUN, Exchange
from plc.header import ExchangeFault
from tests.plc.register_plc import BOOT, MS, SESSION, Registers, drained, opened


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
