"""The host side of the exchange as a state machine without I/O: words in, events out.

It outlives connections. One exchange is: `greet` (who is there, nothing written yet), `latched`
polls until the PLC has latched our session, `open` with what is on the belt, then `take_header`,
`take_records`, `take_echoes` in a loop. Everything that is wrong with the PLC leaves as
`ExchangeFault`; the driver then calls `close` and begins again with `greet`.

It must never deliver a record twice or out of order within one process, acknowledge what the host
did not call durable, or carry a decision over from a broken exchange.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Final

from controller.core.commands import SendDecision
from controller.core.events import (
    DecisionEchoed,
    Event,
    PlcConnected,
    PlcRecord,
    PlcStateSeen,
)
from controller.core.units import NS_PER_MS, U16_MAX, U32_MAX, u32_difference
from controller.core.vocabulary import DecisionResult, LinkFault
from plc import register_map as m
from plc.decision_slots import ROWS_PER_WRITE, DecisionSlots, RowsToWrite
from plc.header import ExchangeFault, Header, judge_identity, judge_mode, read_header
from plc.record_codec import RecordFault, decode_belt_row, u32_at, u32_words
from plc.ring_reader import RegisterRun, RingReader, ring_distance, ring_step

Words = Sequence[int]

# H and P are neighbours and read together; E follows and is read along while an echo is awaited.
HEADER_RUN: Final = RegisterRun(m.H_ADDRESS, m.P_ADDRESS + m.P_COUNT)
HEADER_AND_ECHO_RUN: Final = RegisterRun(m.H_ADDRESS, m.E_ADDRESS + m.E_SLOTS * m.E_SLOT_REGISTERS)


@dataclass(slots=True)
class Counters:
    """Since the process started. `torn_rejected` counts torn headers and torn ring slots."""

    polls: int = 0
    reconnects: int = 0
    torn_rejected: int = 0
    records: int = 0
    echoes: int = 0
    decisions_dropped: int = 0


class Exchange:
    """One host session with the PLC of one line.

    `session` is this host start's random number; neither it nor its low word may be 0, because the
    PLC shows the low word of the latched session and 0 there means none (ValueError).
    """

    def __init__(self, session: int) -> None:
        if not 0 < session <= U32_MAX or not session & U16_MAX:
            raise ValueError(f"session {session:#x}: both it and its low word must not be 0")
        self.session = session
        self.counters = Counters()
        self.connected = False
        # told with the PLC's state; None: there is none, or it does not end soon
        self.certificate_days_left: int | None = None
        self._ring: RingReader | None = None
        self._slots = DecisionSlots()
        self._ack = 0
        self._command_bits = 0
        self._heartbeat = 0
        self._plc_heartbeat = -1
        self._life_ns = 0
        self._waiting_since_ns: int | None = None
        self._state: tuple[int, int, int | None] | None = None

    # --- what the core wants ----------------------------------------------------------------------

    def send(self, decision: SendDecision) -> None:
        """Queue a decision; dropped unless the exchange is open and it is meant for this boot."""
        ours = (decision.boot_id, decision.session) == (self._boot_id, self.session)
        if self.connected and ours:
            self.counters.decisions_dropped += self._slots.queue(decision)
        else:
            self.counters.decisions_dropped += 1

    def acknowledge(self, boot_id: int, ring_seq: int) -> None:
        """Note what is durable; ignored if not of this boot, not delivered or not newer."""
        if self._ring is None or boot_id != self._ring.boot_id:
            return
        delivered = ring_distance(self._ring.next_seq - 1, ring_seq) >= 0
        if delivered and ring_distance(ring_seq, self._ack) > 0:
            self._ack = ring_seq

    def permit(self, infeed: bool, belt: bool) -> None:
        """Command bits of block C from the next poll on."""
        self._command_bits = infeed * m.C_BIT_INFEED_PERMIT | belt * m.C_BIT_BELT_PERMIT

    # --- opening ----------------------------------------------------------------------------------

    def greet(self, now_ns: int, words: Words) -> bool:
        """Judge H and P before anything is written. False: torn, read again.

        ExchangeFault if this is not our map or word order, another session is latched, the PLC is in
        test mode, or the ring went back within one boot.
        """
        h, p = words[: m.H_COUNT], words[m.P_ADDRESS : m.P_ADDRESS + m.P_COUNT]
        judge_identity(h, p)
        self._judge_latch(p, may_be_none=True)
        header = read_header(h)
        if header is None:
            self.counters.torn_rejected += 1
            return False
        judge_mode(header)
        self._adopt(header)
        self._life_ns = now_ns
        self._plc_heartbeat = header.heartbeat
        return True

    def latched(self, now_ns: int, words: Words) -> bool:
        """True once the PLC shows our session in P. ExchangeFault as `take_header`."""
        self.take_header(now_ns, words, may_be_unlatched=True)
        return words[m.P_ADDRESS + m.P_LATCHED_SESSION_LOW] == self.session & U16_MAX

    def open(self, e: Words, t: Words) -> list[Event]:
        """The exchange is up: PlcConnected from whole blocks E and T, then the PLC's state."""
        assert self._ring is not None, "open before greet"
        self.connected = True
        rows = (
            decode_belt_row(t[i : i + m.T_ROW_REGISTERS])
            for i in range(0, len(t), m.T_ROW_REGISTERS)
        )
        connected = PlcConnected(
            boot_id=self._ring.boot_id,
            session=self.session,
            layout_version=m.LAYOUT_VERSION,
            next_ring_seq=self._ring.next_seq,
            decision_seq_max=_decision_seq_max(e),
            on_belt=tuple(row for row in rows if row is not None),
            head_ring_seq=self._ring.head_seq,
        )
        return [connected] if self._state is None else [connected, PlcStateSeen(*self._state)]

    def close(self) -> None:
        """The exchange is broken: decisions are dropped, the place in the ring is kept."""
        self.connected = False
        self.counters.decisions_dropped += self._slots.drop()
        self._waiting_since_ns = None
        self._state = None

    # --- one poll ---------------------------------------------------------------------------------

    def host_words(self) -> list[int]:
        """Block C for the next poll; the heartbeat moves by one."""
        self._heartbeat = (self._heartbeat + 1) & U16_MAX
        self.counters.polls += 1
        words = [0] * m.C_COUNT
        words[m.C_HEARTBEAT] = self._heartbeat
        words[m.C_COMMAND_BITS] = self._command_bits
        words[m.C_ACK : m.C_ACK + 2] = u32_words(self._ack)
        words[m.C_ACK_COMPLEMENT : m.C_ACK_COMPLEMENT + 2] = u32_words(~self._ack & U32_MAX)
        words[m.C_SESSION : m.C_SESSION + 2] = u32_words(self.session)
        return words

    def poll_run(self) -> RegisterRun:
        """What the next poll is to read."""
        return HEADER_AND_ECHO_RUN if self._slots.outstanding else HEADER_RUN

    def take_header(
        self, now_ns: int, words: Words, *, may_be_unlatched: bool = False
    ) -> list[Event]:
        """Judge H and P of a poll (and E if it was read along): the events they cause.

        ExchangeFault if the PLC was restarted, has latched another session, dropped ours, or if its
        life sign is older than the limit: then ours was silent for as long, and leases have ended.
        """
        h, p = words[: m.H_COUNT], words[m.P_ADDRESS : m.P_ADDRESS + m.P_COUNT]
        self.check(now_ns, answered=True)
        judge_identity(h, p)
        self._judge_latch(p, may_be_none=may_be_unlatched)
        header = read_header(h)
        if header is None:
            self.counters.torn_rejected += 1
            return []
        judge_mode(header)
        if header.boot_id != self._boot_id:
            raise ExchangeFault(LinkFault.SILENT, "the PLC was restarted: its boot id changed")
        assert self._ring is not None, "take_header before greet"
        if not self._ring.see_head(header.head_seq):
            self.counters.torn_rejected += 1
            return []
        self._note_life(now_ns, header)
        events: list[Event] = [*self._state_events(header)]
        if len(words) == HEADER_AND_ECHO_RUN.count:
            events += self.take_echoes(words[m.E_ADDRESS :])
        return events

    def next_read(self) -> RegisterRun | None:
        """Ring registers to read next, None if no record waits."""
        return None if self._ring is None else self._ring.next_read()

    def ring_ahead(self) -> RegisterRun | None:
        """Ring registers that the next `next_read` will ask for if records come meanwhile."""
        return None if self._ring is None else self._ring.ahead()

    def take_records(self, now_ns: int, words: Words) -> list[Event]:
        """Records in the words of `next_read`; an empty list means torn: read again next cycle."""
        assert self._ring is not None, "take_records before greet"
        torn_before = self._ring.torn_rejected
        try:
            taken = self._ring.take(words)
        except RecordFault as error:
            raise ExchangeFault(LinkFault.NOT_OUR_MAP, str(error)) from error
        self.counters.torn_rejected += self._ring.torn_rejected - torn_before
        self.counters.records += sum(isinstance(each, PlcRecord) for each in taken)
        if taken:
            self._waiting_since_ns = now_ns if self._ring.waiting else None
        return taken

    def take_echoes(self, e: Words) -> list[DecisionEchoed]:
        """New answers in block E, each decision once."""
        echoes = self._slots.take_echoes(e)
        self.counters.echoes += len(echoes)
        return echoes

    def answered(self, row: int, result: DecisionResult) -> list[DecisionEchoed]:
        """The PLC's direct answer to the decision in row `row` of the last `next_write`."""
        echo = self._slots.answer(row, result)
        if echo is None:
            return []
        self.counters.echoes += 1
        return [echo]

    def next_write(self, rows_max: int = ROWS_PER_WRITE) -> RowsToWrite | None:
        """Rows of D to write now, None if there are none or the exchange is not open."""
        return self._slots.next_write(rows_max) if self.connected else None

    def written(self, write: RowsToWrite, now_ns: int) -> None:
        """The PLC confirmed that write."""
        self._slots.written(write, now_ns)

    def check(self, now_ns: int, *, answered: bool) -> None:
        """ExchangeFault if something is overdue: life sign, a committed record, an echo."""
        life_limit_ns = m.LIFE_SIGN_LIMIT_MS * NS_PER_MS
        if now_ns - self._life_ns > life_limit_ns:
            raise _overdue(answered, f"no life sign for {m.LIFE_SIGN_LIMIT_MS} ms")
        if self._waiting_since_ns is not None and now_ns - self._waiting_since_ns > life_limit_ns:
            assert self._ring is not None, "a record waits in no ring"
            if not answered:
                raise _overdue(answered, f"record {self._ring.next_seq} cannot be fetched")
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP, f"record {self._ring.next_seq} does not become readable"
            )
        oldest = self._slots.oldest_unanswered()
        if oldest is not None and now_ns - oldest[0] > m.ECHO_LIMIT_MS * NS_PER_MS:
            raise _overdue(answered, f"decision {oldest[1]} is not answered")

    # --- leaves -----------------------------------------------------------------------------------

    @property
    def _boot_id(self) -> int:
        return 0 if self._ring is None else self._ring.boot_id

    def _adopt(self, header: Header) -> None:
        """Continue where this process stopped; on a boot new to it after the accepted ack."""
        if header.boot_id != self._boot_id:
            self._ring = RingReader(header.boot_id, ring_step(header.accepted_ack))
            self._ack = header.accepted_ack
        assert self._ring is not None, "a boot id is never 0"
        if not self._ring.see_head(header.head_seq):
            raise ExchangeFault(
                LinkFault.NOT_OUR_MAP,
                f"the ring went back to {header.head_seq} within boot {header.boot_id:#010x}:"
                " a PLC start must draw a new boot id",
            )
        if ring_distance(header.accepted_ack, self._ack) > 0:
            self._ack = header.accepted_ack

    def _judge_latch(self, p: Words, *, may_be_none: bool) -> None:
        latched = p[m.P_LATCHED_SESSION_LOW]
        if latched == self.session & U16_MAX or (latched == 0 and may_be_none):
            return
        if latched == 0:
            raise ExchangeFault(LinkFault.SILENT, "the PLC dropped our session")
        raise ExchangeFault(
            LinkFault.SECOND_HOST, f"the PLC listens to another host (session ..{latched:04x})"
        )

    def _note_life(self, now_ns: int, header: Header) -> None:
        if header.heartbeat != self._plc_heartbeat:
            self._plc_heartbeat = header.heartbeat
            self._life_ns = now_ns
        assert self._ring is not None, "life of no ring"
        if self._waiting_since_ns is None and self._ring.waiting and self.connected:
            self._waiting_since_ns = now_ns

    def _state_events(self, header: Header) -> list[PlcStateSeen]:
        state = (header.state_bits, header.overflow_count, self.certificate_days_left)
        if state == self._state:
            return []
        self._state = state
        return [PlcStateSeen(*state)] if self.connected else []


def _decision_seq_max(e: Words) -> int:
    rows = range(m.E_DECISION_SEQ, len(e), m.E_SLOT_REGISTERS)
    seqs = [seq for seq in (u32_at(e, row) for row in rows) if seq]
    return reduce(lambda a, b: a if u32_difference(a, b) >= 0 else b, seqs, seqs[0] if seqs else 0)


def _overdue(answered: bool, sentence: str) -> ExchangeFault:
    return ExchangeFault(LinkFault.SILENT if answered else LinkFault.NO_ANSWER, sentence)
