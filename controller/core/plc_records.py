"""The records of the PLC's ring, as events. They come in order, once, with the PLC's own time.

Part of the vocabulary of controller/core/events.py, where everything else that the core can be told is.
"""

from dataclasses import dataclass

from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DefaultCause,
    GatePhase,
    GatePosition,
)


@dataclass(frozen=True, slots=True)
class PlcRecord:
    """What every ring record carries.

    `ring_seq` counts from 1 within one PLC boot and wraps at 32 bits, skipping 0. `source` is the
    device's number in line.toml. `track_id` is 0 where the record concerns no parcel. `encoder_counts`
    is the position at the instant of the event, `plc_time_us` the PLC's own clock.
    """

    boot_id: int
    ring_seq: int
    source: int
    track_id: int
    encoder_counts: int
    plc_time_us: int


@dataclass(frozen=True, slots=True)
class Inducted(PlcRecord):
    """Leading edge at the induct photo-eye: a new pass. `gap_before_counts` is U32_MAX if unknown."""

    gap_before_counts: int


@dataclass(frozen=True, slots=True)
class EyePassed(PlcRecord):
    """Trailing edge at photo-eye `source`.

    `encoder_counts` is the position of the LEADING edge at this eye, `length_counts` the distance to
    the trailing edge, `gap_before_counts` the clear belt before the leading edge (U32_MAX: unknown).
    """

    length_counts: int
    gap_before_counts: int


@dataclass(frozen=True, slots=True)
class CodeRead(PlcRecord):
    """One part of one code on a label. `part_count` 0: the scanner says it read nothing.

    `code_no` tells several codes of one pass apart. Parts are numbered 0 .. part_count - 1.
    `symbology` is the scanner's number (0 unknown). `text` is printable ASCII, at most 28 per part.
    """

    code_no: int
    part_no: int
    part_count: int
    symbology: int
    text: str


@dataclass(frozen=True, slots=True)
class Weighed(PlcRecord):
    """A scale reading; `encoder_counts` is where the parcel's middle lay on the scale.

    `measurement_no` (16 bits) moves by one a reading; a standing counter is a stuck scale.
    `zero_mg` is what the scale showed empty just before.
    """

    weight_mg: int
    zero_mg: int
    measurement_no: int
    stable: bool
    over_range: bool


@dataclass(frozen=True, slots=True)
class Dimensioned(PlcRecord):
    """A dimensioner reading. `measurable` is false for a soft bag and the like."""

    length_mm: int
    width_mm: int
    height_mm: int
    measurement_no: int
    measurable: bool


@dataclass(frozen=True, slots=True)
class Triggered(PlcRecord):
    """The PLC triggered X-ray or camera `source` for this parcel with a number that wraps at 32 bits."""

    trigger_no: int


@dataclass(frozen=True, slots=True)
class GateMoved(PlcRecord):
    """Feedback of gate `source`."""

    phase: GatePhase
    position: GatePosition
    travel_ms: int


@dataclass(frozen=True, slots=True)
class LaneSeen(PlcRecord):
    """The eye of lane `source` saw this parcel enter."""


@dataclass(frozen=True, slots=True)
class DefaultTaken(PlcRecord):
    """The PLC sent the parcel straight on (hold) by itself."""

    cause: DefaultCause


@dataclass(frozen=True, slots=True)
class ParcelLost(PlcRecord):
    """Expected at eye `source` and not seen there."""


@dataclass(frozen=True, slots=True)
class ExtraSeen(PlcRecord):
    """An edge at eye `source` that belongs to no tracked parcel; `track_id` is its new id."""

    length_counts: int


@dataclass(frozen=True, slots=True)
class ZoneOpened(PlcRecord):
    """A guard or curtain of zone `source` was opened: positions from_mm .. to_mm are unknown."""

    from_mm: int
    to_mm: int


@dataclass(frozen=True, slots=True)
class BeltChanged(PlcRecord):
    """The belt started, stopped or changed speed."""

    motion: BeltMotion
    speed_mm_per_s: int
    cause: BeltCause


@dataclass(frozen=True, slots=True)
class LaneChanged(PlcRecord):
    """Lane `source` became full or free, jammed or clear; `room_parcels` is what still fits."""

    full: bool
    jammed: bool
    room_parcels: int


@dataclass(frozen=True, slots=True)
class DeviceChanged(PlcRecord):
    """State of device `source` as its PLC inputs tell."""

    on: bool
    interlock_closed: bool
    fault: bool
