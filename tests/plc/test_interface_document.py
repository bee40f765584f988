"""docs/plc-interface.md and plc/register_map.py say the same numbers."""

import re
from pathlib import Path

import pytest

from controller.core.vocabulary import Destination, PlcStateBit
from plc import record_codec
from plc import register_map as m

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
