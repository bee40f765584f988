"""`parcelgate torture kill|plc|powercut|bitrot|tamper|diskfull|fsync`: break it on purpose and judge it.

Each prints its counts and ends with 1 if anything was lost, changed unseen, or released on the way.
What a torture needs is imported when it runs.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from sim.commands import positive, state_dir
from sim.outages.commands import add_plc

if TYPE_CHECKING:
    from sim.torture.report import Report

OK, NOT_OK = 0, 1
# name: (how its repetitions are called, how many by default, help). Each has a module of its name
# with a function of its name: (repetitions, seed) -> Report. The defaults take 5 to 60 s each.
_SIMULATED = {
    "powercut": ("--cuts", 1_000, "the power goes at any moment; un-synced writes lost or torn"),
    "bitrot": ("--runs", 600, "one bit of a journal flips"),
    "tamper": ("--runs", 680, "somebody with write access changes a journal"),
    "diskfull": ("--runs", 100, "the disk fills under a shift"),
    "fsync": ("--runs", 150, "syncs fail and lose their writes; then a disk that stands still"),
}


def torture(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `torture`."""
    parser = subparsers.add_parser("torture", help="break the controller on purpose and judge it")
    kinds = parser.add_subparsers(required=True, metavar="KIND")
    _add_kill(kinds)
    add_plc(kinds)
    for name, (option, default, words) in _SIMULATED.items():
        each = kinds.add_parser(name, help=words)
        each.add_argument(option, dest="runs", type=positive, default=default, metavar="N")
        each.add_argument("--seed", type=int, default=1, help="of parcels, places and moments")
        each.add_argument("--json", action="store_true", help="print the report as JSON")
        each.set_defaults(run=_run_simulated, torture=name)


def _add_kill(kinds: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    kill = kinds.add_parser("kill", help="SIGKILL for the line process at the moments that matter")
    kill.add_argument("--kills", type=positive, default=20, help="at least 4, spread evenly")
    kill.add_argument(
        "--plain",
        type=positive,
        metavar="N",
        help="instead: N kills of a process that only journals, without a factory",
    )
    kill.add_argument("--seed", type=int, default=1, help="of parcels, order and moments")
    kill.add_argument("--json", action="store_true", help="print the report as JSON")
    kill.add_argument("--keep", type=Path, metavar="DIR", help="state directory that stays")
    kill.set_defaults(run=_run_kill)


def _run_simulated(options: argparse.Namespace) -> int:
    module = import_module(f"sim.torture.{options.torture}")
    return _print(getattr(module, options.torture)(options.runs, options.seed), options.json)


def _print(report: "Report", as_json: bool) -> int:
    from sim.torture.report import show

    print(show(report, as_json))
    return OK if report.ok else NOT_OK


def _run_kill(options: argparse.Namespace) -> int:
    if options.plain:
        from sim.torture.plain_kill import plain_kill

        return _print(plain_kill(options.plain, options.seed), options.json)
    from sim.torture_kill import KillTorture

    def tell(text: str) -> None:
        print(text, file=sys.stderr, flush=True)

    async def torture() -> int:
        report = await KillTorture(directory, options.kills, options.seed, tell).run()
        answer = asdict(report)
        if options.json:
            print(json.dumps(answer, ensure_ascii=False))
        else:
            for key, value in answer.items():
                print(f"{key:22}{value}")
        return OK if report.ok else NOT_OK

    with state_dir(options.keep) as directory:
        return asyncio.run(torture())
