"""When may the soft PLC skip the work of a scan? Only when that work would change nothing.

A scan works in order, and no part of it leaves anything to do for a part before it; so the next scan
can change something only through an input, a word from the host, a gate in motion, or a body that
comes to a place where something is decided. `Quiet` knows these
places and the belt travel left to the nearest one, always rather too little than too much: a scan
worked through for nothing costs time, one skipped wrongly would be another PLC.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from controller.core.units import u32_difference
from plc import register_map as m
from sim.plc_gates import Gates
from sim.plc_io import PlcInputs
from sim.plc_rows import Plant, Row

_FAR_MM: Final = 1 << 20


class _GateNow(NamedTuple):
    """`at_hold`: ordered to hold and there."""

    number: int
    at_mm: int
    reach_mm: int
    lead_mm: int
    at_hold: bool


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
        """No body reached a place that matters, and nothing but edges and telegrams came in."""
        before = self._inputs
        if before is None or self.plant.disturbed or self.plant.now_us >= self._until_us:
            return False
        moved = u32_difference(inputs.counts, self._from_counts)
        return (
            0 <= moved < self._free_counts
            and self.plant.ring.fill < m.RING_INFEED_STOP_FILL
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
        gates = self._gates_now()
        left_mm = _FAR_MM
        for row in plant.rows:
            for mark in self._marks_mm(row, gates):
                # a place and its neighbours, so that > and >= make no difference
                ahead_mm = mark - row.leading_mm
                if -1 <= ahead_mm <= left_mm:
                    left_mm = ahead_mm - 1 if ahead_mm > 1 else 1
        return left_mm * plant.line.encoder_counts_per_m // 1000 - 1

    def _gates_now(self) -> list[_GateNow]:
        """Those at which something can happen: at a gate that holds and is to hold, nothing happens to
        a body that passes."""
        plant = self.plant
        leased = [row.lane.gate for row in plant.rows if row.lane is not None]
        return [
            _GateNow(
                drive.gate.number,
                drive.gate.position_mm,
                drive.reach_mm,
                plant.gate_lead_mm(drive.gate),
                drive.at_hold,
            )
            for drive in self.gates.drives.values()
            if not drive.at_hold or drive.gate.number in leased
        ]

    def _marks_mm(self, row: Row, gates: list[_GateNow]) -> list[int]:
        """Where its leading edge is when something is decided about this body."""
        plant, lane = self.plant, row.lane
        marks = []
        if row.destination is None and row.default is None:
            marks.append(plant.decision_point_mm)
        if not row.seen:
            eyes = plant.line.eyes
            past_last = row.eyes_passed >= len(eyes)
            next_mm = plant.line.belt_end_mm if past_last else eyes[row.eyes_passed].position_mm
            marks.append(next_mm + plant.numbers.eye_window_mm)  # it is missed
        if lane is not None and not row.started:
            marks.append(plant.pre_gate_eye.position_mm)
        for gate in gates:
            marks.append(gate.at_mm + row.body_mm)  # its trailing edge leaves the gate
            leased_here = lane is not None and lane.gate == gate.number
            if leased_here or not gate.at_hold:
                marks += (gate.at_mm, gate.at_mm - gate.reach_mm)
            if leased_here and not row.started:
                marks += (gate.at_mm - gate.lead_mm, gate.at_mm - 2 * gate.lead_mm)
        return marks
