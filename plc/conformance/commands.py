"""`parcelgate conformance URL`: does this PLC fulfil the duties of docs/plc-interface.md?

Exit code 0 only if every check that applies ran and passed; what was not run is listed as such.
"""

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from controller.clock import SystemClock
from controller.config import LineConfig, load
from plc.conformance.suite import (
    CHECKS,
    Check,
    Outcome,
    Result,
    SecondHost,
    new_session,
    passed,
    run_suite,
)
from plc.conformance.targets import FORMS, target_at
from plc.conformance.wire import WireLost

if TYPE_CHECKING:
    from rich.console import Console

OK, NOT_OK, WRONG_USE = 0, 1, 2
_COLOURS = {Result.PASSED: "green", Result.FAILED: "bold red", Result.NOT_RUN: "yellow"}


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `conformance`."""
    parser = subparsers.add_parser(
        "conformance", help="try a PLC or PLC program against the duties of docs/plc-interface.md"
    )
    parser.add_argument("url", help=FORMS)
    parser.add_argument(
        "--line",
        type=Path,
        metavar="LINE_TOML",
        help="the line's geometry, for checks with parcels, and its certificates",
    )
    parser.add_argument(
        "--only", action="append", metavar="CHECK", help="only checks whose name holds this text"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON only")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    from rich.console import Console

    checks = _chosen(options.only)
    if not checks:
        names = ", ".join(check.name for check in CHECKS)
        print(f"No check has such a name; there are: {names}.", file=sys.stderr)
        return WRONG_USE
    config = None if options.line is None else load(options.line)
    console = Console(stderr=options.json)
    tell = _teller(console)
    try:
        outcomes = asyncio.run(_ask(options.url, config, checks, tell))
    except ValueError as error:
        print(error, file=sys.stderr)
        return WRONG_USE
    except SecondHost as refusal:
        print(refusal, file=sys.stderr)
        return NOT_OK
    except WireLost as lost:
        print(f"The PLC at {options.url} cannot be tried: {lost}.", file=sys.stderr)
        return NOT_OK
    if options.json:
        print(json.dumps(as_json(options.url, outcomes), indent=2))
    else:
        console.print(summary(outcomes))
    return OK if passed(outcomes) else NOT_OK


def _chosen(only: Sequence[str] | None) -> Sequence[Check]:
    if only is None:
        return CHECKS
    return [check for check in CHECKS if any(text.lower() in check.name.lower() for text in only)]


async def _ask(
    url: str,
    config: LineConfig | None,
    checks: Sequence[Check],
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    session = new_session(secrets.randbits)
    line = None if config is None else config.line
    async with target_at(url, config, SystemClock()) as wire:
        return await run_suite(wire, session, line, checks, tell)


def as_json(url: str, outcomes: Sequence[Outcome]) -> dict[str, object]:
    """`{"url", "passed", "counts", "checks": [{"name", "duties", "result", "sentence"}]}`."""
    rows = [
        {
            "name": outcome.name,
            "duties": outcome.duties.split(),
            "result": outcome.result.value,
            "sentence": outcome.sentence,
        }
        for outcome in outcomes
    ]
    return {"url": url, "passed": passed(outcomes), "counts": counts(outcomes), "checks": rows}


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    return {
        result.value: sum(outcome.result is result for outcome in outcomes) for result in Result
    }


def summary(outcomes: Sequence[Outcome]) -> str:
    """The last line for a person."""
    return ", ".join(f"{number} {name}" for name, number in counts(outcomes).items()) + "."


def _teller(console: "Console") -> Callable[[Outcome], None]:
    from rich.markup import escape

    def tell(outcome: Outcome) -> None:
        colour = _COLOURS[outcome.result]
        row = f"[{colour}]{outcome.result.value:8}[/] {outcome.duties:8} {outcome.name:35}"
        console.print(f"{row} {escape(outcome.sentence)}".rstrip(), soft_wrap=True)

    return tell
