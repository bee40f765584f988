"""Sequences that wrap and skip 0, and reads that end where slots stop being neighbours."""

import pytest

from controller.core.units import U32_MAX
from plc import register_map as m
from plc.ring_reader import RegisterRun, RingReader, ring_distance, ring_step

BOOT = 9


@pytest.mark.parametrize(
    ("later", "earlier", "distance"),
    [
        (0, 0, 0),
        (1, 0, 1),
        (110, 0, 110),
        (1, U32_MAX, 1),
        (5, U32_MAX - 1, 6),
        (U32_MAX, 0, 0),  # before the first record of a boot lies where the last sequence does
        (U32_MAX, 3, -3),
        (7, 7, 0),
        (3, 9, -6),
        (0x1_0000, 0xFFFF, 1),
    ],
)
def test_distance_counts_records(later: int, earlier: int, distance: int) -> None:
    assert ring_distance(later, earlier) == distance


@pytest.mark.parametrize("seq", [1, 2, 25, 0xFFFF, 0x1_0000, U32_MAX - 1, U32_MAX])
@pytest.mark.parametrize("steps", [1, 3, 109, -1, -109])
def test_step_and_distance_agree(seq: int, steps: int) -> None:
    there = ring_step(seq, steps)
    assert 1 <= there <= U32_MAX
    assert ring_distance(there, seq) == steps


def test_the_first_sequence_of_a_boot_is_one() -> None:
    assert ring_step(0) == 1
    assert ring_step(U32_MAX) == 1


@pytest.mark.parametrize(
    ("head", "next_seq", "slots"),
    [(2, 1, 2), (120, 107, 3), (3, U32_MAX - 1, 2), (130, 110, 4), (131, 131, 1)],
)
def test_a_read_ends_where_slots_stop_being_neighbours(
    head: int, next_seq: int, slots: int
) -> None:
    reader = RingReader(BOOT, next_seq)
    assert reader.see_head(head)
    address = m.R_ADDRESS + next_seq % m.R_SLOTS * m.R_SLOT_REGISTERS
    assert reader.next_read() == RegisterRun(address, slots * m.R_SLOT_REGISTERS)


def test_nothing_waits_at_the_head() -> None:
    reader = RingReader(BOOT, 8)
    assert reader.see_head(7)
    assert reader.next_read() is None


def test_a_head_behind_us_is_refused() -> None:
    reader = RingReader(BOOT, 8)
    assert not reader.see_head(6)
    assert reader.waiting == 0
