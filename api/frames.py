"""A LineSnapshot as the browser and /api/v1 are given it: names instead of numbers, ages, a rate.

The shape is part of the public interface: fields are added, never renamed.
"""

from dataclasses import dataclass

from api.formats import utc_iso
from api.priorities import priority
from controller.core.parcel import ParcelState
from controller.core.snapshot import AlarmView, LineSnapshot, ParcelView
from controller.core.units import NS_PER_MS, NS_PER_S


@dataclass(frozen=True, slots=True)
class FrameParcel:
    """`position_mm` is the leading edge from induct; `destination` null while undecided."""

    pass_no: int
    track_id: int
    position_mm: int
    length_mm: int
    state: str
    waybill: str
    destination: str | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FrameLane:
    lane: int
    full: bool
    jammed: bool
    room_parcels: int


@dataclass(frozen=True, slots=True)
class FrameAlarm:
    """`priority` 1 critical, 2 high, 3 low. `subject` is the device or lane number."""

    kind: str
    priority: int
    subject: int
    pass_no: int
    since_s: int


@dataclass(frozen=True, slots=True)
class Frame:
    """One line at one instant. `age_ms` is how old it was when it was sent; `rate_per_h` is null
    until there is half a minute to count over."""

    line: str
    age_ms: int
    utc: str | None
    state: str
    cause: str
    belt_speed_mm_per_s: int
    belt_running: bool
    infeed_permit: bool
    belt_permit: bool
    plc_up: bool
    plc_fault: str | None
    vision_up: bool
    journal_ok: bool
    lists_ok: bool
    inducted: int
    released: int
    held: int
    decisions_late: int
    rate_per_h: int | None
    by_destination: dict[str, int]
    by_reason: dict[str, int]
    parcels: tuple[FrameParcel, ...]
    lanes: tuple[FrameLane, ...]
    alarms: tuple[FrameAlarm, ...]


def age_ms(snapshot: LineSnapshot, now_ns: int) -> int:
    """Age by the machine's monotonic clock, which the line process reads too."""
    return max(0, (now_ns - snapshot.at_ns) // NS_PER_MS)


def frame(snapshot: LineSnapshot, now_ns: int, rate_per_h: int | None) -> Frame:
    """The frame to send at `now_ns` (monotonic)."""
    counters = snapshot.counters
    alarms = sorted(
        (_alarm(alarm, snapshot.at_ns) for alarm in snapshot.alarms),
        key=lambda alarm: (alarm.priority, alarm.since_s),
    )
    by_reason = sorted(counters.by_reason, key=lambda pair: (-pair[1], pair[0]))
    return Frame(
        line=snapshot.line,
        age_ms=age_ms(snapshot, now_ns),
        utc=utc_iso(snapshot.utc_ns),
        state=snapshot.state.name,
        cause=snapshot.cause.name,
        belt_speed_mm_per_s=snapshot.belt_speed_mm_per_s,
        belt_running=snapshot.belt_running,
        infeed_permit=snapshot.infeed_permit,
        belt_permit=snapshot.belt_permit,
        plc_up=snapshot.plc_up,
        plc_fault=snapshot.plc_fault.name if snapshot.plc_fault else None,
        vision_up=snapshot.vision_up,
        journal_ok=snapshot.journal_ok,
        lists_ok=snapshot.lists_ok,
        inducted=counters.inducted,
        released=counters.released,
        held=counters.held,
        decisions_late=counters.decisions_late,
        rate_per_h=rate_per_h,
        by_destination={place.name: count for place, count in counters.by_destination},
        by_reason={reason.name: count for reason, count in by_reason},
        parcels=tuple(_parcel(parcel) for parcel in snapshot.parcels),
        lanes=tuple(
            FrameLane(lane.lane, lane.full, lane.jammed, lane.room_parcels)
            for lane in snapshot.lanes
        ),
        alarms=tuple(alarms),
    )


def _parcel(parcel: ParcelView) -> FrameParcel:
    return FrameParcel(
        pass_no=parcel.pass_no,
        track_id=parcel.track_id,
        position_mm=parcel.position_mm,
        length_mm=parcel.length_mm,
        state=ParcelState(parcel.state).name,
        waybill=parcel.waybill,
        destination=parcel.destination.name if parcel.destination else None,
        reasons=tuple(reason.name for reason in parcel.reasons),
    )


def _alarm(alarm: AlarmView, at_ns: int) -> FrameAlarm:
    since_s = max(0, (at_ns - alarm.raised_at_ns) // NS_PER_S)
    return FrameAlarm(alarm.kind.name, priority(alarm.kind), alarm.subject, alarm.pass_no, since_s)
