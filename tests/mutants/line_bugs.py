"""Bugs in the core around the parcels: tracking, gates, lanes, links, restarts, customs."""

from tests.mutants.planted import Mutant

DECIDING = "controller/core/deciding.py"
TRACKING = "controller/core/tracking.py"
LINKS = "controller/core/links.py"
LIST_NEWS = "controller/core/list_news.py"
CUSTOMS = "controller/core/customs.py"
LINE = "controller/core/line.py"
LINE_STATE = "controller/core/line_state.py"
BELT = "controller/core/belt.py"

TRACKING_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "parcel removed / added by hand",
        TRACKING,
        "    hold_at_once(turn, parcel, Reason.EXTRA_PARCEL)",
        "    pass",
        "a parcel that nobody inducted is not held",
    ),
    Mutant(
        "parcel removed / added by hand",
        TRACKING,
        "        abs(apart_mm) <= settings.length_tolerance_mm\n        and",
        "",
        "another parcel takes the place of a released one",
    ),
    Mutant(
        "parcel removed / added by hand",
        TRACKING,
        "    end_pass(turn, parcel, OutcomeKind.LOST, 0)",
        "    pass",
        "a parcel taken off the belt has no end",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        TRACKING,
        "\n        and abs(travelled_mm - eye_mm) <= settings.attach_window_mm",
        "",
        "an edge far from where the encoder puts the parcel still is the parcel",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        LINKS,
        "        spoil_readings(turn, event.encoder_counts)",
        "        pass",
        "a weight taken while the belt stopped counts",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        LINKS,
        "    turn.state.belt.forget_motion(turn.settings.belt_speed_mm_per_s)\n",
        "",
        "a belt whose start was lost is believed to stand, and releases go out late",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        LINKS,
        "    belt.running = running\n",
        "    belt.running = True\n",
        "deadlines run on while the belt stands",
    ),
    Mutant(
        "encoder slip, belt stop and restart",
        LINKS,
        "    note_sensor_exits(turn)\n    running",
        "    running",
        "a stop gives evidence that is overdue new time",
    ),
    Mutant(
        "counters wrap",
        BELT,
        "        return mm_from_counts(u32_difference(counts, since_counts), self.counts_per_m)",
        "        return mm_from_counts(counts - since_counts, self.counts_per_m)",
        "every 4,295 km of belt all positions are wrong once",
    ),
    Mutant(
        "counters wrap",
        LINE,
        "    expected = u32_sum(state.last_ring_seq, 1) or 1",
        "    expected = u32_sum(state.last_ring_seq, 1)",
        "at the wrap of the record numbers every parcel on the belt is held",
    ),
    Mutant(
        "zone opened",
        TRACKING,
        "            hold_at_once(turn, parcel, Reason.ZONE_OPENED)",
        "            pass",
        "hands on the belt change nothing",
    ),
    Mutant(
        "zone opened",
        TRACKING,
        "        now_mm = max(then_mm, belt.travelled_mm(now_counts, parcel.entered_counts))",
        "        now_mm = then_mm",
        "what moved into the zone before the record came is not held",
    ),
    Mutant(
        "emergency stop",
        LINKS,
        "        hold_at_once(turn, parcel, Reason.EMERGENCY_STOP)",
        "        pass",
        "after an emergency stop parcels are released as if nothing had been touched",
    ),
    Mutant(
        "every parcel in a lane",
        TRACKING,
        "        turn.raise_alarm(AlarmKind.HELD_PARCEL_IN_RELEASE_LANE, record.source)\n"
        "        turn.state.abort_cause = LineCause.HELD_PARCEL_IN_RELEASE_LANE",
        "        pass",
        "a body without an id is in the release lane and nobody is told",
    ),
)

GATE_AND_LANE_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "hold lane full",
        LINKS,
        "                revoke(turn, parcel, Reason.LANE_FULL)",
        "                pass",
        "leases for a full lane stand",
    ),
    Mutant(
        "hold lane full",
        LINE_STATE,
        "    return health.full or health.jammed or short",
        "    return False",
        "the belt pushes held parcels into a full lane",
    ),
    Mutant(
        "hold lane full",
        LINE_STATE,
        "    return health.full or health.jammed or short",
        "    return health.full or health.jammed",
        "more parcels are on the belt than the hold lane has room for",
    ),
    Mutant(
        "hold lane full",
        LINKS,
        "    _forget_lanes(turn)\n    state.scale_measurement_no",
        "    state.scale_measurement_no",
        "a lane that was full before the PLC's restart stops the line for good",
    ),
    Mutant(
        "hold lane full",
        LINKS,
        "    _forget_lanes(turn)\n    for parcel",
        "    for parcel",
        "a lane that became free in a lost record stops the line for good",
    ),
    Mutant(
        "jam",
        LINE_STATE,
        "    if state.plc_state_bits & PlcStateBit.JAM:\n",
        "    if False:\n",
        "parcels are fed in behind a jam",
    ),
    Mutant(
        "jam",
        DECIDING,
        "        if health is None or not (health.full or health.jammed) or lane.gate == 0:",
        "        if health is None or not health.full or lane.gate == 0:",
        "a release into a jammed lane",
    ),
    Mutant(
        "gate stuck at RELEASE",
        TRACKING,
        "        turn.state.abort_cause = LineCause.GATE_FAULT",
        "        pass",
        "the line runs on with a gate stuck open",
    ),
    Mutant(
        "gate stuck at RELEASE",
        TRACKING,
        "HELD_PARCEL_IN_RELEASE_LANE, record.source, parcel.pass_no)\n"
        "        turn.state.abort_cause = LineCause.HELD_PARCEL_IN_RELEASE_LANE",
        "HELD_PARCEL_IN_RELEASE_LANE, record.source, parcel.pass_no)",
        "a held parcel leaves with the released ones",
    ),
    Mutant(
        "gate stuck at HOLD",
        TRACKING,
        "        turn.raise_alarm(AlarmKind.GATE_STUCK, record.source, parcel.pass_no if parcel else 0)\n",
        "",
        "a gate that no longer moves is nobody's business",
    ),
)

LINK_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "PLC link lost with parcels on the belt",
        LINKS,
        "        hold_at_once(turn, parcel, Reason.PLC_RESTARTED)\n",
        "",
        "parcels of the PLC's earlier life keep their release",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        LINKS,
        "        if parcel.state is ParcelState.DOUBTED:\n"
        "            turn.send(parcel, Destination.HOLD, Reason.HOST_RESTARTED)\n"
        "        elif parcel.state is ParcelState.HELD",
        "        if parcel.state is ParcelState.HELD",
        "after a restart a release that is already in the PLC is not taken back",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        LINKS,
        "            turn.send(parcel, parcel.verdict.destination, reason)\n",
        "            pass\n",
        "a hold that was lost with the link is not sent again",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        DECIDING,
        "up_to_date = state.plc_up and state",
        "up_to_date = state",
        "a release is given to a dead link and believed to be under way",
    ),
    Mutant(
        "half-open TCP, slow PLC answers",
        DECIDING,
        "if up_to_date and allowed and not late and turn.step(parcel, Step.SEND):",
        "if up_to_date and allowed and turn.step(parcel, Step.SEND):",
        "a late release is sent",
    ),
    Mutant(
        "half-open TCP, slow PLC answers",
        "plc/polled_link.py",
        "        for address, count in _D_HALVES:\n",
        "        for address, count in ():\n",
        "a decision of a broken exchange counts in the next one",
    ),
    Mutant(
        "half-open TCP, slow PLC answers",
        "plc/exchange.py",
        "        if oldest is not None and now_ns - oldest[0] > m.ECHO_LIMIT_MS * NS_PER_MS:",
        "        if False and oldest is not None:",
        "a decision that is never answered is waited for without end",
    ),
    Mutant(
        "half-open TCP, slow PLC answers",
        "plc/exchange.py",
        "        self.counters.decisions_dropped += self._slots.drop()\n",
        "",
        "decisions queued for a broken link go out over the next one",
    ),
    Mutant(
        "memory leak, gc pause",
        "plc/exchange.py",
        "        if now_ns - self._life_ns > life_limit_ns:\n",
        "        if False:\n",
        "after a pause of our own we go on as if the PLC had not dropped us",
    ),
    Mutant(
        "torn read",
        "plc/polled_link.py",
        "            if again == tables:\n                return tables\n            tables = again",
        "            return again",
        "rows of T and E are read once, torn or not",
    ),
    Mutant(
        "torn read",
        "plc/decision_slots.py",
        "                row.echo_seen = seen\n                continue\n",
        "                row.echo_seen = seen\n",
        "a half-written answer counts",
    ),
    Mutant(
        "torn read",
        LINKS,
        "        hold_at_once(turn, parcel, Reason.RECORDS_LOST)",
        "        pass",
        "records are lost and parcels are released as if none were",
    ),
    Mutant(
        "duplicate event",
        LINE,
        "    if ahead <= 0:\n        return\n",
        "",
        "a record delivered again after a crash counts twice",
    ),
)

CUSTOMS_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "customs' word",
        CUSTOMS,
        "    elif facts.status not in rules.release_statuses:",
        "    elif facts.status < 100:",
        "rejected and merely stored lists are released",
    ),
    Mutant(
        "customs' word",
        CUSTOMS,
        "    if facts.open_instructions:",
        "    if not facts.open_instructions:",
        "an instruction of customs is ignored",
    ),
    Mutant(
        "customs' word",
        CUSTOMS,
        "    if drawn_for_inspection(facts.list_key, rules):",
        "    if False:",
        "nothing is drawn for inspection",
    ),
    Mutant(
        "bad news after the verdict",
        LIST_NEWS,
        "                revoke(turn, parcel, *reasons)",
        "                pass",
        "customs' late inspection order does not stop the parcel",
    ),
    Mutant(
        "bad news after the verdict",
        LIST_NEWS,
        "    if is_duplicate(elsewhere, parcel.pass_no):",
        "    if False:",
        "a list released on another line in the meantime is released here too",
    ),
)

LINE_BUGS: tuple[Mutant, ...] = (
    *TRACKING_BUGS,
    *GATE_AND_LANE_BUGS,
    *LINK_BUGS,
    *CUSTOMS_BUGS,
)
