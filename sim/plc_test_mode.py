"""Test mode of the soft PLC: test orders out of block C, and a simulated plant for its inputs.

A thin layer around an unchanged `SoftPlc`: it feeds parcels to the world, pushes records into the PLC's
own ring, spreads the ring's register writes over time, and starts a new PLC. It decides nothing.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import replace
from random import Random

from controller.core import events
from controller.core.settings import LineSettings
from controller.core.vocabulary import PlcStateBit
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.record_codec import u32_at
from sim.parcels import ParcelKind, SimParcel
from sim.plc_io import PlcOutputs, RegisterWrite
from sim.plc_rows import PlcSettings
from sim.soft_plc import SoftPlc
from sim.world import World

_US_PER_MS = 1_000
_FREE_PARCELS = 0xFFFF
# Just before the induct eye: the edge comes with the belt's next millimetre.
_BEFORE_INDUCT_MM = -1
_HEAD_WRITES = (m.H_HEAD_SEQ, m.H_HEAD_COPY)


class TestModePlc:
    """World and PLC under the suite's orders; one `scan` is one PLC cycle."""

    __test__ = False  # for pytest, which would collect the name

    def __init__(
        self, settings: LineSettings, rng: Random, numbers: PlcSettings | None = None
    ) -> None:
        self.settings = settings
        self.world = World(settings, (), rng)
        self._rng = rng
        # what an order does to the ring is no input that wakes a resting PLC
        self._numbers = replace(numbers or PlcSettings(), every_scan_whole=True)
        self.plc = self._started()
        self._outputs = PlcOutputs()
        self._inducted = 0
        self._number = 0
        self._step_us = 0
        self._slow: deque[RegisterWrite] = deque()
        self._next_step_us = 0

    @property
    def scan_us(self) -> int:
        return self.plc.plant.numbers.scan_ms * _US_PER_MS

    def scan(self, now_us: int, host_blocks: Sequence[int]) -> list[RegisterWrite]:
        """One cycle; the register writes to show now, in order."""
        number = host_blocks[t.TEST_NUMBER]
        if number != self._number:
            self._number = number
            self._carry_out(host_blocks[: m.C_COUNT])
        self.plc.more_state_bits = PlcStateBit.TEST_MODE | (
            PlcStateBit.TEST_ORDER if self._number & 1 else 0
        )
        inputs = self.world.step(now_us, self._outputs)
        self._outputs = self.plc.scan(now_us, inputs, host_blocks)
        return self._paced(now_us, self._outputs.commits)

    def _started(self) -> SoftPlc:
        return SoftPlc(self.settings, self._rng, self._numbers)

    def _carry_out(self, c: Sequence[int]) -> None:
        argument = u32_at(c, t.TEST_ARGUMENT)
        match c[t.TEST_ORDER]:
            case t.TestOrder.INDUCT:
                self._inducted += 1
                self.world.insert(_parcel(self._inducted, argument), _BEFORE_INDUCT_MM)
            case t.TestOrder.BURST:
                for trigger_no in range(1, argument + 1):
                    self.plc.plant.record(events.Triggered, t.BURST_SOURCE, 0, trigger_no)
            case t.TestOrder.SLOW_COMMIT:
                self._step_us = argument * _US_PER_MS
            case t.TestOrder.LANE:
                full, lane = divmod(argument, t.LANE_FULL)
                self.world.lanes[lane].capacity_parcels = 0 if full else _FREE_PARCELS
            case t.TestOrder.RESTART:
                self.plc, self._outputs = self._started(), PlcOutputs()
                self._slow.clear()

    def _paced(self, now_us: int, writes: Sequence[RegisterWrite]) -> list[RegisterWrite]:
        """The ring's writes one by one, `_step_us` apart; all others at once."""
        shown = []
        for write in writes:
            of_ring = write.address >= m.R_ADDRESS or write.address in _HEAD_WRITES
            whole_block = len(write.words) > m.R_SLOT_REGISTERS
            if of_ring and not whole_block and (self._step_us or self._slow):
                self._slow.append(write)
            else:
                shown.append(write)
        while self._slow and (not self._step_us or now_us >= self._next_step_us):
            shown.append(self._slow.popleft())
            self._next_step_us = now_us + self._step_us
        return shown


def _parcel(number: int, length_mm: int) -> SimParcel:
    """A box without a label."""
    return SimParcel(
        number=number,
        kind=ParcelKind.HONEST,
        waybill="",
        labels=(),
        weight_mg=1_000_000,
        declared_weight_mg=1_000_000,
        length_mm=length_mm,
        width_mm=200,
        height_mm=100,
        gap_before_mm=0,
        gcode="",
        contents=(),
    )
