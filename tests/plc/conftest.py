"""The C PLC is compiled once per run; without gcc or libmodbus these tests say so and are skipped."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.plc import ringplc_peer
from tests.plc.opcua_peer import plc_maker


@pytest.fixture(scope="session")
def ringplc(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled C PLC."""
    built = ringplc_peer.build(tmp_path_factory.mktemp("ringplc"))
    if isinstance(built, str):
        pytest.skip(f"no C PLC: {built}")
    return built


@pytest_asyncio.fixture(autouse=True)
async def no_task_left() -> AsyncIterator[None]:
    """A test that leaves a task behind fails."""
    before = asyncio.all_tasks()
    yield
    left = asyncio.all_tasks() - before - {asyncio.current_task()}
    assert not left, f"tasks left behind: {left}"


@pytest.fixture(scope="session")
def opcua_plcs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where PLCs behind OPC UA are asked for (tests/plc/opcua_peer.py: running)."""
    with plc_maker(tmp_path_factory.mktemp("plcs")) as where:
        yield where
