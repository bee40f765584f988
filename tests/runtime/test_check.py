"""`parcelgate check`: a sound line holds, and each thing that is not sound is one sentence."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from controller.check import site
from controller.check.commands import as_json, check_line
from controller.check.findings import Finding, State, holds
from controller.check.plc_part import PlcCheck, check_plc
from controller.check.xray import xray_source
from controller.cli import NOT_OK, main
from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.units import NS_PER_S
from plc import register_map as m
from plc.conformance.suite import SecondHost
from plc.conformance.wire import WireLost
from plc.ring_reader import RegisterRun
from sim.plant_process import LinePlant
from sim.plc_server import PlcServer
from tests.plc.virtual_target import VirtualTarget
from vision.scan_rows import Calibration, Hello, encode_packet

ROOT = Path(__file__).resolve().parents[2]
SESSION = 0x1234_5678
CURVE = b"\0\0" * 4


@pytest.fixture
def config(tmp_path: Path) -> LineConfig:
    for file in ("reference_line.toml", "reference_rules.toml"):
        (tmp_path / file).write_bytes((ROOT / "sim" / file).read_bytes())
    loaded = load(tmp_path / "reference_line.toml")
    return replace(loaded, api=replace(loaded.api, port=free_port()))


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


@asynccontextmanager
async def source(*packets: bytes) -> AsyncIterator[int]:
    """An X-ray source that says these packets to whoever comes."""

    greetings = []

    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        greetings.append(asyncio.current_task())
        writer.write(b"".join(packets))
        await writer.drain()
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
        await asyncio.gather(*filter(None, greetings))


def hello(config: LineConfig, **other: int) -> bytes:
    fields = {
        "source": config.line.xray_source,
        "columns": 4,
        "pixel_pitch_um": 1_500,
        "row_pitch_counts": 2,
        "encoder_counts_per_m": config.line.encoder_counts_per_m,
    }
    return encode_packet(Hello(**(fields | other)))


def calibration(age_s: int = 60) -> bytes:
    taken_utc_ns = SystemClock().utc_ns() - age_s * NS_PER_S
    return encode_packet(Calibration("cal-7", taken_utc_ns, CURVE, CURVE, CURVE, CURVE))


async def at_source(config: LineConfig, *packets: bytes) -> list[Finding]:
    async with source(*packets) as port:
        xray = replace(config.xray, host="127.0.0.1", port=port)
        return await xray_source(replace(config, xray=xray), SystemClock())


# --- the whole line -------------------------------------------------------------------------------


async def test_a_sound_line_holds(config: LineConfig) -> None:
    """Soft PLC and source on real sockets; nothing moves and no record is acknowledged."""
    server = PlcServer("127.0.0.1", 0)
    await server.start()
    plant = LinePlant(config.line, (), server, SystemClock(), Random(1))
    findings: list[Finding] = []
    points: list = []
    async with source(hello(config), calibration()) as xray_port, asyncio.TaskGroup() as group:
        running = group.create_task(plant.run())
        ready = replace(
            config,
            plc=replace(config.plc, host="127.0.0.1", port=server.port),
            xray=replace(config.xray, host="127.0.0.1", port=xray_port),
        )
        await check_line(ready, findings, points, live=False, writes=20)
        plant.end()
        await running
    not_ok = {(f.part, f.name) for f in findings if f.state is not State.OK}
    assert not_ok <= {
        ("disk", "journal"),
        ("disk", "store"),
        ("disk", "evidence"),
        ("clock", "this PC"),
    }
    assert holds(findings)
    names = {(f.part, f.name) for f in findings}
    for name in (
        "map and order",
        "PLC life sign",
        "host life sign",
        "watchdog",
        "clock",
        "release",
    ):
        assert ("plc", name) in names
    assert plant.world.belt.travel_nm == 0
    assert plant.plc.plant.ring.accepted_ack == 0
    assert not config.paths.state_dir.exists()
    report = json.loads(json.dumps(as_json(ready, findings, points)))
    assert report["holds"] is True
    assert {"magic", "boot id", "state", "session"} <= {point["name"] for point in report["points"]}


def test_without_a_plc_and_a_source_it_says_so(
    config: LineConfig, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "_WRITE_LIMIT_S", 0)
    monkeypatch.setattr(site, "_durable_writes", lambda folder, clock, writes: [1])
    text = config.file.read_text().replace("15020", str(free_port()))
    config.file.write_text(text.replace("15120", str(free_port())))
    report = config.file.parent / "report.json"
    assert main(["check", str(config.file), "--json", "--report", str(report)]) == NOT_OK
    answer = json.loads(capsys.readouterr().out)
    assert answer == json.loads(report.read_text())
    failed = [row for row in answer["findings"] if row["state"] == "failed"]
    assert [(row["part"], row["name"]) for row in failed] == [
        ("plc", "connection"),
        ("xray", "source"),
    ]
    assert "cannot be reached: no connection to 127.0.0.1 port" in failed[0]["sentence"]
    assert failed[1]["sentence"].endswith("cannot be reached: Connection refused.")


# --- the PLC's part -------------------------------------------------------------------------------


def plc_findings(target: VirtualTarget) -> dict[str, Finding]:
    found: list[Finding] = []
    asyncio.run(check_plc(PlcCheck(target, SESSION, SystemClock(), found.append)))
    return {finding.name: finding for finding in found}


def test_the_watchdog_is_pulled_and_its_time_told() -> None:
    found = plc_findings(VirtualTarget())
    assert found["watchdog"].state is State.OK
    assert found["watchdog"].sentence.startswith("our life sign pulled: WATCHDOG_TRIPPED after 4")
    assert found["mode"].state is State.FAILED  # the target is in test mode
    assert "0x0080" in found["mode"].sentence


def test_a_watchdog_that_does_not_bite_is_found() -> None:
    target = VirtualTarget()
    numbers = replace(target.plc._numbers, life_sign_limit_ms=60_000)
    target.plc._numbers = numbers
    target.plc.plc = target.plc._started()
    found = plc_findings(target)
    assert found["watchdog"].state is State.FAILED
    assert "is not set 500 ms after the last life sign" in found["watchdog"].sentence
    assert found["release"].state is State.FAILED


class AnotherHost(VirtualTarget):
    """A PLC with a host: block C moves by itself; `written` is what we wrote."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[int] = []

    async def write(self, address: int, words: Sequence[int]) -> None:
        self.written.append(address)
        await super().write(address, words)

    def _pass(self, us: int) -> None:
        at = m.C_ADDRESS
        self.image[at + m.C_HEARTBEAT] = (self.image[at + m.C_HEARTBEAT] + 1) & 0xFFFF
        self.image[at + m.C_SESSION + 1] = 0xBEEF
        super()._pass(us)


def test_a_line_in_other_hands_is_left_alone() -> None:
    target = AnotherHost()
    for _ in range(10):
        target._pass(10_000)
    found: list[Finding] = []
    with pytest.raises(SecondHost, match=r"Another host \(session \.\.beef in P\+5"):
        asyncio.run(check_plc(PlcCheck(target, SESSION, SystemClock(), found.append)))
    assert target.written == []
    assert found == []


class Swapped(VirtualTarget):
    """Registers with their bytes swapped."""

    async def read(self, run: RegisterRun) -> list[int]:
        return [(word & 0xFF) << 8 | word >> 8 for word in await super().read(run)]


class Dying(VirtualTarget):
    """Answers a hundred requests and no more."""

    async def read(self, run: RegisterRun) -> list[int]:
        if self.now_us > 1_000_000:
            raise WireLost("the PLC closed the connection")
        return await super().read(run)


def test_another_word_order_ends_the_plc_part() -> None:
    target = Swapped()
    target.now_us = target._scanned_us = 0
    found = plc_findings(target)
    assert list(found) == ["map and order"]
    assert "swaps the bytes of every register" in found["map and order"].sentence


def test_a_plc_that_dies_is_one_more_finding() -> None:
    found = plc_findings(Dying())
    assert found["exchange"].state is State.FAILED
    assert found["exchange"].sentence == "the exchange broke off: the PLC closed the connection."


def test_a_running_line_process_is_left_alone(
    config: LineConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    config.line_socket.parent.mkdir()
    with socket.socket(socket.AF_UNIX) as line:
        line.bind(str(config.line_socket))
        line.listen()
        assert main(["check", str(config.file)]) == NOT_OK
    captured = capsys.readouterr()
    assert captured.err == ("SECOND_HOST: The line process of L1 runs on this PC: stop it first.\n")


# --- X-ray ----------------------------------------------------------------------------------------


async def test_source_geometry_and_calibration_are_told(config: LineConfig) -> None:
    found = await at_source(config, hello(config), calibration(age_s=3_700))
    assert [finding.state for finding in found] == [State.OK] * 3
    assert found[2].sentence == "calibration 'cal-7' is 1 h 1 min old."


@pytest.mark.parametrize(
    ("other", "age_s", "state", "words"),
    [
        ({"source": 9}, 60, State.FAILED, "calls itself number 9, line.toml expects 4"),
        ({"encoder_counts_per_m": 500}, 60, State.FAILED, "counts 500 encoder counts/m"),
        ({}, 25 * 3600, State.WARNING, "over 24 h: calibrate again"),
        ({}, -3600, State.FAILED, "in the future: see the clocks"),
    ],
)
async def test_what_is_wrong_with_the_source(
    config: LineConfig, other: dict[str, int], age_s: int, state: State, words: str
) -> None:
    found = await at_source(config, hello(config, **other), calibration(age_s))
    (wrong,) = [finding for finding in found if finding.state is not State.OK]
    assert (wrong.state, words in wrong.sentence) == (state, True), wrong.sentence


async def test_what_listens_is_no_source(config: LineConfig) -> None:
    (finding,) = await at_source(config, b"HTTP/1.1 400 Bad Request\r\n\r\n" * 10)
    assert finding.state is State.FAILED
    assert "is no X-ray source" in finding.sentence


# --- this PC --------------------------------------------------------------------------------------


def test_a_directory_that_cannot_be_written(config: LineConfig) -> None:
    config.paths.state_dir.write_text("a file where a directory should be")
    found = {finding.name: finding for finding in site.disks(config, SystemClock(), writes=3)}
    assert {finding.state for finding in found.values()} == {State.FAILED}
    assert found["journal"].sentence == (
        f"{config.paths.state_dir} cannot be written: Not a directory."
    )


def test_durable_writes_are_timed_and_judged(config: LineConfig) -> None:
    (journal,) = [f for f in site.disks(config, SystemClock(), writes=5) if f.name == "journal"]
    assert journal.state is State.WARNING  # five samples carry no percentile
    assert "the slowest of only 5 durable writes took" in journal.sentence
    fast, slow = [1_000_000] * 2_000, [1_000_000] * 1_970 + [30_000_000] * 30
    assert site._judge_times(fast) == (
        State.OK,
        "fdatasync p99 1.0 ms, worst 1.0 ms of 2000",
    )
    state, sentence = site._judge_times(slow)
    assert state is State.WARNING
    assert sentence.endswith("over 20 ms: parcels will be held as late")


def test_a_taken_page_port(config: LineConfig) -> None:
    with socket.create_server(("127.0.0.1", config.api.port)):
        finding = site.page_port(config.api)
    assert finding.state is State.FAILED
    assert finding.sentence.endswith(f":{config.api.port}: Address already in use.")


def test_geometry_is_told_with_what_it_needs(config: LineConfig) -> None:
    sentences = {finding.name: finding.sentence for finding in site.geometry(config)}
    assert "takes 1400 ms; the evidence limit needs 800 ms" in sentences["time to decide"]
    assert "600 mm behind the decision point; its movement needs 320 mm" in sentences["gate"]
    assert "leave 720 mm each" in sentences["pitch"]
