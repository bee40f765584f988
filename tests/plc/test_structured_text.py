"""The program in annex A of docs/plc-interface.md passes the conformance run as it is printed there."""

import asyncio
import re
from pathlib import Path

import pytest

from plc.conformance.duties import Duty
from plc.conformance.suite import CHECKS, Result, run_suite
from plc.conformance.test_mode import TestOrder
from tests.plc.structured_text import Program
from tests.plc.virtual_target import LINE, VirtualTarget

TEXT = (Path(__file__).resolve().parents[2] / "docs" / "plc-interface.md").read_text()
(SOURCE,) = re.findall(r"^```iecst\n(.*?)^```$", TEXT, re.M | re.S)
SESSION = 0x1234_5678
SCAN_US = 10_000


class PrintedPlc(VirtualTarget):
    """The printed program in test mode, behind the suite's wire, in virtual time."""

    def __init__(self, source: str = SOURCE) -> None:
        super().__init__()
        program = Program(source)
        self.variables, self._main = program.variables, program.call("Main")
        self.variables["testKey"] = True
        self.image = self.variables["reg"].items

    def _pass(self, us: int) -> None:
        self.now_us += us
        while self._scanned_us + SCAN_US <= self.now_us:
            self._scanned_us += SCAN_US
            self.variables["nowUs"] = self._scanned_us
            self._main()


def test_the_printed_program_passes_every_check() -> None:
    outcomes = asyncio.run(run_suite(PrintedPlc(), SESSION, LINE))
    assert len(outcomes) == len(CHECKS)
    assert [outcome for outcome in outcomes if outcome.result is not Result.PASSED] == []


@pytest.mark.parametrize(
    ("printed", "instead", "name", "duty"),
    [
        ("1: Put32(where, 0);", "1: Put32(4, seq);", "commit order", "P5"),
        ("16#FFFFFFFF - ack", "Get32(104)", "acknowledgement of", "P8"),
        (">= 400000", ">= 900000", "watchdog", "P11"),
        ("seq <> answered[n]", "TRUE", "one answer", "P13"),
        ("crc = row[11] AND ", "", "bad CRC", "P15"),
        ("OR session = 0 OR Row32(2) <> session", "", "foreign session", "P16"),
        ("TakeDefault(next, 2);", "", "gap", "P24"),
        ("ELSIF gatesLocked THEN", "ELSIF FALSE THEN", "gates locked", "P4"),
        ("Row32(0) <> bootId OR", "", "foreign boot", "P16"),
        ("distance > lead THEN", "distance > lead + 80 THEN", "gate timing", "P25"),
        ("AND seq MOD 16 = INT_TO_UDINT(n)", "", "misplaced row", "P15"),
        ("IF LaneShut(p[n].lane) <> 0", "IF FALSE", "full lane ends", "P20"),
        ("TakeDefault(n, p[n].cause)", "TakeDefault(n, 1)", "lane full", "P23"),
        ("infeedPermit := FALSE;", "beltPermit := FALSE;", "permits without", "P12"),
    ],
)
def test_a_slip_in_copying_it_is_named(printed: str, instead: str, name: str, duty: str) -> None:
    assert printed in SOURCE
    checks = [check for check in CHECKS if check.name.startswith(name)][:1]
    plc = PrintedPlc(SOURCE.replace(printed, instead))
    (outcome,) = asyncio.run(run_suite(plc, SESSION, LINE, checks))
    assert outcome.result is Result.FAILED
    assert outcome.sentence.split()[0] == duty, outcome.sentence


def test_every_duty_and_test_order_is_in_the_document() -> None:
    printed = dict(re.findall(r"^\*\*(P\d+) ([^*]+?)\.\*\*", TEXT, re.M))
    assert {number: title.lower() for number, title in printed.items()} == {
        duty.number: TITLES.get(duty.number, duty.title) for duty in Duty
    }
    orders = re.findall(r"^\| (\d) \| ([A-Z_]+) \|", TEXT, re.M)
    assert {(int(number), name) for number, name in orders} == {
        (order.value, order.name) for order in TestOrder
    }


# Where the heading in the document says it in other words.
TITLES = {"P2": "writes"}


def test_what_the_subset_lacks_is_refused() -> None:
    with pytest.raises(SyntaxError, match="is not declared"):
        Program("PROGRAM Main x := 1; END_PROGRAM")
    with pytest.raises(SyntaxError, match="not of this subset"):
        Program("PROGRAM Main x := #; END_PROGRAM")


def test_values_wrap_to_their_type() -> None:
    program = Program(
        "VAR_GLOBAL a : UDINT; b : DINT; c : WORD; d : INT; END_VAR "
        "PROGRAM Main a := 0; a := a - 1; b := UDINT_TO_DINT(a); c := 16#12345; d := 40000; "
        "IF 1 + 2 * 3 = 7 AND NOT FALSE OR FALSE THEN c := c XOR 16#0001; END_IF; END_PROGRAM"
    )
    program.call("Main")()
    assert program.variables == {"a": 0xFFFF_FFFF, "b": -1, "c": 0x2344, "d": -25_536}
