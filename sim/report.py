"""The report of a run: counts of the judge, times, and what the machine itself did meanwhile.

A dictionary with the keys that people and machines read, and the same for the terminal. Nothing is
counted here and nothing is rounded in favour of anyone.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.console import Console
from rich.table import Table

from sim.judge import Decision, Judged
from sim.percentiles import Figure, figures_ms
from sim.witness import WitnessLog

# More than this share of decisions lost to machine freezes, and the net figures mean nothing.
EXCLUDED_SHARE_MAX = 0.05
CASES_SHOWN = 20

Report = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Measures:
    """What was measured beside the parcels. `plc` holds polls, reconnects, torn_rejected, records;
    `journal` records and head; `deaths` names every process that ended unasked."""

    witness: WitnessLog
    plc: dict[str, int]
    journal: dict[str, Any]
    cpu_s: dict[str, float]
    priorities: dict[str, str]
    deaths: tuple[str, ...] = ()


def make_report(lines: Sequence[Judged], measures: Measures) -> Report:
    """One report over all lines."""
    decisions = [decision for line in lines for decision in line.decisions]
    honest = sum(line.honest for line in lines)
    needless = _sum(line.needless_holds for line in lines)
    clean = sum(line.clean for line in lines)
    clean_released = sum(line.clean_released for line in lines)
    wrong = [case for line in lines for case in line.wrong_releases]
    false = [case for line in lines for case in line.false_reasons]
    unaccounted = [case for line in lines for case in line.unaccounted]
    return {
        "parcels": sum(line.parcels for line in lines),
        "released": sum(line.released for line in lines),
        "held": sum(line.held for line in lines),
        "by_destination": _sum(line.by_destination for line in lines),
        "held_by_reason": _sum(line.held_by_reason for line in lines),
        "wrong_releases": len(wrong),
        "missed": _sum(line.missed for line in lines),
        "needless_holds": needless,
        "needless_holds_share": _share(sum(needless.values()), honest),
        "false_reasons": len(false),
        "released_clean_share": _share(clean_released, clean),
        "unaccounted": len(unaccounted),
        **_times(decisions, measures.witness),
        "plc": measures.plc,
        "journal": measures.journal,
        "cpu_s": measures.cpu_s,
        "priorities": measures.priorities,
        "deaths": list(measures.deaths),
        "cases": {
            "wrong_releases": wrong[:CASES_SHOWN],
            "false_reasons": false[:CASES_SHOWN],
            "unaccounted": unaccounted[:CASES_SHOWN],
        },
    }


def holds(report: Report) -> bool:
    """Whether the run proves what it must: nothing wrong, nothing lost, no false word, no death."""
    counts = ("wrong_releases", "unaccounted", "false_reasons")
    return report["parcels"] > 0 and not any(report[key] for key in counts) and not report["deaths"]


def _times(decisions: Sequence[Decision], witness: WitnessLog) -> Report:
    undisturbed = [
        decision
        for decision in decisions
        if decision.to_ns is None or not witness.frozen(decision.from_ns, decision.to_ns)
    ]
    excluded = _share(len(decisions) - len(undisturbed), len(decisions))
    void = excluded is not None and excluded > EXCLUDED_SHARE_MAX
    return {
        "decision_ms": _decision_ms(decisions),
        "decision_ms_net": _decision_ms([] if void else undisturbed),
        "floor_ms": figures_ms(witness.samples_ns()),
        "freezes_excluded_share": excluded,
    }


def _decision_ms(decisions: Sequence[Decision]) -> dict[str, Figure]:
    decided = [item.to_ns - item.from_ns for item in decisions if item.to_ns is not None]
    return figures_ms(decided, undecided=len(decisions) - len(decided))


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 5) if whole else None


def _sum(counters: Any) -> dict[str, int]:
    total: Counter[str] = sum(counters, Counter())
    return dict(sorted(total.items()))


def print_report(report: Report, console: Console) -> None:
    """For people: the verdict on the run first, then the numbers behind it."""
    table = Table(title="run", show_header=False, box=None, pad_edge=False)
    for key in ("parcels", "released", "held", "released_clean_share"):
        table.add_row(key, str(report[key]))
    for key in ("wrong_releases", "unaccounted", "false_reasons"):
        colour = "red" if report[key] else "green"
        table.add_row(key, f"[{colour}]{report[key]}[/]")
    for key in ("missed", "needless_holds", "by_destination", "held_by_reason"):
        table.add_row(key, _counts(report[key]))
    for key in ("decision_ms", "decision_ms_net", "floor_ms"):
        table.add_row(key, _figures(report[key]))
    table.add_row("freezes_excluded_share", str(report["freezes_excluded_share"]))
    for key in ("plc", "journal", "cpu_s", "priorities"):
        table.add_row(key, _counts(report[key]))
    console.print(table)
    for kind, cases in report["cases"].items():
        for number, why in cases:
            console.print(f"[red]{kind}[/]: parcel {number}: {why}")
    for death in report["deaths"]:
        console.print(f"[red]ended unasked[/]: {death}")


def _counts(counts: dict[str, Any]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"


def _figures(figures: dict[str, Figure]) -> str:
    shown = (f"{name} {'-' if value is None else value}" for name, value in figures.items())
    return ", ".join(shown)
