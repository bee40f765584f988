"""The wires between the plant and its PLC: what the inputs say and what the outputs drive.

Edges and readings carry the encoder count and the time of the event itself, latched by fast inputs,
never the time of the scan that reads them. Nothing here knows which true parcel was meant.
"""

from dataclasses import dataclass
from typing import NamedTuple

from controller.core.events import PlcRecord
from controller.core.vocabulary import DecisionResult, Destination, GatePosition


class EyeEdge(NamedTuple):
    """Photo-eye `eye` was blocked (leading edge) or cleared (trailing edge)."""

    eye: int
    blocked: bool
    counts: int
    at_us: int


class LaneEdge(NamedTuple):
    """The eye of lane `lane` was blocked or cleared."""

    lane: int
    blocked: bool
    counts: int
    at_us: int


@dataclass(frozen=True, slots=True)
class CodeSeen:
    """One code of a scanner telegram; empty `text` is the scanner's own "nothing read"."""

    counts: int
    at_us: int
    code_no: int
    symbology: int
    text: str


@dataclass(frozen=True, slots=True)
class ScaleReading:
    counts: int
    at_us: int
    weight_mg: int
    zero_mg: int
    measurement_no: int
    stable: bool
    over_range: bool


@dataclass(frozen=True, slots=True)
class DimensionReading:
    counts: int
    at_us: int
    length_mm: int
    width_mm: int
    height_mm: int
    measurement_no: int
    measurable: bool


@dataclass(frozen=True, slots=True)
class GateFeedback:
    """`position` is None while the gate stands at no end position."""

    gate: int
    position: GatePosition | None


class LaneState(NamedTuple):
    lane: int
    full: bool = False
    jammed: bool = False
    room_parcels: int = 0xFFFF


@dataclass(frozen=True, slots=True)
class DeviceState:
    source: int
    on: bool = True
    interlock_closed: bool = True
    fault: bool = False


@dataclass(frozen=True, slots=True)
class OpenZone:
    """A guard or curtain that stands open now."""

    zone: int
    from_mm: int
    to_mm: int


class PlcInputs(NamedTuple):
    """One scan's inputs. `speed_mm_per_s` is what the drive is set to, also while it stands."""

    counts: int
    speed_mm_per_s: int
    edges: tuple[EyeEdge, ...] = ()
    lane_edges: tuple[LaneEdge, ...] = ()
    codes: tuple[CodeSeen, ...] = ()
    weights: tuple[ScaleReading, ...] = ()
    dimensions: tuple[DimensionReading, ...] = ()
    gates: tuple[GateFeedback, ...] = ()
    lanes: tuple[LaneState, ...] = ()
    devices: tuple[DeviceState, ...] = ()
    open_zones: tuple[OpenZone, ...] = ()
    emergency_stop: bool = False


@dataclass(frozen=True, slots=True)
class GateOrder:
    gate: int
    position: GatePosition


@dataclass(frozen=True, slots=True)
class TriggerPulse:
    """`counts` and `at_us` are those of the leading edge at the trigger eye `eye`."""

    source: int
    eye: int
    trigger_no: int
    counts: int
    at_us: int


class RegisterWrite(NamedTuple):
    """Words the PLC wrote from `address` on, in this order. A server may show them half written."""

    address: int
    words: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class TrackNote:
    """For the judge: `track_id` began with the leading edge at `eye` at `counts`."""

    boot_id: int
    track_id: int
    eye: int
    counts: int


class RecordNote(NamedTuple):
    """For the judge: this ring record is complete."""

    record: PlcRecord


@dataclass(frozen=True, slots=True)
class DecisionNote:
    """For the judge: what this scan answered to a decision."""

    boot_id: int
    track_id: int
    decision_seq: int
    destination: Destination
    result: DecisionResult


Note = TrackNote | RecordNote | DecisionNote


class PlcOutputs(NamedTuple):
    """One scan's outputs. `commits` are in the order the PLC wrote them; `notes` never reach a host."""

    belt_run: bool = False
    infeed_run: bool = False
    gates: tuple[GateOrder, ...] = ()
    triggers: tuple[TriggerPulse, ...] = ()
    commits: tuple[RegisterWrite, ...] = ()
    notes: tuple[Note, ...] = ()
