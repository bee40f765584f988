"""From line.toml to an OPC UA link: paths, defaults, and lines that share a PLC."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller.app import plc_link
from controller.clock import SystemClock
from controller.config import ConfigError, LineConfig, check_together, load
from plc.modbus_link import ModbusLink
from plc.opcua_certificates import make_certificate
from plc.opcua_link import OpcuaLink
from sim.demo_files import write_lines


@pytest.fixture
def lines(tmp_path: Path) -> list[LineConfig]:
    return [load(file) for file in write_lines(tmp_path, 2, 5000, "opcua")]


def test_the_demo_is_encrypted_and_its_files_count_from_the_file(
    lines: list[LineConfig], tmp_path: Path
) -> None:
    plc = lines[0].plc
    assert (plc.protocol, plc.opcua_security) == ("opcua", "sign_and_encrypt")
    assert plc.opcua_certificate == tmp_path / "opcua-L1" / "certificate.der"
    assert plc.opcua_trusted is not None
    assert len(list(plc.opcua_trusted.iterdir())) == 1


def test_the_protocol_chooses_the_link(lines: list[LineConfig]) -> None:
    assert isinstance(plc_link(lines[0], SystemClock(), 1), OpcuaLink)
    modbus = replace(lines[0], plc=replace(lines[0].plc, protocol="modbus"))
    assert isinstance(plc_link(modbus, SystemClock(), 1), ModbusLink)


def test_certificates_that_cannot_be_used_stop_the_start(
    lines: list[LineConfig], tmp_path: Path
) -> None:
    other = make_certificate(tmp_path / "other", "urn:other")
    plc = replace(lines[0].plc, opcua_private_key=other.private_key)
    with pytest.raises(ConfigError, match="is not the private key of"):
        plc_link(replace(lines[0], plc=plc), SystemClock(), 1)


def test_two_lines_on_one_plc_need_two_prefixes(lines: list[LineConfig]) -> None:
    first, second = lines
    address = {"host": first.plc.host, "port": first.plc.port}
    shared = replace(second, plc=replace(second.plc, **address))
    check_together([first, shared])
    same = replace(shared, plc=replace(shared.plc, opcua_node_prefix=first.plc.opcua_node_prefix))
    with pytest.raises(ConfigError, match="would command the same gates"):
        check_together([first, same])


def test_no_security_has_to_be_written_down(tmp_path: Path) -> None:
    file = write_lines(tmp_path, 1, 5000, "opcua")[0]
    toml = file.read_text("utf-8")
    kept = [line for line in toml.splitlines() if not line.startswith("opcua_")]
    file.write_text("\n".join(kept), "utf-8")
    with pytest.raises(ConfigError, match='opcua_security = "none", on a network'):
        load(file)
    plain = "\n".join(kept).replace("[plc]", '[plc]\nopcua_security = "none"')
    file.write_text(plain, "utf-8")
    assert load(file).plc.opcua_certificate is None
