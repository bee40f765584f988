"""When may the soft PLC skip the work of a scan? Only when that work would change nothing.

A scan works in order, and no part of it leaves anything to do for a part before it; so the next scan
can change something only through an input, a word from the host, a gate in motion, or a body that
comes to a place where something is decided. `Quiet` knows these
places and the belt travel left to the nearest one, always rather too little than too much: a scan
worked through for nothing costs time, one skipped wrongly would be another PLC.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from controller.core.units import u32_difference
from plc import register_map as m
from sim.plc_gates import GateDrive, Gates
from sim.plc_io import PlcInputs
from sim.plc_rows import Plant, Row


_FAR_MM = 1 << 20


@dataclass(slots=True)
class Quiet:
    """`asleep(inputs, decisions)` before a scan's work, `settle(inputs, decisions)` after it."""

    plant: Plant
    gates: Gates
    _inputs: PlcInputs | None = None
    _decisions: Sequence[int] = ()
    _from_counts: int = 0
    _free_counts: int = 0
    _until_us: int = 0

    def asleep(self, inputs: PlcInputs, decisions: Sequence[int]) -> bool:
        """Nothing came in and no body reached a place that matters."""
        before = self._inputs
        if before is None or self.plant.disturbed or self.plant.now_us >= self._until_us:
            return False
        moved = u32_difference(inputs.counts, self._from_counts)
        return (
            0 <= moved < self._free_counts
            and self.plant.ring.fill < m.RING_INFEED_STOP_FILL
            and not (inputs.edges or inputs.codes or inputs.weights or inputs.dimensions)
            and not inputs.lane_edges
            and inputs.gates == before.gates
            and inputs.lanes == before.lanes
            and inputs.devices == before.devices
            and decisions == self._decisions
            and not (inputs.open_zones or inputs.emergency_stop)
        )

    def settle(self, inputs: PlcInputs, decisions: Sequence[int]) -> None:
        """The work of this scan is done: from here on it may rest, if nothing is under way."""
        plant = self.plant
        under_way = (
            plant.numbers.every_scan_whole
            or plant.gates_locked
            or plant.ring.fill >= m.RING_INFEED_STOP_FILL
            or inputs.open_zones
            or inputs.emergency_stop
        )
        self._inputs = None if under_way else inputs
        if self._inputs is not None:
            self._decisions, self._from_counts = decisions, inputs.counts
            self._until_us = self.gates.at_rest_until_us
            self._free_counts = self._travel_left()

    def _travel_left(self) -> int:
        """Counts until the first body reaches a place where something is decided; 0 if one is there."""
        plant = self.plant
        left_mm = _FAR_MM
        for row in plant.rows:
            for mark in self._marks_mm(row):
                # a place and its neighbours, so that > and >= make no difference
                ahead_mm = mark - row.leading_mm
                if -1 <= ahead_mm < left_mm + 1:
                    left_mm = ahead_mm - 1 if ahead_mm > 1 else 1
        return left_mm * plant.line.encoder_counts_per_m // 1000 - 1

    def _marks_mm(self, row: Row) -> list[int]:
        """Where its leading edge is when something is decided about this body."""
        plant = self.plant
        marks = []
        if row.destination is None and row.default is None:
            marks.append(plant.decision_point_mm)
        if not row.seen:
            eyes = plant.line.eyes
            past_last = row.eyes_passed >= len(eyes)
            next_mm = plant.line.belt_end_mm if past_last else eyes[row.eyes_passed].position_mm
            marks.append(next_mm + plant.numbers.eye_window_mm)  # it is missed
        if row.lane is not None and not row.started:
            marks.append(plant.pre_gate_eye.position_mm)
        for drive in self.gates.drives.values():
            self._gate_marks(row, drive, marks)
        return marks

    def _gate_marks(self, row: Row, drive: GateDrive, marks: list[int]) -> None:
        """At a gate that holds and is to hold, nothing happens to a body that passes it."""
        plant, at_mm = self.plant, drive.gate.position_mm
        leased_here = row.lane is not None and row.lane.gate == drive.gate.number
        wanted = leased_here or not drive.at_hold
        if wanted:
            numbers = plant.numbers
            marks += (at_mm, at_mm - plant.moved_mm(numbers.scan_ms + numbers.gate_margin_ms))
        if leased_here and not row.started:
            lead_mm = plant.gate_lead_mm(drive.gate)
            marks += (at_mm - lead_mm, at_mm - 2 * lead_mm)
        if wanted or self._leased_behind(row, drive):
            marks.append(at_mm + row.body_mm)  # its trailing edge leaves the gate

    def _leased_behind(self, row: Row, drive: GateDrive) -> bool:
        behind = self.plant.behind(row)
        return (
            behind is not None and behind.lane is not None and behind.lane.gate == drive.gate.number
        )
