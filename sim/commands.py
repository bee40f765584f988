"""The simulator's commands: `demo` and `factory`, added to `parcelgate` by entry point.

Only argument parsing lives here; what a command needs is imported when it runs, so that `--help`
never pays for pictures.
"""

import argparse
import asyncio
import json
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

OK, NOT_OK, WRONG_USE = 0, 1, 2
LINES_MAX = 8
INTAKE_WAIT_S = 60.0


def demo(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `demo`."""
    parser = subparsers.add_parser(
        "demo", help="the whole factory on this machine, judged by the simulator"
    )
    parser.add_argument("--parcels", type=positive, help="stop after so many have left each line")
    parser.add_argument("--rate", type=positive, default=5000, help="parcels an hour and line")
    parser.add_argument("--lines", type=positive, default=1, help="conveyors")
    parser.add_argument("--plc", choices=("modbus", "opcua"), default="modbus", help="PLC protocol")
    parser.add_argument(
        "--opcua-backend", choices=("asyncua", "opcua"), default="asyncua", help="client library"
    )
    parser.add_argument("--seed", type=int, default=1, help="of parcels, lists and sensors")
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the report as JSON")
    parser.add_argument("--json", action="store_true", help="print the report as JSON only")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="state directory that stays")
    parser.set_defaults(run=_run_demo)


def factory(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `factory`."""
    parser = subparsers.add_parser(
        "factory", help="a simulated plant, X-ray source and customs side behind one line.toml"
    )
    parser.add_argument("line_toml", type=Path)
    parser.add_argument("--parcels", type=positive, help="end after so many; default: endless")
    parser.add_argument("--rate", type=positive, help="parcels an hour; default: line.toml's")
    parser.add_argument(
        "--seed", type=int, default=1, help="another one for every run against one controller"
    )
    parser.add_argument("--truth", type=Path, help="where the truth is written at the end")
    parser.add_argument("--first-number", type=positive, default=1, help=argparse.SUPPRESS)
    parser.set_defaults(run=_run_factory)


def positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


# --- demo ---------------------------------------------------------------------------------------


def _run_demo(options: argparse.Namespace) -> int:
    from rich.console import Console

    from controller.config import check_together, load
    from sim.demo import DemoOptions, run_demo
    from sim.demo_files import write_lines
    from sim.demo_progress import Progress
    from sim.report import holds, print_report

    if options.lines > LINES_MAX:
        print(f"At most {LINES_MAX} lines fit a demo.", file=sys.stderr)
        return WRONG_USE
    if not _rate_fits(options.rate):
        return WRONG_USE
    people = Console(stderr=options.json)
    with state_dir(options.keep) as directory:
        files = write_lines(
            directory, options.lines, options.rate, options.plc, options.opcua_backend
        )
        configs = [load(file) for file in files]
        check_together(configs)
        progress = Progress(people, configs, options.parcels)
        demo_options = DemoOptions(options.parcels, options.seed)
        with progress:
            report = asyncio.run(run_demo(configs, demo_options, progress.tell, progress.ready))
    if options.report is not None:
        options.report.write_text(json.dumps(report, indent=2), "utf-8")
    if options.json:
        print(json.dumps(report, indent=2))
    else:
        print_report(report, people)
    return OK if holds(report) else NOT_OK


def _rate_fits(rate_parcels_per_h: int) -> bool:
    """Said before anything is started: the reference line's speed bounds the rate."""
    from sim.workload import make_workload

    try:
        make_workload(1, 1, rate_parcels_per_h, speed_mm_per_s=1000)
    except ValueError as error:
        print(f"{error}.", file=sys.stderr)
        return False
    return True


@contextmanager
def state_dir(keep: Path | None) -> Iterator[Path]:
    """A fresh directory with a short name, since a Unix socket's path has at most 107 bytes."""
    if keep is not None:
        if keep.exists() and any(keep.iterdir()):
            raise FileExistsError(0, "is not empty; a demo starts from nothing", str(keep))
        keep.mkdir(parents=True, exist_ok=True)
        yield keep.absolute()
        return
    with tempfile.TemporaryDirectory(prefix="parcelgate-") as directory:
        yield Path(directory)


# --- factory ------------------------------------------------------------------------------------


def _run_factory(options: argparse.Namespace) -> int:
    from controller.clock import SystemClock
    from controller.config import load
    from sim.customs_side import CustomsRefused
    from sim.factory import Factory, FactoryOptions, wait_for_intake

    config = load(options.line_toml)
    clock = SystemClock()
    factory_options = FactoryOptions(
        parcels=options.parcels,
        seed=options.seed,
        rate_parcels_per_h=options.rate or config.rate_parcels_per_h,
        truth_file=options.truth or config.paths.state_dir / f"truth-{config.line.name}.json",
        first_number=options.first_number,
    )

    async def serve() -> None:
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, stop.set)
        await wait_for_intake(config.paths.state_dir / "intake.sock", INTAKE_WAIT_S, clock)
        await Factory(config, factory_options, clock).run(stop)

    failed = False
    try:
        asyncio.run(serve())
    except* (OSError, RuntimeError, ValueError, CustomsRefused) as group:
        failed = True
        for error in group.exceptions:
            why = error.strerror if isinstance(error, OSError) and error.strerror else error
            print(f"parcelgate factory: {why}", file=sys.stderr)
    return NOT_OK if failed else OK
