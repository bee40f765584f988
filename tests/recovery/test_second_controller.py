"""Two controllers for one line: the second is refused, on the same machine and from another one."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random

import pytest

from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.supervisor import Limits, ProcessSpec, Supervisor
from sim.demo_files import write_lines
from sim.plant_process import LinePlant
from sim.plc_server import PlcServer

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 15.0


def line_argv(config: LineConfig) -> tuple[str, ...]:
    return (sys.executable, "-m", "controller.app", "--config", str(config.file))


@asynccontextmanager
async def plant(config: LineConfig) -> AsyncIterator[LinePlant]:
    """The line's PLC with an empty belt, in this process."""
    plc = config.plc
    server = PlcServer(plc.host, plc.port, plc.device_id, plc.base_address)
    behind = LinePlant(config.line, (), server, SystemClock(), Random(1))
    await behind.start()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(behind.run())
        yield behind
        behind.end()


async def until_said(log: Path, sentence: str) -> str:
    """What a process has logged, once it holds `sentence`."""
    async with asyncio.timeout(LIMIT_S):
        while not log.exists() or sentence not in log.read_text("utf-8"):
            await asyncio.sleep(0.05)
    return log.read_text("utf-8")


@pytest.mark.live
async def test_on_the_same_machine_the_journal_is_locked(tmp_path: Path) -> None:
    (tmp_path / "site").mkdir()
    config = load(write_lines(tmp_path / "site", 1, 5000, "modbus")[0])
    specs = [ProcessSpec("line-first", line_argv(config))]
    async with Supervisor(tmp_path / "sup", specs) as supervisor:
        second = await asyncio.to_thread(
            subprocess.run,
            line_argv(config),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
            timeout=LIMIT_S,
        )
        assert second.returncode == 1
        assert "another process writes the journal" in second.stderr
        assert list(supervisor.pids) == ["line-first"], "the first one goes on"
        assert config.line_socket.exists()


@pytest.mark.live
async def test_from_another_machine_the_plc_listens_to_the_first_only(tmp_path: Path) -> None:
    configs: list[LineConfig] = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        file = write_lines(tmp_path / name, 1, 5000, "modbus")[0]
        if configs:  # the same PLC
            text = file.read_text("utf-8")
            mine, theirs = load(file).plc.port, configs[0].plc.port
            file.write_text(text.replace(f"port = {mine}", f"port = {theirs}", 1), "utf-8")
        configs.append(load(file))
    first, second = configs
    logs = tmp_path / "sup" / "log"
    async with plant(first) as plc:
        specs = [ProcessSpec("line-first", line_argv(first))]
        async with Supervisor(tmp_path / "sup", specs, limits=Limits(grace_s=2.0)):
            async with asyncio.timeout(LIMIT_S):
                while not plc.plc.host.session:
                    await asyncio.sleep(0.02)
            latched = plc.plc.host.session
            later = [ProcessSpec("line-second", line_argv(second))]
            async with Supervisor(tmp_path / "sup2", later) as other:
                said = await until_said(
                    tmp_path / "sup2" / "log" / "line-second.log", "listens to another host"
                )
                assert said.count("listens to another host") == 1, "said once"
                assert plc.plc.host.session == latched
                assert list(other.pids) == ["line-second"], "it waits, it does not die"
        assert "listens to another host" not in (logs / "line-first.log").read_text("utf-8")
