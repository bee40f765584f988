"""line.toml and rule files as people, editors and disks break them: a configuration, or a ConfigError."""

import re
import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from controller.config import ConfigError, load, parse_rules
from tests.fuzz.looking import anything, looked_at

SIM = Path(__file__).resolve().parents[2] / "sim"
LINE = (SIM / "reference_line.toml").read_bytes()
RULES = (SIM / "reference_rules.toml").read_bytes()
# Where a value stands: numbers and texts, alone or in a table, and whole lists.
_VALUE = re.compile(r"(?<== )(?:\[\n.*?\n\]|[\w]+|\"[^\"]*\")", re.DOTALL)
PLACES = [match.span() for match in _VALUE.finditer(LINE.decode())]
RULE_KEYS = [line for line in RULES.decode().splitlines() if "=" in line and line[0].isalpha()]
# A value of every kind TOML has, and of every size that is hard to hold.
VALUES = st.sampled_from(
    """0|-1|1|65535|65536|9223372036854775807|9223372036854775808|-99999999999999999999999999|1e999|nan
    |-0.0|1979-05-27|07:32:00|1979-05-27T07:32:00Z|true|""|"x"|"\\u0000"|"../../etc"|"\\U0010FFFF"|[]|[[]]
    |[1,"a"]|{}|{a=1}|[{}]|[{number=[1]}]|[{number={}}]|[{number=1},{number=1}]|''''''|'/'|'a/b'""".replace(
        "\n    ", ""
    ).split("|")
)
DEEP = [b"x = " + b"[" * 5_000 + b"]" * 5_000, b"x = " + b"{a=" * 3_000 + b"1" + b"}" * 3_000]


def loaded(line: bytes, rules: bytes = RULES) -> None:
    """Load these two files; refused means one sentence that names the file."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "reference_rules.toml").write_bytes(rules)
        file = Path(folder) / "line.toml"
        file.write_bytes(line)
        try:
            load(file)
        except ConfigError as error:
            assert ".toml" in str(error) or "cannot be read" in str(error)


def test_the_reference_is_accepted() -> None:
    loaded(LINE)


@looked_at(120)
@given(anything([LINE, *DEEP]))
def test_a_changed_line_toml(data: bytes) -> None:
    loaded(data)


@looked_at(60)
@given(anything([RULES, *DEEP]))
def test_a_changed_rule_file(data: bytes) -> None:
    loaded(LINE, data)


@looked_at(300)
@given(st.sampled_from(PLACES), VALUES)
def test_any_value_in_any_place(place: tuple[int, int], value: str) -> None:
    text = LINE.decode()
    loaded((text[: place[0]] + value + text[place[1] :]).encode())


@looked_at(100)
@given(st.lists(st.tuples(st.sampled_from(RULE_KEYS), VALUES), min_size=1, max_size=3))
def test_any_value_for_any_rule(changes: list[tuple[str, str]]) -> None:
    text = "".join(f"{key.split('=')[0]}= {value}\n" for key, value in changes)
    try:
        parse_rules(text, "rules.toml")
    except ConfigError as error:
        assert "rules.toml" in str(error)
