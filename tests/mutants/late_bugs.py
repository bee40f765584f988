"""Bugs in what comes late: records after a parcel's end, readings of nobody, records of an outage, and
news of a list after its release."""

from tests.mutants.planted import Mutant

LINE = "controller/core/line.py"
LINKS = "controller/core/links.py"
LIST_NEWS = "controller/core/list_news.py"
READINGS = "controller/core/readings.py"
TRACKING = "controller/core/tracking.py"
VERDICT = "controller/core/verdict.py"
READER = "controller/declared_lists/reader.py"

LATE_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "every parcel in a lane",
        TRACKING,
        "        turn.state.ended_ids.append(parcel.track_id)",
        "        pass",
        "a record that comes after its parcel's end opens a pass that never ends",
    ),
    Mutant(
        "every parcel in a lane",
        LINE,
        " or isinstance(record, e.LaneSeen)",
        "",
        "a second body that the release lane sees under the id of a released one is not told",
    ),
    Mutant(
        "counters wrap",
        TRACKING,
        "        state.ended_ids.remove(record.track_id)",
        "        pass",
        "a track id that is used again after its wrap has no readings",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        LINKS,
        "    state.behind_until_seq = event.head_ring_seq or None\n",
        "",
        "a release goes out before the records that were written in the outage are known",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        LINE,
        "    links.catch_up(turn)\n",
        "",
        "what waited for the records of an outage waits for ever",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        "plc/exchange.py",
        "            head_ring_seq=self._ring.head_seq,\n",
        "",
        "the core is not told what waits in the ring after an outage",
    ),
    Mutant(
        "PLC link lost with parcels on the belt",
        LINKS,
        "    state.ended_ids.clear()\n",
        "",
        "the ids of a restarted PLC are taken for those of the last boot",
    ),
    Mutant(
        "bad news after the verdict",
        READINGS,
        "        flag_twins(turn, None, codes)",
        "        pass",
        "a copied label that was read late takes no release back",
    ),
    Mutant(
        "lost scan / no-read",
        VERDICT,
        "    elif parcel.scanner_said_no_read or not codes_are_whole(parcel.code_parts):",
        "    elif not codes_are_whole(parcel.code_parts):",
        "a code counts although the scanner said that it read nothing",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        LIST_NEWS,
        "        check_weight(parcel, facts, rules),\n",
        "",
        "an amended list takes no release back from a parcel of another weight",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        LIST_NEWS,
        "        *check_picture(parcel, facts, turn.settings, rules),\n",
        "",
        "an amended list takes no release back from a parcel whose picture shows undeclared metal",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        LIST_NEWS,
        "            revoke(turn, parcel, Reason.AMBIGUOUS)",
        "            pass",
        "a second list for a released label is no news",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        READER,
        "            self._deliver_rivals(connection, waybill, wanted)",
        "            pass",
        "the core is never told of a second list for a released label",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        READER,
        "        labels = self._waybills(changed)",
        "        labels: set[str] = set()",
        "a second list that came just before the first was watched is lost",
    ),
    Mutant(
        "hold lane full",
        TRACKING,
        "    _forget_carried_off(turn, record.encoder_counts)\n",
        "",
        "bodies whose last record was lost take up room in the hold lane for ever",
    ),
    Mutant(
        "missing / zero / negative / stuck weight",
        READINGS,
        "    if isinstance(record, Weighed):\n        turn.state",
        "    if False:\n        turn.state",
        "a scale that stands since it weighed nobody's parcel is believed",
    ),
    Mutant(
        "out-of-order / late scan",
        LINE,
        "        readings.of_nobody(turn, record)",
        "        pass",
        "a label that is nobody's any more takes no release back",
    ),
    Mutant(
        "duplicate waybill",
        READINGS,
        "    _in_place(turn, parcel, record, turn.settings.scanner_position_mm)\n    if",
        "    if not _in_place(turn, parcel, record, turn.settings.scanner_position_mm):\n"
        "        return\n    if",
        "the label of a body that was never seen to enter is unknown to its copy",
    ),
    Mutant(
        "out-of-order / late scan",
        READINGS,
        "        turn.state.loose_parts = [*turn.state.loose_parts, record][-CODE_PARTS_MAX:]",
        "        turn.state.loose_parts = []",
        "a late label in two parts is no label",
    ),
)
