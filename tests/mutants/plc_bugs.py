"""Bugs in the PLC's duties, as the soft PLC fulfils them: what a PLC program must not do."""

from tests.mutants.planted import Mutant

GATES = "sim/plc_gates.py"
HOST = "sim/plc_host.py"
ROWS = "sim/plc_rows.py"
TRACKING = "sim/plc_tracking.py"
DRIVE = "sim/plc_drive.py"
RING = "sim/plc_ring.py"

PLC_BUGS: tuple[Mutant, ...] = (
    # --- leases ------------------------------------------------------------------------------------
    Mutant(
        "memory leak, gc pause",
        HOST,
        "        elif self.session and plant.now_us - self._life_us >= self._limit_us:",
        "        elif False:",
        "the PLC does not notice that the host has fallen silent",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        HOST,
        "            if row.leased and not row.started:\n"
        "                self.plant.take_default(row, DefaultCause.LEASE_ENDED)",
        "            pass",
        "leases outlive the host that gave them",
    ),
    Mutant(
        "half-open TCP, slow PLC answers",
        HOST,
        "        if row.started or plant.leading_mm(row) >= plant.decision_point_mm:",
        "        if row.started:",
        "a release that comes after the decision point is accepted",
    ),
    Mutant(
        "half-open TCP, slow PLC answers",
        HOST,
        "        if row.decision_seq and older:\n            return DecisionResult.REVOKED\n",
        "",
        "an older decision replaces a newer one",
    ),
    Mutant(
        "bad news after the verdict",
        HOST,
        "        row.lane, row.closed = None, True\n        self.plant.touched = True\n        return",
        "        row.closed = True\n        self.plant.touched = True\n        return",
        "a hold is accepted and the lease stands",
    ),
    Mutant(
        "bad news after the verdict",
        HOST,
        "        if row.closed or not replaces:",
        "        if not replaces:",
        "a lease is accepted for a parcel that was to be held",
    ),
    Mutant(
        "lost scan / no-read",
        HOST,
        "            undecided = row.destination is None and row.default is None\n",
        "            undecided = False\n",
        "a parcel without any decision goes by without a word",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        ROWS,
        "    gates_locked: bool = True",
        "    gates_locked: bool = False",
        "after its start the PLC diverts what lay on the belt before",
    ),
    # --- gates -------------------------------------------------------------------------------------
    Mutant(
        "room for the gate",
        GATES,
        "            if room_mm < plant.gate_lead_mm(self.drives[lane.gate].gate):",
        "            if room_mm < 0:",
        "a parcel is diverted with the next one at its heels",
    ),
    Mutant(
        "room for the gate",
        GATES,
        "        elif distance_mm < plant.moved_mm(self.needs_ms(side)):",
        "        elif False:",
        "a gate starts that cannot be there in time",
    ),
    Mutant(
        "room for the gate",
        GATES,
        "        must_wait = is_near and self.confirmed is not wanted",
        "        must_wait = False",
        "the belt carries a parcel into a gate that is still moving",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        GATES,
        "        is_near = row is self._waits or distance_mm < self.reach_mm",
        "        is_near = distance_mm < self.reach_mm",
        "a slipped encoder moves a parcel that waits into its gate",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        GATES,
        "        if distance_mm <= 0 and row is not self._waits:",
        "        if distance_mm <= 0:",
        "a slipped encoder makes the PLC forget a parcel that waits before its gate",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        GATES,
        "        return self.plant.moved_mm(own_ms) + late * numbers.eye_window_mm",
        "        return self.plant.moved_mm(own_ms)",
        "before a late gate the belt stops too late for an encoder that slipped",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        TRACKING,
        "            row.induct_counts = u32_sum(edge.counts, -plant.in_counts(eye.position_mm))\n"
        "            plant.look()\n",
        "            plant.look()\n",
        "an encoder that slipped on the way shifts the gates",
    ),
    Mutant(
        "gate stuck at RELEASE",
        GATES,
        "        if not self.stuck and self._moving_ms > self._way_ms + plant.numbers.stuck_margin_ms:",
        "        if False:",
        "a gate that does not arrive is waited for in silence",
    ),
    Mutant(
        "gate stuck at HOLD",
        "sim/soft_plc.py",
        "                shut[lane.number] = DefaultCause.GATE_FAULT",
        "                pass",
        "leases are taken for a gate that does not move",
    ),
    Mutant(
        "gate stuck at HOLD",
        GATES,
        "        if self.stuck and self._side(row) is not None:",
        "        if False:",
        "a parcel that was leased before its gate stuck waits for it for ever",
    ),
    # --- belt, lanes -------------------------------------------------------------------------------
    Mutant(
        "hold lane full",
        DRIVE,
        "        if end is not None and end.room_parcels < len(self.plant.rows):",
        "        if False and end is not None:",
        "the belt pushes parcels into a hold lane without room",
    ),
    Mutant(
        "hold lane full",
        HOST,
        "                self.plant.take_default(row, shut[row.lane.number])",
        "                pass",
        "leases for a lane that filled up are used",
    ),
    Mutant(
        "jam",
        DRIVE,
        "        if end is not None and end.jammed:\n",
        "        if False:\n",
        "the belt runs on into a jammed hold lane",
    ),
    Mutant(
        "emergency stop",
        DRIVE,
        "                self.plant.disown(row, DefaultCause.UNKNOWN_PARCEL)",
        "                pass",
        "after an emergency stop leases stand",
    ),
    Mutant(
        "zone opened",
        TRACKING,
        "                    plant.disown(row, DefaultCause.UNKNOWN_PARCEL)",
        "                    pass",
        "what lay in an opened zone keeps its lease",
    ),
    # --- tracking ----------------------------------------------------------------------------------
    Mutant(
        "parcel removed / added by hand",
        TRACKING,
        "            row.closed, row.announced, row.cause = True, False, DefaultCause.UNKNOWN_PARCEL",
        "            row.announced, row.cause = False, DefaultCause.UNKNOWN_PARCEL",
        "a parcel laid on by hand may be given a lease",
    ),
    Mutant(
        "parcel removed / added by hand",
        TRACKING,
        "best, best_off = None, plant.in_counts(plant.numbers.eye_window_mm) + 1",
        "best, best_off = None, plant.in_counts(10 * plant.numbers.eye_window_mm) + 1",
        "a parcel laid before another takes its id",
    ),
    Mutant(
        "parcel removed / added by hand",
        TRACKING,
        "                plant.record(events.ParcelLost, source, row.track_id)\n",
        "",
        "a parcel taken off the belt is not reported",
    ),
    # --- ring and tables ---------------------------------------------------------------------------
    Mutant(
        "torn read",
        RING,
        "        force(address + m.R_SEQ_BEGIN, (0, 0))\n",
        "",
        "an old slot that is being written over still looks whole",
    ),
    Mutant(
        "torn read",
        HOST,
        "        force(address + m.E_DECISION_SEQ, (0, 0))\n",
        "",
        "an answer that is being written names the decision before",
    ),
    Mutant(
        "torn read",
        ROWS,
        "            self.registers.force(address + m.T_TRACK_ID, (0, 0))\n",
        "",
        "a row of the table that is being written mixes two parcels",
    ),
    Mutant(
        "duplicate event",
        HOST,
        "        if seq in (0, u32_at(self.plant.registers.image, echo_at)):",
        "        if seq == 0:",
        "a decision written again is judged and answered again",
    ),
    Mutant(
        "counters wrap",
        RING,
        "        self.next_seq = u32_sum(self.next_seq, 1) or 1",
        "        self.next_seq = u32_sum(self.next_seq, 1)",
        "a record gets the number that means none",
    ),
    Mutant(
        "counters wrap",
        HOST,
        "        older = (row.decision_seq - decision.decision_seq) & U32_MAX < _HALF",
        "        older = decision.decision_seq <= row.decision_seq",
        "at the wrap of the decision numbers a hold does not replace its release",
    ),
)
