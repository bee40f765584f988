"""`make mutants`: plants each bug of table.py in a copy of the tree and sees who catches it.

    python -m tests.mutants [--only TEXT] [--jobs N] [--seed S] [--sweep-seeds N]

Prints who caught each, the first failing test and what the sweep alone found, and the count at the end.
Exit code 0 only if every bug was caught, at least SWEEP_CATCHES_MIN of them by the sweep alone.
"""

import argparse
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from tests.mutants.hunting import ROOT, Catch, SweepSize, copied, hunt, soundness
from tests.mutants.planted import Mutant, OutOfDate, mutated
from tests.mutants.table import MUTANTS

SWEEP_CATCHES_MIN = 10
SWEEP_RUNS, SWEEP_SEED = 24, 1


def check_table() -> list[str]:
    """What is out of date, one sentence each."""
    wrong = []
    for mutant in MUTANTS:
        try:
            mutated(mutant, (ROOT / mutant.file).read_text("utf-8"))
        except (OutOfDate, OSError) as error:
            wrong.append(str(error))
    return wrong


def _hunt_all(tree: Path, chosen: list[Mutant], sweep: SweepSize, jobs: int) -> Iterable[Catch]:
    pool = ThreadPoolExecutor(jobs)
    try:
        yield from pool.map(partial(hunt, tree, sweep=sweep), chosen)
    finally:
        pool.shutdown(cancel_futures=True)


def _told(catch: Catch) -> str:
    who = catch.tests or ("-" if catch.caught else "NOBODY")
    by_sweep = f"  sweep: {catch.sweep}" if catch.sweep else ""
    return f"{catch.mutant.row:48} {catch.mutant.file:36} {who}{by_sweep}\n    {catch.mutant.why}"


def main() -> int:
    """Run the table."""
    parser = argparse.ArgumentParser(
        description="plant every bug of the table and see who catches it"
    )
    parser.add_argument("--only", default="", help="bugs whose row or file contains this")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, default=SWEEP_SEED, help="of the sweep's first run")
    parser.add_argument("--sweep-seeds", type=int, default=SWEEP_RUNS, help="0: without the sweep")
    options = parser.parse_args()
    if wrong := check_table():
        print("\n".join(wrong), file=sys.stderr)
        return 1
    chosen = [bug for bug in MUTANTS if options.only in bug.row or options.only in bug.file]
    sweep = SweepSize(options.sweep_seeds, options.seed)
    with copied(ROOT) as tree:
        if failure := soundness(tree, sweep):
            print(f"without any bug {failure} fails: nothing can be concluded", file=sys.stderr)
            return 1
        print(f"without any bug nothing fails; {len(chosen)} to plant", flush=True)
        catches = []
        for catch in _hunt_all(tree, chosen, sweep, options.jobs):
            catches.append(catch)
            print(_told(catch), flush=True)
    caught = sum(catch.caught for catch in catches)
    by_sweep = sum(bool(catch.sweep) for catch in catches)
    by_tests = sum(bool(catch.tests) for catch in catches)
    print(
        f"caught {caught} of {len(chosen)}: {by_tests} by the tests, {by_sweep} by the sweep alone"
    )
    enough = not sweep.runs or options.only or by_sweep >= SWEEP_CATCHES_MIN
    return 0 if caught == len(chosen) and enough else 1


if __name__ == "__main__":
    sys.exit(main())
