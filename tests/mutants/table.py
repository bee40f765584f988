"""The whole table of planted bugs."""

from tests.mutants.journal_bugs import JOURNAL_BUGS
from tests.mutants.label_bugs import LABEL_BUGS
from tests.mutants.late_bugs import LATE_BUGS
from tests.mutants.line_bugs import LINE_BUGS
from tests.mutants.parcel_bugs import PARCEL_BUGS
from tests.mutants.planted import Mutant
from tests.mutants.plc_bugs import PLC_BUGS
from tests.mutants.store_bugs import STORE_BUGS
from tests.mutants.wire_bugs import WIRE_BUGS

MUTANTS: tuple[Mutant, ...] = (
    *WIRE_BUGS,
    *PARCEL_BUGS,
    *LINE_BUGS,
    *LATE_BUGS,
    *LABEL_BUGS,
    *PLC_BUGS,
    *JOURNAL_BUGS,
    *STORE_BUGS,
)
