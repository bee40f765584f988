"""Every row of the fault matrix (reference/reliability.md 6): what the sweep can do to a line, by name.

`begin` starts the fault and plans its end. A fault counts as injected only when it really changed a
message, a scan or a verdict's ground while a parcel was on the belt; `counts_when` says which. Rows
whose part does not exist in virtual time are named with the reason instead of being left out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from random import Random

from controller.core.units import NS_PER_MS
from sim.sweep import faults_host, faults_line, faults_lists, faults_sensors, faults_wire
from sim.sweep.scene import Scene

Begin = Callable[[Scene, Random, str], None]


@dataclass(frozen=True, slots=True)
class Fault:
    """`row` is the matrix row that it belongs to."""

    name: str
    row: str
    counts_when: str
    begin: Begin


_WIRE = "PLC link lost with parcels on the belt"
_SLOW_WIRE = "half-open TCP, slow PLC answers"
_FRAME = "half frame, black, saturated"
_VISION = "vision worker crash / hang / OOM"
_WEIGHT = "missing / zero / negative / stuck weight"
_BY_HAND = "parcel removed / added by hand"
_BELT = "encoder slip, belt stop and restart"
_LIST = "list missing / late / amended after the verdict"
_PICTURES = "a picture was changed"
_TELEGRAM = "a telegram of a body was changed"

_TABLE = (
    Fault("plc_link_lost", _WIRE, "a request met the cut", faults_wire.plc_link_lost),
    Fault("plc_restarted", _WIRE, "the PLC lost its tracking table", faults_wire.plc_restarted),
    Fault("half_open", _SLOW_WIRE, "a request vanished", faults_wire.half_open),
    Fault("slow_answers", _SLOW_WIRE, "an answer was late", faults_wire.slow_answers),
    Fault("lost_answers", _SLOW_WIRE, "carried out, not answered", faults_wire.lost_answers),
    Fault("torn_read", "torn read", "a poll met a half-written scan", faults_wire.torn_read),
    Fault("second_host", "two control processes at once", "refused", faults_wire.second_host),
    Fault("duplicate_scan", "duplicate event", _TELEGRAM, faults_sensors.duplicate_scan),
    Fault("lost_scan", "lost scan / no-read", _TELEGRAM, faults_sensors.lost_scan),
    Fault("no_read", "lost scan / no-read", _TELEGRAM, faults_sensors.no_read),
    Fault("late_scan", "out-of-order / late scan", _TELEGRAM, faults_sensors.late_scan),
    Fault("two_codes", "two barcodes on one parcel", _TELEGRAM, faults_sensors.two_codes),
    Fault("neighbours_code", "out-of-order / late scan", _TELEGRAM, faults_sensors.neighbours_code),
    Fault("twin_parcel", "duplicate waybill", _TELEGRAM, faults_sensors.twin_parcel),
    Fault("no_weight", _WEIGHT, _TELEGRAM, faults_sensors.no_weight),
    Fault("zero_weight", _WEIGHT, _TELEGRAM, faults_sensors.zero_weight),
    Fault("stuck_scale", _WEIGHT, _TELEGRAM, faults_sensors.stuck_scale),
    Fault("scale_residue", _WEIGHT, _TELEGRAM, faults_sensors.scale_residue),
    Fault("no_dimensions", _WEIGHT, _TELEGRAM, faults_sensors.no_dimensions),
    Fault("wrong_length", _WEIGHT, _TELEGRAM, faults_sensors.wrong_length),
    Fault(
        "stale_frame_old_counter", "stale frame", _PICTURES, faults_sensors.picture("OLD_COUNTER")
    ),
    Fault(
        "stale_frame_new_counter", "stale frame", _PICTURES, faults_sensors.picture("NEW_COUNTER")
    ),
    Fault(
        "frame_of_parcel_before", "neighbour's frame", _PICTURES, faults_sensors.picture("EARLIER")
    ),
    Fault("frame_of_parcel_after", "neighbour's frame", _PICTURES, faults_sensors.picture("LATER")),
    Fault("half_frame", _FRAME, _PICTURES, faults_sensors.picture("HALF")),
    Fault("black_frame", _FRAME, _PICTURES, faults_sensors.picture("BLACK")),
    Fault("saturated_frame", _FRAME, _PICTURES, faults_sensors.picture("SATURATED")),
    Fault("lost_frame", _FRAME, _PICTURES, faults_sensors.picture("LOST")),
    Fault("frame_twice", "duplicate event", _PICTURES, faults_sensors.picture("TWICE")),
    Fault("vision_old_slot", _VISION, _PICTURES, faults_sensors.picture("OLD_SLOT")),
    Fault("vision_crash", _VISION, "a picture was lost", faults_host.vision_crash),
    Fault("vision_hang", _VISION, "a picture came late", faults_host.vision_hang),
    Fault("parcel_removed", _BY_HAND, "taken off between eyes", faults_line.parcel_removed),
    Fault("parcel_added", _BY_HAND, "laid on between eyes", faults_line.parcel_added),
    Fault("zone_opened", _BY_HAND, "a body lay in it", faults_line.zone_opened),
    Fault("encoder_slip", _BELT, "counts jumped", faults_line.encoder_slip),
    Fault("speed_change", _BELT, "the drive's speed changed", faults_line.speed_change),
    Fault("emergency_stop", _BELT, "the belt stopped", faults_line.emergency_stop),
    Fault("line_stop", _BELT, "the infeed stopped", faults_line.line_stop),
    Fault("gate_stuck_at_release", "gate stuck at RELEASE", "stuck", faults_line.gate_stuck_open),
    Fault("gate_stuck_at_hold", "gate stuck at HOLD", "stuck", faults_line.gate_stuck_at_hold),
    Fault("hold_lane_full", "hold lane full", "the PLC saw it", faults_line.hold_lane_full),
    Fault("release_lane_full", "hold lane full", "the PLC saw it", faults_line.release_lane_full),
    Fault("jam", "jam", "the belt stopped", faults_line.jam),
    Fault("list_missing", _LIST, "a list was not there", faults_lists.list_missing),
    Fault("list_late", _LIST, "a list came in mid-parcel", faults_lists.list_late),
    Fault("list_amended", _LIST, "a list changed in mid-parcel", faults_lists.list_amended),
    Fault("instruction", _LIST, "an instruction in mid-parcel", faults_lists.instruction),
    Fault("status_after_release", _LIST, "500 after 800 in mid-parcel", faults_lists.late_status),
    Fault("lists_slow", _LIST, "a look-up waited", faults_lists.lists_slow),
    Fault("lists_unavailable", _LIST, "a look-up was refused", faults_lists.lists_unavailable),
    Fault("host_killed", "control process killed", "killed", faults_host.host_killed),
    Fault("power_cut", "power cut of the PC", "cut", faults_host.power_cut),
    Fault("host_paused", "memory leak, gc pause", "polls stopped", faults_host.host_paused),
    Fault("clock_step", "clock step, leap, DST", "the clock stepped", faults_host.clock_step),
    Fault("disk_full", "disk full", "a commit failed", faults_host.disk_full),
    Fault("fsync_error", "fsync error (EIO)", "a commit failed", faults_host.fsync_error),
    Fault("slow_disk", "slow disk", "a commit waited", faults_host.slow_disk),
    Fault("bit_rot", "DB corrupt, bit rot", "a start met it", faults_host.bit_rot),
    Fault(
        "rules_change", "rules change with parcels on the belt", "active", faults_host.rules_change
    ),
)
FAULTS: dict[str, Fault] = {fault.name: fault for fault in _TABLE}


def plan_faults(scene: Scene) -> None:
    """Put every injection of the plan on the agenda."""
    for injection in scene.plan.injections:
        fault = FAULTS[injection.name]
        begin = partial(fault.begin, scene, Random(injection.seed), injection.name)
        scene.agenda.at(injection.at_ms * NS_PER_MS, begin)


NOT_INJECTABLE: dict[str, str] = {
    "two parcels touching": "part of every run's workload, counted there as `touching`",
    "centre link down": "there is no centre link yet",
    "API overload": "the api process has no part in virtual time: tests/api and the soak run",
    "rule file broken / half written": "files are read before a process starts: tests/runtime",
    "memory leak": "one address space holds the whole run: the soak run measures it",
    "process out of memory": "a crash like any other here (vision_crash): the soak run",
    "operator's wrong override": "the core takes no officer's decision about a parcel yet",
    "negative weight": "the register map carries weight as an unsigned number",
}
