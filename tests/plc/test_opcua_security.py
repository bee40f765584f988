"""Signed and encrypted OPC UA: who is trusted by whom, and what is said before anything is connected."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from controller.cli import main
from controller.clock import SystemClock
from controller.config import ConfigError
from controller.config.model import PlcConfig
from controller.core.commands import ClearAlarm, RaiseAlarm
from controller.core.events import PlcStateSeen
from controller.core.units import NS_PER_S
from controller.core.vocabulary import AlarmKind, LinkFault
from plc import opcua_client
from plc.opcua_certificates import CertificateFiles, make_certificate, thumbprint, trust
from plc.opcua_choice import opcua_link
from plc.opcua_legacy import LegacyBackend, backend
from plc.opcua_link import AsyncuaBackend, Backend
from plc.opcua_settings import (
    EXPIRY_ALARM_DAYS,
    S_PER_DAY,
    OpcuaSecurity,
    load_certificate,
    load_security,
)
from tests.core.story import Line
from tests.plc.opcua_peer import connected_host, running, settings_for

MakeBackend = Callable[[], Backend]
both_libraries = pytest.mark.parametrize("library", [AsyncuaBackend, LegacyBackend])
PLC_URI = "urn:parcelgate:soft-plc"
LINE_URI = "urn:parcelgate:test-line"


@dataclass(frozen=True)
class Site:
    """Certificates of a line and a PLC that trust each other, and of a stranger."""

    line: CertificateFiles
    plc: CertificateFiles
    stranger: CertificateFiles

    @property
    def plc_options(self) -> dict[str, str]:
        return {
            "certificate": str(self.plc.certificate),
            "private_key": str(self.plc.private_key),
            "trusted": str(self.plc.trusted),
        }


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    folder = tmp_path_factory.mktemp("pki")
    line = make_certificate(folder / "line", LINE_URI)
    plc = make_certificate(folder / "plc", PLC_URI, ("127.0.0.1", "plc.example"))
    stranger = make_certificate(folder / "stranger", LINE_URI)
    trust(line.trusted, plc.certificate)
    trust(plc.trusted, line.certificate)
    trust(stranger.trusted, plc.certificate)
    return Site(line, plc, stranger)


def security_of(files: CertificateFiles, uri: str = "") -> OpcuaSecurity:
    now_ns = SystemClock().utc_ns()
    return load_security(files.certificate, files.private_key, files.trusted, uri, now_ns)


@both_libraries
async def test_records_and_decisions_go_over_an_encrypted_channel(
    opcua_plcs: Path, site: Site, library: MakeBackend
) -> None:
    async with running(opcua_plcs, records=130, rate_hz=300, **site.plc_options) as plc:
        settings = settings_for(plc.port, security=security_of(site.line))
        host_options = {"settings": settings, "backend": library(), "decides": True}
        async with connected_host(plc.port, **host_options) as host:  # type: ignore[arg-type]
            await host.until(
                lambda h: plc.all_delivered(h, 130) and len(h.echoes) == len(h.sent) > 10
            )
            assert not host.faults
    assert all(not state.certificate_days_left for state in host.states)


@both_libraries
async def test_a_line_the_plc_does_not_trust_is_refused_by_it(
    opcua_plcs: Path, site: Site, library: MakeBackend
) -> None:
    async with running(opcua_plcs, **site.plc_options) as plc:
        settings = settings_for(plc.port, security=security_of(site.stranger))
        async with connected_host(plc.port, settings=settings, backend=library()) as host:
            await host.until_lost(LinkFault.UNTRUSTED)
    assert (host.faults, plc.sessions) == ([LinkFault.UNTRUSTED], [])


@both_libraries
async def test_a_plc_the_line_does_not_trust_is_refused_by_us(
    opcua_plcs: Path, site: Site, library: MakeBackend, tmp_path: Path
) -> None:
    other = replace(site.line, trusted=tmp_path)
    trust(tmp_path, site.stranger.certificate)
    async with running(opcua_plcs, **site.plc_options) as plc:
        settings = settings_for(plc.port, security=security_of(other))
        async with connected_host(plc.port, settings=settings, backend=library()) as host:
            await host.until_lost(LinkFault.UNTRUSTED)
    assert (host.faults, plc.sessions) == ([LinkFault.UNTRUSTED], [])


@both_libraries
async def test_a_plc_that_hangs_up_on_our_certificate_hardly_trusts_it(
    opcua_plcs: Path, site: Site, library: MakeBackend
) -> None:
    """A refusal need not be an answer: some servers just end the connection."""
    async with running(opcua_plcs, **site.plc_options) as plc:

        async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            from_plc, to_plc = await asyncio.open_connection("127.0.0.1", plc.port)
            async with asyncio.TaskGroup() as group:
                group.create_task(_copy(from_plc, writer))
                while (said := await reader.read(65_536)) and b"#Basic256Sha256" not in said:
                    to_plc.write(said)
                to_plc.close()
                writer.close()

        server = await asyncio.start_server(relay, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = settings_for(port, security=security_of(site.line))
        async with server, connected_host(port, settings=settings, backend=library()) as host:
            await host.until(lambda h: h.faults)
    assert (host.faults, plc.sessions) == ([LinkFault.UNTRUSTED], [])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while said := await reader.read(65_536):
        writer.write(said)


@pytest.mark.parametrize(
    ("library", "encrypted"),
    [(AsyncuaBackend, "line"), (AsyncuaBackend, "plc"), (LegacyBackend, "line")],
)
async def test_one_side_without_encryption_is_refused_by_name(
    opcua_plcs: Path, site: Site, library: MakeBackend, encrypted: str
) -> None:
    options = site.plc_options if encrypted == "plc" else {}
    async with running(opcua_plcs, **options) as plc:
        security = security_of(site.line) if encrypted == "line" else None
        settings = settings_for(plc.port, security=security)
        async with connected_host(plc.port, settings=settings, backend=library()) as host:
            await host.until(lambda h: h.faults)
    assert (host.faults, plc.sessions) == ([LinkFault.UNTRUSTED], [])


async def test_the_channel_is_renewed_while_records_flow(
    opcua_plcs: Path, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(opcua_client, "_CHANNEL_LIFETIME_MS", 400)
    async with running(opcua_plcs, records=300, rate_hz=300, **site.plc_options) as plc:
        settings = settings_for(plc.port, security=security_of(site.line))
        async with connected_host(plc.port, settings=settings) as host:
            await host.until(lambda h: plc.all_delivered(h, 300))
            assert not host.faults


@pytest.mark.parametrize(("days", "told"), [(10, True), (EXPIRY_ALARM_DAYS + 2, False)])
async def test_the_end_of_our_certificate_is_told_in_time(
    opcua_plcs: Path, site: Site, tmp_path: Path, days: int, told: bool
) -> None:
    ours = make_certificate(tmp_path / "ours", LINE_URI, days=days)
    trust(ours.trusted, site.plc.certificate)
    options = site.plc_options | {"trusted": str(tmp_path)}
    trust(tmp_path, ours.certificate)
    async with running(opcua_plcs, **options) as plc:
        settings = settings_for(plc.port, security=security_of(ours))
        async with connected_host(plc.port, settings=settings) as host:
            await host.until(lambda h: h.states)
    state = next(event for event in host.events if isinstance(event, PlcStateSeen))
    assert state.certificate_days_left in ((days - 1, days) if told else (None,))


def test_the_core_raises_an_alarm_and_ends_it_with_the_new_certificate() -> None:
    line = Line()
    raised = line.tell(100, PlcStateSeen(0, 0, certificate_days_left=12))
    assert AlarmKind.CERTIFICATE_ENDS in [c.kind for c in raised if isinstance(c, RaiseAlarm)]
    assert not [c for c in line.tell(200, PlcStateSeen(0, 0, 11)) if isinstance(c, RaiseAlarm)]
    ended = line.tell(300, PlcStateSeen(0, 0))
    assert AlarmKind.CERTIFICATE_ENDS in [c.kind for c in ended if isinstance(c, ClearAlarm)]


# --- before anything is connected -----------------------------------------------------------------


def test_files_that_do_not_belong_together_are_named(site: Site, tmp_path: Path) -> None:
    wrong_key = replace(site.line, private_key=site.plc.private_key)
    with pytest.raises(ConfigError, match="is not the private key of"):
        security_of(wrong_key)
    with pytest.raises(ConfigError, match=r"is for urn:parcelgate:test-line, but"):
        security_of(site.line, "urn:another:line")
    with pytest.raises(ConfigError, match="folder of trusted PLC certificates"):
        security_of(replace(site.line, trusted=tmp_path / "nowhere"))
    with pytest.raises(ConfigError, match=r"cannot be read: No such file"):
        security_of(replace(site.line, certificate=tmp_path / "nothing.der"))
    noise = tmp_path / "noise.der"
    noise.write_bytes(b"\x30\x82\x01")
    with pytest.raises(ConfigError, match="is not a certificate"):
        security_of(replace(site.line, certificate=noise))
    with pytest.raises(ConfigError, match="is not a private key"):
        security_of(replace(site.line, private_key=noise))


def test_a_certificate_that_ended_is_refused(site: Site) -> None:
    files = site.line
    later_ns = SystemClock().utc_ns() + 4_000 * S_PER_DAY * NS_PER_S
    with pytest.raises(ConfigError, match="ended on"):
        load_security(files.certificate, files.private_key, files.trusted, "", later_ns)


def test_pem_and_der_are_the_same_certificate(site: Site, tmp_path: Path) -> None:
    certificate = load_certificate(site.line.certificate)
    pem = tmp_path / "line.pem"
    pem.write_bytes(certificate.public_bytes(Encoding.PEM))
    assert load_certificate(pem) == certificate


def test_a_missing_library_is_said_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backend, "find_spec", lambda name: None)
    config = PlcConfig("127.0.0.1", 4840, "opcua", opcua_backend="opcua", opcua_security="none")
    with pytest.raises(ConfigError, match=r"pip install 'parcelgate\[opcua-legacy\]'"):
        opcua_link(config, SystemClock(), 1)


def test_the_command_makes_what_the_configuration_asks_for(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pki"
    assert main(["certificates", "make", str(folder), "--uri", LINE_URI, "--days", "40"]) == 0
    said = capsys.readouterr().out
    for key in ("opcua_certificate", "opcua_private_key", "opcua_trusted"):
        assert f'{key} = "{folder}' in said
    assert (folder / "private_key.pem").stat().st_mode & 0o077 == 0
    assert main(["certificates", "make", str(folder)]) == 1
    assert "a key is not overwritten" in capsys.readouterr().err
    certificate = folder / "certificate.der"
    assert main(["certificates", "trust", str(folder / "trusted"), str(certificate)]) == 0
    assert main(["certificates", "show", str(certificate)]) == 0
    shown = capsys.readouterr().out
    assert thumbprint(load_certificate(certificate)) in shown
    assert re.search(r"\((39|40) days\)", shown)


async def test_a_link_that_waits_for_a_library_process_can_be_cancelled() -> None:
    library = LegacyBackend()
    async with connected_host(1, backend=library):
        await asyncio.sleep(0.05)
    assert library._child is None
