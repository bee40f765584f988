"""line.toml: the reference line is accepted whole, every mistake is named with its line."""

import hashlib
import re
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.config import ConfigError, check_together, effective, load, load_rules, parse_rules
from controller.config.key_lines import key_lines
from controller.config.relations import MAP_REGISTERS, gate_lead_mm
from controller.core.vocabulary import Destination
from plc import register_map

SIM = Path(__file__).resolve().parents[2] / "sim"
REFERENCE = (SIM / "reference_line.toml").read_text(encoding="utf-8")
RULES = (SIM / "reference_rules.toml").read_bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "reference_rules.toml").write_bytes(RULES)
    (tmp_path / "line.toml").write_text(REFERENCE, encoding="utf-8")
    return tmp_path


def changed(folder: Path, old: str, new: str) -> Path:
    """The reference file with one place changed."""
    assert REFERENCE.count(old) == 1, f"{old!r} stands {REFERENCE.count(old)} times"
    file = folder / "line.toml"
    file.write_text(REFERENCE.replace(old, new), encoding="utf-8")
    return file


def refusal(file: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        load(file)
    return str(caught.value)


def line_of(text: str) -> int:
    return REFERENCE[: REFERENCE.index(text)].count("\n") + 1


def test_the_reference_line_is_accepted(folder: Path) -> None:
    config = load(folder / "line.toml")
    assert config.line.name == "L1"
    assert config.rate_parcels_per_h == 5000
    by_lane = {lane.number: lane.destinations for lane in config.line.lanes}
    assert by_lane == {
        1: (Destination.RELEASE,),
        2: (Destination.RECIRCULATE,),
        3: (Destination.DETAIN, Destination.RETURN),
        4: (Destination.INSPECT,),
        5: (Destination.HOLD,),
    }
    assert config.paths.state_dir == folder / "run"
    assert config.rules_id == hashlib.sha256(RULES).hexdigest()
    assert config.rules_text.encode() == RULES
    assert config.rules.metal_limits[0].hs_prefix == "8516"
    assert gate_lead_mm(config.line) == 320


def test_effective_values_name_every_setting_and_its_default(folder: Path) -> None:
    values = dict(effective(load(folder / "line.toml")))
    assert values["line.evidence_limit_ms"] == "800"
    assert values["line.lanes[3].destinations"] == "detain, return"
    assert values["plc.base_address"] == "0"
    assert values["rules.release_statuses"] == "800, 899"


# (text in the reference, what a person wrote instead, key path's line is that text's, sentence)
MISTAKES = [
    ("belt_speed_mm_per_s", "belt_sped_mm_per_s", "unknown key 'belt_sped_mm_per_s' in line; the nearest"
     " valid name is 'belt_speed_mm_per_s'."),
    ("rate_parcels_per_h", "rate_parcel_per_h", "unknown key 'rate_parcel_per_h' in line; the nearest"
     " valid name is 'rate_parcels_per_h'."),
    ("[xray]", "[x-ray]", "unknown key 'x-ray'; the nearest valid name is 'xray'."),
    ("recirculate = 2", "recirculat = 2", "unknown key 'recirculat' in lanes; the nearest valid name is"
     " 'recirculate'."),
    ("{ number = 2, position_mm = 800 }", "{ number = 2, positon_mm = 800 }", "unknown key 'positon_mm'"
     " in line.eyes[2]; the nearest valid name is 'position_mm'."),
    ("{ number = 3, position_mm = 1740 }", "{ number = 3, position_mm = 17.4 }",
     "line.eyes[3].position_mm: expected a whole number, got a number with a point."),
    ("{ number = 1, gate = 1, side = \"left\" }", "{ number = 1, side = \"left\" }",
     "line.lanes[1] lacks the key 'gate'."),
    ("port = 15020", 'port = "15020"', "plc.port: expected a whole number, got a text in quotes."),
    ("port = 15020", "port = 70000", "plc.port: expected a whole number <= 65535."),
    ("device_id = 1", "device_id = true", "plc.device_id: expected a whole number, got true or false."),
    ('protocol = "modbus"', 'protocol = "profinet"', "plc.protocol: invalid enum value 'profinet';"
     " valid values are 'modbus' and 'opcua'."),
    ('protocol = "modbus"', 'protocol = "opcua"', "plc lacks the key 'opcua_certificate', which encrypted"
     " OPC UA needs"),
    ("release = 1", 'release = "1"', "lanes.release: expected a lane's number."),
    ("release = 1", "release = 9", "lanes.release is 9, but there is no such lane."),
    ("release = 1", "release = 5", "release is lane 5, which is straight on: with all gates off, as"
     " after a fault, every parcel would be released."),
    ("hold = 5", "hold = 2", "hold is lane 2 at gate 1: hold must be straight on, where parcels go when"
     " all gates are off."),
    ("inspect = 4", "inspect = 1", "lane 1 serves release and inspect: held parcels would stand"),
    ("rate_parcels_per_h = 5000", "rate_parcels_per_h = 5001", "5001 parcels/h leave a pitch of 719 mm,"
     " but the longest parcel of 400 mm and the least gap of 320 mm need 720 mm."),
    ("rate_parcels_per_h = 5000", "rate_parcels_per_h = 0", "rate_parcels_per_h is 0, but must lie"
     " between 1 and 100000."),
    ("{ number = 4, position_mm = 2400 }", "{ number = 4, position_mm = 1700 }", "eyes must stand in belt"
     " order: number 4 at 1700 mm is not behind number 3 at 1740 mm."),
    ("{ number = 4, position_mm = 2400 }", "{ number = 3, position_mm = 2400 }", "number 3 stands twice"
     " in eyes."),
    ("{ number = 1, position_mm = 4200, travel_ms = 300 }",
     "{ number = 1, position_mm = 3900, travel_ms = 300 }", "the first gate stands 300 mm behind the"
     " decision point, but its travel takes 320 mm of belt."),
    ("decision_position_mm = 3600", "decision_position_mm = 2400", "from the last sensor at 1800 mm to"
     " the decision point at 2400 mm, less the longest parcel of 400 mm, is 200 mm: at 1000 mm/s that is"
     " under the evidence limit of 800 ms."),
    ("decision_position_mm = 3600", "decision_position_mm = 3500", "the decision point at 3500 mm has no"
     " eye"),
    ("xray_position_mm = 1800", "xray_position_mm = 6001", "xray_position_mm is 6001, not on the belt"),
    ('name = "L1"', 'name = "../L1"', "the line's name '../L1' becomes a file name"),
    ("base_address = 0", "base_address = 65000", "base_address 65000 and the map's 4050 registers pass"),
    ('host = "127.0.0.1"\nport = 15020', 'host = "a\\u0000b"\nport = 15020', "plc.host: expected a host name"
     " or an address in quotes."),
    ("port = 8480", "port = 15120", "[xray] and [api] are both 127.0.0.1:15120."),
    ('state_dir = "run"', f'state_dir = "{"r" * 200}"', "Linux allows 107: choose a shorter state_dir."),
    ('state_dir = "run"', "state_dir = 3", "paths.state_dir: expected a path in quotes."),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "sentence"), MISTAKES)
def test_a_mistake_is_one_sentence_with_its_line(
    folder: Path, old: str, new: str, sentence: str
) -> None:
    said = refusal(changed(folder, old, new))
    place, _, what = said.partition(": ")
    assert sentence in what
    assert "\n" not in said
    assert place == f"line.toml, line {line_of(old)}"


def test_what_is_missing_is_named(folder: Path) -> None:
    file = changed(folder, 'host = "127.0.0.1"\nport = 15020', 'host = "127.0.0.1"')
    assert refusal(file) == f"line.toml, line {line_of('[plc]')}: plc lacks the key 'port'."
    file.write_text(REFERENCE[: REFERENCE.index("[paths]")], encoding="utf-8")
    assert refusal(file) == "line.toml: the section [paths] is missing."
    file.write_text(REFERENCE.replace("hold = 5\n", ""), encoding="utf-8")
    assert refusal(file).endswith("no lane is given for 'hold'.")


def test_files_that_cannot_be_read(folder: Path) -> None:
    assert refusal(folder / "other.toml").endswith(
        "other.toml: cannot be read: No such file or directory."
    )
    assert refusal(folder).endswith("cannot be read: Is a directory.")
    (folder / "line.toml").write_bytes(b"\xff")
    assert refusal(folder / "line.toml").endswith("byte 0 is not UTF-8 text.")
    (folder / "line.toml").write_text("[line\n")
    assert refusal(folder / "line.toml").startswith("line.toml: this is not valid TOML: ")
    changed(folder, "reference_rules.toml", "none.toml")
    assert refusal(folder / "line.toml").endswith(
        "none.toml: cannot be read: No such file or directory."
    )


RULE_MISTAKES = [
    ("weight_tolerance_mgg = 1", "unknown key 'weight_tolerance_mgg'; the nearest valid name is"
     " 'weight_tolerance_mg'."),
    ("weight_tolerance_mg = -1", "weight_tolerance_mg is -1, but must not be negative."),
    ("weight_tolerance_permille = 2000", "a weight tolerance over 1000 permille checks nothing."),
    ("metal_limits = [{ hs_prefix = 8516, area_mm2_max = 1 }]", "metal_limits[1].hs_prefix: expected a"
     " text in quotes, got a whole number."),
    ('waybill_forms = ["YT##", "YT??"]', "waybill form 'YT??': '#' for each digit, '@' for each capital"
     " letter, no blanks."),
    ('waybill_forms = "YT##"', "waybill_forms: expected a list, got a text in quotes."),
    ('release_statuses = [800, "899"]', "release_statuses[2]: expected a whole number, got a text in"
     " quotes."),
]  # fmt: skip


@pytest.mark.parametrize(("text", "sentence"), RULE_MISTAKES)
def test_a_mistake_in_the_rules(text: str, sentence: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse_rules("# rules\n" + text, "rules.toml")
    assert str(caught.value) == f"rules.toml, line 2: {sentence}"


def test_rules_are_named_by_their_bytes(tmp_path: Path) -> None:
    file = tmp_path / "rules.toml"
    file.write_bytes(b"rows_missing_max = 1\r\n")
    rules, rules_id, text = load_rules(file)
    assert rules.rows_missing_max == 1
    assert rules_id == hashlib.sha256(file.read_bytes()).hexdigest()
    assert text.encode() == file.read_bytes()


def test_lines_that_cannot_run_together(folder: Path) -> None:
    first = load(folder / "line.toml")
    second = replace(
        first,
        line=replace(first.line, name="L2"),
        xray=replace(first.xray, port=15121),
        plc=replace(first.plc, base_address=MAP_REGISTERS),
    )
    check_together([first, second])
    wrong = {
        "both lines are called 'L2'": replace(first, line=second.line),
        "share one state_dir": replace(first, paths=replace(first.paths, state_dir=folder)),
        "share one [api] address": replace(first, api=replace(first.api, port=1)),
        "both read the X-ray": replace(first, xray=second.xray),
        "would command the same gates": replace(
            first, plc=replace(first.plc, base_address=MAP_REGISTERS - 1)
        ),
    }
    for sentence, other in wrong.items():
        with pytest.raises(ConfigError, match=re.escape(sentence)):
            check_together([second, other])


def test_the_map_is_as_long_as_the_plc_package_says() -> None:
    assert MAP_REGISTERS == register_map.MAP_REGISTERS


# --- where keys stand ------------------------------------------------------------------------------

AWKWARD = '''# a comment with [brackets] = 1
top = """
[not a table]
no_key = 1
"""
[a."b c".d]  # e = 1
list = [
  { x = "]}", y = 'k = 1' },  # one
  { x = "\\"", y = \'\'\'
two lines\'\'\' },
]
[[points]]
at = 1979-05-27T07:32:00Z
[points.inner]
deep.er = true
[[points]]
at = [[1, 2], [3]]
'''


def test_key_lines_of_awkward_toml() -> None:
    tomllib.loads(AWKWARD)
    lines = key_lines(AWKWARD)
    assert lines["top",] == 2
    assert lines["a", "b c", "d"] == 6
    assert lines["a", "b c", "d", "list", 0, "y"] == 8
    assert lines["a", "b c", "d", "list", 1, "x"] == 9
    assert lines["points", 0, "at"] == 13
    assert lines["points", 0, "inner", "deep", "er"] == 15
    assert lines["points", 1, "at", 1] == 17
    assert not any("no_key" in path or "e" in path for path in lines)


NAMES = st.text("abz-_09", min_size=1, max_size=4)
TEXTS = st.text(st.sampled_from("ab\"\\]}#,=[{ '"), max_size=6)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@given(st.dictionaries(NAMES, st.lists(TEXTS, max_size=3), max_size=4))
def test_key_lines_finds_every_key_where_it_was_written(tables: dict[str, list[str]]) -> None:
    written: dict[tuple[str | int, ...], int] = {}
    rows: list[str] = []
    for name, texts in tables.items():
        rows.append(f"[{quoted(name)}] # ]")
        written[name,] = len(rows)
        rows.append("k = [ # [")
        for index, text in enumerate(texts):
            rows.append(f"{{ t = {quoted(text)} }}, # }}")
            written[name, "k", index, "t"] = len(rows)
        rows.append("]")
    text = "\n".join(rows)
    tomllib.loads(text)
    found = key_lines(text)
    assert {path: found[path] for path in written} == written
