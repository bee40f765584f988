"""The conformance run over real sockets: a C PLC that shares no code, the soft PLC, and bad addresses."""

import asyncio
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from controller.cli import NOT_OK, WRONG_USE, main
from controller.clock import SystemClock
from controller.config import load
from controller.core.vocabulary import LinkFault
from plc import register_map as m
from plc.conformance.catalogue import Needs
from plc.conformance.modbus import ModbusUrl, modbus_target
from plc.conformance.suite import CHECKS, Outcome, Result, SecondHost, run_suite
from plc.conformance.wire import WireLost
from plc.ring_reader import RegisterRun
from sim.conformance_target import serve
from sim.plc_server import PlcServer
from sim.plc_test_mode import TestModePlc
from tests.plc import ringplc_peer
from tests.plc.host import connected_host

LINE = load(Path(__file__).with_name("conformance_line.toml")).line
SESSION = 0x0BAD_CAFE
NEED_TEST_MODE = {check.name for check in CHECKS if check.needs >= Needs.TEST_MODE}


@pytest.fixture(scope="session")
def fullplc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled C PLC."""
    built = ringplc_peer.build(tmp_path_factory.mktemp("fullplc"), "fullplc")
    if isinstance(built, str):
        pytest.skip(f"no C PLC: {built}")
    return built


@asynccontextmanager
async def c_plc(binary: Path, *arguments: str) -> AsyncIterator[ModbusUrl]:
    process = await asyncio.create_subprocess_exec(
        str(binary), *arguments, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    said = (await process.stdout.readline()).decode().split()
    try:
        yield ModbusUrl("127.0.0.1", int(said[1]))
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def soft_plc(base_address: int = 0) -> AsyncIterator[ModbusUrl]:
    server = PlcServer("127.0.0.1", 0, base_address=base_address)
    await server.start()
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        plc = TestModePlc(LINE, Random(3))
        group.create_task(serve(plc, server, SystemClock(), stop))
        try:
            yield ModbusUrl("127.0.0.1", server.port, base_address)
        finally:
            stop.set()
    await server.stop()


async def tried(url: ModbusUrl, *names: str) -> list[Outcome]:
    checks = [check for check in CHECKS if not names or check.name in names]
    async with modbus_target(url, SystemClock()) as wire:
        return await run_suite(wire, SESSION, LINE, checks)


def of(outcomes: list[Outcome], result: Result) -> dict[str, str]:
    return {o.name: o.sentence for o in outcomes if o.result is result}


# --- PLCs that pass -------------------------------------------------------------------------------


@pytest.mark.live
@pytest.mark.timeout(200)
async def test_a_plc_in_c_passes_the_whole_run(fullplc: Path) -> None:
    async with c_plc(fullplc) as url:
        outcomes = await tried(url)
    assert len(outcomes) == len(CHECKS)
    assert [o for o in outcomes if o.result is not Result.PASSED] == []


async def test_a_plc_that_is_not_in_test_mode_is_tried_as_far_as_it_goes(fullplc: Path) -> None:
    async with c_plc(fullplc, "--production") as url:
        outcomes = await tried(url)
        async with modbus_target(url, SystemClock()) as wire:
            c = await wire.read(RegisterRun(m.C_ADDRESS, m.C_COUNT))
    assert of(outcomes, Result.FAILED) == {}
    not_run = of(outcomes, Result.NOT_RUN)
    assert set(not_run) == NEED_TEST_MODE
    assert set(not_run.values()) == {
        "needs the PLC's test mode (bit 0x0080 of H+11 (register 11))."
    }
    assert c[m.C_COMMAND_BITS] == 0  # no permit was ever given


async def test_the_soft_plc_on_another_base_passes_what_is_quick() -> None:
    names = ("map and word order", "writes refused", "bad CRC", "ring under load", "ring overflow")
    async with soft_plc(base_address=500) as url:
        outcomes = await tried(url, *names, "lease and gate")
    assert {o.name: o.sentence for o in outcomes if o.result is not Result.PASSED} == {}
    assert len(outcomes) == 6


async def test_mbpoll_reads_header_and_probe(fullplc: Path) -> None:
    """A tool of somebody else sees the same registers."""
    if shutil.which("mbpoll") is None:
        pytest.skip("mbpoll is not installed")
    async with c_plc(fullplc) as url:
        arguments = ["-m", "tcp", "-0", "-1", "-r", "0", "-c", "20", "-t", "4:hex"]
        process = await asyncio.create_subprocess_exec(
            *("mbpoll", *arguments, "-p", str(url.port), "127.0.0.1"),
            stdout=asyncio.subprocess.PIPE,
        )
        printed, _ = await process.communicate()
    words = [int(word, 16) for word in re.findall(r"0x([0-9A-F]{4})", printed.decode())]
    assert len(words) == m.H_COUNT + m.P_COUNT
    assert words[m.H_MAGIC] == m.MAGIC
    assert (words[m.H_SLOTS], words[m.H_SLOT_REGISTERS]) == (m.R_SLOTS, m.R_SLOT_REGISTERS)
    p = words[m.P_ADDRESS :]
    assert p[m.P_LAYOUT] == m.LAYOUT_VERSION
    assert p[m.P_U32] << 16 | p[m.P_U32 + 1] == m.PROBE_U32
    assert tuple(p[m.P_FLOAT : m.P_FLOAT + 2]) == m.PROBE_FLOAT_WORDS


# --- who must not be tried ------------------------------------------------------------------------


async def test_a_plc_in_other_hands_is_left_alone() -> None:
    async with soft_plc() as url, modbus_target(url, SystemClock()) as host:
        async with asyncio.TaskGroup() as group:
            living = group.create_task(_live(host))
            with pytest.raises(SecondHost, match="controls this PLC: stop it first"):
                await asyncio.sleep(0.2)
                await tried(url)
            living.cancel()
        async with modbus_target(url, SystemClock()) as wire:
            c = await wire.read(RegisterRun(m.C_ADDRESS, m.C_COUNT))
    assert (c[m.C_SESSION], c[m.C_SESSION + 1]) == (0x1234, 0x5678)


async def _live(host: object) -> None:
    """Another host's life sign."""
    beat = 0
    while True:
        beat += 1
        words = [beat, 0, 0, 0, 0xFFFF, 0xFFFF, 0x1234, 0x5678, 0, 0, 0, 0]
        await host.write(m.C_ADDRESS, words)  # type: ignore[attr-defined]
        await asyncio.sleep(0.02)


async def test_the_line_refuses_a_plc_in_test_mode() -> None:
    async with soft_plc() as url, connected_host(url.port) as host:
        await host.until_lost(LinkFault.NOT_OUR_MAP)
    assert host.records == []


async def test_nobody_there() -> None:
    with pytest.raises(WireLost, match="no connection to 127"):
        await tried(ModbusUrl("127.0.0.1", 1))


# --- the command ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("http://plc", "'http://plc' is not of the form modbus://host:port/base?device=1."),
        ("modbus://", "'modbus://' is not of the form modbus://host:port/base?device=1."),
        ("modbus://plc?slave=1", "is not of the form modbus://host:port/base?device=1."),
        ("modbus://plc:a/0", "port, base and device must be whole numbers."),
        ("modbus://plc/x", "port, base and device must be whole numbers."),
        ("modbus://plc/0?device=256", "the device must lie between 0 and 255."),
        ("modbus://plc/65000", "the base must lie between 0 and 61486."),
        ("opc.tcp://plc/?node=1", "is none of modbus://host:port/base?device=1 or opc.tcp://"),
    ],
)
def test_a_wrong_address(url: str, sentence: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", url]) == WRONG_USE
    assert sentence in capsys.readouterr().err


def test_an_address_says_what_it_means() -> None:
    assert ModbusUrl.parse("modbus://plc") == ModbusUrl("plc", 502, 0, 1)
    assert ModbusUrl.parse("modbus://plc:1502/500?device=7") == ModbusUrl("plc", 1502, 500, 7)


def test_the_command_says_what_it_cannot_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["conformance", "modbus://127.0.0.1:1", "--only", "gap"]) == NOT_OK
    assert capsys.readouterr().err == (
        "The PLC at modbus://127.0.0.1:1 cannot be tried: no connection to 127.0.0.1 port 1.\n"
    )
    assert main(["conformance", "modbus://127.0.0.1:1", "--only", "nonsense"]) == WRONG_USE
    assert "No check has such a name; there are: map and word order" in capsys.readouterr().err


def test_json_holds_every_check(fullplc: Path, capsys: pytest.CaptureFixture[str]) -> None:
    process = subprocess.Popen([fullplc], stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        port = process.stdout.readline().split()[1]
        process.stdout.close()
        url = f"modbus://127.0.0.1:{port}/0"
        assert main(["conformance", url, "--json", "--only", "CRC", "--only", "gap"]) == NOT_OK
    finally:
        process.terminate()
        process.wait()
    answer = json.loads(capsys.readouterr().out)
    assert answer["passed"] is False
    assert answer["counts"] == {"passed": 1, "failed": 0, "not run": 1}
    gap = {"name": "gap", "duties": ["P24"], "result": "not run"}
    gap["sentence"] = "needs the line's geometry: give --line line.toml."
    assert answer["checks"] == [
        {"name": "bad CRC", "duties": ["P15"], "result": "passed", "sentence": ""},
        gap,
    ]
