"""`parcelgate soak`: hours of the real line in real time, with something breaking every half minute.

The whole factory runs as in a demo; the PLC and the X-ray source are reached through proxies. Faults
come from one seed, one after the other, with quiet between them. In the end the simulator's truth
judges every parcel, excusing only what the faults that hit it make true, the journals are verified and
replayed, and no process may have grown.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from controller import priority
from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.journal.commands import line_core
from controller.journal.keys import public_keys
from controller.journal.replay import replay
from controller.journal.verify import verify
from controller.runtime.start import keys_dir
from controller.supervisor import Change, Limits, ProcessEvent, ProcessSpec, Supervisor
from sim.chaos_proxy import ChaosProxy, proxied
from sim.demo import FACTORY_PREFIX, NICE_FACTORY, DemoOptions, demo_specs, truth_file
from sim.demo_files import with_values
from sim.journal_words import read_words
from sim.judge import judge
from sim.soak.faults import CONTROLLER, FAULTS, STOOD_STILL, Site, SoakFault
from sim.soak.lag import LagLog
from sim.soak.memory import MemoryLog
from sim.soak.person import Person
from sim.soak.report import SoakReport
from sim.truth import FaultKind, FaultWindow, RunTruth, read_truth

QUIET_S = (20.0, 40.0)
LOOK_S = 5.0
# From the end of a cause until nothing on the belt can still suffer from it: a process that starts
# finds its links within 2 s, two parcels must agree before pictures count, then a belt length.
AFTERMATH_NS = 10 * NS_PER_S
# Growth is looked for from minute 3 on; of a shorter run in its second half.
SETTLED_S = 180.0
TICK_NS = 20 * NS_PER_MS
# A quarter of the life sign's limit; shorter ones the line has to bear.
STOOD_STILL_NS = 100 * NS_PER_MS
# Infeed waits after each fault; a line that takes longer than this does not go on by itself.
STUCK_S, STUCK_FACTOR = 120.0, 2.0
# The belt stands, nothing is released.
ABORTED = (FaultKind.BELT, FaultKind.EMERGENCY_STOP)
_LIMITS = Limits(crashes_max=10_000, grace_s=15.0)
KILLED = "by SIGKILL"


@dataclass(frozen=True, slots=True)
class SoakOptions:
    """`quiet_s` between two faults, at least and at most; `faults` are drawn from, each once a round."""

    minutes: float
    rate_parcels_per_h: int = 5000
    seed: int = 1
    quiet_s: tuple[float, float] = QUIET_S
    faults: tuple[SoakFault, ...] = FAULTS

    @property
    def parcels(self) -> int:
        """What is fed in `minutes`: a run ends when all of them have left the belt."""
        return max(1, round(self.minutes * self.rate_parcels_per_h / 60))


@dataclass(slots=True)
class _Hit:
    fault: SoakFault
    from_ns: int
    to_ns: int


class Soak:
    """One line in `directory`. `tell` hears the supervisor, `say` each fault."""

    def __init__(
        self,
        directory: Path,
        options: SoakOptions,
        tell: Callable[[ProcessEvent], None],
        say: Callable[[str], None],
    ) -> None:
        self._directory = directory
        self._options = options
        self._tell = tell
        self._say = say
        self._clock = SystemClock()
        self._hits: list[_Hit] = []
        self._stuck = False
        self._memory = MemoryLog(CONTROLLER)
        self._lag = LagLog(directory / "line-L1.counters.json")
        self._ready = {name: asyncio.Event() for name in CONTROLLER}

    async def run(self, plant: LineConfig) -> SoakReport:
        """SupervisorError if the processes cannot run, TimeoutError if a killed one does not come
        back; either perhaps in a group."""
        _become_a_wire()
        seed = self._options.seed
        async with proxied(plant.plc.port, seed) as plc, proxied(plant.xray.port, seed) as xray:
            line = behind(plant, {"plc": plc, "xray": xray})
            specs = self._specs(plant, line)
            supervisor = Supervisor(
                self._directory,
                specs,
                on_event=lambda event: self._heard(event, supervisor),
                limits=_LIMITS,
            )
            person = Person(line, self._clock)
            site = Site(supervisor, plc, xray, Random(f"soak {seed}"), self._ready)
            loop = asyncio.get_running_loop()
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.add_signal_handler(number, supervisor.stop)
            async with supervisor:
                began_ns = self._clock.monotonic_ns()
                await self._until_done(site, person)
                ended_ns = self._clock.monotonic_ns()
        self._lag.look()
        settled_ns = began_ns + min(int(SETTLED_S * NS_PER_S), (ended_ns - began_ns) // 2)
        minutes = (ended_ns - began_ns) / (60 * NS_PER_S)
        return self._report(line, site, person, minutes, settled_ns)

    # --- while it runs --------------------------------------------------------------------------

    def _specs(self, plant: LineConfig, line: LineConfig) -> list[ProcessSpec]:
        """The demo's processes; the controller's own read the file with the proxies' ports."""
        ours, theirs = str(line.file), str(plant.file)
        controller = [
            replace(
                spec,
                argv=tuple(
                    {theirs: ours, str(plant.xray.port): str(line.xray.port)}.get(a, a)
                    for a in spec.argv
                ),
            )
            if spec.name in CONTROLLER
            else spec
            for spec in demo_specs([plant], DemoOptions(self._options.parcels, self._options.seed))
            if spec.name != "witness"
        ]
        return controller

    def _heard(self, event: ProcessEvent, supervisor: Supervisor) -> None:
        self._tell(event)
        ready = self._ready.get(event.name)
        if ready is not None and event.change is Change.READY:
            ready.set()
        elif ready is not None and event.change is Change.ENDED:
            ready.clear()
        elif event.name.startswith(FACTORY_PREFIX) and event.change is Change.ENDED:
            supervisor.stop()

    async def _until_done(self, site: Site, person: Person) -> None:
        async with asyncio.TaskGroup() as tasks:
            beside = [
                tasks.create_task(self._break_things(site)),
                tasks.create_task(self._look_on(site)),
                tasks.create_task(person.watch()),
                tasks.create_task(self._watch_the_wire()),
            ]
            try:
                async with asyncio.timeout(STUCK_S + STUCK_FACTOR * 60 * self._options.minutes):
                    await site.supervisor.wait()
            except TimeoutError:
                self._stuck = True
            for task in beside:
                task.cancel()

    async def _break_things(self, site: Site) -> None:
        deck: list[SoakFault] = []
        while True:
            await asyncio.sleep(site.rng.uniform(*self._options.quiet_s))
            if not deck:
                deck = list(self._options.faults)
                site.rng.shuffle(deck)
            fault = deck.pop()
            self._say(fault.name)
            hit = _Hit(fault, self._clock.monotonic_ns(), self._clock.monotonic_ns())
            self._hits.append(hit)
            await fault.inject(site)
            hit.to_ns = self._clock.monotonic_ns()

    async def _look_on(self, site: Site) -> None:
        while True:
            self._memory.look(self._clock.monotonic_ns(), site.supervisor.pids)
            self._lag.look()
            await asyncio.sleep(LOOK_S)

    async def _watch_the_wire(self) -> None:
        """A machine that stands still holds back what the proxies carry: a fault like the others."""
        while True:
            due_ns = self._clock.monotonic_ns() + TICK_NS
            await asyncio.sleep(TICK_NS / NS_PER_S)
            now_ns = self._clock.monotonic_ns()
            if now_ns - due_ns > STOOD_STILL_NS:
                self._hits.append(_Hit(STOOD_STILL, due_ns, now_ns))

    # --- the end --------------------------------------------------------------------------------

    def _report(
        self, line: LineConfig, site: Site, person: Person, minutes: float, settled_ns: int
    ) -> SoakReport:
        truth = read_truth(truth_file(line))
        hits = [hit for hit in self._hits if _met_a_parcel(hit, truth)]
        broken = [(hit.fault.kinds, hit.from_ns, hit.to_ns) for hit in hits]
        broken += [(ABORTED, from_ns, to_ns) for _, from_ns, to_ns in person.aborts]
        windows = tuple(
            FaultWindow(kind, from_ns, to_ns + AFTERMATH_NS)
            for kinds, from_ns, to_ns in broken
            for kind in kinds
        )
        words = read_words(line.journal_dir).words
        found = judge(replace(truth, faults=windows), words, line.line, line.rules)
        verified = verify(line.journal_dir, public_keys(keys_dir(line)))
        return SoakReport(
            minutes=round(minutes, 2),
            seed=self._options.seed,
            parcels=found.parcels,
            released=found.released,
            held=found.held,
            wrong_releases=_sentences(found.wrong_releases),
            unaccounted=_sentences(found.unaccounted),
            false_reasons=_sentences(found.false_reasons),
            clean=found.clean,
            released_clean_share=round(found.clean_released / found.clean, 5)
            if found.clean
            else None,
            faults=dict(sorted(Counter(hit.fault.name for hit in hits).items())),
            aborts=dict(Counter(cause for cause, _, _ in person.aborts)),
            deaths=_deaths(site),
            stuck=self._stuck,
            memory_slope=self._memory.growth(settled_ns),
            loop_lag_ms=self._lag.figures_ms(),
            journal_records=verified.records,
            verify_ok=verified.ok,
            first_bad=None if verified.first_bad is None else str(verified.first_bad),
            replay_differences=replay(line.journal_dir, line_core).differences,
        )


def _become_a_wire() -> None:
    """The proxies must not wait for those whose bytes they carry. No child inherits it."""
    first = os.sched_param(priority.FIFO_PRIORITY)
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, first)
    except OSError:
        priority.apply(0, priority.Priority(NICE_FACTORY))


def behind(plant: LineConfig, proxies: Mapping[str, ChaosProxy]) -> LineConfig:
    """The same line, its PLC and its X-ray source reached through proxies."""
    ports = {(section, "port"): str(proxy.port) for section, proxy in proxies.items()}
    file = plant.file.with_name(f"controller-{plant.file.name}")
    file.write_text(with_values(plant.file.read_text("utf-8"), ports), "utf-8")
    return load(file)


def _met_a_parcel(hit: _Hit, truth: RunTruth) -> bool:
    """Whether a parcel was on the belt while the cause lasted."""
    return any(
        entry.inducted_ns <= hit.to_ns and (entry.left_ns < 0 or entry.left_ns >= hit.from_ns)
        for entry in truth.passes
    )


def _deaths(site: Site) -> list[str]:
    """Every end that was neither asked for nor one of our kills."""
    unasked = Counter(
        f"{ended.name} {ended.end}" for ended in site.supervisor.exits if not ended.expected
    )
    unasked.subtract({f"{name} {KILLED}": count for name, count in site.kills.items()})
    return sorted((+unasked).elements())


def _sentences(cases: Sequence[tuple[int, str]]) -> list[str]:
    return [f"parcel {number}: {why}" for number, why in cases]
