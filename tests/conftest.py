"""Rules for every test: nothing is left running, and where it counts nothing is skipped."""

import asyncio
import inspect
import os
from collections.abc import AsyncIterator, Generator

import pytest

# Set by .ci/run, where a missing tool or missing reference material is a failure.
NO_SKIPS = bool(os.environ.get("PARCELGATE_NO_SKIPS"))
# A registry that cannot be reached says nothing about this repository (docs/decisions/0071).
MAY_BE_AWAY = "no PLC on node-opcua"


@pytest.fixture
async def no_task_left_behind() -> AsyncIterator[None]:
    """A test that leaves a task running would disturb the next one."""
    yield
    await asyncio.sleep(0)
    left = asyncio.all_tasks() - {asyncio.current_task()}
    assert not left, f"left running: {left}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if isinstance(item, pytest.Function) and inspect.iscoroutinefunction(item.obj):
            item.fixturenames.insert(0, "no_task_left_behind")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if not hasattr(report, "wasxfail"):
        _refuse_skip(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    _refuse_skip(report)
    return report


def _refuse_skip(report: pytest.TestReport | pytest.CollectReport) -> None:
    if NO_SKIPS and report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        if MAY_BE_AWAY in str(reason):
            return
        report.outcome = "failed"
        report.longrepr = f"Nothing may be skipped here: {reason}"
