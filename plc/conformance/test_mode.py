"""The PLC's test mode as data: docs/plc-interface.md section 7 is written from this file.

In test mode, which is switched on at the PLC and never over the wire, the PLC drives no output and its
inputs (encoder, eyes, gate feedback) come from a simulation; everything behind the inputs is the
production program. An order is what a person would do to the plant, or a fault of the program's
surroundings: never a second code path. It travels in the spare registers of block C.

An order: write it with its argument, then write its number, one more than the last. The PLC carries it out
when the number changes and then shows the number's lowest bit as PlcStateBit.TEST_ORDER.
"""

from enum import IntEnum

# Offsets in block C.
TEST_ORDER = 8
TEST_NUMBER = 9
TEST_ARGUMENT = 10  # u32


class TestOrder(IntEnum):
    """0 is no order. The argument is 0 where nothing is said of it."""

    __test__ = False  # for pytest, which would collect the name

    # A parcel of `argument` mm reaches the induct eye now; if the belt stands, as soon as it moves.
    INDUCT = 1
    # Write `argument` records of kind 6, source 0, tracking id 0, trigger number 1, 2 .. argument, as fast
    # as the program can, through the production ring writer.
    BURST = 2
    # From now on `argument` ms between two steps of a record's commit (section 5, P5); 0: none.
    SLOW_COMMIT = 3
    # Lane `argument` mod 65536 is full if argument div 65536 is 1, and free if it is 0.
    LANE = 4
    # A new start of the PLC program, as after a power cut; the simulated belt keeps what lies on it.
    RESTART = 5


BURST_KIND = 6
BURST_SOURCE = 0
LANE_FULL = 1 << 16
# The PLC carries an order out within this.
ORDER_LIMIT_MS = 1_000
