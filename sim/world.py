"""The plant: belt, true parcels, sensors, diverters and lanes, in exact integers and given time.

`step(to_us, outputs)` obeys the PLC's outputs from now until `to_us` and answers what its inputs show
then. Everything that a parcel meets is on one agenda ordered by belt travel, so that no edge is ever
skipped, however long a step. The world knows the truth and tells only the judge.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Final, NamedTuple

from controller.core.settings import Eye, LineSettings
from controller.core.vocabulary import GatePosition
from sim.beams import Beam, BeltParcel, touching
from sim.belt import NM_PER_MM, Belt
from sim.diverters import US_PER_MS, Diverter, LaneStore, lane_of, straight_lane
from sim.infeed import Infeed
from sim.parcels import SimParcel
from sim.pending import Pending, Telegram
from sim.plc_io import (
    CodeSeen,
    DeviceState,
    DimensionReading,
    EyeEdge,
    GateOrder,
    LaneEdge,
    OpenZone,
    PlcInputs,
    PlcOutputs,
    ScaleReading,
)
from sim.sensors import Dimensioner, Scale, label_places_mm, read_labels

# How far into a lane its eye stands.
LANE_EYE_MM: Final = 300
_FAR_NM: Final = 1 << 62
_LEADING, _TRAILING = 0, 1
# Truth is asked for soon after the edge; a sweep of millions of parcels must not keep it all.
_BODIES_MAX: Final = 1_000


@dataclass(frozen=True, slots=True)
class WorldSettings:
    """What line.toml does not say. Delays are from the trailing edge to the telegram."""

    encoder_start_counts: int = 0
    parcels_per_h: int = 0
    scanner_delay_ms: int = 30
    scale_delay_ms: int = 60
    dimensioner_delay_ms: int = 60
    # (from when, speed): the drive's set speed; empty means the line's belt speed throughout
    speed_profile: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class ParcelLeft:
    """Truth: the parcel entered this lane."""

    parcel_number: int
    lane: int
    at_us: int


class _Mark(NamedTuple):
    """On the agenda: when the belt has travelled `at_nm`, `meet(parcel, at_nm)`, unless the parcel has
    left the line before `line_mm` (-1: the mark lies in a side lane)."""

    at_nm: int
    order: int
    serial: int
    line_mm: int
    parcel: BeltParcel
    meet: Callable[[BeltParcel, int], object]


class World:
    """One line's plant. `left` is the truth of where parcels went, in order of time.

    Faults are plain acts: `remove`, `insert`, `emergency_stop`, `open_zones`, `devices`,
    `lanes[n].jammed`, `diverters[n].jam`, `scale.stuck`.
    """

    def __init__(
        self,
        settings: LineSettings,
        parcels: Sequence[SimParcel],
        rng: Random,
        options: WorldSettings | None = None,
    ) -> None:
        self.settings = settings
        self.options = options or WorldSettings()
        self.rng = rng
        self.belt = Belt(settings.encoder_counts_per_m, self.options.encoder_start_counts)
        self.infeed = Infeed(self.options.parcels_per_h)
        self.infeed.add(parcels)
        self.on_belt: list[BeltParcel] = []
        self.inducted: list[SimParcel] = []
        self.left: list[ParcelLeft] = []
        self.emergency_stop = False
        self.open_zones: tuple[OpenZone, ...] = ()
        self.devices: tuple[DeviceState, ...] = (DeviceState(settings.xray_source),)
        self.eyes = {eye.number: Beam(eye.position_mm) for eye in settings.eyes}
        self.scanner_beam = Beam(settings.scanner_position_mm)
        self.scale_beam = Beam(settings.scale_position_mm)
        self.dimensioner_beam = Beam(settings.dimensioner_position_mm)
        self.scale = Scale(settings.scale_position_mm)
        self.dimensioner = Dimensioner(settings.dimensioner_position_mm)
        self.diverters = {gate.number: Diverter(gate) for gate in settings.gates}
        positions = {gate.number: gate.position_mm for gate in settings.gates}
        self.lanes = {
            lane.number: LaneStore(
                lane.number,
                Beam(positions[lane.gate] + LANE_EYE_MM if lane.gate else settings.belt_end_mm),
            )
            for lane in settings.lanes
        }
        self._diverters, self._lanes = [*self.diverters.values()], [*self.lanes.values()]
        # truth behind each leading edge, by (eye, encoder counts)
        self.bodies: dict[tuple[int, int], tuple[BeltParcel, ...]] = {}
        self._agenda: list[_Mark] = []
        self._serial = 0
        self._pending = Pending()
        self._orders: tuple[GateOrder, ...] = ()
        self._calm_nm = -1
        self._calm_for = (False, False, 0)

    # --- the step ---------------------------------------------------------------------------------

    def step(self, to_us: int, outputs: PlcOutputs) -> PlcInputs:
        """Obey `outputs` until `to_us`; what the PLC's inputs show then."""
        belt, from_us = self.belt, self.belt.now_us
        if self._is_calm(to_us, outputs):
            belt.advance(to_us)
            return self.inputs()
        running = outputs.belt_run and not self.emergency_stop
        belt.set_speed(self.drive_speed_mm_per_s if running else 0)
        if outputs.gates != self._orders:
            self._orders = outputs.gates
            for order in outputs.gates:
                self.diverters[order.gate].order(order.position, from_us)
        if running and self.infeed.waiting:
            for parcel, start_nm in self.infeed.place(belt, to_us, outputs.infeed_run):
                self._set_on_belt(parcel, start_nm, -1)
        belt.advance(to_us)
        self._meet_what_is_due()
        for diverter in self._diverters:
            if diverter.beam.inside:
                diverter.note_strike(from_us, to_us)
        for lane in self._lanes:
            if lane.takeaway_ms:
                lane.take_away(to_us)
        self._look_ahead(outputs, running)
        return self.inputs()

    def _look_ahead(self, outputs: PlcOutputs, running: bool) -> None:
        """How far the belt may move before anything can happen, if the outputs stay as they are."""
        calm_nm = self._agenda[0].at_nm if self._agenda else _FAR_NM
        if self.infeed.waiting and running and outputs.infeed_run:
            calm_nm = min(calm_nm, self.infeed.next_nm)
        busy = any([d.beam.inside and d.moving for d in self._diverters])
        if busy or any([lane.takeaway_ms for lane in self._lanes]):
            calm_nm = -1
        self._calm_nm, self._calm_for = calm_nm, self._what_matters(outputs)

    def _what_matters(self, outputs: PlcOutputs) -> tuple[bool, bool, int]:
        return outputs.belt_run, outputs.infeed_run, len(self.infeed.waiting)

    def _is_calm(self, to_us: int, outputs: PlcOutputs) -> bool:
        belt = self.belt
        speed = belt.speed_mm_per_s
        return (
            belt.travel_nm + speed * (to_us - belt.now_us) < self._calm_nm
            and self._calm_for == self._what_matters(outputs)
            and outputs.gates == self._orders
            and not self.emergency_stop
            and (speed == self.drive_speed_mm_per_s or not outputs.belt_run)
        )

    def _meet_what_is_due(self) -> None:
        belt = self.belt
        while self._agenda and self._agenda[0].at_nm <= belt.travel_nm:
            mark = heapq.heappop(self._agenda)
            left_at_mm = mark.parcel.left_at_mm
            if not mark.parcel.gone and (left_at_mm is None or mark.line_mm <= left_at_mm):
                mark.meet(mark.parcel, mark.at_nm)

    def inputs(self) -> PlcInputs:
        """What the inputs show now; latched edges and due telegrams are handed over once."""
        now_us, pending = self.belt.now_us, self._pending
        edges: tuple[EyeEdge, ...] = ()
        lane_edges: tuple[LaneEdge, ...] = ()
        if pending.edges or pending.lane_edges:
            edges, lane_edges = tuple(pending.edges), tuple(pending.lane_edges)
            pending.edges.clear()
            pending.lane_edges.clear()
        codes: tuple[CodeSeen, ...] = ()
        weights: tuple[ScaleReading, ...] = ()
        dimensions: tuple[DimensionReading, ...] = ()
        if telegrams := pending.due(now_us):
            codes = tuple(t for t in telegrams if isinstance(t, CodeSeen))
            weights = tuple(t for t in telegrams if isinstance(t, ScaleReading))
            dimensions = tuple(t for t in telegrams if isinstance(t, DimensionReading))
        return PlcInputs(
            self.belt.counts,
            self.drive_speed_mm_per_s,
            edges,
            lane_edges,
            codes,
            weights,
            dimensions,
            tuple([diverter.feedback(now_us) for diverter in self._diverters]),
            tuple([lane.state() for lane in self._lanes]),
            self.devices,
            self.open_zones,
            self.emergency_stop,
        )

    @property
    def drive_speed_mm_per_s(self) -> int:
        """The drive's set speed now."""
        speed = self.settings.belt_speed_mm_per_s
        if not self.options.speed_profile:
            return speed
        for from_us, profile_speed in self.options.speed_profile:
            if from_us <= self.belt.now_us:
                speed = profile_speed
        return speed

    # --- truth ------------------------------------------------------------------------------------

    def position_mm(self, parcel_number: int) -> int | None:
        """Leading edge of a true parcel from induct; None before induct and after it left."""
        for parcel in self.on_belt:
            if parcel.parcel.number == parcel_number and parcel.start_nm <= self.belt.travel_nm:
                return (self.belt.travel_nm - parcel.start_nm) // NM_PER_MM
        return None

    @property
    def finished(self) -> bool:
        """Nothing waits and nothing is on the belt."""
        return not self.infeed.waiting and not self.on_belt

    # --- acts of the world ------------------------------------------------------------------------

    def remove(self, parcel_number: int) -> None:
        """Somebody takes a parcel off the belt."""
        for parcel in [p for p in self.on_belt if p.parcel.number == parcel_number]:
            self.on_belt.remove(parcel)
            at_nm = self.belt.travel_nm
            for eye in self.settings.eyes:
                self._leave_eye(eye, parcel, at_nm)
            for beam in (self.scanner_beam, self.scale_beam, self.dimensioner_beam):
                beam.leave(parcel, at_nm)
            for diverter in self.diverters.values():
                diverter.beam.leave(parcel, at_nm)
            parcel.gone = True

    def insert(self, parcel: SimParcel, leading_mm: int) -> None:
        """Somebody lays a parcel on the belt with its leading edge at `leading_mm`."""
        self._calm_nm = -1
        self._set_on_belt(parcel, self.belt.travel_nm - leading_mm * NM_PER_MM, leading_mm)

    def _set_on_belt(self, parcel: SimParcel, start_nm: int, after_mm: int) -> None:
        labels = label_places_mm(self.rng, len(parcel.labels), parcel.length_mm)
        new = BeltParcel(parcel, start_nm, labels)
        self.on_belt.append(new)
        if after_mm < 0:
            self.inducted.append(parcel)
        self._schedule(new, after_mm)

    def _schedule(self, new: BeltParcel, after_mm: int) -> None:
        """Put on the agenda all that a parcel will meet beyond `after_mm`."""
        for eye in self.settings.eyes:
            if eye.position_mm > after_mm:
                self._put(new, eye.position_mm, _LEADING, partial(self._enter_eye, eye))
                self._put(new, eye.position_mm, _TRAILING, partial(self._leave_eye, eye))
        for beam, leave in (
            (self.scanner_beam, self._leave_scanner),
            (self.scale_beam, self._leave_scale),
            (self.dimensioner_beam, self._leave_dimensioner),
        ):
            if beam.position_mm > after_mm:
                self._put(new, beam.position_mm, _LEADING, beam.enter)
                self._put(new, beam.position_mm, _TRAILING, leave)
        for diverter in self.diverters.values():
            if diverter.gate.position_mm > after_mm:
                position_mm = diverter.gate.position_mm
                self._put(new, position_mm, _LEADING, partial(self._meet_gate, diverter))
                self._put(new, position_mm, _TRAILING, diverter.beam.leave)
        end = self.lanes[straight_lane(self.settings)]
        self._schedule_lane(new, end, end.beam.position_mm)

    def _schedule_lane(self, parcel: BeltParcel, lane: LaneStore, line_mm: int) -> None:
        eye_mm = lane.beam.position_mm
        self._put(parcel, eye_mm, _LEADING, partial(self._enter_lane, lane), line_mm)
        self._put(parcel, eye_mm, _TRAILING, partial(self._leave_lane, lane), line_mm)

    def _put(
        self,
        parcel: BeltParcel,
        position_mm: int,
        edge: int,
        meet: Callable[[BeltParcel, int], object],
        line_mm: int | None = None,
    ) -> None:
        at_nm = parcel.leading_nm(position_mm)
        if edge == _TRAILING:
            at_nm = parcel.trailing_nm(position_mm)
        self._serial += 1
        line_mm = position_mm if line_mm is None else line_mm
        heapq.heappush(self._agenda, _Mark(at_nm, edge, self._serial, line_mm, parcel, meet))

    # --- what a parcel meets ----------------------------------------------------------------------

    def _enter_eye(self, eye: Eye, parcel: BeltParcel, at_nm: int) -> None:
        if self.eyes[eye.number].enter(parcel, at_nm):
            edge = self._eye_edge(eye, True, at_nm)
            on_line = [p for p in self.on_belt if p.left_at_mm is None]
            self.bodies[(eye.number, edge.counts)] = touching(parcel, on_line)
            if len(self.bodies) > _BODIES_MAX:
                del self.bodies[next(iter(self.bodies))]

    def _leave_eye(self, eye: Eye, parcel: BeltParcel, at_nm: int) -> None:
        if self.eyes[eye.number].leave(parcel, at_nm) is not None:
            self._eye_edge(eye, False, at_nm)

    def _eye_edge(self, eye: Eye, blocked: bool, at_nm: int) -> EyeEdge:
        counts, at_us = self.belt.counts_at(at_nm), self.belt.time_at_us(at_nm)
        edge = EyeEdge(eye.number, blocked, counts, at_us)
        self._pending.edges.append(edge)
        return edge

    def _leave_scanner(self, parcel: BeltParcel, at_nm: int) -> None:
        body = self.scanner_beam.leave(parcel, at_nm)
        if body is not None:
            for code in read_labels(body, self.belt, self.settings.scanner_position_mm):
                self._send(at_nm, self.options.scanner_delay_ms, code)

    def _leave_scale(self, parcel: BeltParcel, at_nm: int) -> None:
        body = self.scale_beam.leave(parcel, at_nm)
        if body is not None:
            reading = self.scale.read(body, self.on_belt, self.belt, self.rng)
            self._send(at_nm, self.options.scale_delay_ms, reading)

    def _leave_dimensioner(self, parcel: BeltParcel, at_nm: int) -> None:
        body = self.dimensioner_beam.leave(parcel, at_nm)
        if body is not None:
            reading = self.dimensioner.read(body, self.belt, self.rng)
            self._send(at_nm, self.options.dimensioner_delay_ms, reading)

    def _send(self, at_nm: int, delay_ms: int, telegram: Telegram) -> None:
        due_us = self.belt.time_at_us(at_nm) + delay_ms * US_PER_MS
        self._pending.telegrams.append((due_us, telegram))

    def _meet_gate(self, diverter: Diverter, parcel: BeltParcel, at_nm: int) -> None:
        diverter.beam.enter(parcel, at_nm)
        at_us = self.belt.time_at_us(at_nm)
        side = diverter.side_at(at_us)
        if side is GatePosition.HOLD:
            return
        number = lane_of(self.settings, diverter.gate.number, side)
        if number is not None:
            lane = self.lanes[number]
            parcel.left_at_mm = diverter.gate.position_mm
            self._schedule_lane(parcel, lane, -1)
            self._enter(parcel, lane, at_us)

    def _enter(self, parcel: BeltParcel, lane: LaneStore, at_us: int) -> None:
        parcel.lane = lane.number
        lane.add(at_us)
        self.left.append(ParcelLeft(parcel.parcel.number, lane.number, at_us))

    def _enter_lane(self, lane: LaneStore, parcel: BeltParcel, at_nm: int) -> None:
        at_us = self.belt.time_at_us(at_nm)
        if parcel.lane == 0:
            self._enter(parcel, lane, at_us)
        if lane.beam.enter(parcel, at_nm):
            counts = self.belt.counts_at(at_nm)
            self._pending.lane_edges.append(LaneEdge(lane.number, True, counts, at_us))

    def _leave_lane(self, lane: LaneStore, parcel: BeltParcel, at_nm: int) -> None:
        if lane.beam.leave(parcel, at_nm) is not None:
            counts, at_us = self.belt.counts_at(at_nm), self.belt.time_at_us(at_nm)
            self._pending.lane_edges.append(LaneEdge(lane.number, False, counts, at_us))
        self.on_belt.remove(parcel)
