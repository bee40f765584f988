"""One run of real processes in which, parcel by parcel, something outside the controller fails.

The factory runs on the test's own loop, so that its parts can be broken at a parcel's place on the
belt; the controller's processes are those of `parcelgate run`. Each fault holds its parcel with its true
reason, nothing is lost, and the line releases again afterwards.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.vocabulary import Destination, Reason
from controller.journal.commands import line_core
from controller.journal.keys import public_keys
from controller.journal.replay import replay
from controller.journal.verify import verify
from controller.process_list import process_specs
from controller.supervisor import Supervisor
from sim.demo import truth_file
from sim.demo_files import write_lines
from sim.factory import Factory, FactoryOptions, wait_for_intake
from sim.journal_words import read_words
from sim.judge import judge
from sim.parcels import ParcelKind
from sim.truth import FaultKind, FaultWindow, read_truth
from sim.workload import make_workload

PARCELS, SEED, RATE = 24, 21, 5000
AFTERMATH_NS = 9_000_000_000


class Breaker:
    """Breaks a part when a parcel's leading edge reaches a place, mends it at another."""

    def __init__(self, factory: Factory, config: LineConfig) -> None:
        self._plant = factory._plant
        self._clock = SystemClock()
        self.windows: list[FaultWindow] = []
        self.xray = factory._xray
        self.plant = factory._plant
        self.lists = config.lists_db

    async def at(self, number: int, position_mm: int) -> None:
        """Wait until parcel `number` is there."""
        reached = False
        while not reached:
            await asyncio.sleep(0.01)
            position = self._plant.parcel_position_mm(number)
            reached = position is not None and position >= position_mm

    async def between(
        self,
        number: int,
        from_mm: int,
        to_mm: int,
        kind: FaultKind,
        break_it: Callable[[], object],
        mend_it: Callable[[], object],
    ) -> None:
        await self.at(number, from_mm)
        from_ns = self._clock.monotonic_ns()
        break_it()
        await self.at(number, to_mm)
        mend_it()
        to_ns = self._clock.monotonic_ns() + AFTERMATH_NS
        self.windows.append(FaultWindow(kind, from_ns, to_ns))


@pytest.mark.live
@pytest.mark.timeout(150)
async def test_each_failing_part_holds_its_parcel_and_the_line_goes_on() -> None:
    run = make_workload(PARCELS, SEED, rate_parcels_per_h=RATE, speed_mm_per_s=1000)
    honest = [p.number for p in run.parcels if p.kind is ParcelKind.HONEST]
    rows, silent, lists = honest[1], honest[3], honest[6]
    with TemporaryDirectory(prefix="pg") as folder:
        (file,) = write_lines(Path(folder), 1, RATE, "modbus")
        config = load(file)
        async with Supervisor(config.paths.state_dir, process_specs([config])):
            await wait_for_intake(config.paths.state_dir / "intake.sock", 30, SystemClock())
            options = FactoryOptions(PARCELS, SEED, RATE, truth_file(config))
            factory = Factory(config, options, SystemClock())
            breaker = Breaker(factory, config)
            async with asyncio.TaskGroup() as group:
                running = group.create_task(factory.run(asyncio.Event()))
                await _break_parts(breaker, rows, silent, lists)
                await running
        words = read_words(config.journal_dir).words
        truth = replace(read_truth(truth_file(config)), faults=tuple(breaker.windows))
        found = judge(truth, words, config.line, config.rules)
        report = verify(config.journal_dir, public_keys(config.paths.state_dir / "keys"))
        differences = replay(config.journal_dir, line_core).differences
    assert (found.parcels, found.wrong_releases, found.unaccounted) == (PARCELS, [], [])
    assert found.false_reasons == []
    assert (report.ok, report.first_bad, differences) == (True, None, 0)
    reasons = {p.parcel_numbers[0]: p.track_id for p in truth.passes}
    given = {verdict.track_id: verdict for _, verdict in words.verdicts}
    assert Reason.PICTURE_INCOMPLETE in given[reasons[rows]].reasons
    assert Reason.NO_PICTURE in given[reasons[silent]].reasons
    assert Reason.LISTS_UNAVAILABLE in given[reasons[lists]].reasons
    last = [given[reasons[number]].destination for number in honest[-2:]]
    assert last == [Destination.RELEASE] * 2


async def _break_parts(breaker: Breaker, rows: int, silent: int, lists: int) -> None:
    def lose_rows() -> None:
        breaker.xray.faults.rows_lost = (40, 16)

    def be_silent(silent_now: bool) -> None:
        breaker.xray.faults.silent = silent_now

    away = breaker.lists.with_suffix(".away")
    await breaker.between(rows, 1400, 2400, FaultKind.XRAY, lose_rows, lambda: None)
    await breaker.between(
        silent, 1500, 2700, FaultKind.XRAY, lambda: be_silent(True), lambda: be_silent(False)
    )
    await breaker.between(
        lists,
        1700,
        2900,
        FaultKind.LISTS,
        lambda: breaker.lists.rename(away),
        lambda: away.rename(breaker.lists),
    )
