"""`parcelgate check LINE_TOML`: before a line runs, is everything there and as its line.toml says?

It moves nothing and takes nothing from the line. A line that another host controls is left alone. Exit
code 0 only if nothing failed and nothing was left out.
"""

import argparse
import asyncio
import json
import secrets
import sys
from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from controller.check import site
from controller.check.findings import Finding, State, Tell, holds
from controller.check.plc_part import PlcCheck, check_plc
from controller.check.points import Point
from controller.check.xray import xray_source
from controller.clock import SystemClock
from controller.config import LineConfig, load
from plc.conformance.suite import SecondHost, new_session
from plc.conformance.targets import target_of
from plc.conformance.wire import WireLost

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

OK, NOT_OK = 0, 1
_COLOURS = {
    State.OK: "green",
    State.WARNING: "yellow",
    State.FAILED: "bold red",
    State.NOT_RUN: "yellow",
}
_REFRESH_PER_S = 8


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check`."""
    parser = subparsers.add_parser("check", help="is everything a line needs there and right?")
    parser.add_argument("line_toml", type=Path)
    parser.add_argument("--report", type=Path, metavar="FILE", help="write the findings as JSON")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON only")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    config = load(options.line_toml)
    findings: list[Finding] = []
    points: list[Point] = []
    try:
        asyncio.run(check_line(config, findings, points, live=not options.json))
    except SecondHost as refusal:
        print(f"SECOND_HOST: {refusal}", file=sys.stderr)
        return NOT_OK
    report = as_json(config, findings, points)
    if options.report is not None:
        options.report.write_text(json.dumps(report, indent=2), "utf-8")
    if options.json:
        print(json.dumps(report, indent=2))
    return OK if holds(findings) else NOT_OK


def as_json(
    config: LineConfig, findings: Sequence[Finding], points: Sequence[Point]
) -> dict[str, object]:
    """`{"line", "holds", "findings": [...], "points": [{"address", "name", "value"}]}`."""
    rows = [{**asdict(finding), "state": finding.state.value} for finding in findings]
    return {
        "line": config.line.name,
        "file": str(config.file),
        "holds": holds(findings),
        "findings": rows,
        "points": [asdict(point) for point in points],
    }


async def check_line(
    config: LineConfig,
    findings: list[Finding],
    points: list[Point],
    *,
    live: bool,
    writes: int = site.P99_WRITES,
) -> None:
    """Fill `findings` and `points`. SecondHost if the line is in other hands."""
    if site.line_process_runs(config):
        raise SecondHost(f"The line process of {config.line.name} runs on this PC: stop it first.")
    from rich.console import Console

    clock, console = SystemClock(), Console(quiet=not live)
    tell = _teller(findings, console)
    # the PLC first: if it is in other hands, nothing else is tried
    await _plc(config, clock, tell, points, console)
    for finding in await xray_source(config, clock):
        tell(finding)
    for finding in site.geometry(config):
        tell(finding)
    for finding in await asyncio.to_thread(lambda: list(site.disks(config, clock, writes))):
        tell(finding)
    tell(site.page_port(config.api))
    tell(site.clock(clock, clock.synchronised()))


async def _plc(
    config: LineConfig, clock: SystemClock, tell: Tell, points: list[Point], console: "Console"
) -> None:
    from rich.live import Live

    plc = config.plc
    async with AsyncExitStack() as stack:
        try:
            wire = await stack.enter_async_context(target_of(plc, clock))
        except WireLost as lost:
            sentence = f"the PLC at {plc.host}:{plc.port} cannot be reached: {lost}."
            tell(Finding("plc", "connection", State.FAILED, sentence))
            return
        connected = f"connected to {plc.host}:{plc.port} by {plc.protocol}."
        tell(Finding("plc", "connection", State.OK, connected))
        table = Live(console=console, refresh_per_second=_REFRESH_PER_S)

        def changed(now: Iterable[Point]) -> None:
            points[:] = now
            table.update(_table(points))

        with table:
            check = PlcCheck(wire, new_session(secrets.randbits), clock, tell, changed)
            await check_plc(check)
        if not console.is_terminal:
            console.line()  # which rich leaves out there


def _table(points: Iterable[Point]) -> "Table":
    from rich.table import Table

    table = Table("register", "point", "value", title="points of the PLC, read back")
    for point in points:
        table.add_row(str(point.address), point.name, point.value)
    return table


def _teller(findings: list[Finding], console: "Console") -> Tell:
    from rich.markup import escape

    def tell(finding: Finding) -> None:
        findings.append(finding)
        state = f"[{_COLOURS[finding.state]}]{finding.state.value:8}[/]"
        where = f"{finding.part:9} {finding.name:16}"
        console.print(f"{state} {where} {escape(finding.sentence)}", soft_wrap=True)

    return tell
