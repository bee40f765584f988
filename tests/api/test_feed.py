"""The feed on a real line socket: live, silent, gone, back, and with nonsense on it."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from api import feed as feeding
from api.feed import Feed, Rate
from api.frames import frame
from controller import wire
from controller.core.snapshot import AlarmView
from controller.core.vocabulary import AlarmKind
from controller.runtime.line_socket import LineSocket
from tests.api.live_line import as_of
from tests.api.synthetic import CountingClock, run_story
from tests.core.story import START_NS

SNAPSHOT = as_of(run_story(4)[1][25], START_NS)


@asynccontextmanager
async def running(feed: Feed) -> AsyncIterator[None]:
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(feed.run())
        yield
        task.cancel()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feeding, "RETRY_FIRST_S", 0.01)
    monkeypatch.setattr(feeding, "RETRY_MAX_S", 0.05)
    monkeypatch.setattr(feeding, "AGE_EVERY_S", 0.05)


def events_of(chunk: bytes) -> list[tuple[str, dict[str, object]]]:
    found = []
    for block in chunk.decode().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines())
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found


async def test_it_finds_a_line_that_starts_later_and_again_after_it_died(tmp_path: Path) -> None:
    path, clock = tmp_path / "line-L1.sock", CountingClock()
    feed = Feed("L1", path, clock)
    async with running(feed):
        assert feed.age_ms is None
        for at_ns in (START_NS, START_NS + 10**9):
            clock.now_ns = at_ns
            socket = LineSocket(path, lambda _: None, lambda: None)
            await socket.open()

            def heard(socket: LineSocket = socket, at_ns: int = at_ns) -> bool:
                socket.show(lambda: as_of(SNAPSHOT, at_ns))
                return feed.age_ms == 0

            await until(heard)
            await socket.close()
    assert feed.frame is not None
    assert feed.frame.line == "L1"


async def test_a_newcomer_sees_the_newest_frame_with_its_true_age(tmp_path: Path) -> None:
    clock = CountingClock()
    feed = Feed("L1", tmp_path / "none.sock", clock)
    assert events_of(feed.joining()) == [("age", {"line": "L1", "age_ms": None})]
    feed.take(SNAPSHOT)
    clock.now_ns += 7_300_000_000
    ((kind, data),) = events_of(feed.joining())
    assert (kind, data["age_ms"]) == ("frame", 7_300)


async def test_browsers_are_told_the_age_while_the_line_is_silent(tmp_path: Path) -> None:
    clock = CountingClock()
    feed = Feed("L1", tmp_path / "none.sock", clock)
    feed.take(SNAPSHOT)
    clock.now_ns += 2_000_000_000
    async with running(feed):
        stream = feed.hub.stream(feed.joining)
        await anext(stream)
        ((kind, data),) = events_of(await asyncio.wait_for(anext(stream), 10))
        await stream.aclose()
    assert (kind, data["age_ms"]) == ("age", 2_000)


async def test_nonsense_and_refusals_end_the_connection_not_the_feed(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "line-L1.sock"
    answers = [b"\xff" * 64, wire.encode_frame(wire.Refused("busy")), wire.encode_frame(SNAPSHOT)]
    writers = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hello = wire.FrameBuffer().feed(await reader.read(1_000))
        assert isinstance(hello[0], wire.Hello)
        assert hello[0].role == "api"
        writers.append(writer)
        writer.write(answers[min(len(writers), len(answers)) - 1])

    server = await asyncio.start_unix_server(serve, path)
    feed = Feed("L1", path, CountingClock())
    with caplog.at_level(logging.INFO):
        async with running(feed):
            await until(lambda: feed.age_ms is not None)
    for writer in writers:
        writer.close()
    server.close()
    said = [record.getMessage() for record in caplog.records if record.name == "api.feed"]
    assert len(said) == 2  # once at the loss, once at the recovery
    assert "no status" in said[0]
    assert "again" in said[1]


async def test_frames_of_another_line_are_not_shown(tmp_path: Path) -> None:
    path = tmp_path / "line-L1.sock"
    socket = LineSocket(path, lambda _: None, lambda: None)
    await socket.open()
    feed = Feed("L1", path, CountingClock())
    async with running(feed):

        def heard() -> bool:
            socket.show(lambda: replace(SNAPSHOT, line="L2"))
            socket.show(lambda: SNAPSHOT)
            return feed.frame is not None

        await until(heard)
        await socket.close()
    assert feed.frame is not None
    assert feed.frame.line == "L1"


def test_a_frame_speaks_in_names_and_sorts_the_alarms() -> None:
    alarms = (
        AlarmView(AlarmKind.CLOCK_STEP, 0, 0, START_NS),
        AlarmView(AlarmKind.PLC_LINK_LOST, 0, 0, START_NS - 5_000_000_000),
        AlarmView(AlarmKind.LANE_FULL, 2, 0, START_NS),
    )
    shown = frame(replace(SNAPSHOT, alarms=alarms), START_NS + 40_000_000, None)
    assert [alarm.kind for alarm in shown.alarms] == ["PLC_LINK_LOST", "LANE_FULL", "CLOCK_STEP"]
    assert [alarm.since_s for alarm in shown.alarms] == [5, 0, 0]
    assert (shown.age_ms, shown.state) == (40, "EXECUTE")
    assert {parcel.destination for parcel in shown.parcels} <= {None, "RELEASE", "INSPECT", "HOLD"}


def test_the_rate_counts_a_minute_and_forgets_a_counter_that_went_back() -> None:
    rate = Rate()
    for second in range(0, 121):
        rate.add(second * 10**9, second)
        if second < 30:
            assert rate.per_h is None
    assert rate.per_h == 3_600
    rate.add(121 * 10**9, 0)
    assert rate.per_h is None
