"""What the status page is shown of the line, built from the core's state alone."""

from dataclasses import dataclass

from controller.core.vocabulary import (
    AlarmKind,
    Destination,
    LineCause,
    LineState,
    LinkFault,
    Reason,
)


@dataclass(frozen=True, slots=True)
class ParcelView:
    """A parcel on the belt; `position_mm` is its leading edge from induct. `state` is a ParcelState."""

    pass_no: int
    track_id: int
    position_mm: int
    length_mm: int
    state: int
    waybill: str
    destination: Destination | None
    reasons: tuple[Reason, ...]


@dataclass(frozen=True, slots=True)
class LaneView:
    lane: int
    full: bool
    jammed: bool
    room_parcels: int


@dataclass(frozen=True, slots=True)
class AlarmView:
    kind: AlarmKind
    subject: int
    pass_no: int
    raised_at_ns: int


@dataclass(frozen=True, slots=True)
class Counters:
    """Since the state began (the line's first start)."""

    inducted: int
    released: int
    held: int
    by_destination: tuple[tuple[Destination, int], ...]
    by_reason: tuple[tuple[Reason, int], ...]
    decisions_late: int


@dataclass(frozen=True, slots=True)
class LineSnapshot:
    """`utc_ns` is 0 while no clock was read. `plc_fault` is None while the link is up."""

    line: str
    at_ns: int
    utc_ns: int
    state: LineState
    cause: LineCause
    belt_speed_mm_per_s: int
    belt_running: bool
    infeed_permit: bool
    belt_permit: bool
    plc_up: bool
    plc_fault: LinkFault | None
    vision_up: bool
    journal_ok: bool
    lists_ok: bool
    counters: Counters
    parcels: tuple[ParcelView, ...]
    lanes: tuple[LaneView, ...]
    alarms: tuple[AlarmView, ...]
