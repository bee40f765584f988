"""What a line.toml says, typed. Frozen; nothing here reads a file."""

from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta

from controller.core.settings import LineSettings, Rules

Port = Annotated[int, Meta(ge=1, le=65_535)]
Text = Annotated[str, Meta(min_length=1)]
# A name or an address: what holds a space or a control character is neither.
Host = Annotated[str, Meta(pattern=r"^[!-~]+$")]

REGISTERS = 65_536


@dataclass(frozen=True, slots=True)
class PlcConfig:
    """The PLC of one line. `base_address` is the register of block H; one PLC may serve two lines.

    The keys `opcua_*` count for protocol "opcua", where a node is called `opcua_node_prefix` + block +
    `opcua_node_suffix`. Security "sign_and_encrypt" (Basic256Sha256) needs our certificate, its key and a
    folder of trusted PLC certificates; an empty application URI means the certificate's own.
    """

    host: Host
    port: Port
    protocol: Literal["modbus", "opcua"] = "modbus"
    device_id: Annotated[int, Meta(ge=0, le=255)] = 1
    base_address: Annotated[int, Meta(ge=0, lt=REGISTERS)] = 0
    # 5 to 10 by the exchange's design; up to 50 for a PLC that cannot answer faster, which is still
    # an eighth of the 400 ms life sign.
    poll_period_ms: Annotated[int, Meta(ge=2, le=50)] = 8
    opcua_backend: Literal["asyncua", "opcua"] = "asyncua"
    opcua_path: str = "/"
    opcua_namespace_uri: Text = "urn:parcelgate:plc-exchange:1"
    opcua_node_prefix: str = ""
    opcua_node_suffix: str = ""
    opcua_security: Literal["sign_and_encrypt", "none"] = "sign_and_encrypt"
    opcua_certificate: Path | None = None
    opcua_private_key: Path | None = None
    opcua_trusted: Path | None = None
    opcua_application_uri: str = ""


@dataclass(frozen=True, slots=True)
class XraySourceConfig:
    """Where the scan rows of the line's X-ray come from (TCP)."""

    host: Host
    port: Port


@dataclass(frozen=True, slots=True)
class ApiConfig:
    """Where the status page listens. Loopback unless a person writes otherwise."""

    host: Host = "127.0.0.1"
    port: Port = 8480


@dataclass(frozen=True, slots=True)
class Paths:
    """Absolute after loading; in the file they are relative to the file's own folder."""

    state_dir: Path
    rules_file: Path


@dataclass(frozen=True, slots=True)
class LineConfig:
    """One line.toml with its rule file. `rules_id` is the SHA-256 of the rule file's bytes."""

    file: Path
    line: LineSettings
    rate_parcels_per_h: int
    rules: Rules
    rules_id: str
    rules_text: str
    plc: PlcConfig
    xray: XraySourceConfig
    api: ApiConfig
    paths: Paths

    @property
    def line_socket(self) -> Path:
        """Where the line process listens; Linux allows 107 bytes, which `load` checks."""
        return self.paths.state_dir / f"line-{self.line.name}.sock"

    @property
    def lists_db(self) -> Path:
        return self.paths.state_dir / "lists.db"

    @property
    def evidence_dir(self) -> Path:
        return self.paths.state_dir / "evidence"

    @property
    def journal_dir(self) -> Path:
        return self.paths.state_dir / "journal" / self.line.name


def effective(config: LineConfig) -> list[tuple[str, str]]:
    """Every value in force, defaults included, as (key, value) for the page and `--json`."""
    values: list[tuple[str, str]] = [("file", str(config.file)), ("rules_id", config.rules_id)]
    values.append(("line.rate_parcels_per_h", str(config.rate_parcels_per_h)))
    for section in ("line", "plc", "xray", "api", "paths", "rules"):
        values += _flat(section, getattr(config, section))
    return values


def _flat(key: str, value: object) -> list[tuple[str, str]]:
    if is_dataclass(value) and not isinstance(value, type):
        pairs = [_flat(f"{key}.{item.name}", getattr(value, item.name)) for item in fields(value)]
        return [pair for group in pairs for pair in group]
    if isinstance(value, tuple):
        if any(is_dataclass(item) for item in value):
            pairs = [_flat(f"{key}[{index + 1}]", item) for index, item in enumerate(value)]
            return [pair for group in pairs for pair in group]
        return [(key, ", ".join(_shown(item) for item in value))]
    return [(key, _shown(value))]


def _shown(value: object) -> str:
    name = getattr(value, "name", None)
    return name.lower() if isinstance(name, str) and not isinstance(value, Path) else str(value)
