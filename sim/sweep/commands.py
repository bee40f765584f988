"""The command `sweep`, added to `parcelgate` by entry point; it parses arguments and prints."""

import argparse
import json
import logging
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.sweep.sweeping import SweepOptions, SweepReport

OK, NOT_OK, WRONG_USE = 0, 1, 2
JOBS, PARCELS = 2, 100
# Ctrl-C keeps what is done; a failing run says everything that is needed to repeat it.
LEFT_IN = Path("sweep-failures")
# Building takes some two minutes of CPU time and saves some two milliseconds a parcel.
BUILDS, COMPILED_FROM, SHARE_REPEATED = Path("build"), 100_000, 100


def sweep(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sweep`."""
    parser = subparsers.add_parser(
        "sweep", help="many simulated lines in virtual time, with everything that can break"
    )
    parser.add_argument("--seed", type=int, help="of the first run; default: a fresh one")
    parser.add_argument("--seeds", type=_positive, default=1, help="runs, from that seed on")
    parser.add_argument("--parcels", type=_positive, default=PARCELS, help="a run")
    parser.add_argument("--faults", default="all", metavar="all|none|NAME,...", help="what breaks")
    parser.add_argument("--jobs", type=_positive, default=JOBS, help="processes")
    parser.add_argument("--json", action="store_true", help="print the report as JSON only")
    parser.add_argument(
        "--until-failure", action="store_true", help="end at the first failing run, unshortened"
    )
    parser.add_argument(
        "--keep", type=Path, default=LEFT_IN, metavar="DIR", help="for what failing runs leave"
    )
    engine = parser.add_mutually_exclusive_group()
    engine.add_argument(
        "--compiled",
        action="store_true",
        help=f"compiled by mypyc, with every {SHARE_REPEATED}th run repeated by the interpreter; from"
        f" {COMPILED_FROM:,} parcels on, where that can be built, the default",
    )
    engine.add_argument("--interpreted", action="store_true", help="as the line itself runs")
    parser.add_argument("--plan", type=Path, metavar="FILE", help="repeat one failing run's plan")
    parser.set_defaults(run=_run)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return number


def _run(options: argparse.Namespace) -> int:
    from controller.clock import SystemClock
    from sim.sweep.faults import FAULTS
    from sim.sweep.sweeping import SweepOptions, every_fault
    from sim.sweep.sweeping import sweep as sweep_all

    logging.getLogger("plc").setLevel(logging.CRITICAL)  # it would tell of every broken wire
    if options.plan is not None:
        return _repeat(options.plan)
    names = {"all": every_fault(), "none": ()}.get(options.faults)
    if names is None:
        names = tuple(options.faults.split(","))
        unknown = [name for name in names if name not in FAULTS]
        if unknown:
            print(
                f"No fault is called {unknown[0]!r}; known: {', '.join(FAULTS)}.", file=sys.stderr
            )
            return WRONG_USE
    seed = secrets.randbits(40) if options.seed is None else options.seed
    if not _compiled_if_wanted(options, seed):
        return NOT_OK
    sizes = (seed, options.seeds, options.parcels, names, options.jobs, options.keep)
    asked = SweepOptions(*sizes, until_failure=options.until_failure)
    report = _with_progress(asked, options.json, lambda tell: sweep_all(asked, SystemClock(), tell))
    answer = report.as_json() | _compared(options, report)
    answer["ok"] = answer["ok"] and not answer["journals_differ"]
    if options.json:
        print(json.dumps(answer, ensure_ascii=False))
    else:
        _print(answer)
    return OK if answer["ok"] else NOT_OK


def _compiled_if_wanted(options: argparse.Namespace, seed: int) -> bool:
    """Go on in the compiled copy where that is asked for or worth it; False if it was asked for in vain."""
    from sim.sweep.compiled import CannotCompileError, compiled_copy, go_on_in, is_compiled

    worth_it = options.seeds * options.parcels >= COMPILED_FROM
    if is_compiled() or options.interpreted or not (options.compiled or worth_it):
        return True
    try:
        place = compiled_copy(BUILDS)
    except CannotCompileError as error:
        print(error, file=sys.stderr)
        return not options.compiled
    flags = ["--json"] * options.json + ["--until-failure"] * options.until_failure
    go_on_in(place, [*_arguments(options, seed, options.seeds), *flags, "--compiled"])
    return False


def _arguments(options: argparse.Namespace, seed: int, seeds: int) -> list[str]:
    named = {
        "--seed": seed,
        "--seeds": seeds,
        "--parcels": options.parcels,
        "--faults": options.faults,
        "--jobs": options.jobs,
        "--keep": options.keep,
    }
    return ["sweep", *(f"{name}={value}" for name, value in named.items())]


def _compared(options: argparse.Namespace, report: "SweepReport") -> dict[str, Any]:
    """Whether the interpreter comes to the same journals, if this report is a compiled copy's."""
    from sim.sweep.compiled import is_compiled, run_interpreted

    if not is_compiled():
        return {"compiled": False, "repeated_by_interpreter": 0, "journals_differ": False}
    runs = -(-report.runs // SHARE_REPEATED)
    again = _arguments(options, report.options.seed, runs)
    said = run_interpreted([*again, "--interpreted", "--json"])
    same = f'"{report.journals_sha256(runs)}"' in said
    return {"compiled": True, "repeated_by_interpreter": runs, "journals_differ": not same}


def _with_progress(asked: "SweepOptions", quiet: bool, work: Any) -> "SweepReport":
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), disable=quiet or asked.seeds == 1) as progress:
        task = progress.add_task(f"seeds from {asked.seed}", total=asked.seeds)
        report: SweepReport = work(lambda done: progress.update(task, completed=done))
    return report


def _print(answer: dict[str, Any]) -> None:
    failures = answer.pop("invariant_failures")
    for key, value in answer.items():
        shown = value
        if isinstance(value, dict):
            shown = ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
        print(f"{key:24}{shown}")
    for failure in failures:
        short = failure["reproduction"]
        print(
            f"\nseed {failure['seed']}, event {failure['event']}: {'; '.join(failure['failures'])}"
        )
        print(
            f"  shortest: {short['parcels_fed']} parcels, {', '.join(short['faults']) or 'no fault'}"
        )
        print(f"  then: {'; '.join(short['failures'])}")
        print(f"  again:  parcelgate sweep --plan {short['plan']}")
        print(f"  shown:  parcelgate replay {failure['journal']}")


def _repeat(path: Path) -> int:
    """One run by its plan."""
    import msgspec

    from controller.config import load
    from sim.sweep.failure_files import read_plan
    from sim.sweep.run import Run
    from sim.sweep.sweeping import REFERENCE_LINE

    try:
        plan = read_plan(path)
    except msgspec.MsgspecError as error:
        print(f"{path} is no plan of a run: {error}.", file=sys.stderr)
        return WRONG_USE
    result = Run(plan, load(REFERENCE_LINE)).play()
    for failure in (*result.failures, *result.wrong_releases):
        print(f"event {result.failed_at}: {failure}")
    print(f"{result.parcels} parcels, {result.released} released, head {result.head}")
    return OK if result.ok else NOT_OK
