"""The soft PLC's registers and its ring of records.

`Registers` notes every write in order, so that a server can show a host the half-written state. `Ring`
writes a record in the map's commit order and overwrites only what the host has acknowledged: a record
that finds no free slot is counted, never squeezed in.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.core import events
from controller.core.units import U32_MAX, u32_sum
from plc import register_map as m
from plc.record_codec import encode_record, u32_words
from sim.plc_io import Note, RecordNote, RegisterWrite


@dataclass(slots=True)
class Registers:
    """`image` is what the PLC's own blocks hold; `commits` and `notes` are taken once a scan.

    `keeps_commits`: somebody asks in which order a scan wrote its words.
    """

    image: list[int] = field(default_factory=lambda: [0] * m.MAP_REGISTERS)
    commits: list[RegisterWrite] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    keeps_commits: bool = True

    def write(self, address: int, words: Sequence[int]) -> None:
        """Write unless the registers hold these words already."""
        if self.image[address : address + len(words)] != list(words):
            self.force(address, words)

    def force(self, address: int, words: Sequence[int]) -> None:
        """Write also what seems unchanged: blocks C and D, which a host writes."""
        self.image[address : address + len(words)] = words
        if self.keeps_commits:
            self.commits.append(RegisterWrite(address, tuple(words)))

    def take(self) -> tuple[tuple[RegisterWrite, ...], tuple[Note, ...]]:
        commits: tuple[RegisterWrite, ...] = ()
        notes: tuple[Note, ...] = ()
        if self.commits:
            commits, self.commits = tuple(self.commits), []
        if self.notes:
            notes, self.notes = tuple(self.notes), []
        return commits, notes


@dataclass(slots=True)
class Ring:
    """`unacknowledged` are sequences in order, oldest first; they wrap at 32 bits, skipping 0."""

    registers: Registers
    boot_id: int
    next_seq: int = 1
    accepted_ack: int = 0
    overflow_count: int = 0
    unacknowledged: deque[int] = field(default_factory=deque)
    # around the wrap two living sequences can share a slot although fewer than N wait
    _taken: set[int] = field(default_factory=set)

    @property
    def fill(self) -> int:
        """Slots that the next records do not get in a row: those that wait, around the wrap more."""
        waiting = len(self.unacknowledged)
        wraps = self.next_seq > U32_MAX - m.R_SLOTS
        if not waiting or not (wraps or self.unacknowledged[0] > self.next_seq):
            return waiting
        free, seq = 0, self.next_seq
        while free < m.R_SLOTS - waiting and seq % m.R_SLOTS not in self._taken:
            free, seq = free + 1, u32_sum(seq, 1) or 1
        return m.R_SLOTS - free

    def push(
        self,
        kind: type[events.PlcRecord],
        source: int,
        track_id: int,
        counts: int,
        at_us: int,
        *payload: object,
    ) -> None:
        """Write the next record; count it as refused if its slot is not acknowledged yet."""
        slot = self.next_seq % m.R_SLOTS
        if slot in self._taken:
            self.overflow_count = min(self.overflow_count + 1, 0xFFFF)
            self.registers.write(m.H_OVERFLOW_COUNT, [self.overflow_count])
            return
        event = kind(self.boot_id, self.next_seq, source, track_id, counts, at_us, *payload)
        self._commit(event, m.R_ADDRESS + slot * m.R_SLOT_REGISTERS)
        self.unacknowledged.append(self.next_seq)
        self._taken.add(slot)
        self.next_seq = u32_sum(self.next_seq, 1) or 1

    def _commit(self, event: events.PlcRecord, address: int) -> None:
        words = encode_record(event)
        force = self.registers.force
        force(address + m.R_SEQ_BEGIN, (0, 0))
        force(address + m.R_KIND, words[m.R_KIND : m.R_CRC])
        force(address + m.R_CRC, words[m.R_CRC : m.R_CRC + 1])
        force(address + m.R_SEQ_END, words[m.R_SEQ_END : m.R_SEQ_END + 2])
        force(address + m.R_SEQ_BEGIN, words[m.R_SEQ_BEGIN : m.R_SEQ_BEGIN + 2])
        head = u32_words(event.ring_seq)
        force(m.H_HEAD_SEQ, head)
        force(m.H_HEAD_COPY, head)
        self.registers.notes.append(RecordNote(event))

    def acknowledge(self, ack: int, complement: int) -> None:
        """Free the slots up to `ack` if it is complementary and accepted_ack <= ack <= head."""
        if ack ^ complement != 0xFFFF_FFFF or ack not in self.unacknowledged:
            return
        while self.unacknowledged and self.accepted_ack != ack:
            self.accepted_ack = self.unacknowledged.popleft()
            self._taken.discard(self.accepted_ack % m.R_SLOTS)
        self.registers.write(m.H_ACCEPTED_ACK, u32_words(self.accepted_ack))
