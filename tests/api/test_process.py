"""`python -m api` and `python -m controller.records` as their supervisor sees them."""

import asyncio
import socket
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from controller.records.query import Records
from tests.api.serving import free_port
from tests.api.synthetic import make_day

ROOT = Path(__file__).resolve().parents[2]


def write_config(state_dir: Path, port: int) -> Path:
    """The reference line with its page on `port`."""
    text = (ROOT / "sim" / "reference_line.toml").read_text()
    rules = ROOT / "sim" / "reference_rules.toml"
    text = text.replace("port = 8480", f"port = {port}")
    text = text.replace('"run"', f'"{state_dir}"').replace('"reference_rules.toml"', f'"{rules}"')
    path = state_dir / "line.toml"
    path.write_text(text)
    return path


@asynccontextmanager
async def child(*arguments: str, notify: Path | None = None) -> AsyncIterator[Process]:
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT)}
    if notify is not None:
        environment["NOTIFY_SOCKET"] = str(notify)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, cwd=ROOT, env=environment, stdout=PIPE, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def until_ready(receiver: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(20):
        assert b"READY=1" in await loop.sock_recv(receiver, 4_096)


@pytest.fixture
def receiver(tmp_path: Path) -> socket.socket:
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
    found.bind(str(tmp_path / "notify"))
    return found


async def test_the_page_is_ready_when_it_answers_and_stops_in_order(
    tmp_path: Path, receiver: socket.socket
) -> None:
    port = free_port()
    config = str(write_config(tmp_path, port))
    async with child("api", "--config", config, notify=tmp_path / "notify") as page:
        await until_ready(receiver)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /api/v1/stream?line=L1 HTTP/1.1\r\nHost: localhost\r\n\r\n")
        async with asyncio.timeout(10):
            assert b"200 OK" in await reader.readline()
            await reader.readuntil(b"event: age")
        page.terminate()  # while a browser listens
        async with asyncio.timeout(10):
            assert await page.wait() == 0
        writer.close()
    receiver.close()


async def test_a_port_in_use_is_one_clear_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with child("api", "--config", str(write_config(tmp_path, port))) as page:
            async with asyncio.timeout(20):
                _, said = await page.communicate()
            assert page.returncode == 1
    text = said.decode()
    assert "Traceback" not in text
    assert "already in use" in text


async def test_the_records_are_ready_when_level(tmp_path: Path, receiver: socket.socket) -> None:
    make_day(tmp_path, count=3, follow=False)
    arguments = ("controller.records", "--state-dir", str(tmp_path))
    async with child(*arguments, notify=tmp_path / "notify") as process:
        await until_ready(receiver)
        assert len(Records(tmp_path).passes().items) == 3
        process.kill()
    async with child(*arguments, notify=tmp_path / "notify") as process:
        await until_ready(receiver)
        process.terminate()
        async with asyncio.timeout(10):
            assert await process.wait() == 0
    assert len(Records(tmp_path).passes().items) == 3
    receiver.close()


async def test_records_that_cannot_be_written_are_one_clear_sentence(tmp_path: Path) -> None:
    (tmp_path / "records.db").mkdir()
    async with child("controller.records", "--state-dir", str(tmp_path)) as process:
        async with asyncio.timeout(20):
            _, said = await process.communicate()
        assert process.returncode == 1
    assert said.decode().startswith("records.db in")
    assert "Traceback" not in said.decode()
