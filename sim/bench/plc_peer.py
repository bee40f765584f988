"""`python -m sim.bench.plc_peer LINE_TOML`: the soft PLC with work for every poll, in its own process.

The belt stands with one parcel on it, for which decisions can be taken for ever. While a host is latched
each scan of 10 ms writes as many records as one Modbus read holds; otherwise the PLC dozes, so that it
does not disturb the others that are measured.
"""

import argparse
import asyncio
import logging
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.events import Triggered
from controller.core.units import NS_PER_MS, NS_PER_S, NS_PER_US
from controller.interfaces import Clock
from plc import register_map as m
from sim.opcua_server import OpcuaPlcServer
from sim.plc_io import EyeEdge, PlcInputs
from sim.plc_ports import plc_port
from sim.plc_server import PlcPort, PlcServer
from sim.soft_plc import SoftPlc

# A link that ends its turn leaves a request unanswered, which the library reports byte by byte.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)

SCAN_MS, DOZE_MS = 10, 100
PARCEL_COUNTS = 300
# Far from where the PLC would stop the infeed: a host that is late shall not change what is measured.
FILL_MAX = m.RING_INFEED_STOP_FILL - m.RECORDS_PER_READ


class Peer:
    """One PLC behind one port."""

    def __init__(self, config: LineConfig, port: PlcPort, clock: Clock) -> None:
        self._plc = SoftPlc(config.line, Random())
        self._source = config.line.xray_source
        self._port = port
        self._clock = clock
        self._triggers = 0

    async def run(self, stop: asyncio.Event) -> None:
        """Scan until `stop`."""
        await self._scan(PlcInputs(0, 0))
        at_us = self._clock.monotonic_ns() // NS_PER_US
        edges = (EyeEdge(1, True, 0, at_us), EyeEdge(1, False, PARCEL_COUNTS, at_us))
        await self._scan(PlcInputs(PARCEL_COUNTS, 0, edges=edges))
        due_ns = self._clock.monotonic_ns()
        while not stop.is_set():
            latched = self._plc.host.session != 0
            due_ns = max(due_ns, self._clock.monotonic_ns() - SCAN_MS * NS_PER_MS)
            due_ns += (SCAN_MS if latched else DOZE_MS) * NS_PER_MS
            await asyncio.sleep(max(0, due_ns - self._clock.monotonic_ns()) / NS_PER_S)
            if latched and self._plc.plant.ring.fill <= FILL_MAX:
                for _ in range(m.RECORDS_PER_READ):
                    self._triggers += 1
                    self._plc.plant.record(Triggered, self._source, 1, self._triggers)
            await self._scan(PlcInputs(PARCEL_COUNTS, 0))

    async def _scan(self, inputs: PlcInputs) -> None:
        now_us = self._clock.monotonic_ns() // NS_PER_US
        outputs = self._plc.scan(now_us, inputs, self._port.host_blocks())
        await self._port.commit(outputs.commits)


async def _run(config: LineConfig) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    server = plc_port(config)
    await server.start()
    assert isinstance(server, PlcServer | OpcuaPlcServer), "the two protocols"
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    try:
        await Peer(config, server, SystemClock()).run(stop)
    finally:
        await server.stop()


def main(argv: Sequence[str] | None = None) -> int:
    """Says in one line on which port it listens; runs until it is stopped."""
    parser = argparse.ArgumentParser(prog="sim.bench.plc_peer", description=__doc__)
    parser.add_argument("line_toml", type=Path)
    parser.add_argument("--protocol", choices=("modbus", "opcua"), required=True)
    parser.add_argument("--plain", action="store_true", help="OPC UA without security")
    options = parser.parse_args(argv)
    config = load(options.line_toml)
    security = "none" if options.plain else config.plc.opcua_security
    plc = replace(config.plc, port=0, protocol=options.protocol, opcua_security=security)
    asyncio.run(_run(replace(config, plc=plc)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
