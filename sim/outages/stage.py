"""The set-up of the trials: a real line process, a plant that can be killed, a network between them.

No more than that: pages, intake and pixels have no say in how a link recovers. Everything runs under
the supervisor, with the priorities of a demo; the proxy in between is the cable that is cut.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from enum import Enum
from pathlib import Path

from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.units import NS_PER_MS
from controller.process_list import process_specs
from controller.supervisor import Change, Limits, ProcessEvent, ProcessSpec, Supervisor
from sim.chaos_proxy import ChaosProxy, Fault, proxied
from sim.demo import NICE_FACTORY
from sim.demo_files import with_values, write_lines
from sim.outages.parcels import RATE_PARCELS_PER_H, honest, honest_workload, import_released
from sim.outages.pictures import Pictures
from sim.outages.plant import HUNG_NS
from sim.outages.plc_truth import Truth
from sim.torture.report import scratch

# Fed between two faults: some ten seconds of 0.72 s each, three times over for a machine that is slow.
PARCELS_A_TRIAL = 45
PLANT = "plant"
READY_S = 60.0
WATCH_MS = 20
# Nobody listens there: a connection is refused at once.
_CLOSED_PORT = 1
_LIMITS = Limits(crashes_max=100_000, pause_max_s=0.25, grace_s=15.0)


class Cut(Enum):
    """How a cable ends."""

    DROPPED = "dropped"  # connections reset, new ones refused
    VANISHING = "silent, bytes vanish"
    LATE = "silent, bytes arrive afterwards"  # as TCP repeats them


class Stage:
    """Of one wire. `ended_ns` is when a process last ended, `late_ns` when the cable stood still."""

    def __init__(self, line: LineConfig, proxy: ChaosProxy, truth: Truth) -> None:
        self.line = line
        self.truth = truth
        self.clock = SystemClock()
        self.ended_ns: dict[str, int] = {}
        self.late_ns: list[int] = []
        self._proxy = proxy
        self._plc_port = proxy.plc_port
        self._supervisor: Supervisor | None = None

    @property
    def line_name(self) -> str:
        return f"line-{self.line.line.name}"

    def signal(self, name: str, number: signal.Signals) -> int:
        """To a process; the clock just before."""
        assert self._supervisor is not None, "the stage is running"
        at_ns = self.clock.monotonic_ns()
        os.kill(self._supervisor.pids[name], number)
        return at_ns

    def cut(self, cut: Cut) -> int:
        """Cut the link, in both directions; the clock just before."""
        at_ns = self.clock.monotonic_ns()
        match cut:
            case Cut.DROPPED:
                self._proxy.plc_port = _CLOSED_PORT
                self._proxy.reset()
            case Cut.VANISHING:
                self._proxy.fault = Fault.HALF_OPEN
            case Cut.LATE:
                self._proxy.fault = Fault.STALL
        return at_ns

    def mend(self) -> int:
        """The link is whole again; the clock just before."""
        at_ns = self.clock.monotonic_ns()
        self._proxy.plc_port = self._plc_port
        self._proxy.fault = None
        return at_ns

    async def watch(self) -> None:
        """Note when this process, which is the cable, did not get its turn, until cancelled."""
        while True:
            due_ns = self.clock.monotonic_ns() + WATCH_MS * NS_PER_MS
            await asyncio.sleep(WATCH_MS / 1_000)
            if self.clock.monotonic_ns() - due_ns > HUNG_NS:
                self.late_ns.append(due_ns)

    @asynccontextmanager
    async def running(self, specs: list[ProcessSpec]) -> AsyncIterator[None]:
        """With these processes. SupervisorError if one cannot be started."""
        directory = self.line.paths.state_dir
        async with Supervisor(directory, specs, on_event=self._heard, limits=_LIMITS) as supervisor:
            self._supervisor = supervisor
            yield

    def _heard(self, event: ProcessEvent) -> None:
        if event.change is Change.ENDED:
            self.ended_ns[event.name] = event.at_ns


@asynccontextmanager
async def a_stage(directory: Path, wire: str, trials: int, seed: int) -> AsyncIterator[Stage]:
    """A line on `wire` in `directory`, with parcels for so many trials. SupervisorError as Supervisor."""
    (file,) = write_lines(directory, 1, RATE_PARCELS_PER_H, wire)
    plant, parcels = load(file), trials * PARCELS_A_TRIAL
    workload = honest_workload(parcels, seed, plant.line.belt_speed_mm_per_s)
    clock = SystemClock()
    await asyncio.to_thread(import_released, workload, plant.lists_db, clock.utc_ns())
    # in memory, since a disk that is slow would stop the PLC
    with scratch() as memory:
        truth_file = memory / "plc-truth.txt"
        async with proxied(plant.plc.port, seed) as proxy:
            line = _behind(proxy, file)
            pictures = Pictures(line, {p.number: p for p in honest(workload)}, clock)
            stage = Stage(line, proxy, Truth(truth_file, pictures.hear))
            arguments = (str(file), "--truth", str(truth_file), "--parcels", str(parcels))
            argv = (sys.executable, "-m", "sim.outages.plant", *arguments, "--seed", str(seed))
            specs = [ProcessSpec(PLANT, argv, NICE_FACTORY, fifo=True, ready_timeout_s=READY_S)]
            specs += [spec for spec in process_specs([line]) if spec.name == stage.line_name]
            async with stage.running(specs), asyncio.TaskGroup() as tasks:
                beside = [tasks.create_task(pictures.run()), tasks.create_task(stage.watch())]
                try:
                    yield stage
                finally:
                    for task in beside:
                        task.cancel()


def _behind(proxy: ChaosProxy, file: Path) -> LineConfig:
    """The same line, its PLC reached through the proxy."""
    text = with_values(file.read_text("utf-8"), {("plc", "port"): str(proxy.port)})
    behind = file.with_name(f"controller-{file.name}")
    behind.write_text(text, "utf-8")
    return load(behind)
