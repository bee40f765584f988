"""Which slots of ring R to read next, and which of the words read are records. Pure.

The reader hands out every record once, in order, and says where some are gone. It never hands out a
slot that is not wholly the expected record, and never skips one that may still become readable.

Sequences count 1 .. 2**32 - 1 and go on at 1: 0 means "none". N = 110 does not divide that cycle,
so around the wrap two sequences closer together than N share a slot; therefore "overwritten" is
judged by what stands in the slot, not by distance alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from controller.core.events import Event, RingGap
from controller.core.units import U32_MAX, u32_difference
from plc import register_map as m
from plc.record_codec import decode_record, u32_at

Words = Sequence[int]


def ring_distance(later: int, earlier: int) -> int:
    """Records from `earlier` to `later`, negative if it lies behind; 0 is no sequence."""
    distance = u32_difference(later, earlier)
    if distance > 0 and later < earlier:
        return distance - 1
    if distance < 0 and later > earlier:
        return distance + 1
    return distance


def ring_step(seq: int, steps: int = 1) -> int:
    """The sequence `steps` records after `seq` (may be negative); after 2**32 - 1 comes 1."""
    return (seq - 1 + steps) % U32_MAX + 1


@dataclass(frozen=True, slots=True)
class RegisterRun:
    """A run of registers to read, relative to the line's base address."""

    address: int
    count: int


class RingReader:
    """The host's place in the ring of one PLC boot. `torn_rejected` counts refused reads."""

    def __init__(self, boot_id: int, next_seq: int) -> None:
        self.boot_id = boot_id
        self.next_seq = next_seq
        self.torn_rejected = 0
        self._head = next_seq - 1
        self._gap_after: int | None = None

    @property
    def head_seq(self) -> int:
        """The newest record there is; 0 while there is none."""
        return self._head

    @property
    def waiting(self) -> int:
        """Committed records not yet handed out."""
        # `next_seq - 1` may be 0, which lies where 2**32 - 1 does
        return ring_distance(self._head, self.next_seq - 1)

    def see_head(self, head_seq: int) -> bool:
        """Take the head of a whole header. False if it lies behind what was handed out."""
        if ring_distance(head_seq, self.next_seq - 1) < 0:
            return False
        self._head = head_seq
        if self.waiting > m.R_SLOTS:
            self._lose_up_to(ring_step(head_seq, 1 - m.R_SLOTS))
        return True

    def next_read(self) -> RegisterRun | None:
        """The registers to read next: up to 4 neighbouring slots, None if no record waits."""
        return self._run(self.waiting) if self.waiting > 0 else None

    def ahead(self) -> RegisterRun:
        """Where the next records are or will be, for a wire that can read them with the header."""
        return self._run(m.RECORDS_PER_READ)

    def _run(self, slots: int) -> RegisterRun:
        slot = self.next_seq % m.R_SLOTS
        until_wrap = U32_MAX - self.next_seq + 1
        slots = min(slots, m.RECORDS_PER_READ, m.R_SLOTS - slot, until_wrap)
        return RegisterRun(m.R_ADDRESS + slot * m.R_SLOT_REGISTERS, slots * m.R_SLOT_REGISTERS)

    def take(self, words: Words) -> list[Event]:
        """What the registers of `next_read` hold, in order; ends at the first slot that is torn.

        RecordFault as `decode_record`.
        """
        taken: list[Event] = []
        for start in range(0, len(words), m.R_SLOT_REGISTERS):
            slot = words[start : start + m.R_SLOT_REGISTERS]
            record = decode_record(self.boot_id, self.next_seq, slot)
            if record is not None:
                taken += self._end_gap()
                taken.append(cast(Event, record))  # each kind of the map is one
                self.next_seq = ring_step(self.next_seq)
            elif self._overwritten(slot):
                self._lose_up_to(ring_step(self.next_seq))
            else:
                self.torn_rejected += 1
                break
        return taken

    def _overwritten(self, slot: Words) -> bool:
        found = u32_at(slot, m.R_SEQ_BEGIN)
        newer = ring_distance(found, self.next_seq) > 0
        return newer and decode_record(self.boot_id, found, slot) is not None

    def _lose_up_to(self, next_seq: int) -> None:
        if self._gap_after is None:
            self._gap_after = self.next_seq - 1
        self.next_seq = next_seq

    def _end_gap(self) -> list[Event]:
        if self._gap_after is None:
            return []
        gap = RingGap(self.boot_id, self._gap_after, self.next_seq)
        self._gap_after = None
        return [gap]
