"""The whole factory on loopback: real processes, real sockets, judged by the simulator's truth.

Everything is started through the supervisor as `parcelgate run` starts it, with the factory and the
witness beside it. The report is made from what the processes left behind when all of them have ended.
"""

import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.config import LineConfig
from controller.process_list import process_specs
from controller.supervisor import (
    Change,
    Limits,
    ProcessEvent,
    ProcessSpec,
    Supervisor,
    SupervisorError,
)
from sim.journal_words import read_words
from sim.judge import judge
from sim.report import Measures, Report, make_report
from sim.truth import read_truth
from sim.witness import WitnessLog, read_log

WITNESS_FILE = "witness.json"
# The soft PLC stands for a machine of its own: it must keep its scan while the others work.
NICE_FACTORY = -15
# Lists of 300 parcels are imported and their frames rendered within seconds.
FACTORY_READY_S = 300.0
FACTORY_PREFIX = "factory-"
# Waybills of one line begin here above those of the line before it.
NUMBERS_PER_LINE = 10_000_000
PLC_COUNTERS = ("polls", "reconnects", "torn_rejected", "records")

Tell = Callable[[ProcessEvent], None]


@dataclass(frozen=True, slots=True)
class DemoOptions:
    """`parcels` None: until Ctrl-C. Each line gets as many."""

    parcels: int | None
    seed: int


def demo_specs(configs: Sequence[LineConfig], options: DemoOptions) -> list[ProcessSpec]:
    """The controller's own processes, the witness before them, a factory a line after them."""
    state_dir = configs[0].paths.state_dir
    witness = (sys.executable, "-m", "sim.witness", str(state_dir / WITNESS_FILE))
    specs = [ProcessSpec("witness", witness, nice=-20, fifo=True), *process_specs(configs)]
    for index, config in enumerate(configs):
        arguments = [
            *(sys.executable, "-m", "controller.cli", "factory", str(config.file)),
            *("--seed", str(options.seed + index)),
            *("--rate", str(config.rate_parcels_per_h)),
            *("--truth", str(truth_file(config))),
            *("--first-number", str(1 + index * NUMBERS_PER_LINE)),
        ]
        if options.parcels is not None:
            arguments += ["--parcels", str(options.parcels)]
        specs.append(
            ProcessSpec(
                f"{FACTORY_PREFIX}{config.line.name}",
                tuple(arguments),
                nice=NICE_FACTORY,
                ready_timeout_s=FACTORY_READY_S,
                restart=False,
            )
        )
    return specs


def truth_file(config: LineConfig) -> Path:
    return config.paths.state_dir / f"truth-{config.line.name}.json"


async def run_demo(
    configs: Sequence[LineConfig], options: DemoOptions, tell: Tell, on_ready: Callable[[], None]
) -> Report:
    """Run until every factory is done or a signal; the report. SupervisorError if it cannot run."""
    working = {f"{FACTORY_PREFIX}{config.line.name}" for config in configs}

    def heard(event: ProcessEvent) -> None:
        tell(event)
        if event.change is Change.ENDED:
            working.discard(event.name)
            if not working:
                supervisor.stop()

    specs = demo_specs(configs, options)
    limits = Limits(grace_s=15.0)
    supervisor = Supervisor(configs[0].paths.state_dir, specs, on_event=heard, limits=limits)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    async with supervisor:
        on_ready()
        await supervisor.wait()
    if not all(truth_file(config).exists() for config in configs):
        raise SupervisorError("The demo was stopped before its lines ran: nothing to report.")
    return demo_report(configs, supervisor)


def demo_report(configs: Sequence[LineConfig], supervisor: Supervisor) -> Report:
    """From what the ended processes left in the state directory."""
    judged, plc, records, heads = [], Counter[str](), 0, {}
    for config in configs:
        journal = read_words(config.journal_dir)
        records += journal.records
        heads[config.line.name] = journal.head
        counters = config.paths.state_dir / f"line-{config.line.name}.counters.json"
        counted = json.loads(counters.read_text()) if counters.exists() else {}
        plc.update({key: counted.get(key, 0) for key in PLC_COUNTERS})
        judged.append(
            judge(read_truth(truth_file(config)), journal.words, config.line, config.rules)
        )
    head = heads[configs[0].line.name] if len(heads) == 1 else heads
    return make_report(
        judged,
        Measures(
            witness=_witness_log(configs[0].paths.state_dir / WITNESS_FILE),
            plc={key: plc[key] for key in PLC_COUNTERS},
            journal={"records": records, "head": head},
            cpu_s=_cpu_s(supervisor),
            priorities=dict(supervisor.priorities),
            deaths=tuple(
                f"{ended.name} {ended.end}" for ended in supervisor.exits if not ended.expected
            ),
        ),
    )


def _witness_log(path: Path) -> WitnessLog:
    return read_log(path) if path.exists() else WitnessLog((), ())


def _cpu_s(supervisor: Supervisor) -> dict[str, float]:
    total: dict[str, float] = {}
    for ended in supervisor.exits:
        total[ended.name] = round(total.get(ended.name, 0.0) + ended.end.cpu_s, 2)
    return total
