"""Bugs in what an abort takes back, and in labels that a body without a pass has shown."""

from tests.mutants.planted import Mutant

DECIDING = "controller/core/deciding.py"
LABELS = "controller/core/labels.py"
LINE_STATE = "controller/core/line_state.py"
LINKS = "controller/core/links.py"
READINGS = "controller/core/readings.py"
TRACKING = "controller/core/tracking.py"

LABEL_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "every parcel in a lane",
        DECIDING,
        "state.journal_ok and state.abort_cause is None",
        "state.journal_ok",
        "what waited for the link is released by the record that aborts the line",
    ),
    Mutant(
        "every parcel in a lane",
        LINE_STATE,
        "            revoke(turn, parcel, Reason.LINE_ABORTED)",
        "            pass",
        "a lease outlives the abort",
    ),
    Mutant(
        "fsync error (EIO)",
        DECIDING,
        "state.journal_ok and state.abort_cause is None",
        "state.abort_cause is None",
        "what waited for the link is released though the journal has failed since",
    ),
    Mutant(
        "fsync error (EIO)",
        LINKS,
        "        if parcel.state is ParcelState.UNSENT:\n            send_release(turn, parcel)",
        "        pass",
        "what waited for the supervisor's word is held for nothing",
    ),
    Mutant(
        "hold lane full",
        LINE_STATE,
        "        belt.travelled_mm(belt.counts, parcel.entered_counts) <= end_mm",
        "        True",
        "bodies whose lane record was lost stop the belt for good",
    ),
    Mutant(
        "torn read",
        LINKS,
        "WAITING_RECORDS_MAX: Final = 110 + 64",
        "WAITING_RECORDS_MAX: Final = 110",
        "a parcel whose entry waited in the program's queue lacks a record and is released",
    ),
    Mutant(
        "duplicate waybill",
        READINGS,
        "        remember_labels(turn, codes, record.encoder_counts)",
        "        pass",
        "a label that nobody showed first is forgotten when its copy comes",
    ),
    Mutant(
        "duplicate waybill",
        TRACKING,
        "    remember_labels(turn, shown_codes(parcel.code_parts), record.encoder_counts)",
        "    pass",
        "the label of a lost body that lies on the belt is forgotten",
    ),
    Mutant(
        "duplicate waybill",
        TRACKING,
        "    remember_labels(turn, shown_codes(parcel.code_parts), parcel.entered_counts)",
        "    pass",
        "the label of a body whose id was given again is forgotten",
    ),
    Mutant(
        "duplicate waybill",
        LABELS,
        "        if belt.travelled_mm(counts, label.counts) <= end_mm",
        "        if True",
        "a label once shown by nobody holds its parcel for ever",
    ),
    Mutant(
        "two barcodes on one parcel",
        READINGS,
        "    shown = shown_codes(parcel.code_parts)",
        "    shown = codes",
        "a label that was read with a contradiction is not on the belt",
    ),
)
