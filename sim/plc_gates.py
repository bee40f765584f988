"""Gates of the soft PLC: when to move, when not to, and what to do when one does not obey.

The body nearest to a gate that has not wholly passed it rules the gate. While a body is in the gate
nothing moves. A lease is used only if the clear belt behind is long enough for the gate to return
(else this body and the next hold, `GAP`) and the gate can be there in time (else `GATE_BUSY`). If all
that fails the belt stops before a body meets a gate that is not confirmed where it must be.
"""

from dataclasses import dataclass, field
from typing import Final

from controller.core import events
from controller.core.settings import Gate
from controller.core.vocabulary import DefaultCause, Destination, GatePhase, GatePosition
from sim.plc_io import GateFeedback, GateOrder
from sim.plc_rows import Plant, Row

_SIDE: Final = {"left": GatePosition.LEFT, "right": GatePosition.RIGHT}
HOLD: Final = GatePosition.HOLD
_NEVER_US: Final = 1 << 62


@dataclass(slots=True)
class GateDrive:
    """One gate: what was ordered, what is confirmed, since when the two differ."""

    plant: Plant
    gate: Gate
    ordered: GatePosition = HOLD
    confirmed: GatePosition | None = HOLD
    differs_since_us: int | None = None
    stuck: bool = False
    _for_track: int = 0
    _told: bool = True
    _waits: Row | None = None

    def listen(self, position: GatePosition | None) -> None:
        """Feedback of this scan: arrival, and a movement that takes too long."""
        plant = self.plant
        self.confirmed = position
        if position is self.ordered:
            if not self._told:
                self._record(GatePhase.ARRIVED)
                self._told = True
            self.differs_since_us = None
            return
        if self.differs_since_us is None:
            self.differs_since_us = plant.now_us
        if not self.stuck and self._moving_ms > self._way_ms + plant.numbers.stuck_margin_ms:
            self.stuck = True
            self._record(GatePhase.STUCK)
            self.order(HOLD)

    @property
    def _moving_ms(self) -> int:
        since = self.differs_since_us
        return 0 if since is None else (self.plant.now_us - since) // 1000

    @property
    def _way_ms(self) -> int:
        """The longest way: from one side to the other."""
        return self.gate.travel_ms * 2

    @property
    def at_hold(self) -> bool:
        """Ordered to hold and confirmed there."""
        return self.ordered is HOLD and self.confirmed is HOLD

    @property
    def at_rest_until_us(self) -> int:
        """When a movement under way will be late, or stuck; 0 if its end is still to be told."""
        if self.differs_since_us is None:
            return _NEVER_US
        if self.confirmed is self.ordered:
            return 0
        allowed_ms = self._on_time_ms
        if self._moving_ms > allowed_ms:
            allowed_ms = self._way_ms + self.plant.numbers.stuck_margin_ms
        return self.differs_since_us + allowed_ms * 1_000

    def _record(self, phase: GatePhase) -> None:
        details = (phase, self.ordered, min(self._moving_ms, 0xFFFF))
        self.plant.record(events.GateMoved, self.gate.number, self._for_track, *details)

    def order(self, position: GatePosition, track_id: int = 0) -> None:
        if position is not self.ordered:
            self.ordered, self._told, self._for_track = position, False, track_id
            self.differs_since_us = self.plant.now_us
            self._record(GatePhase.BEGAN)

    def needs_ms(self, target: GatePosition) -> int:
        """How long until it could stand at `target`, by what was ordered and confirmed."""
        travel_ms = self.gate.travel_ms
        if target is self.ordered:
            return 0 if self.confirmed is target else max(0, travel_ms - self._moving_ms)
        if self.ordered is HOLD:
            left_ms = 0 if self.confirmed is HOLD else max(0, travel_ms - self._moving_ms)
            return travel_ms + left_ms
        return travel_ms if target is HOLD else 2 * travel_ms

    # --- one scan ---------------------------------------------------------------------------------

    def rule(self) -> bool:
        """Order what the nearest body needs; True if the belt must stand until it is confirmed."""
        row = self._nearest()
        if row is None:
            self.order(HOLD)
            return False
        distance_mm = self.gate.position_mm - self.plant.leading_mm(row)
        if distance_mm <= 0 and row is not self._waits:
            return False
        if self.stuck and self._side(row) is not None:
            row.started = row.started and row is not self._waits
            self.plant.disown(row, DefaultCause.GATE_FAULT)
        side = self._side(row)
        if side is None:
            self.order(HOLD)
        else:
            self._serve(row, side, distance_mm)
        wanted = side if side is not None and row.started else HOLD
        # a body that had to wait stands before the gate, whatever the encoder says meanwhile
        is_near = row is self._waits or distance_mm < self.reach_mm
        must_wait = is_near and self.confirmed is not wanted
        self._waits = row if must_wait else None
        return must_wait

    @property
    def reach_mm(self) -> int:
        """So near, a body must find the gate where it is wanted. Before a gate that is late or
        stuck the belt stops early enough for an encoder that slipped, too."""
        numbers = self.plant.numbers
        own_ms = numbers.scan_ms + numbers.gate_margin_ms
        late = self.stuck or self._moving_ms > self._on_time_ms
        return self.plant.moved_mm(own_ms) + late * numbers.eye_window_mm

    @property
    def _on_time_ms(self) -> int:
        """A movement that takes longer is late."""
        numbers = self.plant.numbers
        return self.gate.travel_ms + numbers.scan_ms + numbers.gate_margin_ms

    def _serve(self, row: Row, side: GatePosition, distance_mm: int) -> None:
        """A leased body approaches: start at its lead, not before, and only if it can still be done."""
        plant, lead_mm = self.plant, self.plant.gate_lead_mm(self.gate)
        if row.started:
            return
        if distance_mm > lead_mm:
            # already open for the body before and no time to close and open again: stay
            stay = self.ordered is side and distance_mm <= 2 * lead_mm
            self.order(side if stay else HOLD)
        elif plant.gates_locked:
            plant.take_default(row, DefaultCause.UNKNOWN_PARCEL)
            self.order(HOLD)
        elif distance_mm < plant.moved_mm(self.needs_ms(side)):
            plant.take_default(row, DefaultCause.GATE_BUSY)
            self.order(HOLD)
        else:
            row.started = plant.touched = True
            if self.ordered is side:
                # nothing needs to move, but from here on this body's lease is final all the same
                self._for_track = row.track_id
                self._record(GatePhase.BEGAN)
            self.order(side, row.track_id)

    def _nearest(self) -> Row | None:
        """The body furthest down the belt that has not wholly passed and was not taken off before."""
        for row in self.plant.rows:
            off_before = row.started and row.lane is not None and self._is_upstream(row.lane.gate)
            if not off_before and self.plant.trailing_mm(row) < self.gate.position_mm:
                return row
        return None

    def _is_upstream(self, gate_number: int) -> bool:
        gates = self.plant.line.gates
        return any(g.number == gate_number and g.position_mm < self.gate.position_mm for g in gates)

    def _side(self, row: Row) -> GatePosition | None:
        """Which side the body is leased for at this gate; None: straight on."""
        lane = row.lane
        if lane is None or lane.gate != self.gate.number:
            return None
        return _SIDE[lane.side]


@dataclass(slots=True)
class Gates:
    plant: Plant
    drives: dict[int, GateDrive] = field(init=False)
    waits: bool = False
    _ordered: list[GatePosition] = field(default_factory=list)
    _orders: tuple[GateOrder, ...] = ()

    def __post_init__(self) -> None:
        gates = self.plant.line.gates
        self.drives = {gate.number: GateDrive(self.plant, gate) for gate in gates}

    def listen(self, feedback: tuple[GateFeedback, ...], reset: bool) -> None:
        for entry in feedback:
            drive = self.drives[entry.gate]
            if reset and drive.stuck and drive.confirmed is drive.ordered:
                drive.stuck = False
            drive.listen(entry.position)

    def check_gaps(self) -> None:
        """From the pre-gate eye on, a lease without room behind it holds, and so does the next body."""
        plant, near_mm = self.plant, self.plant.pre_gate_eye.position_mm
        for row in plant.rows:
            lane = row.lane
            if lane is None or row.started or row.leading_mm < near_mm:
                continue
            behind = plant.behind(row)
            if behind is None:
                continue
            room_mm = plant.trailing_mm(row) - plant.leading_mm(behind)
            if room_mm < plant.gate_lead_mm(self.drives[lane.gate].gate):
                plant.take_default(row, DefaultCause.GAP)
                plant.take_default(behind, DefaultCause.GAP)

    def yield_to_release(self) -> None:
        """Two leases for opposite sides of a gate that cannot swing in time: the one that is not a
        release holds. Straight on is always safe; a held honest parcel is what the line is for."""
        plant, near_mm = self.plant, self.plant.pre_gate_eye.position_mm
        for row in plant.rows:
            if row.lane is None or row.started or row.leading_mm < near_mm:
                continue
            behind = plant.behind(row)
            if behind is None or behind.lane is None:
                continue
            if (row.lane.gate, row.lane.side) == (behind.lane.gate, behind.lane.side):
                continue
            if row.lane.gate != behind.lane.gate:
                continue
            lead_mm = plant.gate_lead_mm(self.drives[row.lane.gate].gate)
            room_mm = plant.trailing_mm(row) - plant.leading_mm(behind)
            releases = behind.destination is Destination.RELEASE
            if releases and room_mm < 2 * lead_mm:
                plant.take_default(row, DefaultCause.GATE_BUSY)

    def rule(self) -> bool:
        """Move what must move; True if the belt must stand for a gate."""
        waits = any([drive.rule() for drive in self.drives.values()])
        # what lies on the belt after a start is in no table: no gate may stand in its way
        unknown = self.plant.gates_locked and not all([d.at_hold for d in self.drives.values()])
        self.waits = waits or unknown
        return self.waits

    @property
    def orders(self) -> tuple[GateOrder, ...]:
        ordered = [drive.ordered for drive in self.drives.values()]
        if ordered != self._ordered:
            self._ordered = ordered
            pairs = zip(self.drives, ordered, strict=True)
            self._orders = tuple(GateOrder(gate, position) for gate, position in pairs)
        return self._orders

    @property
    def at_rest_until_us(self) -> int:
        """Before this, no gate does anything by itself; 0 while the belt waits for one or one is stuck."""
        if self.waits or self.any_stuck:
            return 0
        return min(drive.at_rest_until_us for drive in self.drives.values())

    @property
    def any_stuck(self) -> bool:
        return any([drive.stuck for drive in self.drives.values()])
