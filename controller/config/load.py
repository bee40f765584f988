"""Reads line.toml and its rule file into a LineConfig, whole or not at all."""

import hashlib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from controller.config.model import (
    REGISTERS,
    ApiConfig,
    LineConfig,
    Paths,
    PlcConfig,
    XraySourceConfig,
)
from controller.config.relations import MAP_REGISTERS, SOCKET_PATH_BYTES_MAX, findings
from controller.config.typed_toml import TomlText, read_text
from controller.core.customs import RELEASING_STATUSES
from controller.core.settings import LineSettings, Rules
from controller.core.vocabulary import Destination

SECTIONS = ("line", "lanes", "plc", "xray", "api", "paths")
# What no scale, belt or picture of such a line can show: a slip of the unit, not a tolerance.
_RULES_MAX = {
    "weight_tolerance_mg": 10_000_000,
    "picture_length_tolerance_mm": 500,
    "picture_width_tolerance_mm": 500,
    "metal_area_mm2_max": 1_000_000,
    "opaque_area_mm2_max": 1_000_000,
    "scale_zero_mg_max": 10_000_000,
    "rows_missing_max": 1_000,
    "inspection_permille": 1_000,
}
DESTINATIONS = {destination.name.lower(): destination for destination in Destination}


def load(file: Path) -> LineConfig:
    """The configuration of one line.

    Paths in the file count from its own folder. ConfigError: one sentence with file, line and key.
    """
    toml = TomlText.read(file)
    for section in toml.data:
        if section not in SECTIONS:
            raise toml.unknown_key((section,), SECTIONS)
    line, rate_parcels_per_h = _line(toml)
    for path, sentence in findings(line, rate_parcels_per_h):
        raise toml.error(path, sentence)
    paths = _paths(toml, file.absolute().parent)
    rules, rules_id, rules_text = load_rules(paths.rules_file)
    config = LineConfig(
        file=file.absolute(),
        line=line,
        rate_parcels_per_h=rate_parcels_per_h,
        rules=rules,
        rules_id=rules_id,
        rules_text=rules_text,
        plc=_plc(toml, file.absolute().parent),
        xray=toml.convert(XraySourceConfig, _table(toml, "xray"), ("xray",)),
        api=toml.convert(ApiConfig, toml.data.get("api", {}), ("api",)),
        paths=paths,
    )
    _check_addresses(toml, config)
    return config


def load_rules(file: Path) -> tuple[Rules, str, str]:
    """The rules, their id (SHA-256 of the file's bytes, hex) and their whole text."""
    text = read_text(file)
    return parse_rules(text, file.name), hashlib.sha256(text.encode()).hexdigest(), text


def parse_rules(text: str, name: str) -> Rules:
    """A rule file's text, as `RulesActivated` carries it. ConfigError calls the file `name`."""
    toml = TomlText(text, name)
    rules = toml.convert(Rules, toml.data, ())
    for key in toml.data:
        value = getattr(rules, key)
        if isinstance(value, int) and value < 0:
            raise toml.error((key,), f"{key} is {value}, but must not be negative.")
    if rules.weight_tolerance_permille > 1_000:
        raise toml.error(
            ("weight_tolerance_permille",), "a weight tolerance over 1000 permille checks nothing."
        )
    for key, most in _RULES_MAX.items():
        if getattr(rules, key) > most:
            why = f"{key} is {getattr(rules, key)}, but more than {most} checks nothing."
            raise toml.error((key,), why)
    _check_releasing(toml, rules)
    _check_forms(toml, rules)
    return rules


def _check_releasing(toml: TomlText, rules: Rules) -> None:
    """A slip in these would release what nobody released."""
    for status in rules.release_statuses:
        if status not in RELEASING_STATUSES:
            allowed = " and ".join(map(str, RELEASING_STATUSES))
            why = f"customs status {status} releases no parcel: only {allowed} do."
            raise toml.error(("release_statuses",), why)
    for index, limit in enumerate(rules.metal_limits):
        if not limit.hs_prefix.isdecimal():
            why = f"hs_prefix '{limit.hs_prefix}' is no beginning of an HS code: digits, at least one."
            raise toml.error(("metal_limits", index, "hs_prefix"), why)


def _check_forms(toml: TomlText, rules: Rules) -> None:
    """A form that fits every code of its length holds what it should not; none at all is allowed."""
    for index, form in enumerate(rules.waybill_forms):
        if "#" not in form or not form.isascii() or not form.isprintable() or " " in form:
            why = f"waybill form '{form}': '#' for each digit, '@' for each capital letter, no blanks."
            raise toml.error(("waybill_forms", index), why)


def _table(toml: TomlText, section: str) -> Any:
    if section not in toml.data:
        raise toml.error((), f"the section [{section}] is missing.")
    if not isinstance(toml.data[section], dict):
        raise toml.error((section,), f"[{section}] must be a section.")
    return toml.data[section]


@dataclass(frozen=True, slots=True, kw_only=True)
class _LineSection(LineSettings):
    """[line]: what the core obeys, and the rate, which is a promise about the infeed."""

    rate_parcels_per_h: int


def _line(toml: TomlText) -> tuple[LineSettings, int]:
    """[line] and [lanes] together are LineSettings."""
    section = dict(_table(toml, "line"))
    if isinstance(section.get("lanes"), list):
        section["lanes"] = _lanes(toml, section["lanes"])
    line = toml.convert(_LineSection, section, ("line",))
    values = {item.name: getattr(line, item.name) for item in fields(LineSettings)}
    return LineSettings(**values), line.rate_parcels_per_h


def _lanes(toml: TomlText, lanes: list[Any]) -> list[Any]:
    """Each lane with the destinations that [lanes] sends there."""
    serves = _serves(toml, [lane.get("number") for lane in lanes if isinstance(lane, dict)])
    full: list[Any] = []
    for index, lane in enumerate(lanes):
        if isinstance(lane, dict):
            if "destinations" in lane:
                path = ("line", "lanes", index, "destinations")
                raise toml.error(path, "a lane's destinations are given in [lanes].")
            lane = {**lane, "destinations": serves.get(lane.get("number"), [])}
        full.append(lane)
    return full


def _serves(toml: TomlText, numbers: list[object]) -> dict[object, list[Destination]]:
    """[lanes] turned round: lane number -> its destinations."""
    serves: dict[object, list[Destination]] = {}
    for name, number in _table(toml, "lanes").items():
        if name not in DESTINATIONS:
            raise toml.unknown_key(("lanes", name), DESTINATIONS)
        if isinstance(number, bool) or not isinstance(number, int):
            raise toml.error(("lanes", name), f"lanes.{name}: expected a lane's number.")
        if number not in numbers:
            raise toml.error(
                ("lanes", name), f"lanes.{name} is {number}, but there is no such lane."
            )
        serves.setdefault(number, []).append(DESTINATIONS[name])
    return serves


_OPCUA_FILES = ("opcua_certificate", "opcua_private_key", "opcua_trusted")


def _plc(toml: TomlText, folder: Path) -> PlcConfig:
    """[plc], its paths absolute. An encrypted exchange without certificates is refused."""
    plc = toml.convert(PlcConfig, _table(toml, "plc"), ("plc",))
    if plc.protocol == "opcua" and plc.opcua_security != "none":
        for key in _OPCUA_FILES:
            if getattr(plc, key) is None:
                raise toml.error(
                    ("plc", "protocol"),
                    f"plc lacks the key '{key}', which encrypted OPC UA needs; `parcelgate certificates "
                    'make` writes the files. Without encryption: opcua_security = "none", on a '
                    "network of the line's own only.",
                )
    given = {key: getattr(plc, key) for key in _OPCUA_FILES if getattr(plc, key) is not None}
    return replace(plc, **{key: folder / value for key, value in given.items()})


def _paths(toml: TomlText, folder: Path) -> Paths:
    paths = toml.convert(Paths, _table(toml, "paths"), ("paths",))
    return Paths(state_dir=folder / paths.state_dir, rules_file=folder / paths.rules_file)


def _check_addresses(toml: TomlText, config: LineConfig) -> None:
    if config.plc.base_address + MAP_REGISTERS > REGISTERS:
        raise toml.error(
            ("plc", "base_address"),
            f"base_address {config.plc.base_address} and the map's {MAP_REGISTERS} registers pass 65535.",
        )
    addresses: dict[str, XraySourceConfig | ApiConfig] = {"xray": config.xray, "api": config.api}
    for section, other in addresses.items():
        if (other.host, other.port) == (config.plc.host, config.plc.port):
            raise toml.error(
                (section, "port"), f"[{section}] and [plc] are both {other.host}:{other.port}."
            )
    if (config.xray.host, config.xray.port) == (config.api.host, config.api.port):
        raise toml.error(
            ("api", "port"), f"[xray] and [api] are both {config.api.host}:{config.api.port}."
        )
    path_bytes = len(str(config.line_socket).encode())
    if path_bytes > SOCKET_PATH_BYTES_MAX:
        raise toml.error(
            ("paths", "state_dir"),
            f"the socket {config.line_socket} has {path_bytes} bytes, Linux allows "
            f"{SOCKET_PATH_BYTES_MAX}: choose a shorter state_dir.",
        )
