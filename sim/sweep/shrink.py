"""The shortest failing run that a few tries find: without whole kinds of faults, then without single
faults, then with fewer parcels. Every try is a run of its own; what is left out changes nothing else.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from operator import eq

from controller.config import LineConfig
from sim.sweep.plan import Injection, Plan
from sim.sweep.run import Run, RunResult

TRIES_MAX = 60
Drop = Callable[[Injection], bool]


@dataclass(slots=True)
class _Search:
    config: LineConfig
    family: str
    tries: int = 0

    def fails(self, plan: Plan) -> RunResult | None:
        """The result if this plan fails in the same way; None otherwise, or when no try is left."""
        if self.tries >= TRIES_MAX:
            return None
        self.tries += 1
        result = Run(plan, self.config).play()
        return result if self.family in families(result) else None


def families(result: RunResult) -> set[str]:
    """What kinds of failure a result shows: I1 to I9, a false reason, a wrong release."""
    found = {failure.partition(":")[0] for failure in result.failures}
    return found | {"wrong release"} if result.wrong_releases else found


def shrink(plan: Plan, result: RunResult, config: LineConfig) -> tuple[Plan, RunResult]:
    """A plan that fails in one of the ways that `plan` failed, and its result."""
    search = _Search(config, sorted(families(result))[0])
    for shorter in (_without_kinds, _without_single_faults, _with_fewer_parcels):
        plan, result = shorter(search, plan, result)
    return plan, result


def _without(
    search: _Search, plan: Plan, result: RunResult, drops: list[Drop]
) -> tuple[Plan, RunResult]:
    for drop in drops:
        kept = tuple(injection for injection in plan.injections if not drop(injection))
        if len(kept) == len(plan.injections):
            continue
        tried = replace(plan, injections=kept)
        failed = search.fails(tried)
        if failed is not None:
            plan, result = tried, failed
    return plan, result


def _without_kinds(search: _Search, plan: Plan, result: RunResult) -> tuple[Plan, RunResult]:
    names = sorted({injection.name for injection in plan.injections})
    drops: list[Drop] = [lambda injection: True]
    drops += [partial(_is_called, name) for name in names]
    return _without(search, plan, result, drops)


def _without_single_faults(
    search: _Search, plan: Plan, result: RunResult
) -> tuple[Plan, RunResult]:
    drops: list[Drop] = [partial(eq, injection) for injection in plan.injections]
    return _without(search, plan, result, drops)


def _is_called(name: str, injection: Injection) -> bool:
    return injection.name == name


def _with_fewer_parcels(search: _Search, plan: Plan, result: RunResult) -> tuple[Plan, RunResult]:
    enough, too_few = plan.fed, 0
    while enough - too_few > 1:
        middle = (enough + too_few) // 2
        tried = replace(plan, fed=middle)
        failed = search.fails(tried)
        if failed is None:
            too_few = middle
        else:
            enough, plan, result = middle, tried, failed
    return plan, result
