"""A slip in a rule file that would release what customs did not."""

import pytest

from controller.config import ConfigError, parse_rules


@pytest.mark.parametrize("statuses", ["[800, 399]", "[0]", "[500]", "[800, 899, 26]"])
def test_only_what_customs_calls_released_can_release(statuses: str) -> None:
    with pytest.raises(ConfigError, match="only 800 and 899 do"):
        parse_rules(f"release_statuses = {statuses}\n", "rules.toml")


def test_releasing_less_is_allowed() -> None:
    assert parse_rules("release_statuses = [800]\n", "rules.toml").release_statuses == (800,)
    assert parse_rules("release_statuses = []\n", "rules.toml").release_statuses == ()


@pytest.mark.parametrize("prefix", ["", "*", "85 "])
def test_a_metal_limit_for_every_heading_is_refused(prefix: str) -> None:
    text = f'[[metal_limits]]\nhs_prefix = "{prefix}"\narea_mm2_max = 90000\n'
    with pytest.raises(ConfigError, match="no beginning of an HS code"):
        parse_rules(text, "rules.toml")
