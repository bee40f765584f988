"""One line.toml a line, and its rule file: read whole, typed, refused in one sentence."""

from controller.config.load import load, load_rules, parse_rules
from controller.config.model import (
    ApiConfig,
    LineConfig,
    Paths,
    PlcConfig,
    XraySourceConfig,
    effective,
)
from controller.config.relations import check_together
from controller.config.typed_toml import ConfigError

__all__ = [
    "ApiConfig",
    "ConfigError",
    "LineConfig",
    "Paths",
    "PlcConfig",
    "XraySourceConfig",
    "check_together",
    "effective",
    "load",
    "load_rules",
    "parse_rules",
]
