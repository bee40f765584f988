"""When may the soft PLC skip the work of a scan? Only when that work would change nothing.

A scan works in order, and no part of it leaves anything to do for a part before it; so the next scan
can change something only through an input, a word from the host, a gate in motion, or a body that
comes to a place where something is decided. `Quiet` knows these
places and the belt travel left to the nearest one, always rather too little than too much: a scan
worked through for nothing costs time, one skipped wrongly would be another PLC.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from controller.core.units import u32_difference
from plc import register_map as m
from sim.plc_gates import Gates
from sim.plc_io import PlcInputs
from sim.plc_rows import Plant, Row


@dataclass(slots=True)
class Quiet:
    """`asleep(inputs, decisions)` before a scan's work, `settle(inputs, decisions)` after it."""

    plant: Plant
    gates: Gates
    _inputs: PlcInputs | None = None
    _decisions: Sequence[int] = ()
    _from_counts: int = 0
    _free_counts: int = 0
    _marks_speed: int = -1
    _leading_marks: list[int] = field(default_factory=list)

    def asleep(self, inputs: PlcInputs, decisions: Sequence[int]) -> bool:
        """Nothing came in and no body reached a place that matters."""
        before = self._inputs
        if self.plant.disturbed or before is None:
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
            or self.gates.any_moving
        )
        self._inputs = None if under_way else inputs
        if self._inputs is not None:
            self._decisions, self._from_counts = decisions, inputs.counts
            self._free_counts = self._travel_left()

    def _travel_left(self) -> int:
        """Counts until the first body reaches a place where something is decided; 0 if one is there."""
        plant = self.plant
        if self._marks_speed != plant.speed_mm_per_s:
            self._marks_speed, self._leading_marks = plant.speed_mm_per_s, self._marks_mm()
        left_mm = min(map(self._left_mm, plant.rows), default=1 << 20)
        return left_mm * plant.line.encoder_counts_per_m // 1000 - 1

    def _left_mm(self, row: Row) -> int:
        plant, leading_mm = self.plant, row.leading_mm
        marks = [mark for mark in self._leading_marks if mark > leading_mm]
        for gate in plant.line.gates:
            # its trailing edge leaves the gate
            leaves_mm = gate.position_mm + row.body_mm
            marks += (leaves_mm - 1, leaves_mm, leaves_mm + 1)
        if not row.seen:
            # it is missed
            eyes = plant.line.eyes
            past_last = row.eyes_passed >= len(eyes)
            next_mm = plant.line.belt_end_mm if past_last else eyes[row.eyes_passed].position_mm
            late_mm = next_mm + plant.numbers.eye_window_mm
            marks += (late_mm, late_mm + 1)
        return min((mark - leading_mm for mark in marks if mark > leading_mm), default=1 << 20)

    def _marks_mm(self) -> list[int]:
        """Places of a leading edge; each with its neighbours, so that > and >= make no difference."""
        plant, numbers = self.plant, self.plant.numbers
        places = [plant.decision_point_mm, plant.pre_gate_eye.position_mm]
        reach_mm = plant.moved_mm(numbers.scan_ms + numbers.gate_margin_ms)
        for gate in plant.line.gates:
            lead_mm = plant.gate_lead_mm(gate)
            places += [gate.position_mm - ahead for ahead in (2 * lead_mm, lead_mm, reach_mm, 0)]
        return sorted({place + off for place in places for off in (-1, 0, 1)})
