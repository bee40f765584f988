"""`bench plc`: its parts by themselves, and one short run; nobody asserts how quick anything is."""

import asyncio
import json
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from controller.clock import SystemClock
from controller.config.model import PlcConfig
from plc.opcua_certificates import make_certificate
from plc.opcua_settings import load_certificate
from sim.bench.echo import _Answering, asking
from sim.bench.plc import WIRES, Measured
from sim.bench.table import figures_ms, printed, report
from sim.bench.trips import Tap
from sim.bench.watched import StopWatch
from sim.machine import Machine
from sim.tls_proxy import Relay, tls_context

ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def an_echo() -> AsyncIterator[int]:
    server = await asyncio.get_running_loop().create_server(_Answering, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


async def test_the_tap_counts_the_bytes_of_each_round_trip() -> None:
    clock = SystemClock()
    async with an_echo() as port:
        tap = Tap(port, clock)
        echo = await asking(await tap.start())
        spans = []
        for trips in (((41, 49), (12, 257)), ((41, 49), (12, 257)), ((300, 20_000),)):
            began_ns = clock.monotonic_ns()
            await echo.trips(trips)
            spans.append((began_ns, clock.monotonic_ns()))
        assert tap.usual(spans) == ((41, 49), (12, 257))
        assert tap.usual(spans[2:]) == ((300, 20_000),)
        assert tap.usual([]) == ()
        await left_by(echo.transport, tap)


async def left_by(transport: asyncio.Transport, tap: Tap) -> None:
    """The relay's connection ends with ours."""
    transport.close()
    await tap.stop()
    while len(asyncio.all_tasks()) > 1:
        await asyncio.sleep(0.001)


def test_only_polls_with_records_count() -> None:
    watch = StopWatch(on=True)
    watch.poll_begins(10)
    watch.poll_begins(20)  # the one before met no record
    watch.records_read(25)
    watch.records_read(27)
    watch.poll_begins(40)
    watch.records_read(44)
    assert watch.polls == [(20, 27)]
    watch.on = False
    watch.poll_begins(60)
    assert watch.polls == [(20, 27)]


def test_percentiles_need_samples_beyond_them() -> None:
    assert figures_ms(range(39)) == {"n": 39, "p50": None, "p95": None, "p99": None}
    figures = figures_ms([1_000_000 * (n + 1) for n in range(400)])
    assert figures == {"n": 400, "p50": 200.0, "p95": 380.0, "p99": None}


def test_the_table_says_what_it_does_not_know() -> None:
    wire = Measured("Modbus", PlcConfig("127.0.0.1", 1), ((41, 49), (12, 257)))
    wire.polls_ns, wire.poll_floor_ns = [3_000_000] * 40, [1_000_000] * 40
    answer = report([wire], Machine(2, "a CPU", "Linux", "CPython 3", (0.5, 0.75)))
    poll, decision = answer["rows"]
    assert (poll["what"], poll["ratio"], poll["bytes"]) == ("poll", 3.0, [[41, 49], [12, 257]])
    assert (decision["what"], decision["n"], decision["ratio"]) == ("decision", 0, None)
    text = printed(answer)
    assert "2 cores, a CPU, Linux, CPython 3, load 0.5 before, 0.75 after" in text
    assert "41/49 12/257" in text


class Ends:
    """The two relays of a line and its PLC, with their certificates."""

    def __init__(self, folder: Path) -> None:
        self.files = {name: self._pem(folder / name) for name in ("line", "plc", "stranger")}

    def _pem(self, folder: Path) -> tuple[Path, Path]:
        made = make_certificate(folder, "urn:test", ("127.0.0.1",))
        pem = folder / "certificate.pem"
        pem.write_bytes(load_certificate(made.certificate).public_bytes(Encoding.PEM))
        return pem, made.private_key

    def context(self, own: str, trusted: str, *, accept: bool) -> ssl.SSLContext:
        certificate, key = self.files[own]
        return tls_context(
            accept=accept, certificate=certificate, key=key, trusted=self.files[trusted][0]
        )


@pytest.mark.parametrize(("own", "carried"), [("line", True), ("stranger", False)])
async def test_two_relays_carry_bytes_for_each_other_only(
    tmp_path: Path, own: str, carried: bool
) -> None:
    ends = Ends(tmp_path)
    async with an_echo() as port:
        near_plc = Relay(port, accepted=ends.context("plc", "line", accept=True))
        near_line = Relay(await near_plc.start(), connected=ends.context(own, "plc", accept=False))
        echo = await asking(await near_line.start())
        if carried:
            await echo.trips(((9, 70_000), (70_000, 9)))
        else:
            with pytest.raises(OSError):  # noqa: PT011 - reset or ended, as the kernel likes
                await echo.trips(((9, 9),))
        echo.transport.close()
        await near_line.stop()
        await near_plc.stop()
        async with asyncio.timeout(10):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.001)


@pytest.mark.live
def test_a_short_run_measures_every_wire_that_is_asked_for() -> None:
    wires = ("modbus-tls", "opcua")
    asked = [word for name in wires for word in ("--wire", name)]
    argv = (sys.executable, "-m", "controller.cli", "bench", "plc", "--seconds", "0.5", "--json")
    ended = subprocess.run(
        (*argv, *asked), cwd=ROOT, capture_output=True, text=True, check=False, timeout=55
    )
    assert ended.returncode == 0, ended.stderr
    answer = json.loads(ended.stdout)
    rows = answer["rows"]
    titles = [WIRES[name].title for name in wires]
    assert [(row["what"], row["wire"]) for row in rows] == [
        (what, title) for what in ("poll", "decision") for title in titles
    ]
    assert all(row["n"] > 0 and row["floor"]["n"] > 0 for row in rows)
    modbus, opcua = (row["bytes"] for row in rows[:2])
    # FC23 with blocks C, H and P; FC3 with four slots
    assert modbus == [[41, 49], [12, 257]]
    assert len(opcua) == 2
    assert answer["machine"]["cores"] > 0
