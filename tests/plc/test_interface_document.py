"""docs/plc-interface.md and plc/register_map.py say the same numbers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from controller.config import load
from controller.core.vocabulary import Destination, PlcStateBit
from plc import record_codec
from plc import register_map as m
from plc.conformance.suite import CHECKS
from sim.plc_rows import PlcSettings
from tests.plc.virtual_target import LINE

_TEXT = (Path(__file__).resolve().parents[2] / "docs" / "plc-interface.md").read_text()
_OFFSETS = {name: int(at) for at, name in re.findall(r"^\| (\d+) \|.*\| `(\w+)` \|$", _TEXT, re.M)}
_TIMERS = {name: int(ms) for ms, name in re.findall(r"\| (\d+) \| `(\w+_MS)` \|$", _TEXT, re.M)}
_NOT_OFFSETS = re.compile(r"ADDRESS|COUNT|SLOTS|ROWS|REGISTERS|WORDS|BIT_|STATE_[TLD]")
_MAP_OFFSETS = {
    name: value
    for name, value in vars(m).items()
    if re.match(r"[HPECDTR]_", name)
    and (not _NOT_OFFSETS.search(name) or name in ("H_SLOTS", "H_SLOT_REGISTERS"))
}
_MAP_OFFSETS |= {
    "H_OVERFLOW_COUNT": m.H_OVERFLOW_COUNT,
    "T_STATE_DESTINATION": m.T_STATE_DESTINATION,
}


def test_every_register_has_its_row() -> None:
    assert {name: at for name, at in _OFFSETS.items() if name in _MAP_OFFSETS} == _MAP_OFFSETS


def test_every_timer_has_its_row() -> None:
    assert {name: v for name, v in vars(m).items() if name.endswith("_MS")} == _TIMERS


@pytest.mark.parametrize(
    ("block", "address", "rows", "registers"),
    [
        ("E", m.E_ADDRESS, m.E_SLOTS, m.E_SLOT_REGISTERS),
        ("D", m.D_ADDRESS, m.D_SLOTS, m.D_SLOT_REGISTERS),
        ("T", m.T_ADDRESS, m.T_ROWS, m.T_ROW_REGISTERS),
        ("R", m.R_ADDRESS, m.R_SLOTS, m.R_SLOT_REGISTERS),
    ],
)
def test_every_block_has_its_place(block: str, address: int, rows: int, registers: int) -> None:
    assert f"| {block} | {address} | {rows} x {registers} = {rows * registers} |" in _TEXT


def test_single_blocks_have_their_place() -> None:
    for block, address, count in [
        ("H", m.H_ADDRESS, m.H_COUNT),
        ("P", m.P_ADDRESS, m.P_COUNT),
        ("C", m.C_ADDRESS, m.C_COUNT),
    ]:
        assert f"| {block} | {address} | {count} |" in _TEXT
    assert m.MAP_REGISTERS < 4_096


def test_words_and_bits_are_listed() -> None:
    for destination in Destination:
        assert f"{destination.value} {destination.name.lower()}" in _TEXT
    for bit in PlcStateBit:
        assert f"{bit.value:#06x} {bit.name.lower().replace('_', ' ')}" in _TEXT
    kinds = [v for name, v in vars(record_codec).items() if name.startswith("KIND_")]
    for kind in kinds:
        assert re.search(rf"^\| {kind} \| \w", _TEXT, re.M)


def test_every_check_has_its_row() -> None:
    listed = re.findall(r"^\| ([\w -]+?) \| (P\d+(?: P\d+)*) \| ", _TEXT, re.M)
    assert listed == [(check.name, check.numbers) for check in CHECKS]


def test_the_printed_line_toml_loads_and_is_the_line_of_annex_a(tmp_path: Path) -> None:
    (printed,) = re.findall(r"^```toml\n(# The line of annex A.*?)^```$", _TEXT, re.M | re.S)
    (tmp_path / "line.toml").write_text(printed)
    (tmp_path / "rules.toml").touch()
    line = load(tmp_path / "line.toml").line
    assert replace(line, name=LINE.name) == LINE
    constants = dict(re.findall(r"^  (\w+) : U?D?INT := (\d+);", _TEXT, re.M))
    arrays = dict(re.findall(r"^  (\w+) : ARRAY\[1\.\.\d\] OF \w+ := \[([\d, ]+)\];", _TEXT, re.M))
    numbers = {name: [int(each) for each in text.split(",")] for name, text in arrays.items()}
    assert int(constants["SPEED"]) == line.belt_speed_mm_per_s
    assert int(constants["COUNTS_PER_M"]) == line.encoder_counts_per_m
    assert int(constants["DECISION_MM"]) == line.decision_position_mm
    assert int(constants["BELT_MM"]) == line.belt_end_mm
    assert int(constants["LONGEST_MM"]) == line.parcel_length_max_mm
    assert int(constants["XRAY_SOURCE"]) == line.xray_source
    assert {int(constants["TRAVEL_MS"])} == {gate.travel_ms for gate in line.gates}
    assert numbers["eyeMm"] == [eye.position_mm for eye in line.eyes]
    assert numbers["gateMm"] == [gate.position_mm for gate in line.gates]
    sides = {"straight": 1, "left": 2, "right": 3}
    for lane in line.lanes:
        assert numbers["laneGate"][lane.number - 1] == lane.gate
        assert numbers["laneSide"][lane.number - 1] == sides[lane.side]
        for destination in lane.destinations:
            assert numbers["laneFor"][destination - 1] == lane.number


def test_the_numbers_are_those_of_the_soft_plc() -> None:
    numbers = PlcSettings()
    constants = dict(re.findall(r"^  (\w+) : U?D?INT := (\d+);", _TEXT, re.M))
    assert int(constants["SCAN_MS"]) == numbers.scan_ms
    assert int(constants["MARGIN_MS"]) == numbers.gate_margin_ms
    assert int(constants["DECISION_MARGIN_MS"]) == numbers.decision_margin_ms
    assert int(constants["STUCK_MS"]) == numbers.stuck_margin_ms
    assert int(constants["WINDOW_MM"]) == numbers.eye_window_mm
