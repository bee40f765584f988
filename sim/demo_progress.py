"""What a demo shows in the terminal while it runs: where the page is, what each line has done."""

import re
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from controller.config import LineConfig
from controller.supervisor import Change, ProcessEvent

_LEFT = re.compile(r"left (\d+) of (\d+), on the belt (\d+)")
FACTORY_PREFIX = "factory-"


class Progress:
    """`tell` takes the supervisor's events, `ready` is called once when everything runs."""

    def __init__(
        self, console: Console, configs: Sequence[LineConfig], parcels: int | None
    ) -> None:
        self._console = console
        self._address = f"http://{configs[0].api.host}:{configs[0].api.port}/"
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[note]}"),
            console=console,
        )
        self._tasks = {
            f"{FACTORY_PREFIX}{config.line.name}": self._bars.add_task(
                config.line.name, total=parcels, note="starting"
            )
            for config in configs
        }

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._bars.stop()

    def ready(self) -> None:
        """Everything runs."""
        self._console.print(f"The status page is at {self._address} - Ctrl-C ends.")

    def tell(self, event: ProcessEvent) -> None:
        """Progress of a factory moves its bar; what happens to a process is a line."""
        task = self._tasks.get(event.name)
        if task is not None and event.change is Change.STATUS:
            self._show(task, event.text)
        elif event.change in (Change.STARTED, Change.ENDED, Change.RESTARTING):
            self._console.print(f"[dim]{event.name}: {event.change.value} {event.text}[/]")

    def _show(self, task: TaskID, status: str) -> None:
        told = _LEFT.search(status)
        if told is None:
            self._bars.update(task, note=status)
        else:
            left, _, on_belt = map(int, told.groups())
            self._bars.update(task, completed=left, note=f"{on_belt} on the belt")
