"""May the belt run, may the infeed feed: the soft PLC's answer each scan, with the reason for a stop."""

from dataclasses import dataclass
from typing import Final

from controller.core import events
from controller.core.vocabulary import BeltCause, BeltMotion, DefaultCause, Destination
from plc import register_map as m
from sim.plc_host import Host
from sim.plc_io import LaneState, PlcInputs
from sim.plc_rows import Plant

# Rows that the table keeps free: bodies may still come in after the infeed was told to stop.
_ROWS_RESERVE: Final = 4


@dataclass(slots=True)
class Drive:
    """`belt_run` and `infeed_run` are this scan's outputs. An emergency stop stays until alarm reset."""

    plant: Plant
    host: Host
    belt_run: bool = False
    infeed_run: bool = False
    emergency: bool = False
    jammed: bool = False
    _ring_full: bool = False
    _told: tuple[bool, int] | None = None

    def emergency_stop(self, pressed: bool) -> None:
        """All on the belt is unknown from now on; released only by alarm reset."""
        if pressed:
            for row in list(self.plant.rows):
                self.plant.disown(row, DefaultCause.UNKNOWN_PARCEL)
        self.emergency = pressed or (self.emergency and not self.host.alarm_reset)

    def decide(self, inputs: PlcInputs, gate_waits: bool, gate_stuck: bool) -> None:
        lanes = {state.lane: state for state in inputs.lanes}
        cause = self._stop_cause(lanes, gate_waits, gate_stuck)
        self.belt_run = cause is None
        self.infeed_run = self.belt_run and self._infeed_free(lanes, gate_stuck)
        told = (self.belt_run, inputs.speed_mm_per_s if self.belt_run else 0)
        if told != self._told:
            self._record(told, cause)
            self._told = told

    def _stop_cause(
        self, lanes: dict[int, LaneState], gate_waits: bool, gate_stuck: bool
    ) -> BeltCause | None:
        """Why the belt must stand; None: it may run."""
        ring = self.plant.ring
        free = m.R_SLOTS - ring.fill
        # once stopped, wait for real room, or each record of the stop would start and stop the belt
        self._ring_full = free <= m.RING_BELT_STOP_FREE or (
            self._ring_full and ring.fill > m.RING_INFEED_STOP_FILL
        )
        end = lanes.get(self._lane_number(Destination.HOLD))
        self.jammed = any(state.jammed for state in lanes.values())
        if self.emergency:
            return BeltCause.EMERGENCY_STOP
        if end is not None and end.jammed:
            return BeltCause.JAM
        if gate_waits:
            return BeltCause.GATE_FAULT if gate_stuck else BeltCause.GAP_INTERLOCK
        if self._ring_full:
            return BeltCause.RING_FULL
        if end is not None and end.room_parcels < len(self.plant.rows):
            return BeltCause.HOLD_LANE_FULL
        return None if self.host.belt_permit else BeltCause.HOST_PERMIT

    def _infeed_free(self, lanes: dict[int, LaneState], gate_stuck: bool) -> bool:
        plant, host = self.plant, self.host
        release = lanes.get(self._lane_number(Destination.RELEASE))
        end = lanes.get(self._lane_number(Destination.HOLD))
        release_shut = release is not None and (release.full or release.jammed)
        end_room = end is None or end.room_parcels > len(plant.rows) + 1
        rows_free = len(plant.rows) < m.T_ROWS - _ROWS_RESERVE
        fill_ok = plant.ring.fill < m.RING_INFEED_STOP_FILL
        session_ok = host.session != 0 and host.infeed_permit
        lanes_ok = end_room and not release_shut
        return session_ok and lanes_ok and rows_free and fill_ok and not gate_stuck and self._swept

    @property
    def _swept(self) -> bool:
        """After a start, nothing comes in that would reach a gate while the gates are still locked."""
        plant = self.plant
        return not plant.gates_locked or (
            plant.moved_since_boot_mm >= plant.line.belt_end_mm - plant.line.decision_position_mm
        )

    def _lane_number(self, destination: Destination) -> int:
        lane = self.plant.lane_for(destination)
        return lane.number if lane is not None else 0

    def _record(self, told: tuple[bool, int], cause: BeltCause | None) -> None:
        running, speed = told
        was_running = self._told is not None and self._told[0]
        if cause is None:
            cause = BeltCause.SPEED_CHANGED if was_running else BeltCause.STARTED
        motion = BeltMotion.RUNNING if running else BeltMotion.STOPPED
        self.plant.record(events.BeltChanged, 0, 0, motion, min(speed, 0xFFFF), cause)
