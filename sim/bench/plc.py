"""`bench plc`: poll and decision latency of every wire, beside a bare echo of the same bytes.

The production links speak to soft PLCs in other processes. All wires and their floors take turns in
short slices, so that a machine that is slow for a while is slow for all of them.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from random import Random
from typing import Literal

from cryptography.hazmat.primitives.serialization import Encoding

from controller.clock import SystemClock
from controller.config import load
from controller.config.model import PlcConfig
from controller.core.commands import SendDecision
from controller.core.events import DecisionEchoed, Event, PlcConnected, PlcRecord
from controller.core.units import NS_PER_S
from controller.core.vocabulary import DecisionResult, Destination, Reason
from controller.priority import settle_garbage
from plc import register_map as m
from plc.opcua_certificates import files_in, make_certificate
from plc.opcua_settings import load_certificate
from plc.polled_link import PolledLink
from sim.bench.echo import Asking, Trips, asking
from sim.bench.trips import Tap
from sim.bench.watched import StopWatch, watched_link
from sim.demo_files import write_lines

SLICES_MAX = 5
CONNECT_LIMIT_S = 30.0
ECHO_LIMIT_S = 5.0
TAP_S = 0.6
SETTLE_S = 0.3
# A decision comes when a parcel has passed its last sensor, not when the poll would like it.
BETWEEN_DECISIONS_S = (0.004, 0.025)


@dataclass(frozen=True, slots=True)
class Wiring:
    """What is between line and PLC; `peer` names the PLC's own port, see _PEERS."""

    title: str
    peer: str
    protocol: Literal["modbus", "opcua"] = "opcua"
    backend: Literal["asyncua", "opcua"] = "asyncua"
    tls: bool = False


WIRES = {
    "modbus": Wiring("Modbus", "modbus", "modbus"),
    "modbus-tls": Wiring("Modbus in TLS, two relays", "modbus", "modbus", tls=True),
    "opcua-plain": Wiring("OPC UA asyncua, plain", "opcua-plain"),
    "opcua": Wiring("OPC UA asyncua, encrypted", "opcua"),
    "legacy-plain": Wiring("OPC UA opcua, plain", "opcua-plain", backend="opcua"),
    "legacy": Wiring("OPC UA opcua, encrypted", "opcua", backend="opcua"),
}
_PEERS = {
    "modbus": ("modbus",),
    "opcua-plain": ("opcua", "--plain"),
    "opcua": ("opcua",),
}


def installed() -> list[str]:
    """The names of the wires whose library is here."""
    return [name for name, wire in WIRES.items() if find_spec(wire.backend) is not None]


@dataclass(slots=True)
class Measured:
    """One wire: what it took, in ns, and the same bytes over a bare connection."""

    name: str
    plc: PlcConfig
    poll_trips: Trips = ()
    decision_trips: Trips = ()
    polls_ns: list[int] = field(default_factory=list)
    decisions_ns: list[int] = field(default_factory=list)
    poll_floor_ns: list[int] = field(default_factory=list)
    decision_floor_ns: list[int] = field(default_factory=list)


class Host:
    """What the line's core is to its link: takes records as durable, decides, awaits the answer."""

    def __init__(self, link: PolledLink) -> None:
        self.up: asyncio.Future[PlcConnected] = asyncio.get_running_loop().create_future()
        self._link = link
        self._seq = 0
        self._answer: asyncio.Future[DecisionEchoed] | None = None

    def deliver(self, event: Event) -> None:
        match event:
            case PlcConnected() if not self.up.done():
                self._seq = event.decision_seq_max
                self.up.set_result(event)
            case PlcRecord():
                self._link.acknowledge(event.boot_id, event.ring_seq)
            case DecisionEchoed() if self._answer is not None and not self._answer.done():
                self._answer.set_result(event)
            case _:
                pass

    async def decide(self) -> DecisionEchoed:
        """Hold the parcel that stands on the belt, again. TimeoutError without an answer."""
        up = self.up.result()
        self._answer = asyncio.get_running_loop().create_future()
        self._seq += 1
        track_id, reason = up.on_belt[0].track_id, int(Reason.NO_WEIGHT)
        decision = (self._seq, up.boot_id, up.session, track_id, Destination.HOLD, reason)
        self._link.send(SendDecision(*decision))
        async with asyncio.timeout(ECHO_LIMIT_S):
            return await self._answer


@asynccontextmanager
async def _connected(plc: PlcConfig, watch: StopWatch) -> AsyncIterator[Host]:
    """A link up and running. TimeoutError if it does not come up."""
    link = watched_link(plc, watch)
    host = Host(link)
    task = asyncio.get_running_loop().create_task(link.run(host.deliver))
    try:
        async with asyncio.timeout(CONNECT_LIMIT_S):
            await host.up
        await asyncio.sleep(SETTLE_S)
        yield host
    finally:
        task.cancel()
        await asyncio.wait([task])


class PlcBench:
    """`seconds` of polls for each wire, as long decisions, as long their floors."""

    def __init__(
        self, directory: Path, seconds: float, seed: int, tell: Callable[[str], None]
    ) -> None:
        self._directory = directory
        self._slices = max(1, min(SLICES_MAX, int(seconds)))
        self._slice_s = seconds / self._slices
        self._rng = Random(f"bench plc {seed}")
        self._tell = tell
        self._clock = SystemClock()

    async def run(self, wanted: Sequence[str]) -> list[Measured]:
        """These of WIRES. TimeoutError or OSError if a peer does not come up or does not answer."""
        async with AsyncExitStack() as stack:
            wires = await self._wires(stack, wanted)
            echo = await asking(await _port(stack, "sim.bench.echo"))
            stack.callback(echo.transport.close)
            settle_garbage()
            for wire in wires:
                await self._count_bytes(wire)
            for number in range(self._slices):
                for wire in wires:
                    self._tell(f"{number + 1} of {self._slices}: {wire.name}")
                    await self._links_turn(wire)
                    await self._floors_turn(wire, echo)
            return wires

    # --- the peers --------------------------------------------------------------------------------

    async def _wires(self, stack: AsyncExitStack, wanted: Sequence[str]) -> list[Measured]:
        """With their PLCs started."""
        (file,) = write_lines(self._directory, 1, 5000, "opcua")
        plc, ports = load(file).plc, dict[str, int]()
        peer = ("sim.bench.plc_peer", str(file), "--protocol")
        for key, arguments in _PEERS.items():
            if any(WIRES[name].peer == key for name in wanted):
                ports[key] = await _port(stack, *peer, *arguments)
        wires = []
        for name in wanted:
            wire = WIRES[name]
            port = ports[wire.peer]
            if wire.tls:
                port = await self._through_tls(stack, port)
            security: Literal["none", "sign_and_encrypt"] = (
                "none" if wire.peer == "opcua-plain" else "sign_and_encrypt"
            )
            own = replace(
                plc,
                port=port,
                protocol=wire.protocol,
                opcua_backend=wire.backend,
                opcua_security=security,
            )
            wires.append(Measured(wire.title, own))
        return wires

    async def _through_tls(self, stack: AsyncExitStack, port: int) -> int:
        """A relay before the PLC and one before the line, each a process; the port to connect to."""
        ours = self._pem("tls-line")
        theirs = self._pem("tls-plc")
        for (own, key), (other, _), side in (
            (theirs, ours, "--accept-tls"),
            (ours, theirs, "--connect-tls"),
        ):
            files = ("--certificate", str(own), "--key", str(key), "--trusted", str(other))
            port = await _port(stack, "sim.tls_proxy", side, "--port", str(port), *files)
        return port

    def _pem(self, name: str) -> tuple[Path, Path]:
        folder = self._directory / name
        make_certificate(folder, f"urn:parcelgate:bench:{name}", ("127.0.0.1",))
        files = files_in(folder)
        pem = folder / "certificate.pem"
        pem.write_bytes(load_certificate(files.certificate).public_bytes(Encoding.PEM))
        return pem, files.private_key

    # --- the turns --------------------------------------------------------------------------------

    async def _count_bytes(self, wire: Measured) -> None:
        """Once, through a relay that counts; never while anything is timed."""
        watch, tap = StopWatch(on=True), Tap(wire.plc.port, self._clock)
        plc = replace(wire.plc, port=await tap.start())
        async with _connected(plc, watch) as host:
            await asyncio.sleep(TAP_S)
            watch.on = False
            await host.decide()
        await tap.stop()
        wire.poll_trips, wire.decision_trips = tap.usual(watch.polls), tap.usual(watch.submits)

    async def _links_turn(self, wire: Measured) -> None:
        watch = StopWatch()
        async with _connected(wire.plc, watch) as host:
            watch.on = True
            await asyncio.sleep(self._slice_s)
            watch.on = False
            until_ns = self._clock.monotonic_ns() + int(self._slice_s * NS_PER_S)
            while self._clock.monotonic_ns() < until_ns:
                await asyncio.sleep(self._rng.uniform(*BETWEEN_DECISIONS_S))
                began_ns = self._clock.monotonic_ns()
                answer = await host.decide()
                wire.decisions_ns.append(self._clock.monotonic_ns() - began_ns)
                assert answer.result is DecisionResult.ACCEPTED, "a hold is always accepted"
        wire.polls_ns += [end - begin for begin, end in watch.polls]

    async def _floors_turn(self, wire: Measured, echo: Asking) -> None:
        """Each at the pace of the polls: in a closed loop an echo need not wake anybody and is quicker."""
        until_ns = self._clock.monotonic_ns() + int(self._slice_s * NS_PER_S)
        floors = (
            (wire.poll_trips, wire.poll_floor_ns),
            (wire.decision_trips, wire.decision_floor_ns),
        )
        while self._clock.monotonic_ns() < until_ns:
            for trips, samples in floors:
                await asyncio.sleep(m.POLL_PERIOD_MS / len(floors) / 1_000)
                began_ns = self._clock.monotonic_ns()
                await echo.trips(trips)
                samples.append(self._clock.monotonic_ns() - began_ns)


async def _port(stack: AsyncExitStack, module: str, *arguments: str) -> int:
    """Start a module of ours that says its port, ended with `stack`. OSError if it does not say it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), stdout=asyncio.subprocess.PIPE
    )
    stack.push_async_callback(_ended, process)
    assert process.stdout is not None, "it was started with a pipe"
    async with asyncio.timeout(CONNECT_LIMIT_S):
        said = await process.stdout.readline()
    if not said:
        raise OSError(f"{module} did not start")
    return int(said)


async def _ended(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.kill()
    await process.wait()
