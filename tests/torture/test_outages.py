"""What `torture plc` reads out of the PLC's own words, that it can fail, and one outage for real."""

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from controller.core.units import NS_PER_MS
from sim.outages.plant import HUNG_NS, HungPort
from sim.outages.plc_truth import Truth, TruthFile, What, Word
from sim.outages.stage import Cut
from sim.outages.table import printed, rows_of, times_of
from sim.outages.trial import Case, Outage, Trial, _plant_late, measure
from sim.plc_server import PlcServer

BELT_END_MM = 6_000
FREE, LATCHED, SHUT = (1, 1, 0), (1, 0, 0), (0, 0, 0)


def w(what: What, at_ms: int, *values: int, plc_ms: int | None = None) -> Word:
    own_ms = at_ms if plc_ms is None else plc_ms
    return Word(what, at_ms * NS_PER_MS, own_ms * NS_PER_MS, values)


def an_outage(case: Case = Case.CUT, died_ms: int | None = None, over_ms: int = 4_000) -> Outage:
    died_ns = None if died_ms is None else died_ms * NS_PER_MS
    return Outage(case, "", 1_000 * NS_PER_MS, over_ms * NS_PER_MS, died_ns)


BEFORE = (w(What.TRACKED, 200, 1), w(What.ACCEPTED, 900, 1), w(What.STATE, 900, 1, 1, 1))
TRIPPED = (w(What.STATE, 1_405, *SHUT),)
BACK = (w(What.STATE, 4_030, *LATCHED), w(What.STATE, 4_060, *FREE))
RELEASED = (w(What.TRACKED, 4_100, 2), w(What.ACCEPTED, 6_300, 2), w(What.STATE, 6_300, 1, 1, 1))


def judged(*words: Word, outage: Outage | None = None) -> Trial:
    return measure(words, outage or an_outage(), BELT_END_MM)


def ms(value_ns: int | None) -> int | None:
    return None if value_ns is None else value_ns // NS_PER_MS


def passes(wire: str, trials: Sequence[Trial]) -> bool:
    return rows_of(wire, trials)[0].ok


def test_an_outage_that_went_well() -> None:
    trial = judged(*BEFORE, *TRIPPED, *BACK, *RELEASED)
    assert (ms(trial.safe_ns), ms(trial.back_ns), ms(trial.release_ns)) == (405, 60, 2_300)
    assert (trial.leases, trial.late_gates, trial.releases) == (1, 0, 0)
    assert passes("modbus", [trial])


@pytest.mark.parametrize(
    ("began_ms", "safe_ms", "late"), [(1_300, 405, 0), (1_450, 450, 0), (1_600, 600, 1)]
)
def test_a_gate_that_begins_counts_until_the_line_is_back(
    began_ms: int, safe_ms: int, late: int
) -> None:
    words = sorted([*TRIPPED, w(What.GATE, began_ms, 1, 9_000)], key=lambda word: word.at_ns)
    trial = judged(*BEFORE, *words, *BACK, *RELEASED)
    assert (ms(trial.safe_ns), trial.late_gates) == (safe_ms, late)
    assert passes("modbus", [trial]) is not bool(late)


def test_a_lease_that_nobody_ends_is_never_safe() -> None:
    trial = judged(*BEFORE, w(What.STATE, 1_405, 0, 0, 1), *BACK, *RELEASED)
    assert trial.safe_ns is None
    assert not passes("opcua", [trial])
    assert "1 never" in printed(rows_of("opcua", [trial]))


def test_a_release_during_the_outage_fails() -> None:
    trial = judged(*BEFORE, *TRIPPED, w(What.ACCEPTED, 3_000, 1), *BACK, *RELEASED)
    assert trial.releases == 1
    assert not passes("modbus", [trial])


def test_back_is_for_good_and_a_parcel_from_before_is_no_proof() -> None:
    stale_poll = (w(What.STATE, 4_005, *FREE), w(What.STATE, 4_020, *LATCHED))
    old_parcel = (w(What.TRACKED, 3_900, 7), w(What.ACCEPTED, 4_500, 7))
    words = sorted([*TRIPPED, *stale_poll, *BACK, *old_parcel], key=lambda word: word.at_ns)
    trial = judged(*BEFORE, *words, *RELEASED)
    assert (ms(trial.back_ns), ms(trial.release_ns)) == (60, 2_300)
    assert judged(*BEFORE, *words).release_ns is None


def test_a_new_plc_opens_no_gate_before_its_belt_has_moved() -> None:
    outage = an_outage(Case.PLC_KILL, died_ms=1_004, over_ms=1_700)
    boot = (w(What.BOOT, 1_700, 99), w(What.STATE, 1_700, *SHUT), w(What.STATE, 2_000, *FREE))
    early = judged(*BEFORE, *boot, w(What.GATE, 2_100, 1, 5_999), *RELEASED, outage=outage)
    assert (ms(early.safe_ns), ms(early.back_ns), early.late_gates) == (4, 300, 1)
    late = judged(*BEFORE, *boot, *RELEASED, w(What.GATE, 9_000, 1, 6_000), outage=outage)
    assert late.late_gates == 0


def test_a_plc_that_was_frozen_counts_in_its_own_time() -> None:
    frozen = (w(What.STATE, 4_001, *SHUT, plc_ms=1_410),)
    trial = judged(*BEFORE, *frozen, *BACK, *RELEASED, outage=an_outage(Case.PLC_STOP))
    assert (ms(trial.safe_ns), ms(trial.back_ns)) == (410, 60)


def test_a_plant_that_fell_behind_is_told_and_excuses_nothing() -> None:
    late = w(What.LATE, 4_500, 130, plc_ms=4_370)
    caught_up = w(What.LATE, 4_001, 2_900, plc_ms=1_010)
    for case, told in ((Case.PLC_STOP, False), (Case.CUT, True)):
        assert _plant_late([caught_up], an_outage(case)) is told
        assert _plant_late([caught_up, late], an_outage(case))
    good = judged(*BEFORE, *TRIPPED, *BACK, *RELEASED)
    never = replace(good, back_ns=None, disturbed=True)
    (row,) = rows_of("modbus", [good, never])
    assert (row.disturbed, row.ok) == (1, False)


def test_the_p95_of_thirty_is_the_second_longest() -> None:
    assert times_of([7_000_001] * 19).p95 is None
    times = times_of([1] * 28 + [2_000 * NS_PER_MS, 2_001 * NS_PER_MS])
    assert (times.p50, times.p95, times.max) == (1, 2_000, 2_001)
    assert times.within(2_000)
    assert not times_of([1, None]).within(2_000)


def test_the_safe_limit_holds_for_every_trial() -> None:
    good = judged(*BEFORE, *TRIPPED, *BACK, *RELEASED)
    slow = replace(good, safe_ns=501 * NS_PER_MS)
    assert passes("modbus", [good] * 30)
    assert not passes("modbus", [good] * 29 + [slow])
    late = replace(good, back_ns=3_000 * NS_PER_MS)
    assert passes("modbus", [good] * 29 + [late])
    assert not passes("modbus", [good] * 28 + [late] * 2)
    assert passes("opcua", [good] * 28 + [late] * 2)
    cut = replace(good, kind=Cut.DROPPED.value)
    assert [row.case.strip() for row in rows_of("modbus", [cut])] == ["link cut 5 s", "dropped"]


def test_the_words_of_a_killed_plant_are_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    file, heard = tmp_path / "truth.txt", list[Word]()
    truth = Truth(file, heard.append)
    truth.look()
    TruthFile(file).say(What.STATE, 5, 4, 1, 1, 0)
    with file.open("ab") as half:
        half.write(b"gate 17 ")
    truth.look()
    assert truth.words == [Word(What.STATE, 5, 4, (1, 1, 0))]
    TruthFile(file).say(What.BOOT, 30, 29, 99)
    truth.look()
    assert truth.words[1:] == [Word(What.BOOT, 30, 29, (99,))]
    assert heard == truth.words


def test_a_plc_that_hung_hears_nobody_until_it_has_caught_up() -> None:
    port, behind_ns = PlcServer("127.0.0.1", 0), 0
    hung = HungPort(port, lambda: behind_ns)
    port.image[100] = 1
    assert hung.host_blocks()[0] == 1
    port.image[100], behind_ns = 2, HUNG_NS
    assert hung.host_blocks()[0] == 1
    behind_ns = HUNG_NS - 1
    assert hung.host_blocks()[0] == 2


@pytest.mark.live
def test_one_kill_for_real() -> None:
    what = ("--trials", "1", "--wire", "modbus", "--case", "line-kill", "--json")
    root = Path(__file__).resolve().parents[2]
    argv = (sys.executable, "-m", "controller.cli", "torture", "plc", *what)
    ended = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False, timeout=55)
    answer = json.loads(ended.stdout)
    (row,) = answer["rows"]
    assert ended.returncode == (0 if answer["ok"] else 1), ended.stderr
    assert (row["wire"], row["trials"]) == ("modbus", 1)
    assert row["leases"] >= 1
    assert (row["late_gates"], row["releases"]) == (0, 0)
    assert [row[name]["missing"] for name in ("safe_ms", "back_ms", "release_ms")] == [0, 0, 0]
