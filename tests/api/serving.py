"""The page's process as it runs in production, on a free port of the loopback, inside a test's loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from api.app import run_api
from controller.clock import SystemClock
from controller.config import ApiConfig, LineConfig, Paths, PlcConfig, XraySourceConfig
from controller.core.settings import Rules
from controller.records.follower import run_records
from tests.api.live_line import LiveLine
from tests.api.synthetic import Day
from tests.core.story import SETTINGS

CHROMIUM = Path("/usr/bin/chromium")
# Without these the browser asks its maker's servers for updates and experiments.
CHROMIUM_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def config_of(state_dir: Path, port: int = 8480) -> LineConfig:
    """A configuration as `controller.config.load` would give it."""
    return LineConfig(
        file=state_dir / "line.toml",
        line=SETTINGS,
        rate_parcels_per_h=5_000,
        rules=Rules(),
        rules_id="rules-1",
        rules_text="",
        plc=PlcConfig("127.0.0.1", 15_020),
        xray=XraySourceConfig("127.0.0.1", 15_120),
        api=ApiConfig(port=port),
        paths=Paths(state_dir, state_dir / "rules.toml"),
    )


@dataclass
class Served:
    """The page's address, its line, and the page's own life."""

    url: str
    line: LiveLine
    tasks: asyncio.TaskGroup
    config: LineConfig
    page: asyncio.Task[None] | None = None

    async def start_page(self) -> None:
        ready = asyncio.Event()
        self.page = self.tasks.create_task(run_api(self.config, ready.set))
        async with asyncio.timeout(10):
            await ready.wait()

    async def stop_page(self) -> None:
        assert self.page is not None
        self.page.cancel()
        await asyncio.wait([self.page])


@asynccontextmanager
async def served(day: Day) -> AsyncIterator[Served]:
    """The page over `day`, with its line alive and its records followed; all stopped at the end."""
    port = free_port()
    line = LiveLine(day, SystemClock().monotonic_ns)
    async with asyncio.TaskGroup() as tasks:
        others = [
            tasks.create_task(line.run()),
            tasks.create_task(run_records(day.state_dir, lambda: None)),
        ]
        site = Served(f"http://127.0.0.1:{port}", line, tasks, config_of(day.state_dir, port))
        try:
            await site.start_page()
            yield site
        finally:
            await site.stop_page()
            for task in others:
                task.cancel()
