"""The line process on the test's own loop, its PLC a script: every other part is the real one.

The belt's time and counts are the script's; nothing in it waits for the clock, so deadlines are made
so long that a busy machine never meets one.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, SendDecision
from controller.declared_lists.store import Store
from controller.interfaces import Deliver
from controller.journal.day_file import journal_files
from controller.runtime.line_process import LineProcess
from sim.demo_files import write_lines
from tests.core import story
from tests.declared_lists import ceb

SECONDS = 20


def a_line(directory: Path) -> LineConfig:
    """The reference line in `directory`, with a store of two released lists of 1.25 kg, W1 and W2."""
    with Store(directory / "lists.db") as store:
        for number in (1, 2):
            named = {"logisticsNo": f"W{number}", "copNo": f"COP{number}"}
            ceb.take(store, ceb.a_list(**named), ceb.a_receipt(800, copNo=f"COP{number}"))
    return config_of(write_lines(directory, 1, 5000, "modbus")[0])


def config_of(file: Path) -> LineConfig:
    config = load(file)
    patient = replace(
        config.line,
        belt_speed_mm_per_s=50,
        evidence_limit_ms=SECONDS * 1_000,
        look_up_limit_ms=SECONDS * 1_000,
    )
    return replace(config, line=patient)


class ScriptedLink:
    """A `PlcLink` that delivers what a test tells it."""

    def __init__(self) -> None:
        self.sent: list[SendDecision] = []
        self.up = asyncio.Event()
        self.deliver: Deliver = lambda event: None

    async def run(self, deliver: Deliver) -> None:
        self.deliver = deliver
        self.up.set()
        await asyncio.Event().wait()

    def send(self, decision: SendDecision) -> None:
        self.sent.append(decision)

    def acknowledge(self, boot_id: int, ring_seq: int) -> None:
        pass

    def permit(self, infeed: bool, belt: bool) -> None:
        pass


class RunningLine(story.Line):
    """The story's words, spoken by the PLC of a running line process."""

    def __init__(self, process: LineProcess, link: ScriptedLink) -> None:
        self.process, self.link = process, link
        super().__init__()

    def __post_init__(self) -> None:
        self.core = self.process.core
        self.tell(0, e.VisionUp(4))
        self.tell(0, e.PlcConnected(story.BOOT, story.SESSION, 1, 1, 0, ()))

    def tell(self, at_ms: int, event: e.Event) -> tuple[Command, ...]:
        self.link.deliver(event)
        return ()

    @property
    def rules_id(self) -> str:
        return self.core.state.rule_versions[-1].rules_id

    async def verdict(self, track_id: int) -> CommitVerdict:
        await eventually(lambda: self.core.state.parcels[track_id].verdict is not None)
        verdict = self.core.state.parcels[track_id].verdict
        assert verdict is not None
        return verdict


async def eventually(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not done():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(config: LineConfig) -> AsyncIterator[RunningLine]:
    """The line process until the end of the block, stopped in order."""
    link, stop = ScriptedLink(), asyncio.Event()

    def make_link(_: LineConfig, __: SystemClock, ___: int) -> ScriptedLink:
        return link

    async with asyncio.TaskGroup() as tasks:
        process = LineProcess(config, "0.1.0", make_link)
        tasks.create_task(process.run(stop))
        try:
            await link.up.wait()
            await eventually(lambda: bool(journal_files(config.journal_dir)))
            yield RunningLine(process, link)
        finally:
            stop.set()
