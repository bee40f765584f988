"""Bugs around the parcels: tracking, gates, lanes, restarts, customs."""

from tests.mutants.planted import Mutant

DECIDING = "controller/core/deciding.py"
TRACKING = "controller/core/tracking.py"
LINKS = "controller/core/links.py"
CUSTOMS = "controller/core/customs.py"
LINE = "controller/core/line.py"
LINE_STATE = "controller/core/line_state.py"
BELT = "controller/core/belt.py"

LINE_BUGS: tuple[Mutant, ...] = (
    # --- tracking ------------------------------------------------------------------------------------
    Mutant(
        "removed or added by hand",
        TRACKING,
        "    hold_at_once(turn, parcel, Reason.EXTRA_PARCEL)",
        "    pass",
        "a parcel that nobody inducted is not held",
    ),
    Mutant(
        "swapped by hand",
        TRACKING,
        "        abs(apart_mm) <= settings.length_tolerance_mm\n        and",
        "",
        "another parcel takes the place of a released one",
    ),
    Mutant(
        "encoder slip, belt stop",
        LINKS,
        "        spoil_readings(turn, event.encoder_counts)",
        "        pass",
        "a weight taken while the belt stopped counts",
    ),
    Mutant(
        "encoder wrap",
        BELT,
        "        return mm_from_counts(u32_difference(counts, since_counts), self.counts_per_m)",
        "        return mm_from_counts(counts - since_counts, self.counts_per_m)",
        "every 4,295 km of belt all positions are wrong once",
    ),
    Mutant(
        "zone opened",
        TRACKING,
        "            hold_at_once(turn, parcel, Reason.ZONE_OPENED)",
        "            pass",
        "hands on the belt change nothing",
    ),
    Mutant(
        "emergency stop",
        LINKS,
        "        hold_at_once(turn, parcel, Reason.EMERGENCY_STOP)",
        "        pass",
        "after an emergency stop parcels are released as if nothing had been touched",
    ),
    # --- gates, lanes, line ----------------------------------------------------------------------------
    Mutant(
        "release lane full",
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
        "gate stuck at release",
        TRACKING,
        "            turn.state.abort_cause = LineCause.GATE_FAULT",
        "            pass",
        "the line runs on with a gate stuck open",
    ),
    Mutant(
        "held parcel in release lane",
        TRACKING,
        "HELD_PARCEL_IN_RELEASE_LANE, record.source, parcel.pass_no)\n"
        "        turn.state.abort_cause = LineCause.HELD_PARCEL_IN_RELEASE_LANE",
        "HELD_PARCEL_IN_RELEASE_LANE, record.source, parcel.pass_no)",
        "a held parcel leaves with the released ones",
    ),
    Mutant(
        "PLC restarted",
        LINKS,
        "        hold_at_once(turn, parcel, Reason.PLC_RESTARTED)\n",
        "",
        "parcels of the PLC's earlier life keep their release",
    ),
    Mutant(
        "ring overflow",
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
    Mutant(
        "disk full",
        DECIDING,
        "    if not state.journal_ok:\n        reasons.append(Reason.RECORD_NOT_DURABLE)",
        "    if False:\n        reasons.append(Reason.RECORD_NOT_DURABLE)",
        "with a failed journal verdicts still release",
    ),
    Mutant(
        "clock step",
        LINE,
        "            turn.raise_alarm(AlarmKind.CLOCK_STEP)\n            return",
        "            turn.raise_alarm(AlarmKind.CLOCK_STEP)",
        "a stepped clock dates the records",
    ),
    Mutant(
        "rules change with parcels on the belt",
        "controller/core/turn.py",
        "            if version.rules_id == parcel.rules_id:",
        "            if version is self.state.rule_versions[-1]:",
        "a parcel is judged by rules that came after it entered",
    ),
    # --- customs -----------------------------------------------------------------------------------------
    Mutant(
        "list amended",
        CUSTOMS,
        "    elif facts.status not in rules.release_statuses:",
        "    elif facts.status < 100:",
        "rejected and merely stored lists are released",
    ),
    Mutant(
        "control instruction",
        CUSTOMS,
        "    if facts.open_instructions:",
        "    if not facts.open_instructions:",
        "an instruction of customs is ignored",
    ),
)
