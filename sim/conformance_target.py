"""`python -m sim.conformance_target LINE_TOML [--port N]`: the soft PLC in test mode, on the wire.

What `parcelgate conformance` is tried against, and an example of what a PLC in test mode answers. It
says where it listens in one line on standard output and runs until it is stopped.
"""

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

from controller.clock import SystemClock
from controller.config import ConfigError, LineConfig, load
from controller.core.units import NS_PER_S, NS_PER_US
from controller.interfaces import Clock
from sim.plc_ports import plc_port
from sim.plc_server import PlcPort, PlcServer
from sim.plc_test_mode import TestModePlc


async def serve(plc: TestModePlc, port: PlcPort, clock: Clock, stop: asyncio.Event) -> None:
    """Scan in real time until `stop`; a stall is made up for scan by scan."""
    epoch_ns, now_us = clock.monotonic_ns(), 0
    while not stop.is_set():
        now_us += plc.scan_us
        wait_ns = epoch_ns + now_us * NS_PER_US - clock.monotonic_ns()
        await asyncio.sleep(max(0, wait_ns) / NS_PER_S)
        await port.commit(plc.scan(now_us, port.host_blocks()))


async def _run(options: argparse.Namespace) -> None:
    config = load(options.line_toml)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    port = config.plc.port if options.port is None else options.port
    config = replace(config, plc=replace(config.plc, host=options.host, port=port))
    server = plc_port(config)
    await server.start()
    sys.stdout.write(f"{_url(config, server)}\n")
    sys.stdout.flush()
    try:
        await serve(TestModePlc(config.line, Random(options.seed)), server, SystemClock(), stop)
    finally:
        await server.stop()


def _url(config: LineConfig, server: PlcPort) -> str:
    plc = config.plc
    if isinstance(server, PlcServer):
        return f"modbus://{plc.host}:{server.port}/{plc.base_address}?device={plc.device_id}"
    return f"opc.tcp://{plc.host}:{plc.port}{plc.opcua_path}"


def main(argv: Sequence[str] | None = None) -> int:
    """Exit code: 0 stopped, 1 the port is taken, 2 wrong configuration."""
    parser = argparse.ArgumentParser(prog="sim.conformance_target", description=__doc__)
    parser.add_argument("line_toml", type=Path)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, help="0: any free one; default: line.toml's")
    parser.add_argument("--seed", type=int, default=1, help="of the boot ids")
    options = parser.parse_args(argv)
    try:
        asyncio.run(_run(options))
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    except RuntimeError as error:
        sys.stderr.write(f"{options.host}:{options.port}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
