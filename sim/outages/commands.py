"""The arguments of `torture plc`, and its run; `sim.torture.commands` puts it among the others."""

import argparse
import asyncio
import json
import os
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from sim.commands import positive, state_dir

if TYPE_CHECKING:
    from sim.outages.table import Row

OK, NOT_OK = 0, 1


def add_plc(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `plc`."""
    parser = kinds.add_parser("plc", help="kills, stops and cuts between line and PLC, timed")
    parser.add_argument(
        "--trials", type=positive, default=30, help="of each case; 30 of all take 20 minutes a wire"
    )
    parser.add_argument("--wire", choices=("modbus", "opcua", "both"), default="both")
    parser.add_argument(
        "--case",
        action="append",
        choices=("plc-kill", "line-kill", "plc-stop", "line-stop", "cut"),
        help="only this one; may be given again",
    )
    parser.add_argument("--seed", type=int, default=1, help="of parcels and moments")
    parser.add_argument("--json", action="store_true", help="print the rows as JSON")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="state directory that stays")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from controller.priority import FIFO_PRIORITY
    from controller.supervisor import SupervisorError
    from sim.machine import load_now, machine
    from sim.outages.run import WIRES, outages
    from sim.outages.table import printed
    from sim.outages.trial import Case
    from sim.torture.report import say

    wires = WIRES if options.wire == "both" else (options.wire,)
    cases = [case for case in Case if options.case is None or case.value in options.case]
    # this process is the cable between the two; a cable does not wait for its turn
    with suppress(OSError):
        first = os.sched_param(FIFO_PRIORITY)
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, first)
    load_before = load_now()
    rows: list[Row] = []
    failed: list[str] = []
    with state_dir(options.keep) as directory:
        try:
            work = outages(directory, wires, cases, options.trials, options.seed, say)
            rows = asyncio.run(work)
        except* SupervisorError as group:
            failed = [str(error) for error in group.exceptions]
    for why in failed:
        say(f"parcelgate torture plc: {why}")
    here = machine(load_before)
    if options.json:
        answer = {"ok": _ok(rows), "machine": asdict(here), "rows": [asdict(row) for row in rows]}
        print(json.dumps(answer))
    elif rows:
        print(f"{here}\n\n{printed(rows)}")
    return OK if _ok(rows) and not failed else NOT_OK


def _ok(rows: "list[Row]") -> bool:
    return bool(rows) and all(row.ok for row in rows)
