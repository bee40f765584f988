"""`parcelgate run LINE_TOML...`: one controller for these lines, until Ctrl-C.

With `--only NAME` this process becomes that one process of the list instead: what a systemd unit
starts (`deploy/`), so that arguments stand in one place.
"""

import argparse
import asyncio
import json
import os
import signal
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from controller.config import ApiConfig, ConfigError, LineConfig, check_together, load
from controller.process_list import process_specs
from controller.supervisor import Change, ProcessEvent, ProcessSpec, Supervisor


def register(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `run`."""
    parser = subparsers.add_parser("run", help="control these lines until Ctrl-C")
    parser.add_argument(
        "line_toml", nargs="+", type=Path, help="one line.toml a line, or a folder of them"
    )
    parser.add_argument("--only", metavar="NAME", help="become this one process (for systemd)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line, for machines")
    parser.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    configs = [load(file) for path in options.line_toml for file in _files(path)]
    check_together(configs)
    specs = process_specs(configs)
    if options.only is not None:
        _become(options.only, specs)
    tell = _tell_machine if options.json else partial(_tell_person, configs[0].api)
    asyncio.run(_supervise(configs, specs, tell))
    return 0


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(path.glob("*.toml"))
    if not files:
        raise ConfigError(f"{path}: no line.toml in this folder.")
    return files


def _become(name: str, specs: Sequence[ProcessSpec]) -> None:
    """Never returns: the process takes this one's place, its id and its NOTIFY_SOCKET."""
    argv = {spec.name: spec.argv for spec in specs}.get(name)
    if argv is None:
        known = ", ".join(spec.name for spec in specs)
        raise ConfigError(f"there is no process '{name}'; these lines have {known}.")
    os.execv(argv[0], argv)


async def _supervise(
    configs: Sequence[LineConfig],
    specs: Sequence[ProcessSpec],
    tell: Callable[[ProcessEvent], None],
) -> None:
    supervisor = Supervisor(configs[0].paths.state_dir, specs, on_event=tell)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, supervisor.stop)
    async with supervisor:
        await supervisor.wait()


def _tell_person(api: ApiConfig, event: ProcessEvent) -> None:
    if event.text or event.change is not Change.STATUS:
        print(f"{event.name}: {event.change.value} {event.text}".rstrip(), flush=True)
    if event.name == "api" and event.change is Change.READY:
        print(f"The status page is at http://{api.host}:{api.port}/ - Ctrl-C ends.", flush=True)


def _tell_machine(event: ProcessEvent) -> None:
    row = {"at_ns": event.at_ns, "process": event.name, "change": event.change.value}
    print(json.dumps({**row, "text": event.text}), flush=True)
