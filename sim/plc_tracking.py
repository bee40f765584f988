"""Tracking in the soft PLC: edges and readings find their body by encoder, never by order of arrival.

A body not seen where the encoder expects it is lost; an edge that fits no body is an extra, gets an id
of its own and is held. What lies in an opened zone or an emergency stop is no longer known.
"""

from dataclasses import dataclass, field

from controller.core import events
from controller.core.settings import Eye
from controller.core.units import U32_MAX, mm_from_counts, u32_difference, u32_sum
from controller.core.vocabulary import DefaultCause
from plc.record_codec import CODE_BYTES_PER_PART
from sim.plc_io import (
    CodeSeen,
    DimensionReading,
    EyeEdge,
    LaneEdge,
    PlcInputs,
    ScaleReading,
    TriggerPulse,
)
from sim.plc_rows import Plant, Row, unknown


@dataclass(slots=True)
class _OpenEye:
    """A body in the beam: its leading edge and the clear belt before it."""

    row: Row | None
    counts: int
    gap_counts: int


@dataclass(slots=True)
class Tracking:
    plant: Plant
    trigger_no: int
    triggers: list[TriggerPulse] = field(default_factory=list)
    _open: dict[int, _OpenEye] = field(default_factory=dict)
    _clear_counts: dict[int, int] = field(default_factory=dict)
    _in_lane: dict[int, Row] = field(default_factory=dict)
    _zones: set[int] = field(default_factory=set)

    def follow(self, inputs: PlcInputs) -> None:
        """Everything the sensors latched since the last scan."""
        for edge in sorted(inputs.edges, key=lambda e: e.at_us):
            if edge.blocked:
                self._blocked(edge)
            else:
                self._cleared(edge)
        for lane_edge in inputs.lane_edges:
            if lane_edge.blocked:
                self._lane_seen(lane_edge)
            elif (gone := self._in_lane.pop(lane_edge.lane, None)) in self.plant.rows:
                assert gone is not None
                self.plant.drop(gone)
        for code in inputs.codes:
            self._code(code)
        for weight in inputs.weights:
            self._weight(weight)
        for box in inputs.dimensions:
            self._dimensions(box)
        self._zones_opened(inputs)
        self._miss()

    # --- photo-eyes -------------------------------------------------------------------------------

    def _blocked(self, edge: EyeEdge) -> None:
        plant = self.plant
        index = next(i for i, eye in enumerate(plant.line.eyes) if eye.number == edge.eye)
        eye = plant.line.eyes[index]
        gap_counts = U32_MAX
        if edge.eye in self._clear_counts:
            gap_counts = unknown(u32_difference(edge.counts, self._clear_counts[edge.eye]))
        row = None if index == 0 else self._expected(edge.counts, eye, index)
        is_new = row is None
        if row is None:
            induct_counts = u32_sum(edge.counts, -plant.in_counts(eye.position_mm))
            row = plant.start_row(induct_counts, edge.eye, index, extra=index > 0)
        self._open[edge.eye] = _OpenEye(row, edge.counts, gap_counts)
        if row is None:
            return
        row.eyes_passed = index + 1
        if index and index == len(plant.line.eyes) - 1:
            # the gates reckon from here: an encoder that slipped on the way must not shift them
            row.induct_counts = u32_sum(edge.counts, -plant.in_counts(eye.position_mm))
            plant.look()
        if is_new and row.extra:
            row.closed, row.announced, row.cause = True, False, DefaultCause.UNKNOWN_PARCEL
        if index == 0:
            head = (edge.eye, row.track_id, edge.counts, edge.at_us)
            plant.ring.push(events.Inducted, *head, gap_counts)
        if eye is self._trigger_eye() and row.announced:
            self._trigger(row, edge)

    def _cleared(self, edge: EyeEdge) -> None:
        plant = self.plant
        self._clear_counts[edge.eye] = edge.counts
        seen = self._open.pop(edge.eye, None)
        if seen is None or seen.row is None or seen.row not in plant.rows:
            return  # a body that was lost meanwhile has had its last record
        length_counts = u32_difference(edge.counts, seen.counts)
        plant.measure(seen.row, length_counts)
        head = (edge.eye, seen.row.track_id, seen.counts, edge.at_us)
        if not seen.row.announced:
            plant.ring.push(events.ExtraSeen, *head, length_counts)
            seen.row.announced = True
            if seen.row.default is not None:
                plant.record(events.DefaultTaken, 0, seen.row.track_id, seen.row.default)
        else:
            plant.ring.push(events.EyePassed, *head, length_counts, seen.gap_counts)

    def _expected(self, counts: int, eye: Eye, index: int) -> Row | None:
        """The body due at this eye within the window; the nearest."""
        due = [row for row in self.plant.rows if row.eyes_passed == index]
        return self._nearest(due, counts, eye.position_mm)

    def _nearest(self, rows: list[Row], counts: int, position_mm: int) -> Row | None:
        plant = self.plant
        at_counts = u32_sum(counts, -plant.in_counts(position_mm))
        best, best_off = None, plant.in_counts(plant.numbers.eye_window_mm) + 1
        for row in rows:
            off = abs(u32_difference(at_counts, row.induct_counts))
            if off < best_off:
                best, best_off = row, off
        return best

    def _trigger_eye(self) -> Eye:
        """The last eye before the X-ray beam."""
        line = self.plant.line
        return [eye for eye in line.eyes if eye.position_mm <= line.xray_position_mm][-1]

    def _trigger(self, row: Row, edge: EyeEdge) -> None:
        source = self.plant.line.xray_source
        number, self.trigger_no = self.trigger_no, u32_sum(self.trigger_no, 1)
        self.triggers.append(TriggerPulse(source, edge.eye, number, edge.counts, edge.at_us))
        head = (source, row.track_id, edge.counts, edge.at_us)
        self.plant.ring.push(events.Triggered, *head, number)

    # --- lanes, losses, zones ---------------------------------------------------------------------

    def _lane_seen(self, edge: LaneEdge) -> None:
        """Whatever was planned: the body that the encoder puts at this lane's eye went there."""
        plant = self.plant
        lane = next(lane for lane in plant.line.lanes if lane.number == edge.lane)
        unseen = [row for row in plant.rows if not row.seen]
        row = self._nearest(unseen, edge.counts, plant.lane_eye_mm(lane))
        track_id = row.track_id if row is not None else 0
        plant.ring.push(events.LaneSeen, lane.number, track_id, edge.counts, edge.at_us)
        if row is not None:
            # its tail may still be in the gate: the row stays until the lane eye is clear
            row.seen, self._in_lane[lane.number] = True, row

    def _miss(self) -> None:
        """A body is lost when it should be past its next eye by more than the window."""
        plant, eyes = self.plant, self.plant.line.eyes
        for row in list(plant.rows):
            past_last = row.eyes_passed >= len(eyes)
            next_mm = plant.line.belt_end_mm if past_last else eyes[row.eyes_passed].position_mm
            if not row.seen and row.leading_mm > next_mm + plant.numbers.eye_window_mm:
                source = 0 if past_last else eyes[row.eyes_passed].number
                plant.record(events.ParcelLost, source, row.track_id)
                plant.drop(row)

    def _zones_opened(self, inputs: PlcInputs) -> None:
        plant, window_mm = self.plant, self.plant.line.attach_window_mm
        for zone in inputs.open_zones:
            if zone.zone not in self._zones:
                plant.record(events.ZoneOpened, zone.zone, 0, zone.from_mm, zone.to_mm)
            for row in list(plant.rows):
                inside = plant.trailing_mm(row) - window_mm <= zone.to_mm
                if inside and plant.leading_mm(row) + window_mm >= zone.from_mm:
                    plant.disown(row, DefaultCause.UNKNOWN_PARCEL)
        self._zones = {zone.zone for zone in inputs.open_zones}

    # --- readings ---------------------------------------------------------------------------------

    def _under(self, counts: int, position_mm: int) -> int:
        """Track id of the body over this place at these counts, 0 if none is within the window; one that
        its lane's eye has seen has had its last record."""
        plant = self.plant
        best, best_off_mm = 0, plant.line.attach_window_mm + 1
        for row in plant.rows:
            if row.seen:
                continue
            travelled = u32_difference(counts, row.induct_counts)
            leading_mm = mm_from_counts(travelled, plant.line.encoder_counts_per_m)
            length_mm = plant.leading_mm(row) - plant.trailing_mm(row)
            off_mm = max(position_mm - leading_mm, leading_mm - length_mm - position_mm, 0)
            if off_mm < best_off_mm:
                best, best_off_mm = row.track_id, off_mm
        return best

    def _code(self, code: CodeSeen) -> None:
        line, push = self.plant.line, self.plant.ring.push
        track_id = self._under(code.counts, line.scanner_position_mm)
        head = (line.scanner_source, track_id, code.counts, code.at_us)
        parts = [
            code.text[at : at + CODE_BYTES_PER_PART]
            for at in range(0, len(code.text), CODE_BYTES_PER_PART)
        ]
        if not parts:
            push(events.CodeRead, *head, 0, 0, 0, code.symbology, "")
        for part_no, text in enumerate(parts):
            push(events.CodeRead, *head, code.code_no, part_no, len(parts), code.symbology, text)

    def _weight(self, reading: ScaleReading) -> None:
        line = self.plant.line
        track_id = self._under(reading.counts, line.scale_position_mm)
        head = (line.scale_source, track_id, reading.counts, reading.at_us)
        self.plant.ring.push(
            events.Weighed,
            *head,
            reading.weight_mg,
            reading.zero_mg,
            reading.measurement_no,
            reading.stable,
            reading.over_range,
        )

    def _dimensions(self, box: DimensionReading) -> None:
        line = self.plant.line
        track_id = self._under(box.counts, line.dimensioner_position_mm)
        head = (line.dimensioner_source, track_id, box.counts, box.at_us)
        self.plant.ring.push(
            events.Dimensioned,
            *head,
            box.length_mm,
            box.width_mm,
            box.height_mm,
            box.measurement_no,
            box.measurable,
        )
