"""The command `bench`, added to `parcelgate` by entry point; it parses arguments and prints."""

import argparse
import asyncio
import json
import sys
import tempfile
from pathlib import Path

OK, NOT_OK = 0, 1
SECONDS_MIN, SECONDS_MAX = 0.5, 3_600.0


def bench(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `bench`."""
    parser = subparsers.add_parser("bench", help="how long things take on this machine")
    names = parser.add_subparsers(required=True, metavar="NAME")
    plc = names.add_parser("plc", help="polls and decisions over every wire, plain and encrypted")
    plc.add_argument(
        "--seconds",
        type=_seconds,
        default=25.0,
        metavar="N",
        help="of polls, of decisions and of their floors for each wire (default: 25, enough for a p99"
        " of polls; with all wires eight minutes)",
    )
    plc.add_argument(
        "--wire",
        action="append",
        choices=("modbus", "modbus-tls", "opcua-plain", "opcua", "legacy-plain", "legacy"),
        help="only this one; may be given again",
    )
    plc.add_argument("--seed", type=int, default=1, help="of the moments of decisions")
    plc.add_argument("--json", action="store_true", help="print the figures as JSON")
    plc.set_defaults(run=_run_plc)


def _seconds(text: str) -> float:
    seconds = float(text)
    if not SECONDS_MIN <= seconds <= SECONDS_MAX:
        raise argparse.ArgumentTypeError(f"{text} is not {SECONDS_MIN:g} to {SECONDS_MAX:g}")
    return seconds


def _run_plc(options: argparse.Namespace) -> int:
    from sim.bench.plc import PlcBench, installed
    from sim.bench.table import printed, report
    from sim.machine import load_now, machine

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    wanted = options.wire or installed()
    load_before = load_now()
    with tempfile.TemporaryDirectory(prefix="parcelgate-") as directory:
        bench = PlcBench(Path(directory), options.seconds, options.seed, tell)
        try:
            wires = asyncio.run(bench.run(wanted))
        except (TimeoutError, OSError) as error:
            print(f"parcelgate bench: {error or 'a PLC does not answer'}", file=sys.stderr)
            return NOT_OK
    answer = report(wires, machine(load_before))
    print(json.dumps(answer) if options.json else printed(answer))
    return OK
