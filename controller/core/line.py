"""The line controller: one event in, commands out. Pure: no clock, no I/O, no chance.

`handle` is the only entry. It may be called again with the same events and gives the same commands,
bit for bit; that is what replay, the sweep and the auditor rest on.
"""

from collections.abc import Callable
from typing import Any, Final

from controller.core import events as e
from controller.core import line_state, links, list_news, readings, tracking
from controller.core.commands import Command
from controller.core.deciding import advance, due_ns
from controller.core.parcel import Parcel
from controller.core.settings import LineSettings
from controller.core.snapshot import LineSnapshot
from controller.core.state import CoreState
from controller.core.turn import Turn
from controller.core.units import NS_PER_S, u32_difference, u32_sum
from controller.core.view import snapshot_of
from controller.core.vocabulary import AlarmKind

# A synchronised clock is never corrected by more at once; more is a person or a fault.
CLOCK_STEP_MAX_NS: Final = 2 * NS_PER_S

# Records about one parcel: (turn, parcel, record).
_ABOUT_PARCEL: dict[type, Callable[[Turn, Parcel, Any], None]] = {
    e.EyePassed: tracking.eye_passed,
    e.CodeRead: readings.code_read,
    e.Weighed: readings.weighed,
    e.Dimensioned: readings.dimensioned,
    e.Triggered: readings.triggered,
    e.LaneSeen: tracking.lane_seen,
    e.DefaultTaken: tracking.default_taken,
    e.ParcelLost: tracking.parcel_lost,
}
# Records about the line: (turn, record).
_ABOUT_LINE: dict[type, Callable[[Turn, Any], None]] = {
    e.Inducted: tracking.inducted,
    e.ExtraSeen: tracking.extra_seen,
    e.GateMoved: tracking.gate_moved,
    e.ZoneOpened: tracking.zone_opened,
    e.BeltChanged: links.belt_changed,
    e.LaneChanged: links.lane_changed,
    e.DeviceChanged: links.device_changed,
}
# Everything that is no ring record: (turn, event).
_OTHER: dict[type, Callable[[Turn, Any], None]] = {
    e.PlcConnected: links.plc_connected,
    e.PlcLost: links.plc_lost,
    e.PlcStateSeen: links.plc_state_seen,
    e.RingGap: links.ring_gap,
    e.DecisionEchoed: links.decision_echoed,
    e.VisionUp: links.vision_up,
    e.VisionDown: links.vision_down,
    e.PictureFindings: readings.picture_found,
    e.ListsAnswered: list_news.lists_answered,
    e.ListChanged: list_news.list_changed,
    e.HostStarted: links.host_started,
    e.VerdictDurable: lambda turn, event: links.verdict_durable(turn, event.pass_no),
    e.JournalFailed: lambda turn, event: links.journal_failed(turn),
    e.JournalRecovered: lambda turn, event: links.journal_recovered(turn),
    e.DeadlineReached: lambda turn, event: _advance_all(turn),
    e.ClockRead: lambda turn, event: _clock_read(turn, event),
    e.RulesActivated: links.rules_activated,
    e.LineRequested: lambda turn, event: line_state.requested(turn, event.request),
}


class LineController:
    """One conveyor. `state` is the whole of it; give it back later and nothing is different."""

    def __init__(self, settings: LineSettings, state: CoreState) -> None:
        self.settings = settings
        self.state = state

    def handle(self, at_ns: int, event: e.Event) -> tuple[Command, ...]:
        """What this event, at this monotonic time, makes the line do."""
        turn = Turn(self.settings, self.state, at_ns)
        if isinstance(event, e.PlcRecord):
            _ring_record(turn, event)
        else:
            _OTHER[type(event)](turn, event)
        line_state.settle_line(turn)
        return tuple(turn.commands)

    def next_deadline_ns(self) -> int | None:
        """When `DeadlineReached` is to be given at the latest; None if nothing waits for time."""
        turn = Turn(self.settings, self.state, 0)
        dues = (due_ns(turn, parcel) for parcel in self.state.parcels.values())
        return min((due for due in dues if due is not None), default=None)

    def snapshot(self, at_ns: int) -> LineSnapshot:
        """What the status page is shown."""
        return snapshot_of(self.settings, self.state, at_ns)


def _ring_record(turn: Turn, record: e.PlcRecord) -> None:
    """Records come in order and once; what was delivered before a crash comes again and is dropped."""
    state = turn.state
    if record.boot_id != state.boot_id:
        return
    ahead = u32_difference(record.ring_seq, state.last_ring_seq)
    if ahead <= 0:
        return
    expected = u32_sum(state.last_ring_seq, 1) or 1
    if record.ring_seq != expected:
        links.ring_gap(turn, e.RingGap(state.boot_id, state.last_ring_seq, record.ring_seq))
    state.last_ring_seq = record.ring_seq
    about_parcel = _ABOUT_PARCEL.get(type(record))
    if about_parcel is None:
        _ABOUT_LINE[type(record)](turn, record)
    elif record.track_id:
        parcel = state.parcels.get(record.track_id)
        # An eye that sees it in a lane is believed even then: it proves where a body went.
        if parcel or record.track_id not in state.ended_ids or isinstance(record, e.LaneSeen):
            about_parcel(turn, parcel or tracking.adopt(turn, record), record)
        else:
            readings.after_the_end(turn, record)
    elif isinstance(record, e.LaneSeen):
        tracking.untracked_seen(turn, record)
    else:
        readings.of_nobody(turn, record)
    links.catch_up(turn)


def _advance_all(turn: Turn) -> None:
    for parcel in list(turn.state.parcels.values()):
        advance(turn, parcel)


def _clock_read(turn: Turn, event: e.ClockRead) -> None:
    """UTC is a label. A step is refused until a process start or until the clock agrees again."""
    state = turn.state
    if state.utc_ns:
        step_ns = event.utc_ns - state.utc_ns - (turn.at_ns - state.utc_at_ns)
        if abs(step_ns) > CLOCK_STEP_MAX_NS:
            turn.raise_alarm(AlarmKind.CLOCK_STEP)
            return
    turn.clear_alarm(AlarmKind.CLOCK_STEP)
    state.utc_ns = event.utc_ns
    state.utc_at_ns = turn.at_ns
