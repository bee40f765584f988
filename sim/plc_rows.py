"""What the soft PLC knows of the line: its numbers, its tracking table and one scan's view of them."""

from dataclasses import dataclass, field
from random import Random

from controller.core import events
from controller.core.settings import Eye, Gate, Lane, LineSettings
from controller.core.units import U32_MAX, counts_from_mm, mm_from_counts, u32_difference, u32_sum
from controller.core.vocabulary import DefaultCause, Destination
from plc import register_map as m
from plc.record_codec import encode_belt_row
from sim.plc_io import TrackNote
from sim.plc_ring import Registers, Ring
from sim.world import LANE_EYE_MM


@dataclass(frozen=True, slots=True)
class PlcSettings:
    """Numbers of the PLC program. The `first_*` let a run begin near a wrap."""

    scan_ms: int = 10
    # A gate is started this much before it must stand; with the scan it makes the least gap 315 mm at
    # 1,000 mm/s, which 5,000 parcels/h of up to 400 mm (gap 320 mm) leave just room for.
    gate_margin_ms: int = 5
    # A decision must be there this long before the gate would have to start.
    decision_margin_ms: int = 100
    # A gate that has not confirmed this long after its travel time is stuck.
    stuck_margin_ms: int = 200
    # An edge belongs to a body that the encoder expects within this; a wider window would let a
    # parcel laid on the belt just before another one take over its id.
    eye_window_mm: int = 40
    life_sign_limit_ms: int = m.LIFE_SIGN_LIMIT_MS
    first_ring_seq: int = 1
    first_track_id: int = 1
    first_trigger_no: int = 1
    # 0: drawn at every start
    first_boot_id: int = 0
    # A scan in which nothing can happen is not worked through (see plc_quiet.py). Works every scan
    # through where true; a test shows that it makes no difference.
    every_scan_whole: bool = False


@dataclass(slots=True, eq=False)
class Row:
    """One body on the belt. `lane` is the lane of an accepted lease, None without one.

    `closed` means: no lease any more, whatever comes. `cause` is what a default would be reported
    with; `default` what was reported. `started` is set when the gate begins to move for this body,
    `seen` when a lane eye saw it. An extra is `announced` by its ExtraSeen record, at its trailing edge;
    no other record names it before. `leading_mm` is this scan's, `body_mm` the length that is reckoned
    with: the longest parcel's until it is measured.
    """

    track_id: int
    induct_counts: int
    eyes_passed: int
    length_counts: int = 0
    extra: bool = False
    destination: Destination | None = None
    lane: Lane | None = None
    decision_seq: int = 0
    closed: bool = False
    started: bool = False
    seen: bool = False
    announced: bool = True
    cause: DefaultCause = DefaultCause.UNDECIDED
    default: DefaultCause | None = None
    leading_mm: int = 0
    body_mm: int = 0

    @property
    def leased(self) -> bool:
        return self.lane is not None

    @property
    def shown(self) -> tuple[object, ...]:
        """All that table T tells of the body; a change of it is to be written."""
        flags = (self.started, self.default is not None, self.leased)
        return (self.track_id, self.length_counts, self.destination, *flags)

    def state_words(self, counts_per_m: int) -> list[int]:
        state = m.T_STATE_TRACKED
        if self.default is not None:
            state = m.T_STATE_DEFAULTED
        elif self.started:
            state = m.T_STATE_DIVERTING
        elif self.leased:
            state = m.T_STATE_LEASED
        length_mm = mm_from_counts(self.length_counts, counts_per_m)
        row = (self.track_id, self.induct_counts, min(length_mm, 0xFFFF), state)
        return encode_belt_row(events.BeltRow(*row, int(self.destination or 0)))


@dataclass(slots=True)
class Plant:
    """The state every part of the PLC program shares, and this scan's time, encoder and speed."""

    line: LineSettings
    numbers: PlcSettings
    rng: Random
    registers: Registers
    ring: Ring
    boot_id: int
    next_track_id: int
    now_us: int = 0
    counts: int = 0
    speed_mm_per_s: int = 0
    boot_counts: int | None = None
    gates_locked: bool = True
    # A row is no longer what table T shows; this scan has to be worked through.
    touched: bool = False
    disturbed: bool = True
    # Bodies came, went or changed their length: what was decided of them may change.
    reshaped: bool = False
    decision_point_mm: int = 0
    rows: list[Row] = field(default_factory=list)
    table: list[Row | None] = field(default_factory=lambda: [None] * m.T_ROWS)
    _shown: list[object] = field(default_factory=lambda: [None] * m.T_ROWS)

    def begin_scan(self, now_us: int, counts: int, speed_mm_per_s: int) -> None:
        """Where everything is now. Gates stay locked until the belt has moved its whole length."""
        if speed_mm_per_s != self.speed_mm_per_s or self.boot_counts is None:
            self.speed_mm_per_s, self.disturbed = speed_mm_per_s, True
            self.decision_point_mm = self._decision_point_mm()
        self.now_us = now_us
        if self.boot_counts is None:
            self.boot_counts = counts
        self.counts = counts
        if self.gates_locked and self.moved_since_boot_mm >= self.line.belt_end_mm:
            self.gates_locked, self.disturbed = False, True

    def look(self) -> None:
        """Where every body is now."""
        per_m = self.line.encoder_counts_per_m
        for row in self.rows:
            travelled = u32_difference(self.counts, row.induct_counts)
            row.leading_mm = mm_from_counts(travelled, per_m)

    @property
    def moved_since_boot_mm(self) -> int:
        assert self.boot_counts is not None, "begin_scan first"
        moved = u32_difference(self.counts, self.boot_counts)
        return mm_from_counts(moved, self.line.encoder_counts_per_m)

    # --- geometry ---------------------------------------------------------------------------------

    def in_counts(self, mm: int) -> int:
        return counts_from_mm(mm, self.line.encoder_counts_per_m)

    def leading_mm(self, row: Row) -> int:
        """Leading edge from induct, now."""
        return row.leading_mm

    def trailing_mm(self, row: Row) -> int:
        """Trailing edge; the longest parcel is assumed until the length is measured."""
        return row.leading_mm - row.body_mm

    def measure(self, row: Row, length_counts: int) -> None:
        """An eye measured the body."""
        row.length_counts = length_counts
        length_mm = mm_from_counts(length_counts, self.line.encoder_counts_per_m)
        body_mm = length_mm or self.line.parcel_length_max_mm
        self.reshaped = self.reshaped or body_mm != row.body_mm
        row.body_mm, self.touched = body_mm, True

    def moved_mm(self, travel_ms: int) -> int:
        """Belt movement in this time at its set speed, never under the line's own; rounded up."""
        speed = max(self.speed_mm_per_s, self.line.belt_speed_mm_per_s)
        return -(-speed * travel_ms // 1000)

    def gate_lead_mm(self, gate: Gate) -> int:
        """Clear belt that one movement of the gate needs, scan and margin included."""
        numbers = self.numbers
        return self.moved_mm(gate.travel_ms + numbers.scan_ms + numbers.gate_margin_ms)

    def _decision_point_mm(self) -> int:
        """A lease is taken only before this position (DESIGN 5.8)."""
        numbers = self.numbers
        reserve_ms = numbers.scan_ms + numbers.decision_margin_ms
        starts = (g.position_mm - self.moved_mm(g.travel_ms + reserve_ms) for g in self.line.gates)
        return min(self.line.decision_position_mm, *starts)

    @property
    def pre_gate_eye(self) -> Eye:
        """The last eye of the line."""
        return self.line.eyes[-1]

    def lane_eye_mm(self, lane: Lane) -> int:
        for gate in self.line.gates:
            if gate.number == lane.gate:
                return gate.position_mm + LANE_EYE_MM
        return self.line.belt_end_mm

    def lane_for(self, destination: Destination) -> Lane | None:
        for lane in self.line.lanes:
            if destination in lane.destinations:
                return lane
        return None

    # --- rows -------------------------------------------------------------------------------------

    def start_row(self, counts: int, eye: int, eyes_passed: int, extra: bool = False) -> Row | None:
        """A new body whose leading edge was at induct at `counts`; None if table T is full."""
        if None not in self.table:
            return None
        row = Row(self.next_track_id, counts, eyes_passed, extra=extra)
        travelled = u32_difference(self.counts, counts)
        row.leading_mm = mm_from_counts(travelled, self.line.encoder_counts_per_m)
        row.body_mm = self.line.parcel_length_max_mm
        self.touched = self.reshaped = True
        self.next_track_id = u32_sum(self.next_track_id, 1) or 1
        self.table[self.table.index(None)] = row
        self.rows.append(row)
        # furthest down the belt first
        self.rows.sort(key=lambda r: -u32_difference(self.counts, r.induct_counts))
        seen_counts = u32_sum(counts, self.in_counts(self._eye_mm(eye)))
        self.registers.notes.append(TrackNote(self.boot_id, row.track_id, eye, seen_counts))
        return row

    def _eye_mm(self, number: int) -> int:
        return next(eye.position_mm for eye in self.line.eyes if eye.number == number)

    def drop(self, row: Row) -> None:
        self.rows.remove(row)
        self.touched = self.reshaped = True
        self.table[self.table.index(row)] = None

    def behind(self, row: Row) -> Row | None:
        """The next body upstream."""
        at = self.rows.index(row) + 1
        return self.rows[at] if at < len(self.rows) else None

    def take_default(self, row: Row, cause: DefaultCause) -> None:
        """Hold by the PLC's own decision: no lease, and a record, once."""
        if row.started or row.seen:
            return
        row.lane, row.closed, row.destination = None, True, Destination.HOLD
        self.touched = True
        if row.default is None:
            row.default = cause
            if row.announced:
                self.record(events.DefaultTaken, 0, row.track_id, cause)

    def disown(self, row: Row, cause: DefaultCause) -> None:
        """Hold even a body whose gate has begun to move, as long as it has not reached the gate: the
        gate goes back and the interlock keeps the two apart."""
        gates = {gate.number: gate for gate in self.line.gates}
        if row.started and row.lane is not None:
            row.started = row.leading_mm >= gates[row.lane.gate].position_mm
            self.touched = True
        self.take_default(row, cause)

    def record(
        self, kind: type[events.PlcRecord], source: int, track: int, *payload: object
    ) -> None:
        """A ring record of this instant."""
        self.ring.push(kind, source, track, self.counts, self.now_us, *payload)

    def write_table(self) -> None:
        """Bring block T up to date; a row has no id while it is being written."""
        if not self.touched:
            return
        self.touched = False
        per_m = self.line.encoder_counts_per_m
        for at, row in enumerate(self.table):
            now = None if row is None else row.shown
            if now == self._shown[at]:
                continue
            self._shown[at] = now
            words = [0] * m.T_ROW_REGISTERS if row is None else row.state_words(per_m)
            address = m.T_ADDRESS + at * m.T_ROW_REGISTERS
            self.registers.force(address + m.T_TRACK_ID, (0, 0))
            self.registers.force(address + m.T_ENCODER, words[m.T_ENCODER :])
            self.registers.force(address + m.T_TRACK_ID, words[: m.T_ENCODER])


def unknown(gap_counts: int) -> int:
    """A gap as a record carries it: U32_MAX where it is unknown or does not fit."""
    return gap_counts if 0 <= gap_counts < 1 << 31 else U32_MAX
