"""The exchange against a PLC whose memory is anything: an ExchangeFault, or only what was committed."""

from hypothesis import given
from hypothesis import strategies as st

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import U32_MAX
from controller.core.vocabulary import DecisionResult, Destination
from plc import register_map as m
from plc.exchange import HEADER_RUN, Exchange
from plc.header import ExchangeFault
from plc.ring_reader import RegisterRun, ring_distance
from tests.fuzz.looking import looked_at
from tests.plc.records import U16
from tests.plc.register_plc import BOOT, MS, SESSION, Registers

BELT = RegisterRun(m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS)
ECHOES = RegisterRun(m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS)
# Anywhere, and often where it decides: header, probe, echoes, first slots of the ring.
ADDRESS = st.one_of(
    st.integers(0, m.MAP_REGISTERS - 1),
    st.integers(0, m.E_ADDRESS - 1),
    st.integers(m.E_ADDRESS, m.E_ADDRESS + 20),
    st.integers(m.R_ADDRESS, m.R_ADDRESS + 6 * m.R_SLOT_REGISTERS),
)
WORD = st.one_of(U16, st.sampled_from([0, 1, 0xFFFF, 0x8000, m.MAGIC, SESSION & 0xFFFF]))
STEP = st.one_of(
    st.tuples(st.just("commit"), st.integers(1, 30)),
    st.tuples(st.just("poll"), st.integers(0, 120)),
    st.tuples(st.just("fetch"), st.integers(1, 6)),
    st.tuples(st.just("acknowledge"), st.integers(0, 40)),
    st.tuples(st.just("decide"), st.integers(1, U32_MAX)),
    st.tuples(st.just("spoil"), st.lists(st.tuples(ADDRESS, WORD), min_size=1, max_size=4)),
    st.tuples(st.just("heal"), st.none()),
)


class Spoiled:
    """An honest PLC whose memory somebody writes into; `heal` undoes that."""

    def __init__(self, start: int) -> None:
        self.plc = Registers(ack=start)
        self.exchange = Exchange(SESSION)
        self.now_ns = 1
        self.spoiled: dict[int, int] = {}
        self.committed: dict[int, events.PlcRecord] = {}
        self.delivered: list[events.PlcRecord] = []
        self.durable = start
        self.open = False

    def read(self, run: RegisterRun) -> list[int]:
        words = self.plc.read(run)
        for address, word in self.spoiled.items():
            if run.address <= address < run.address + run.count:
                words[address - run.address] = word
        return words

    def tell(self, verb: str, argument: object) -> None:
        """One step; a fault closes the exchange, as the link does."""
        try:
            if not self.open:
                self._connect()
            getattr(self, verb)(argument)
        except ExchangeFault as fault:
            assert str(fault) and fault.fault
            self.exchange.close()
            self.open = False

    def _connect(self) -> None:
        if not self.exchange.greet(self.now_ns, self.read(HEADER_RUN)):
            return
        self.exchange.host_words()
        self.plc.latch(SESSION)
        self.plc.settle()
        if self.exchange.latched(self.now_ns, self.read(HEADER_RUN)):
            self.exchange.open(self.read(ECHOES), self.read(BELT))
            self.open = True

    def commit(self, count: int) -> None:
        for _ in range(count):
            if self.plc.has_room():
                record = self.plc.commit()
                self.committed[record.ring_seq] = record
        self.plc.settle()

    def poll(self, pause_ms: int) -> None:
        if not self.open:
            return
        self.now_ns += pause_ms * MS
        self.plc.beat()
        self.plc.settle()
        words = self.exchange.host_words()
        ack = words[m.C_ACK] << 16 | words[m.C_ACK + 1]
        known = {self.durable, 0, *self.committed}
        assert ack in known or self.spoiled or ack == self.plc.start
        self.take(self.exchange.take_header(self.now_ns, self.read(self.exchange.poll_run())))
        if (write := self.exchange.next_write()) is not None:
            self.exchange.written(write, self.now_ns)

    def fetch(self, times: int) -> None:
        for _ in range(times if self.open else 0):
            run = self.exchange.next_read()
            if run is None:
                return
            assert m.R_ADDRESS <= run.address
            assert run.address + run.count <= m.R_ADDRESS + m.R_SLOTS * m.R_SLOT_REGISTERS
            self.take(self.exchange.take_records(self.now_ns, self.read(run)))

    def acknowledge(self, behind: int) -> None:
        if behind < len(self.delivered):
            record = self.delivered[-1 - behind]
            self.durable = record.ring_seq
            self.exchange.acknowledge(record.boot_id, record.ring_seq)

    def decide(self, seq: int) -> None:
        self.exchange.send(SendDecision(seq, BOOT, SESSION, 1, Destination.HOLD, 0))
        self.plc.echo(
            SendDecision(seq, BOOT, SESSION, 1, Destination.HOLD, 0), DecisionResult.ACCEPTED
        )
        self.plc.settle()

    def spoil(self, words: list[tuple[int, int]]) -> None:
        self.spoiled.update(words)

    def heal(self, _: None) -> None:
        self.spoiled.clear()

    def take(self, taken: list[events.Event]) -> None:
        for event in taken:
            if isinstance(event, events.PlcRecord):
                assert event.boot_id != BOOT or self.committed.get(event.ring_seq) == event
                before = self.delivered[-1] if self.delivered else None
                if before is not None and before.boot_id == event.boot_id:
                    assert ring_distance(event.ring_seq, before.ring_seq) > 0
                self.delivered.append(event)


@looked_at(300)
@given(
    st.sampled_from([0, 5, U32_MAX - 4, U32_MAX - 120, 0xFFFE]),
    st.lists(STEP, min_size=4, max_size=40),
)
def test_only_faults_and_only_what_was_committed(
    start: int, steps: list[tuple[str, object]]
) -> None:
    site = Spoiled(start)
    for verb, argument in steps:
        site.tell(verb, argument)


@looked_at(200)
@given(st.binary(min_size=2, max_size=64), st.booleans())
def test_any_memory_at_all(pattern: bytes, says_ours: bool) -> None:
    data = (pattern * m.MAP_REGISTERS)[: 2 * m.MAP_REGISTERS]
    words = [data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)]
    plc, exchange = Registers(), Exchange(SESSION)
    plc.latch(SESSION)
    plc.settle()
    honest = plc.words[: m.E_ADDRESS]
    plc.words = [*honest, *words[m.E_ADDRESS :]] if says_ours else words
    try:
        if exchange.greet(1, plc.read(HEADER_RUN)) and exchange.latched(1, plc.read(HEADER_RUN)):
            exchange.open(plc.read(ECHOES), plc.read(BELT))
            exchange.take_header(2, plc.read(exchange.poll_run()))
            while (run := exchange.next_read()) is not None:
                if not exchange.take_records(2, plc.read(run)):
                    break
    except ExchangeFault as fault:
        assert str(fault)


def test_without_damage_everything_arrives() -> None:
    site = Spoiled(5)
    for verb, argument in [
        ("commit", 9),
        ("poll", 5),
        ("fetch", 6),
        ("acknowledge", 0),
        ("poll", 5),
    ]:
        site.tell(verb, argument)
    assert [record.ring_seq for record in site.delivered] == list(range(6, 15))
    assert site.plc.made == 9 and site.open
