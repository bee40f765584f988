"""The command `soak`, added to `parcelgate` by entry point; it parses arguments and prints."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from sim.commands import state_dir

OK, NOT_OK, WRONG_USE = 0, 1, 2


def soak(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `soak`."""
    parser = subparsers.add_parser(
        "soak", help="the real line for minutes or days, with something breaking every half minute"
    )
    parser.add_argument("--minutes", type=_minutes, required=True, help="of parcels at this rate")
    parser.add_argument("--rate", type=int, default=5000, help="parcels an hour")
    parser.add_argument("--seed", type=int, default=1, help="of parcels and of faults")
    parser.add_argument("--json", action="store_true", help="print the report as JSON only")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="state directory that stays")
    parser.set_defaults(run=_run)


def _minutes(text: str) -> float:
    minutes = float(text)
    if not 0.1 <= minutes <= 100_000:
        raise argparse.ArgumentTypeError(f"{text} is not between 0.1 and 100000")
    return minutes


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    from controller.config import load
    from controller.supervisor import SupervisorError
    from sim.demo_files import write_lines
    from sim.demo_progress import Progress
    from sim.soak.run import Soak, SoakOptions

    people = Console(stderr=options.json)
    soak_options = SoakOptions(options.minutes, options.rate, options.seed)
    failures: list[BaseException] = []
    with state_dir(options.keep) as directory:
        (file,) = write_lines(directory, 1, options.rate, "modbus")
        plant = load(file)
        progress = Progress(people, [plant], soak_options.parcels)
        run = Soak(directory, soak_options, progress.tell, lambda text: people.print(f"- {text}"))
        try:
            with progress:
                report = asyncio.run(run.run(plant))
        except* (SupervisorError, TimeoutError) as group:
            failures += group.exceptions
    if failures:
        print(f"parcelgate soak: {failures[0]}", file=sys.stderr)
        return NOT_OK
    answer = report.as_json()
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        for key, value in answer.items():
            print(f"{key:22}{value}")
    return OK if report.ok else NOT_OK
