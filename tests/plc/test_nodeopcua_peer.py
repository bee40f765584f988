"""The OPC UA link and the conformance run against a PLC on node-opcua, signed and encrypted.

Another encoder, other certificates, other limits than those of asyncua, which serves the soft PLC.
Without Node.js, npm or the registry these tests say why they are skipped.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from controller.clock import SystemClock
from controller.config import load
from controller.core.events import GateMoved, Inducted, LaneSeen, PlcConnected, PlcLost
from controller.core.vocabulary import (
    DecisionResult,
    Destination,
    GatePhase,
    GatePosition,
    LinkFault,
)
from plc.conformance.opcua import opcua_target
from plc.conformance.suite import CHECKS, Result, run_suite
from plc.conformance.wire import WireLost
from plc.opcua_certificates import CertificateFiles, make_certificate, thumbprint, trust
from plc.opcua_legacy import LegacyBackend
from plc.opcua_link import AsyncuaBackend, Backend
from plc.opcua_settings import OpcuaSettings, application_uris, load_certificate, load_security
from tests.plc import nodeopcua_peer
from tests.plc.host import SESSION, Host
from tests.plc.nodeopcua_peer import NodePlc
from tests.plc.opcua_peer import connected_host, settings_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(150)]
both_libraries = pytest.mark.parametrize("library", [AsyncuaBackend, LegacyBackend])

LINE = load(Path(__file__).with_name("conformance_line.toml")).line
LINE_URI = "urn:parcelgate:test-line"
QUICK = (
    *("map and word order", "writes refused", "bad CRC", "foreign session", "one answer"),
    *("ring under load", "lease and gate"),
)
RELEASE_LANE, RELEASE_SIDE = 1, GatePosition.LEFT


@dataclass(frozen=True)
class Site:
    """The program, and a line that it trusts; a stranger has the PLC's certificate, but not its trust."""

    program: Path
    line: CertificateFiles
    stranger: CertificateFiles
    trusted_by_plc: Path

    @contextmanager
    def plc(self, pki: Path, *arguments: str) -> Iterator[NodePlc]:
        """A PLC that takes encrypted connections only; from now on the line trusts it."""
        trusted = ("--trusted", str(self.trusted_by_plc))
        with NodePlc(self.program, pki, *trusted, *arguments) as plc:
            for ours in (self.line, self.stranger):
                trust(ours.trusted, plc.certificate)
            yield plc


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    packages = nodeopcua_peer.install()
    if isinstance(packages, str):
        pytest.skip(f"no PLC on node-opcua: {packages}")
    folder = tmp_path_factory.mktemp("nodeopcua")
    line = make_certificate(folder / "line", LINE_URI)
    stranger = make_certificate(folder / "stranger", LINE_URI)
    trusted_by_plc = folder / "trusted_by_plc"
    trusted_by_plc.mkdir()
    trust(trusted_by_plc, line.certificate)
    return Site(nodeopcua_peer.program(packages, folder), line, stranger, trusted_by_plc)


@pytest.fixture(scope="module")
def producing(site: Site, tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodePlc]:
    """A PLC that is not in test mode; a parcel comes every 1.5 s while the infeed runs."""
    with site.plc(tmp_path_factory.mktemp("producing"), "--feed", "1500") as plc:
        yield plc


def settings_of(plc: NodePlc, files: CertificateFiles) -> OpcuaSettings:
    now_ns = SystemClock().utc_ns()
    security = load_security(files.certificate, files.private_key, files.trusted, "", now_ns)
    return settings_for(plc.port, security=security)


async def first_parcel(host: Host) -> Inducted:
    """Let belt and infeed run until a parcel comes."""
    host.link.permit(True, True)
    before = len(host.records)

    def come() -> list[Inducted]:
        return [record for record in host.records[before:] if isinstance(record, Inducted)]

    await host.until(lambda _: come())
    return come()[0]


# --- who trusts whom ------------------------------------------------------------------------------


def test_its_certificate_is_its_own(site: Site, producing: NodePlc) -> None:
    """Made by node-opcua, with what a host checks: nothing of it comes from our tools."""
    theirs = load_certificate(producing.certificate)
    assert application_uris(theirs) == ["urn:parcelgate:plc-peer:javascript"]
    assert (site.line.trusted / f"{thumbprint(theirs)}.der").is_file()


@both_libraries
async def test_a_decision_moves_the_gate(
    site: Site, producing: NodePlc, library: Callable[[], Backend]
) -> None:
    settings = settings_of(producing, site.line)
    # The second library finds the first one's session latched until its life sign has ended.
    async with connected_host(producing.port, settings=settings, backend=library()) as host:
        await host.until_up()
        parcel = await first_parcel(host)
        sent = host.decide(parcel.track_id, Destination.RELEASE)
        await host.until(lambda h: h.echoes)
        echo = host.echoes[0]
        assert (echo.decision_seq, echo.result) == (sent.decision_seq, DecisionResult.ACCEPTED)
        seen = await until_in_lane(host, parcel.track_id)
        host.link.permit(False, False)
        await host.until(lambda h: h.states[-1].state_bits & 1 == 0)
    gates = [r for r in host.records if isinstance(r, GateMoved) and r.track_id == parcel.track_id]
    moves = [(gate.phase, gate.position) for gate in gates]
    assert moves[:2] == [(GatePhase.BEGAN, RELEASE_SIDE), (GatePhase.ARRIVED, RELEASE_SIDE)]
    assert seen.source == RELEASE_LANE
    first = host.records[0].ring_seq
    assert host.sequences == list(range(first, first + len(host.records)))
    assert not host.gaps
    assert set(host.faults) <= {LinkFault.SECOND_HOST}


async def until_in_lane(host: Host, track_id: int) -> LaneSeen:
    def seen() -> list[LaneSeen]:
        return [r for r in host.records if isinstance(r, LaneSeen) and r.track_id == track_id]

    await host.until(lambda _: seen())
    return seen()[0]


@both_libraries
async def test_we_refuse_a_server_that_is_not_trusted(
    site: Site, producing: NodePlc, library: Callable[[], Backend], tmp_path: Path
) -> None:
    trust(tmp_path, site.stranger.certificate)  # somebody is trusted, but not this PLC
    other = CertificateFiles(site.line.certificate, site.line.private_key, tmp_path)
    settings = settings_of(producing, other)
    async with connected_host(producing.port, settings=settings, backend=library()) as host:
        await host.until(lambda h: h.faults)
    assert host.events == [PlcLost(LinkFault.UNTRUSTED)]


@both_libraries
async def test_it_refuses_a_line_that_is_not_trusted(
    site: Site, producing: NodePlc, library: Callable[[], Backend]
) -> None:
    settings = settings_of(producing, site.stranger)
    async with connected_host(producing.port, settings=settings, backend=library()) as host:
        await host.until(lambda h: h.faults)
    assert host.events == [PlcLost(LinkFault.UNTRUSTED)]


async def test_it_refuses_a_line_without_encryption(site: Site, producing: NodePlc) -> None:
    async with connected_host(producing.port) as host:
        await host.until(lambda h: h.faults)
    assert host.events == [PlcLost(LinkFault.UNTRUSTED)]


# --- the conformance run --------------------------------------------------------------------------


async def test_the_conformance_run_passes_what_is_quick(site: Site, tmp_path: Path) -> None:
    with site.plc(tmp_path, "--test") as plc:
        async with opcua_target(settings_of(plc, site.line), SystemClock()) as wire:
            checks = [check for check in CHECKS if check.name in QUICK]
            outcomes = await run_suite(wire, SESSION, LINE, checks)
        with pytest.raises(WireLost):
            async with opcua_target(settings_of(plc, site.stranger), SystemClock()):
                pass
    assert [outcome for outcome in outcomes if outcome.result is not Result.PASSED] == []
    assert len(outcomes) == len(QUICK)


# --- a restart ------------------------------------------------------------------------------------


async def test_a_killed_plc_is_lost_and_its_successor_found(site: Site, producing: NodePlc) -> None:
    settings = settings_of(producing, site.line)
    async with connected_host(producing.port, settings=settings) as host:
        first = await host.until_up()
        await first_parcel(host)
        before = len(host.records)
        producing.kill()
        await host.until_lost(LinkFault.REFUSED)
        assert host.up is None
        await asyncio.to_thread(producing.start_again)
        second = await host.until_up()
        await first_parcel(host)
    assert second.boot_id != first.boot_id
    assert {record.boot_id for record in host.records[:before]} == {first.boot_id}
    assert {record.boot_id for record in host.records[before:]} == {second.boot_id}
    assert host.records[before].ring_seq == 1
    links = [event for event in host.events if isinstance(event, PlcConnected | PlcLost)]
    assert links[-3:] == [first, PlcLost(LinkFault.REFUSED), second]


# --- where it cannot be ---------------------------------------------------------------------------


def test_what_is_missing_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nodeopcua_peer.install(tmp_path) == "node is not installed"
    node = tmp_path / "node"
    node.write_text("#!/bin/sh\necho v16.20.2\n")
    node.chmod(0o755)
    assert nodeopcua_peer.install(tmp_path) == "npm is not installed"
    npm = tmp_path / "npm"
    npm.write_text("#!/bin/sh\necho 'npm error code ECONNREFUSED' >&2\nexit 1\n")
    npm.chmod(0o755)
    old = "Node.js 18 or newer is needed, and v16.20.2 is installed"
    assert nodeopcua_peer.install(tmp_path) == old
    node.write_text("#!/bin/sh\necho v18.20.4\n")
    refused = nodeopcua_peer.install(tmp_path)
    assert refused == "npm could not install node-opcua (ECONNREFUSED)"
    assert not list(tmp_path.glob("nodeopcua-*")), "half an installation is left behind"
