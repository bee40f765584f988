"""The files of one demo: a state directory of its own and a line.toml for each line, on free ports."""

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

REFERENCE = Path(__file__).with_name("reference_line.toml")
RULES = Path(__file__).with_name("reference_rules.toml")

# (section, key) to the TOML text of its value
Values = Mapping[tuple[str, str], str]


def write_lines(directory: Path, lines: int, rate_parcels_per_h: int, protocol: str) -> list[Path]:
    """`lines` configurations L1, L2 ... that share one state directory and one page."""
    shutil.copyfile(RULES, directory / RULES.name)
    ports = free_ports(1 + 2 * lines)
    api_port = ports.pop()
    files = []
    for number in range(1, lines + 1):
        values = {
            ("line", "name"): f'"L{number}"',
            ("line", "rate_parcels_per_h"): str(rate_parcels_per_h),
            ("plc", "protocol"): f'"{protocol}"',
            ("plc", "port"): str(ports.pop()),
            ("xray", "port"): str(ports.pop()),
            ("api", "port"): str(api_port),
            ("paths", "state_dir"): '"."',
            ("paths", "rules_file"): f'"{RULES.name}"',
        }
        file = directory / f"line-L{number}.toml"
        file.write_text(with_values(REFERENCE.read_text("utf-8"), values), "utf-8")
        files.append(file)
    return files


def with_values(toml: str, values: Values) -> str:
    """`toml` with the values of these keys replaced. KeyError if it does not have one of them."""
    missing = dict(values)
    lines = list(_replaced(toml.splitlines(), missing))
    if missing:
        raise KeyError(f"the reference line has no {sorted(missing)}")
    return "\n".join(lines) + "\n"


def _replaced(lines: list[str], values: dict[tuple[str, str], str]) -> Iterator[str]:
    section = ""
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]")
        key = line.split("=", 1)[0].strip()
        value = values.pop((section, key), None)
        yield line if value is None else f"{key} = {value}"


def free_ports(count: int) -> list[int]:
    """Ports that nobody on loopback listens on now; all are held until the last is known."""
    with ExitStack() as held:
        ports = []
        for _ in range(count):
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            ports.append(int(probe.getsockname()[1]))
    return ports
