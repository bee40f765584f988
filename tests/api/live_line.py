"""A line that is alive: the synthetic day's frames, as of now, on a real line socket."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from controller.core.snapshot import AlarmView, LineSnapshot
from controller.core.vocabulary import AlarmKind, LineCause, LineState, LinkFault
from controller.runtime.line_socket import LineSocket
from tests.api.synthetic import Day


class LiveLine:
    """A real line socket in `state_dir` that shows `snapshots`, over and over, as of now."""

    def __init__(self, day: Day, now_ns: Callable[[], int]) -> None:
        self._snapshots = day.snapshots[20:]
        self._now_ns = now_ns
        self._socket = LineSocket(day.state_dir / "line-L1.sock", lambda _: None, lambda: None)
        self.change: Callable[[LineSnapshot], LineSnapshot] = lambda snapshot: snapshot
        self.silent = False
        self.shown = 0

    async def run(self, every_s: float = 0.2) -> None:
        """Until cancelled."""
        await self._socket.open()
        try:
            while True:
                if not self.silent:
                    self._socket.show(self._next)
                await asyncio.sleep(every_s)
        finally:
            await self._socket.close()

    def _next(self) -> LineSnapshot:
        snapshot = self._snapshots[self.shown % len(self._snapshots)]
        self.shown += 1
        return self.change(as_of(snapshot, self._now_ns()))


def as_of(snapshot: LineSnapshot, now_ns: int) -> LineSnapshot:
    """The same frame at another instant of the monotonic clock."""
    shift_ns = now_ns - snapshot.at_ns
    alarms = tuple(replace(a, raised_at_ns=a.raised_at_ns + shift_ns) for a in snapshot.alarms)
    return replace(snapshot, at_ns=now_ns, alarms=alarms)


def in_trouble(snapshot: LineSnapshot) -> LineSnapshot:
    """The frame of a bad day: link lost, a lane full, alarms of every priority."""
    at_ns = snapshot.at_ns
    lanes = tuple(
        replace(lane, full=True, room_parcels=0) if lane.lane == 2 else lane
        for lane in snapshot.lanes
    )
    return replace(
        snapshot,
        state=LineState.ABORTED,
        cause=LineCause.PLC_LINK,
        belt_running=False,
        infeed_permit=False,
        belt_permit=False,
        plc_up=False,
        plc_fault=LinkFault.SILENT,
        vision_up=False,
        counters=replace(snapshot.counters, decisions_late=3),
        lanes=lanes,
        alarms=(
            AlarmView(AlarmKind.CLOCK_STEP, 0, 0, at_ns - 1_900_000_000_000),
            AlarmView(AlarmKind.LANE_FULL, 2, 0, at_ns - 42_000_000_000),
            AlarmView(AlarmKind.HELD_PARCEL_IN_RELEASE_LANE, 1, 17, at_ns - 9_000_000_000),
            AlarmView(AlarmKind.PLC_LINK_LOST, 0, 0, at_ns - 3_000_000_000),
            AlarmView(AlarmKind.VISION_LOST, 4, 0, at_ns - 8_000_000_000),
        ),
    )
