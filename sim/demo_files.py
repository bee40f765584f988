"""The files of one demo: a state directory of its own and a line.toml for each line, on free ports."""

import shutil
import socket
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

from sim.plc_ports import SOFT_PLC_FOLDER

REFERENCE = Path(__file__).with_name("reference_line.toml")
RULES = Path(__file__).with_name("reference_rules.toml")

# (section, key) to the TOML text of its value
Values = Mapping[tuple[str, str], str]


def write_lines(
    directory: Path,
    lines: int,
    rate_parcels_per_h: int,
    protocol: str,
    opcua_backend: str = "asyncua",
) -> list[Path]:
    """`lines` configurations L1, L2 ... that share one state directory and one page.

    OPC UA is signed and encrypted, with certificates made here that trust each other.
    """
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
        toml = with_values(REFERENCE.read_text("utf-8"), values)
        if protocol == "opcua":
            toml = toml.replace(
                "[plc]\n", f"[plc]\n{_opcua_keys(directory, number, opcua_backend)}"
            )
        file.write_text(toml, "utf-8")
        files.append(file)
    return files


def _opcua_keys(directory: Path, number: int, backend: str) -> str:
    from plc.opcua_certificates import files_in, make_certificate, trust

    ours = make_certificate(directory / f"opcua-L{number}", f"urn:parcelgate:demo:L{number}")
    plc = files_in(directory / SOFT_PLC_FOLDER / f"L{number}")
    make_certificate(plc.certificate.parent, "urn:parcelgate:soft-plc", ("127.0.0.1",))
    trust(ours.trusted, plc.certificate)
    keys = {
        "opcua_backend": backend,
        "opcua_node_prefix": f"L{number}.",
        "opcua_certificate": ours.certificate.relative_to(directory),
        "opcua_private_key": ours.private_key.relative_to(directory),
        "opcua_trusted": ours.trusted.relative_to(directory),
    }
    return "".join(f'{key} = "{value}"\n' for key, value in keys.items())


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
