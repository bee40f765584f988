"""`python -m controller.app --config line.toml`: the line process.

Its exit code is 0 only after an ordered stop. Anything unexpected ends it at once: the PLC holds by
itself, and the supervisor starts it again.
"""

import argparse
import asyncio
import logging
import signal
import sys
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from controller import priority
from controller.clock import SystemClock
from controller.config import ConfigError, LineConfig, load
from controller.interfaces import Clock
from controller.journal.day_file import JournalBusy
from controller.runtime.counters_file import CountersFile
from controller.runtime.line_process import LineProcess
from controller.runtime.loop_lag import LoopLag
from plc.modbus_link import ModbusLink
from plc.polled_link import PolledLink

log = logging.getLogger(__name__)


def plc_link(config: LineConfig, clock: Clock, session: int) -> PolledLink:
    """The PLC link that line.toml asks for. ConfigError if its certificates cannot be used."""
    if config.plc.protocol == "opcua":
        # a Modbus line does not pay for the other library's memory and start
        from plc.opcua_choice import opcua_link

        return opcua_link(config.plc, clock, session)
    return ModbusLink(
        config.plc.host,
        config.plc.port,
        clock,
        session,
        device_id=config.plc.device_id,
        base_address=config.plc.base_address,
    )


async def run_line(config: LineConfig) -> None:
    """Serve one line until SIGTERM or SIGINT; raises on a bug, wherever on the loop it happened."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    crash: list[BaseException] = []

    def crashed(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        error = context.get("exception")
        log.critical("%s", context["message"], exc_info=error)
        crash.append(error or RuntimeError(context["message"]))
        stop.set()

    loop.set_exception_handler(crashed)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    process = LineProcess(config, version("parcelgate"), plc_link)
    # As for any log: the file so far is closed and signed, and may be handed over.
    loop.add_signal_handler(signal.SIGHUP, process.begin_file)
    priority.settle_garbage()
    log.info("%s", priority.lock_memory())
    counters = CountersFile(
        config.paths.state_dir / f"line-{config.line.name}.counters.json",
        lambda: asdict(process.link.counters),  # type: ignore[attr-defined]
        LoopLag(loop, SystemClock()),
    )
    counters.start()
    try:
        await process.run(stop)
    finally:
        counters.stop()
    if crash:
        raise crash[0]


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 stopped in order, 1 could not start or crashed."""
    parser = argparse.ArgumentParser(prog="parcelgate-line", description="one line's controller")
    parser.add_argument("--config", type=Path, required=True, help="line.toml")
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    try:
        asyncio.run(run_line(load(parser.parse_args(argv).config)))
    except (ConfigError, JournalBusy, OSError) as error:
        print(f"parcelgate: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
