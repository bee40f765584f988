"""A PLC that is a list of registers and writes piece by piece, without I/O."""

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import NS_PER_MS, U32_MAX
from controller.core.vocabulary import DecisionResult
from plc import register_map as m
from plc.exchange import HEADER_RUN, Exchange
from plc.record_codec import encode_echo, encode_record, u32_at, u32_words
from plc.ring_reader import RegisterRun

BOOT = 0x5EED_0001
SESSION = 0x0001_BEEF
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
        words = encode_echo(events.DecisionEchoed(decision.decision_seq, decision.track_id, result))
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
