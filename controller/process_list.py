"""Which processes serve a set of lines, with their arguments and priorities: data, for `run` and `demo`.

Order is start order: what decides comes first, what only reads comes last. In production the units
in `deploy/` say the same to systemd; a test compares.
"""

import sys
from collections.abc import Sequence
from dataclasses import replace

from controller.config import LineConfig
from controller.supervisor import ProcessSpec

# Whole-chain checks and retention must never delay anything.
NICE_LAST = 19
# It is ready when it is level with the journals, and after a long time without it that takes as long.
RECORDS_READY_S = 3_600.0
# Where FIFO is refused; measured to bound the loop's lateness to a few ms beside busy neighbours.
NICE_LINE = -15
NICE_VISION = -5
# A process that hangs is worth less than one that starts anew; its unit says the same (WatchdogSec), for
# the line sooner: a parent beside busy neighbours is no real-time judge.
VISION_SILENCE_MAX_S = 10.0
LINE_SILENCE_MAX_S = 10.0


def process_specs(configs: Sequence[LineConfig]) -> list[ProcessSpec]:
    """intake, per line `line` and `vision`, the page, records. The lines share one state_dir."""
    state_dir = str(configs[0].paths.state_dir)
    specs = [
        _module("intake", "controller.declared_lists.intake", "--state-dir", state_dir, nice=5)
    ]
    for config in configs:
        specs += [_line(config), _vision(config)]
    files = [argument for config in configs for argument in ("--config", str(config.file))]
    specs.append(_module("api", "api", *files))
    records = _module("records", "controller.records", "--state-dir", state_dir, nice=NICE_LAST)
    specs.append(replace(records, ready_timeout_s=RECORDS_READY_S))
    return specs


def _line(config: LineConfig) -> ProcessSpec:
    arguments = ("--config", str(config.file))
    name = f"line-{config.line.name}"
    line = _module(name, "controller.app", *arguments, nice=NICE_LINE, fifo=True)
    return replace(line, silence_max_s=LINE_SILENCE_MAX_S)


def _vision(config: LineConfig) -> ProcessSpec:
    worker = _module(
        f"vision-{config.line.name}",
        "vision.worker",
        *("--source-host", config.xray.host),
        *("--source-port", str(config.xray.port)),
        *("--source-number", str(config.line.xray_source)),
        *("--line-socket", str(config.line_socket)),
        *("--evidence-dir", str(config.evidence_dir)),
        nice=NICE_VISION,
    )
    return replace(worker, silence_max_s=VISION_SILENCE_MAX_S)


def _module(
    name: str, module: str, *arguments: str, nice: int = 0, fifo: bool = False
) -> ProcessSpec:
    return ProcessSpec(name, (sys.executable, "-m", module, *arguments), nice=nice, fifo=fifo)
