"""A PLC as a pure object: `scan(now_us, inputs, host_blocks) -> outputs`, nothing else.

It fulfils the PLC's side of docs/plc-interface.md: tracking, ring, decisions, gates, interlocks. It
reads no clock and draws its boot id from the random numbers it is given. It judges by encoder and
trusts no host: without a lease accepted in time, a parcel goes straight on. A restart is a new object.

The parts: plc_ring (registers, ring), plc_rows (tracking table), plc_tracking (sensors to rows),
plc_host (life sign, decisions), plc_gates (gates, gaps), plc_drive (belt and infeed), plc_quiet (scans
in which nothing can happen).
"""

from collections.abc import Sequence
from random import Random
from typing import Final

from controller.core import events
from controller.core.settings import LineSettings
from controller.core.units import U32_MAX
from controller.core.vocabulary import DefaultCause, PlcStateBit
from plc import register_map as m
from plc.record_codec import u32_words
from sim.plc_drive import Drive
from sim.plc_gates import Gates
from sim.plc_host import Decisions, Host
from sim.plc_io import DeviceState, LaneState, PlcInputs, PlcOutputs, TriggerPulse
from sim.plc_quiet import Quiet
from sim.plc_ring import Registers, Ring
from sim.plc_rows import Plant, PlcSettings
from sim.plc_tracking import Tracking

# The registers a host may write, as `scan` is given them: block C to the end of block D.
HOST_BLOCKS_ADDRESS: Final = m.C_ADDRESS
HOST_BLOCKS_COUNT: Final = m.D_ADDRESS + m.D_SLOTS * m.D_SLOT_REGISTERS - m.C_ADDRESS
# Plain numbers: they are put together at every scan's end.
(
    _BELT_RUNNING,
    _INFEED_RUNNING,
    _WATCHDOG_TRIPPED,
    _EMERGENCY_STOP,
    _GATE_FAULT,
    _SESSION_LATCHED,
    _JAM,
) = (
    int(bit)
    for bit in (
        PlcStateBit.BELT_RUNNING,
        PlcStateBit.INFEED_RUNNING,
        PlcStateBit.WATCHDOG_TRIPPED,
        PlcStateBit.EMERGENCY_STOP,
        PlcStateBit.GATE_FAULT,
        PlcStateBit.SESSION_LATCHED,
        PlcStateBit.JAM,
    )
)
_D_AT: Final = m.D_ADDRESS - m.C_ADDRESS


class SoftPlc:
    """One boot of the PLC. `registers.image` is what its own blocks hold after the last scan."""

    def __init__(
        self, settings: LineSettings, rng: Random, numbers: PlcSettings | None = None
    ) -> None:
        numbers = numbers or PlcSettings()
        self.registers = Registers()
        self.boot_id = numbers.first_boot_id or rng.randint(1, U32_MAX)
        first_seq = numbers.first_ring_seq
        ring = Ring(self.registers, self.boot_id, first_seq, accepted_ack=first_seq - 1)
        first_id = numbers.first_track_id
        self.plant = Plant(settings, numbers, rng, self.registers, ring, self.boot_id, first_id)
        self.host = Host(self.plant)
        self.tracking = Tracking(self.plant, numbers.first_trigger_no)
        self.decisions = Decisions(self.plant, self.host)
        self.gates = Gates(self.plant)
        self.drive = Drive(self.plant, self.host)
        # state bits that are not the program's own: sim/plc_test_mode.py
        self.more_state_bits = 0
        self._quiet = Quiet(self.plant, self.gates)
        self._devices: dict[int, DeviceState] = {}
        self._lanes: dict[int, LaneState] = {}
        self._told: tuple[object, ...] = ()
        self._more_shown = 0
        self._followed = False
        self._heartbeat = 0
        self._booted = False

    def scan(self, now_us: int, inputs: PlcInputs, host_blocks: Sequence[int]) -> PlcOutputs:
        """One scan. `host_blocks` are the HOST_BLOCKS_COUNT registers from HOST_BLOCKS_ADDRESS on."""
        plant = self.plant
        plant.begin_scan(now_us, inputs.counts, inputs.speed_mm_per_s)
        if self._booted:
            self.host.listen(host_blocks)
        else:
            self._boot()
        decisions = host_blocks[_D_AT:]
        if not (self._quiet.asleep(inputs, decisions) and self._only_tracked(inputs, decisions)):
            self._work(inputs, decisions)
            self._quiet.settle(inputs, decisions)
            self._show_state()
        elif self.more_state_bits != self._more_shown:
            self._show_state()
        return self._outputs()

    def _only_tracked(self, inputs: PlcInputs, decisions: Sequence[int]) -> bool:
        """Edges and telegrams become records; False if they changed what has to be decided."""
        if not (
            inputs.edges or inputs.codes or inputs.weights or inputs.dimensions or inputs.lane_edges
        ):
            return True
        plant = self.plant
        plant.look()
        self.tracking.follow(inputs)
        self._followed = True
        if plant.reshaped or plant.ring.fill >= m.RING_INFEED_STOP_FILL:
            return False
        plant.write_table()
        self._quiet.settle(inputs, decisions)
        self._followed = False
        return True

    def _work(self, inputs: PlcInputs, decisions: Sequence[int]) -> None:
        """Everything of a scan but the host's life sign."""
        plant = self.plant
        if not self._followed:
            plant.look()
            self._report_changes(inputs)
            self.tracking.follow(inputs)
        self._followed = plant.reshaped = False
        self.drive.emergency_stop(inputs.emergency_stop)
        self.gates.listen(inputs.gates, self.host.alarm_reset)
        self.decisions.shut_lanes(self._shut_lanes(inputs))
        if self._booted:
            self.decisions.take(decisions)
        self.decisions.default_undecided()
        self.gates.check_gaps()
        self.gates.yield_to_release()
        self.drive.decide(inputs, self.gates.rule(), self.gates.any_stuck)
        plant.write_table()
        plant.disturbed = False
        self._booted = True

    def _boot(self) -> None:
        """Everything of an earlier boot is wiped, decisions first; the boot id makes it ours."""
        force = self.registers.force
        force(m.D_ADDRESS, [0] * (m.D_SLOTS * m.D_SLOT_REGISTERS))
        force(m.C_ADDRESS, [0] * m.C_COUNT)
        force(m.H_ADDRESS, [0] * m.H_COUNT)
        for address, count in (
            (m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS),
            (m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS),
            (m.R_ADDRESS, m.R_SLOTS * m.R_SLOT_REGISTERS),
        ):
            force(address, [0] * count)
        probe = (m.LAYOUT_VERSION, *u32_words(m.PROBE_U32), *m.PROBE_FLOAT_WORDS, 0)
        force(m.P_ADDRESS, probe)
        force(m.H_SLOTS, (m.R_SLOTS, m.R_SLOT_REGISTERS))
        # in a run that begins near the wrap, as if all before had been acknowledged
        before = u32_words(self.plant.ring.accepted_ack)
        for address in (m.H_HEAD_SEQ, m.H_ACCEPTED_ACK, m.H_HEAD_COPY):
            force(address, before)
        force(m.H_BOOT_ID, u32_words(self.boot_id))
        force(m.H_MAGIC, (m.MAGIC,))

    def _report_changes(self, inputs: PlcInputs) -> None:
        """Devices (all of them once after a start), and lanes that became full, free, jammed or clear or
        whose room changed where it may be too little for what is on the belt."""
        told = (inputs.devices, inputs.lanes)
        if told == self._told:
            return
        self._told = told
        record = self.plant.record
        for device in inputs.devices:
            if self._devices.get(device.source) != device:
                self._devices[device.source] = device
                flags = (device.on, device.interlock_closed, device.fault)
                record(events.DeviceChanged, device.source, 0, *flags)
        for lane in inputs.lanes:
            before = self._lanes.get(lane.lane, LaneState(lane.lane))
            if _lane_words(before) != _lane_words(lane):
                state = (lane.full, lane.jammed, lane.room_parcels)
                record(events.LaneChanged, lane.lane, 0, *state)
            self._lanes[lane.lane] = lane

    def _shut_lanes(self, inputs: PlcInputs) -> dict[int, DefaultCause]:
        shut = {
            state.lane: DefaultCause.LANE_FULL
            for state in inputs.lanes
            if state.full or state.jammed
        }
        for lane in self.plant.line.lanes:
            drive = self.gates.drives.get(lane.gate)
            if drive is not None and drive.stuck:
                shut[lane.number] = DefaultCause.GATE_FAULT
        return shut

    def _outputs(self) -> PlcOutputs:
        self._heartbeat = (self._heartbeat + 1) & 0xFFFF
        self.registers.force(m.H_HEARTBEAT, (self._heartbeat,))
        triggers: tuple[TriggerPulse, ...] = ()
        if self.tracking.triggers:
            triggers = tuple(self.tracking.triggers)
            self.tracking.triggers.clear()
        commits, notes = self.registers.take()
        drive = self.drive
        return PlcOutputs(
            drive.belt_run, drive.infeed_run, self.gates.orders, triggers, commits, notes
        )

    def _show_state(self) -> None:
        self._more_shown = self.more_state_bits
        self.registers.write(m.H_STATE_BITS, [self._state_bits()])

    def _state_bits(self) -> int:
        drive, host = self.drive, self.host
        return (
            drive.belt_run * _BELT_RUNNING
            | drive.infeed_run * _INFEED_RUNNING
            | host.tripped * _WATCHDOG_TRIPPED
            | drive.emergency * _EMERGENCY_STOP
            | self.gates.any_stuck * _GATE_FAULT
            | (host.session != 0) * _SESSION_LATCHED
            | drive.jammed * _JAM
            | self.more_state_bits
        )


def _lane_words(lane: LaneState) -> tuple[bool, bool, int]:
    """What the host is to know of a lane; room for all that can be on the belt is room enough."""
    return lane.full, lane.jammed, min(lane.room_parcels, m.T_ROWS)
