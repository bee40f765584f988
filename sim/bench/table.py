"""What was measured, for people and machines, with the machine it was measured on."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from controller.core.units import NS_PER_US
from sim.bench.echo import Trips
from sim.bench.plc import Measured
from sim.machine import Machine
from sim.percentiles import percentile_ns

# name, share of the samples below it in permille; given where 20 samples lie beyond it
PERCENTILES = (("p50", 500), ("p95", 950), ("p99", 990))

Figures = dict[str, float | int | None]


def figures_ms(samples_ns: Sequence[int]) -> Figures:
    """`n` and percentiles in ms."""
    ordered = sorted(samples_ns)
    figures: Figures = {"n": len(ordered)}
    for name, permille in PERCENTILES:
        value_ns = percentile_ns(ordered, permille)
        figures[name] = None if value_ns is None else round(value_ns / NS_PER_US) / 1_000
    return figures


def report(wires: Sequence[Measured], on: Machine) -> dict[str, Any]:
    """As JSON holds it; times in ms, `ratio` of the medians."""
    rows = []
    for wire in wires:
        rows += [
            _row(wire.name, "poll", wire.polls_ns, wire.poll_floor_ns, wire.poll_trips),
            _row(
                wire.name,
                "decision",
                wire.decisions_ns,
                wire.decision_floor_ns,
                wire.decision_trips,
            ),
        ]
    rows.sort(key=lambda row: row["what"] != "poll")
    return {"machine": asdict(on), "rows": rows}


def _row(
    wire: str, what: str, samples_ns: Sequence[int], floor_ns: Sequence[int], trips: Trips
) -> dict[str, Any]:
    figures, floor = figures_ms(samples_ns), figures_ms(floor_ns)
    median, least = figures["p50"], floor["p50"]
    ratio = round(median / least, 1) if median is not None and least else None
    return {
        "wire": wire,
        "what": what,
        **figures,
        "floor": floor,
        "ratio": ratio,
        "bytes": [list(trip) for trip in trips],
    }


_HEAD = (
    f"{'':30}{'n':>6}{'p50':>9}{'p95':>9}{'p99':>9}   {'floor p50':>9}{'p95':>9}{'p99':>9}{'ratio':>8}"
    "  bytes out/in"
)
_TITLES = {
    "poll": "Poll, ms: life sign out, header and the records of a scan in.",
    "decision": "Decision, ms: from the line's word until the PLC's answer is read back; its scan of 10 ms"
    " included.",
}


def printed(answer: dict[str, Any]) -> str:
    """The report for people."""
    lines = [str(Machine(**answer["machine"]))]
    for what, title in _TITLES.items():
        rows = [row for row in answer["rows"] if row["what"] == what]
        lines += ["", title, _HEAD, *map(_line, rows)]
    return "\n".join([*lines, "", *_FOOT])


def _line(row: dict[str, Any]) -> str:
    cells = "".join(f"{_shown(row[name]):>9}" for name, _ in PERCENTILES)
    floor = "".join(f"{_shown(row['floor'][name]):>9}" for name, _ in PERCENTILES)
    trips = " ".join(f"{out}/{back}" for out, back in row["bytes"])
    ratio = "-" if row["ratio"] is None else row["ratio"]
    return f"{row['wire']:30}{row['n']:>6}{cells}   {floor}{ratio:>8}  {trips}"


def _shown(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


_FOOT = (
    "floor: a bare echo of the same bytes in as many round trips, asyncio over TCP between two processes,",
    "at the pace of the polls, in turns with the wires. ratio: of the medians.",
    "-: fewer than 20 samples lie beyond it, or it has no median.",
)
