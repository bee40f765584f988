"""Diverters and lanes: the moving metal and where parcels end up.

A diverter needs its travel time each way and stands where it stands: a parcel goes by its real
position at the instant the leading edge reaches it, whatever anybody ordered or intended.
"""

from dataclasses import dataclass, field
from typing import Final

from controller.core.settings import Gate, LineSettings
from controller.core.vocabulary import GatePosition
from sim.beams import Beam, BeltParcel
from sim.plc_io import GateFeedback, LaneState

US_PER_MS: Final = 1_000
_SIGN: Final = {GatePosition.LEFT: -1, GatePosition.HOLD: 0, GatePosition.RIGHT: 1}
_SIDE_NAME: Final = {GatePosition.LEFT: "left", GatePosition.RIGHT: "right"}


@dataclass(slots=True)
class Diverter:
    """Deflection is counted in us of travel: negative left, 0 straight on, positive right.

    `stuck` freezes it where it is; a `blind` one reports what was ordered. `strikes` counts parcels
    whose body it moved against.
    """

    gate: Gate
    beam: Beam = field(init=False)
    stuck: bool = False
    blind: bool = False
    strikes: int = 0
    _deflection_us: int = 0
    _target_us: int = 0
    _anchor_us: int = 0
    _struck: BeltParcel | None = None
    _at_end: dict[int, GateFeedback] = field(init=False)
    _between: GateFeedback = field(init=False)

    def __post_init__(self) -> None:
        self.beam = Beam(self.gate.position_mm)
        self._between = GateFeedback(self.gate.number, None)
        self._at_end = {
            sign * self.travel_us: GateFeedback(self.gate.number, position)
            for position, sign in _SIGN.items()
        }

    @property
    def travel_us(self) -> int:
        return self.gate.travel_ms * US_PER_MS

    @property
    def moving(self) -> bool:
        """On its way to where it was ordered (unless stuck), by what was computed last."""
        return self._deflection_us != self._target_us

    def order(self, position: GatePosition, at_us: int) -> None:
        self._deflection_us = self.deflection_us(at_us)
        self._anchor_us = at_us
        self._target_us = _SIGN[position] * self.travel_us

    def deflection_us(self, at_us: int) -> int:
        way_us = self._target_us - self._deflection_us
        if self.stuck or way_us == 0:
            return self._deflection_us
        moved_us = min(abs(way_us), at_us - self._anchor_us)
        return self._deflection_us + (moved_us if way_us > 0 else -moved_us)

    def jam(self, at_us: int) -> None:
        """It moves no further until `free`."""
        self._deflection_us = self.deflection_us(at_us)
        self.stuck = True

    def free(self, at_us: int) -> None:
        self._deflection_us = self.deflection_us(at_us)
        self.stuck = False
        self._anchor_us = at_us

    def side_at(self, at_us: int) -> GatePosition:
        """Which way a leading edge that arrives now goes: past half travel it is turned."""
        deflection_us = self.deflection_us(at_us)
        if 2 * abs(deflection_us) < self.travel_us:
            return GatePosition.HOLD
        return GatePosition.LEFT if deflection_us < 0 else GatePosition.RIGHT

    def feedback(self, at_us: int) -> GateFeedback:
        if self.blind or (self._deflection_us == self._target_us and not self.stuck):
            return self._at_end[self._target_us]
        deflection_us = self.deflection_us(at_us)
        if deflection_us == self._target_us:
            self._deflection_us = deflection_us  # it has arrived: nothing more to compute
        return self._at_end.get(deflection_us, self._between)

    def note_strike(self, from_us: int, to_us: int) -> None:
        """Count a parcel that stood in the gate while it moved."""
        if not self.beam.inside or self.beam.inside[0] is self._struck:
            return
        if self.deflection_us(from_us) != self.deflection_us(to_us):
            self._struck = self.beam.inside[0]
            self.strikes += 1


@dataclass(slots=True)
class LaneStore:
    """A lane: people or a conveyor take one parcel every `takeaway_ms` (0: nobody does)."""

    number: int
    beam: Beam
    capacity_parcels: int = 0xFFFF
    takeaway_ms: int = 0
    jammed: bool = False
    parcels: int = 0
    _taken_us: int = 0
    _shown: tuple[int, bool] = (-1, False)
    _state: LaneState = field(default_factory=lambda: LaneState(0))

    def state(self) -> LaneState:
        left = self.capacity_parcels - self.parcels
        if left != self._shown[0] or self.jammed is not self._shown[1]:
            room = max(0, left)
            self._shown = (left, self.jammed)
            self._state = LaneState(self.number, room == 0, self.jammed, min(room, 0xFFFF))
        return self._state

    def add(self, at_us: int) -> None:
        if self.parcels == 0:
            self._taken_us = at_us
        self.parcels += 1

    def take_away(self, now_us: int) -> None:
        while self.takeaway_ms and self.parcels:
            if now_us - self._taken_us < self.takeaway_ms * US_PER_MS:
                return
            self._taken_us += self.takeaway_ms * US_PER_MS
            self.parcels -= 1


def lane_of(settings: LineSettings, gate: int, side: GatePosition) -> int | None:
    """Number of the lane on this side of the gate; None if there is none (nothing can leave there)."""
    for lane in settings.lanes:
        if lane.gate == gate and lane.side == _SIDE_NAME.get(side):
            return lane.number
    return None


def straight_lane(settings: LineSettings) -> int:
    """Number of the lane at the end of the belt."""
    return next(lane.number for lane in settings.lanes if lane.gate == 0)
