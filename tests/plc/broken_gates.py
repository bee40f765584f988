"""Soft PLCs that neglect a duty of gates, lanes or tracking in a way that only their records show."""

from collections.abc import Callable
from typing import Any

import pytest

from controller.core import events
from controller.core.vocabulary import DecisionResult, DefaultCause, Destination, GatePhase
from sim.plc_gates import HOLD, GateDrive
from sim.plc_host import Decisions
from sim.plc_ring import Ring
from sim.plc_rows import Plant, Row
from sim.plc_tracking import Tracking
from tests.plc.planting import Plant_, fault
from tests.plc.virtual_target import VirtualTarget


def lead_off(patch: pytest.MonkeyPatch, by_mm: int) -> None:
    lead = Plant.gate_lead_mm
    patch.setattr(Plant, "gate_lead_mm", lambda self, gate: lead(self, gate) + by_mm)


@fault("P25")
def gate_begins_early(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    lead_off(patch, 60)


@fault("P25")
def gate_begins_late(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    lead_off(patch, -100)
    patch.setattr(GateDrive, "needs_ms", lambda self, position: 0)


@fault("P25")
def gate_moves_against_a_parcel(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def nearest(self: GateDrive) -> Row | None:
        found = inside(self)
        past_mm = -1 if found is None else found.leading_mm - self.gate.position_mm
        return None if past_mm > 20 else found

    inside = GateDrive._nearest
    patch.setattr(GateDrive, "_nearest", nearest)


@fault("P25")
def no_record_where_the_gate_stands_already(
    patch: pytest.MonkeyPatch, target: VirtualTarget
) -> None:
    record = GateDrive._record

    def shy(self: GateDrive, phase: GatePhase) -> None:
        if not (phase is GatePhase.BEGAN and self._told and self.ordered is not HOLD):
            record(self, phase)

    patch.setattr(GateDrive, "_record", shy)


@fault("P25")
def gate_started_that_cannot_be_there(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(GateDrive, "needs_ms", lambda self, position: 0)


def unreported(kind: type[events.PlcRecord]) -> Plant_:
    def plant(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
        push = Ring.push

        def silent(self: Ring, pushed: Any, *rest: Any) -> None:
            if pushed is not kind:
                push(self, pushed, *rest)

        patch.setattr(Ring, "push", silent)

    return plant


@fault("P20")
def full_lane_not_reported(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    unreported(events.LaneChanged)(patch, target)


@fault("P12", "P7")
def belt_not_reported(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    unreported(events.BeltChanged)(patch, target)


@fault("P22")
def lane_eye_not_reported(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    unreported(events.LaneSeen)(patch, target)


@fault("P20")
def full_lane_does_not_end_a_lease(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def shut_lanes(self: Decisions, shut: dict[int, DefaultCause]) -> None:
        self.lanes_shut = shut

    patch.setattr(Decisions, "shut_lanes", shut_lanes)


@fault("P23")
def default_always_undecided(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    take = Plant.take_default

    def plain(self: Plant, row: Row, cause: DefaultCause) -> None:
        mixed = cause is DefaultCause.LANE_FULL and not row.leased
        take(self, row, DefaultCause.UNDECIDED if mixed else cause)

    patch.setattr(Plant, "take_default", plain)


def leasing(change: Callable[[Decisions, Row, Any, Callable[[], DecisionResult]], Any]) -> Plant_:
    """Another way to take a lease."""

    def plant(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
        lease = Decisions._lease
        patch.setattr(
            Decisions,
            "_lease",
            lambda self, row, d: change(self, row, d, lambda: lease(self, row, d)),
        )

    return plant


@fault("P20")
def old_lease_outlives_a_seven(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def keep(self: Decisions, row: Row, d: Any, lease: Callable[[], DecisionResult]) -> Any:
        before = (row.lane, row.destination)
        result = lease()
        if result is DecisionResult.LANE_FULL:
            row.lane, row.destination = before
        return result

    leasing(keep)(patch, target)


@fault("P18")
def release_replaces_another_destination(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def generous(self: Decisions, row: Row, d: Any, lease: Callable[[], DecisionResult]) -> Any:
        if d.destination is Destination.RELEASE and not row.closed:
            row.lane = None
        return lease()

    leasing(generous)(patch, target)


@fault("P20")
def hold_refused_for_a_full_lane(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    hold = Decisions._hold

    def strict(self: Decisions, row: Row, d: Any) -> DecisionResult:
        lane = self.plant.lane_for(Destination.HOLD)
        is_full = lane is not None and lane.number in self.lanes_shut
        return DecisionResult.LANE_FULL if is_full else hold(self, row, d)

    patch.setattr(Decisions, "_hold", strict)


@fault("P18")
def second_hold_refused(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    hold = Decisions._hold

    def once(self: Decisions, row: Row, d: Any) -> DecisionResult:
        stands = row.closed and row.default is None
        return DecisionResult.REVOKED if stands else hold(self, row, d)

    patch.setattr(Decisions, "_hold", once)


@fault("P18")
def sequences_compared_without_wrap(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    judge = Decisions.judge

    def plain(self: Decisions, d: Any) -> DecisionResult:
        for row in self.plant.rows:
            if row.track_id == d.track_id and row.decision_seq >= d.decision_seq:
                return DecisionResult.REVOKED
        return judge(self, d)

    patch.setattr(Decisions, "judge", plain)


def point_off(patch: pytest.MonkeyPatch, by_mm: int) -> None:
    point = Plant._decision_point_mm
    patch.setattr(Plant, "_decision_point_mm", lambda self: point(self) + by_mm)


@fault("P19")
def decision_point_late(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    point_off(patch, 100)


@fault("P19")
def decision_point_early(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    point_off(patch, -100)


@fault("P19")
def hold_accepted_after_the_default(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    hold = Decisions._hold

    def lenient(self: Decisions, row: Row, d: Any) -> DecisionResult:
        return DecisionResult.ACCEPTED if row.default is not None else hold(self, row, d)

    patch.setattr(Decisions, "_hold", lenient)


def pushed(change: Callable[[Any, list[Any]], tuple[Any, list[Any]]]) -> Plant_:
    """Other records: `change(kind, [source, track, counts, at_us, *payload])`."""

    def plant(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
        push = Ring.push

        def other(self: Ring, kind: Any, *rest: Any) -> None:
            kind, values = change(kind, list(rest))
            push(self, kind, *values)

        patch.setattr(Ring, "push", other)

    return plant


@fault("P22")
def extra_reported_as_a_passage(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def plain(kind: Any, values: list[Any]) -> tuple[Any, list[Any]]:
        return (events.EyePassed, [*values, 7]) if kind is events.ExtraSeen else (kind, values)

    pushed(plain)(patch, target)


@fault("P22")
def time_in_milliseconds(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def coarse(kind: Any, values: list[Any]) -> tuple[Any, list[Any]]:
        return kind, [*values[:3], values[3] // 1_000, *values[4:]]

    pushed(coarse)(patch, target)


@fault("P22")
def clear_belt_wrong(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def other(kind: Any, values: list[Any]) -> tuple[Any, list[Any]]:
        return kind, [*values[:-1], 7] if kind is events.EyePassed else values

    pushed(other)(patch, target)


@fault("P22")
def clear_belt_before_induct_wrong(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def other(kind: Any, values: list[Any]) -> tuple[Any, list[Any]]:
        return kind, [*values[:-1], 7] if kind is events.Inducted else values

    pushed(other)(patch, target)


@fault("P22")
def encoder_read_in_the_scan(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def late(kind: Any, values: list[Any]) -> tuple[Any, list[Any]]:
        moved = 20 if kind is events.EyePassed and values[0] == 3 else 0
        return kind, [*values[:2], values[2] + moved, *values[3:]]

    pushed(late)(patch, target)


@fault("P22")
def extras_overlooked(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    blocked = Tracking._blocked

    def blind(self: Tracking, edge: Any) -> None:
        expected = edge.eye == 1 or self.plant.rows
        if expected:
            blocked(self, edge)

    patch.setattr(Tracking, "_blocked", blind)
