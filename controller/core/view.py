"""The core's state as the status page sees it."""

from controller.core.matching import parcel_length_mm
from controller.core.parcel import Parcel
from controller.core.settings import LineSettings
from controller.core.snapshot import Counters, LaneView, LineSnapshot, ParcelView
from controller.core.state import CoreState


def snapshot_of(settings: LineSettings, state: CoreState, at_ns: int) -> LineSnapshot:
    """A frozen copy; nothing in it is computed twice from elsewhere."""
    tally = state.tally
    counts_now = state.belt.counts_now(at_ns)
    return LineSnapshot(
        line=settings.name,
        at_ns=at_ns,
        utc_ns=state.utc_ns + at_ns - state.utc_at_ns if state.utc_ns else 0,
        state=state.state,
        cause=state.cause,
        belt_speed_mm_per_s=state.belt.speed_mm_per_s,
        belt_running=state.belt.running and state.plc_up,
        infeed_permit=state.infeed_permit,
        belt_permit=state.belt_permit,
        plc_up=state.plc_up,
        plc_fault=state.plc_fault,
        vision_up=state.xray.up,
        journal_ok=state.journal_ok,
        lists_ok=state.lists_ok,
        counters=Counters(
            inducted=tally.inducted,
            released=tally.released,
            held=tally.held,
            by_destination=tuple(sorted(tally.by_destination.items())),
            by_reason=tuple(sorted(tally.by_reason.items())),
            decisions_late=tally.decisions_late,
        ),
        parcels=tuple(
            _parcel_view(settings, state, parcel, counts_now) for parcel in state.parcels.values()
        ),
        lanes=tuple(
            LaneView(number, health.full, health.jammed, health.room_parcels)
            for number, health in sorted(state.lanes.items())
        ),
        alarms=tuple(state.alarms),
    )


def _parcel_view(
    settings: LineSettings, state: CoreState, parcel: Parcel, counts_now: int
) -> ParcelView:
    verdict = parcel.verdict
    waybill = verdict.waybill if verdict else ""
    if not waybill and len(parcel.lists) == 1:
        waybill = parcel.lists[0].waybill
    return ParcelView(
        pass_no=parcel.pass_no,
        track_id=parcel.track_id,
        position_mm=state.belt.travelled_mm(counts_now, parcel.entered_counts),
        length_mm=parcel_length_mm(parcel, settings),
        state=parcel.state,
        waybill=waybill,
        destination=verdict.destination if verdict else None,
        reasons=verdict.reasons if verdict else (),
    )
