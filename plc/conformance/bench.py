"""The suite's host: polls like a real one, and does wrong exactly what a check tells it to do.

It shares the record codec with the product but none of its state machine, so that a mistake there
cannot hide here. What every poll shows (a torn header that stays, a published record that is not whole)
fails the check that runs. Outside test mode it gives no permit: nothing on a real line moves.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.settings import LineSettings
from controller.core.units import NS_PER_MS, U16_MAX, U32_MAX
from controller.core.vocabulary import Destination, PlcStateBit
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.conformance.duties import Duty, DutyFailed, NotRun
from plc.conformance.wire import Wire
from plc.exchange import HEADER_AND_ECHO_RUN
from plc.header import ExchangeFault, Header, judge_identity, read_header
from plc.record_codec import (
    RecordFault,
    decode_belt_row,
    decode_record,
    encode_decision,
    u32_at,
    u32_words,
)
from plc.ring_reader import RegisterRun, ring_distance, ring_step

Words = Sequence[int]

# Whatever the PLC has to show, it shows within this unless the document says another time.
SHOWN_LIMIT_MS = 500
_T_RUN = RegisterRun(m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS)


@dataclass(slots=True)
class Bench:
    """`records` are all that was read, in order. `alive` false: the life sign stands still.
    `life_sent_ns` and `life_done_ns` are before and after the last write that moved it."""

    wire: Wire
    session: int
    line: LineSettings | None = None
    alive: bool = True
    acknowledges: bool = True
    permits: int = 0
    ack: int = 0
    words: list[int] = field(default_factory=list)
    header: Header | None = None
    boot_id: int = 0
    swept_boot_id: int = 0
    on_look: Callable[[], None] = lambda: None
    records: list[events.PlcRecord] = field(default_factory=list)
    next_seq: int = 1
    decision_seq: int = 0
    life_sent_ns: int = 0
    life_done_ns: int = 0
    _heartbeat: int = 0
    _number: int = 0
    _whole_ns: int = 0
    _torn_record_ns: int | None = None

    # --- what the header says -----------------------------------------------------------------------

    @property
    def now_ns(self) -> int:
        return self.wire.now_ns()

    @property
    def whole(self) -> Header:
        """The last whole header."""
        assert self.header is not None, "look first"
        return self.header

    @property
    def latched_low(self) -> int:
        return self.words[m.P_ADDRESS + m.P_LATCHED_SESSION_LOW]

    @property
    def latched(self) -> bool:
        return self.latched_low == self.session & U16_MAX

    @property
    def in_test_mode(self) -> bool:
        """False as long as no whole header was read."""
        return self.header is not None and self.has(PlcStateBit.TEST_MODE)

    def has(self, bit: PlcStateBit) -> bool:
        return bool(self.whole.state_bits & bit)

    def at(self, address: int) -> str:
        return self.wire.place(address)

    # --- polling ------------------------------------------------------------------------------------

    async def look(self) -> None:
        """Read H, P and E; writes nothing. DutyFailed if the header is not one, or stays torn."""
        self.words = await self.wire.read(HEADER_AND_ECHO_RUN)
        self.on_look()
        h, p = self.words[: m.H_COUNT], self.words[m.P_ADDRESS : m.P_ADDRESS + m.P_COUNT]
        header, now_ns = None, self.now_ns
        # a PLC that has just started shows zeros for a moment
        if h[m.H_MAGIC] != 0:
            try:
                judge_identity(h, p)
            except ExchangeFault as fault:
                hint = "."
                if h[m.H_MAGIC] != m.MAGIC:
                    hint = "; is the base address (or the node prefix) right?"
                raise DutyFailed(Duty.MAP, f"{fault}{hint}") from fault
            header = read_header(h)
        if header is not None:
            if self.boot_id not in (0, header.boot_id):
                self.boot_id = header.boot_id
                at = self.at(m.H_BOOT_ID)
                raise DutyFailed(Duty.START, f"{at} changed although nobody started the PLC anew.")
            self.header, self._whole_ns, self.boot_id = header, now_ns, header.boot_id
        elif now_ns - (self._whole_ns or now_ns) > m.LIFE_SIGN_LIMIT_MS * NS_PER_MS:
            raise self._torn(h)
        self._whole_ns = self._whole_ns or now_ns

    def _torn(self, h: Words) -> DutyFailed:
        head, copy = u32_at(h, m.H_HEAD_SEQ), u32_at(h, m.H_HEAD_COPY)
        at_head, at_copy = self.at(m.H_HEAD_SEQ), self.at(m.H_HEAD_COPY)
        if h[m.H_MAGIC] == 0:
            return DutyFailed(Duty.MAP, f"{self.at(m.H_MAGIC)} stays 0, not {m.MAGIC:#06x}.")
        if u32_at(h, m.H_BOOT_ID) == 0:
            return DutyFailed(Duty.START, f"the boot id at {self.at(m.H_BOOT_ID)} stays 0.")
        if head != copy:
            return DutyFailed(
                Duty.COMMIT, f"{at_head} stays {head} while its copy at {at_copy} stays {copy}."
            )
        ack = u32_at(h, m.H_ACCEPTED_ACK)
        if ring_distance(head, ack) < 0:
            return DutyFailed(
                Duty.ACK,
                f"{self.at(m.H_ACCEPTED_ACK)} says {ack}, beyond the head {head} at {at_head}.",
            )
        return DutyFailed(
            Duty.OVERWRITE,
            f"the head at {at_head} is {head}, more than {m.R_SLOTS} records past the acknowledgement "
            f"{ack} at {self.at(m.H_ACCEPTED_ACK)}, so records that nobody acknowledged are gone.",
        )

    async def poll(self) -> None:
        """One turn of a host: write C, look, read the records that wait."""
        if self.alive:
            self._heartbeat = (self._heartbeat + 1) & U16_MAX
            self.life_sent_ns = self.now_ns
            await self.write_c()
            self.life_done_ns = self.now_ns
        await self.look()
        if self.alive:
            await self.read_records()

    async def until(self, holds: Callable[[], bool], limit_ms: int = SHOWN_LIMIT_MS) -> bool:
        """Poll until `holds()`; false after `limit_ms`."""
        end_ns = self.now_ns + limit_ms * NS_PER_MS
        while not holds():
            if self.now_ns > end_ns:
                return False
            await self.wire.pause(m.POLL_PERIOD_MS)
            await self.poll()
        return True

    async def until_looking(self, holds: Callable[[], bool], limit_ms: int) -> bool:
        """As `until`, but nothing is written."""
        end_ns = self.now_ns + limit_ms * NS_PER_MS
        while not holds():
            if self.now_ns > end_ns:
                return False
            await self.wire.pause(m.POLL_PERIOD_MS)
            await self.look()
        return True

    async def run_ms(self, ms: int) -> None:
        """Poll for so long."""
        await self.until(lambda: False, ms)

    def c_words(
        self,
        *,
        ack: int | None = None,
        complement: int | None = None,
        session: int | None = None,
        heartbeat: int | None = None,
        permits: int | None = None,
    ) -> list[int]:
        """Block C; what is not given is as this host means it."""
        ack = self.ack if ack is None else ack
        words = [0] * m.C_COUNT
        words[m.C_HEARTBEAT] = self._heartbeat if heartbeat is None else heartbeat
        words[m.C_COMMAND_BITS] = self.permits if permits is None else permits
        words[m.C_ACK : m.C_ACK + 2] = u32_words(ack)
        complement = ~ack & U32_MAX if complement is None else complement
        words[m.C_ACK_COMPLEMENT : m.C_ACK_COMPLEMENT + 2] = u32_words(complement)
        words[m.C_SESSION : m.C_SESSION + 2] = u32_words(
            self.session if session is None else session
        )
        words[t.TEST_NUMBER] = self._number
        return words

    async def write_c(self, words: Words | None = None) -> None:
        await self.wire.write(m.C_ADDRESS, self.c_words() if words is None else words)

    # --- the ring -----------------------------------------------------------------------------------

    def follow_ring(self) -> None:
        """Begin after the accepted acknowledgement, as a new host does."""
        self.ack = self.whole.accepted_ack
        self.next_seq = ring_step(self.ack)
        self._torn_record_ns = None

    async def read_records(self) -> None:
        """Read what waits and note it for acknowledgement, unless told not to acknowledge."""
        while self.header is not None and ring_distance(self.whole.head_seq, self._last) > 0:
            slot = self.next_seq % m.R_SLOTS
            waiting = ring_distance(self.whole.head_seq, self._last)
            slots = min(waiting, m.RECORDS_PER_READ, m.R_SLOTS - slot, U32_MAX - self.next_seq + 1)
            address = m.R_ADDRESS + slot * m.R_SLOT_REGISTERS
            run = RegisterRun(address, slots * m.R_SLOT_REGISTERS)
            words = await self.wire.read(run)
            for at in range(0, len(words), m.R_SLOT_REGISTERS):
                if not self._take(words[at : at + m.R_SLOT_REGISTERS], address + at):
                    return

    @property
    def _last(self) -> int:
        return self.next_seq - 1

    def _take(self, slot: Words, address: int) -> bool:
        try:
            record = decode_record(self.whole.boot_id, self.next_seq, slot)
        except RecordFault as fault:
            raise DutyFailed(Duty.COMMIT, f"{fault}, in {self.at(address)}.") from fault
        if record is None:
            self._torn_record_ns = self._torn_record_ns or self.now_ns
            if self.now_ns - self._torn_record_ns > m.LIFE_SIGN_LIMIT_MS * NS_PER_MS:
                raise self._not_whole(slot, address)
            return False
        self._torn_record_ns = None
        self.records.append(record)
        if self.acknowledges:
            self.ack = self.next_seq
        self.next_seq = ring_step(self.next_seq)
        return True

    def _not_whole(self, slot: Words, address: int) -> DutyFailed:
        begin, end = u32_at(slot, m.R_SEQ_BEGIN), u32_at(slot, m.R_SEQ_END)
        published = f"record {self.next_seq} is published at {self.at(m.H_HEAD_SEQ)}, but"
        if begin == end == self.next_seq:
            return DutyFailed(
                Duty.COMMIT, f"{published} the CRC at {self.at(address + m.R_CRC)} does not fit it."
            )
        duty = Duty.OVERWRITE if ring_distance(begin, self.next_seq) > 0 else Duty.COMMIT
        return DutyFailed(
            duty, f"{published} its slot at {self.at(address)} says {begin} before and {end} after."
        )

    # --- the belt and decisions -----------------------------------------------------------------------

    async def belt_rows(self) -> list[events.BeltRow]:
        """Table T, read until two reads agree."""
        before: list[int] = []
        while True:
            words = await self.wire.read(_T_RUN)
            if words == before:
                break
            before = words
            await self.poll()
        rows = range(0, len(words), m.T_ROW_REGISTERS)
        found = (decode_belt_row(words[at : at + m.T_ROW_REGISTERS]) for at in rows)
        return [row for row in found if row is not None]

    def decision(
        self,
        track_id: int,
        destination: int = Destination.RELEASE,
        *,
        seq: int | None = None,
        boot_id: int | None = None,
        session: int | None = None,
    ) -> list[int]:
        """The 12 words of a new decision of this host, unless told otherwise."""
        if seq is None:
            self.decision_seq = seq = ring_step(self.decision_seq)
        reason = 0 if destination == Destination.RELEASE else 1
        return encode_decision(
            SendDecision(
                decision_seq=seq,
                boot_id=self.whole.boot_id if boot_id is None else boot_id,
                session=self.session if session is None else session,
                track_id=track_id,
                destination=destination,  # type: ignore[arg-type]  # 0 on purpose
                reason=reason,
            )
        )

    def echo(self, seq: int) -> tuple[int, int, int]:
        """Row of E for this decision: sequence, tracking id, result."""
        at = m.E_ADDRESS + seq % m.E_SLOTS * m.E_SLOT_REGISTERS
        row = self.words[at : at + m.E_SLOT_REGISTERS]
        return u32_at(row, m.E_DECISION_SEQ), u32_at(row, m.E_TRACK_ID), row[m.E_RESULT]

    async def submit(self, row: Words) -> int:
        """The PLC's answer to a row. DutyFailed P13 if there is none in time."""
        seq = u32_at(row, m.D_DECISION_SEQ)
        if (at_once := await self.wire.submit(row)) is not None:
            return at_once
        seen: list[tuple[int, int, int]] = []

        def answered() -> bool:
            seen.append(self.echo(seq))
            return seen[-1][0] == seq and seen[-2:] == [seen[-1]] * 2

        place = self.at(m.E_ADDRESS + seq % m.E_SLOTS * m.E_SLOT_REGISTERS)
        if not await self.until(answered, m.ECHO_LIMIT_MS):
            raise DutyFailed(
                Duty.ANSWER,
                f"decision {seq} was not answered in {place} within {m.ECHO_LIMIT_MS} ms.",
            )
        return seen[-1][2]

    def begin_check(self, permits: int) -> None:
        """Forget what the check before wanted."""
        self.alive, self.acknowledges, self.permits = True, True, permits
        self._torn_record_ns, self._whole_ns = None, 0

    # --- test mode ------------------------------------------------------------------------------------

    async def order(self, order: t.TestOrder, argument: int = 0) -> None:
        """Have the PLC carry out a test order. NotRun if it does not."""
        boot_id, head = self.whole.boot_id, self.whole.head_seq
        words = self.c_words()
        words[t.TEST_ORDER] = order
        words[t.TEST_ARGUMENT : t.TEST_ARGUMENT + 2] = u32_words(argument)
        await self.write_c(words)
        self._number = words[t.TEST_NUMBER] = (self._number + 1) & U16_MAX
        await self.write_c(words)
        end_ns = self.now_ns + t.ORDER_LIMIT_MS * NS_PER_MS
        while self.whole.boot_id == boot_id:
            await self.wire.pause(m.POLL_PERIOD_MS)
            if order is t.TestOrder.RESTART:
                self.boot_id = 0  # whatever comes now is right
            await self.look()
            done = self.has(PlcStateBit.TEST_ORDER) == bool(self._number & 1)
            if done and order is not t.TestOrder.RESTART:
                break
            if self.whole.boot_id == boot_id and ring_distance(self.whole.head_seq, head) < 0:
                at = self.at(m.H_BOOT_ID)
                raise DutyFailed(Duty.START, f"{at} is the old boot id after a start.")
            if self.now_ns > end_ns:
                raise NotRun(f"the PLC does not carry out test order {order.value} ({order.name}).")

    def continue_numbers(self, c: Words, e: Words) -> None:
        """Test orders and decisions go on above what the PLC has seen."""
        self._number, self._heartbeat = c[t.TEST_NUMBER], c[m.C_HEARTBEAT]
        for at in range(0, len(e), m.E_SLOT_REGISTERS):
            seq = u32_at(e, at + m.E_DECISION_SEQ)
            if seq and (not self.decision_seq or ring_distance(seq, self.decision_seq) > 0):
                self.decision_seq = seq
