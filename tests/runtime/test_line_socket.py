"""The line's socket: who may say what, and what happens to those who say something else."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller import wire
from controller.core import events as e
from controller.core.commands import TellVision
from controller.core.line import LineController
from controller.core.state import first_state
from controller.core.vocabulary import LineRequest
from controller.runtime.line_socket import CONNECTIONS_MAX, UNREAD_BYTES_MAX, LineSocket
from tests.core.story import RULES, SETTINGS


class Room:
    """A served line socket, what it delivered, and clients of it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "line-L1.sock"
        self.delivered: asyncio.Queue[e.Event] = asyncio.Queue()
        self.woken = asyncio.Event()
        self.clients: list[Client] = []
        self.socket = LineSocket(self.path, self.delivered.put_nowait, self.woken.set)

    async def client(self, *messages: object) -> "Client":
        reader, writer = await asyncio.open_unix_connection(self.path)
        client = Client(reader, writer)
        client.send(*messages)
        self.clients.append(client)
        return client


class Client:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self._buffer = wire.FrameBuffer()

    def send(self, *messages: object) -> None:
        for message in messages:
            self.writer.write(wire.encode_frame(message))

    async def receive(self) -> list[Any]:
        """The next messages; [] when the line closed the connection."""
        while data := await self.reader.read(65_536):
            if messages := self._buffer.feed(data):
                return messages
        return []


@pytest.fixture
async def room(tmp_path: Path) -> AsyncIterator[Room]:
    room = Room(tmp_path)
    await room.socket.open()
    yield room
    for client in room.clients:
        client.writer.close()
        await client.writer.wait_closed()
    await room.socket.close()


async def test_vision_speaks_and_its_end_is_an_event(room: Room) -> None:
    worker = await room.client(wire.Hello("vision", 4, 1), e.VisionUp(4))
    assert await room.delivered.get() == e.VisionUp(4)
    room.socket.tell_vision(TellVision(4, 1, 7, 300, 150))
    assert await worker.receive() == [TellVision(4, 1, 7, 300, 150)]
    worker.writer.close()
    assert await room.delivered.get() == e.VisionDown(4, source_silent=False)


async def test_pages_get_snapshots_and_intake_wakes(room: Room) -> None:
    page = await room.client(wire.Hello("api", 0, 1), e.LineRequested(LineRequest.STOP, "S"))
    await room.delivered.get()
    core = LineController(SETTINGS, first_state(SETTINGS, "r", RULES))
    room.socket.show(lambda: core.snapshot(5))
    assert await page.receive() == [core.snapshot(5)]
    await room.client(wire.Hello("intake", 0, 1), wire.ListsImported(3))
    await room.woken.wait()


@pytest.mark.parametrize(
    "messages",
    [
        (e.VisionUp(4),),  # no Hello
        (wire.Hello("plc", 0, 1),),  # unknown role
        (wire.Hello("vision", 4, 1), e.VisionUp(5)),  # speaks for another source
        (wire.Hello("vision", 4, 1), e.VerdictDurable(1)),  # would be a release
        (wire.Hello("api", 0, 1), e.JournalRecovered("me")),
        (wire.Hello("intake", 0, 1), e.ListChanged),
    ],
)
async def test_who_says_what_is_not_his_is_refused(room: Room, messages: tuple[Any, ...]) -> None:
    if not isinstance(messages[-1], type):
        client = await room.client(*messages)
    else:
        client = await room.client(*messages[:-1])
        client.writer.write(b"\x00\x00\x00\x03abc")
    (refusal,) = await client.receive()
    assert isinstance(refusal, wire.Refused)
    assert await client.receive() == []
    assert room.delivered.empty()


async def test_oversized_frame_ends_the_connection(room: Room) -> None:
    client = await room.client()
    client.writer.write((wire.FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
    (refusal,) = await client.receive()
    assert "bytes" in refusal.why


async def test_one_client_too_many_is_refused_and_the_others_are_served(room: Room) -> None:
    hello = (wire.Hello("api", 0, 1), e.LineRequested(LineRequest.STOP, "S"))
    first = await room.client(*hello)
    for _ in range(CONNECTIONS_MAX - 1):
        await room.client(*hello)
    for _ in range(CONNECTIONS_MAX):
        await room.delivered.get()
    one_too_many = await room.client(*hello)
    (refusal,) = await one_too_many.receive()
    assert refusal == wire.Refused(f"{CONNECTIONS_MAX} clients are connected already")
    core = LineController(SETTINGS, first_state(SETTINGS, "r", RULES))
    room.socket.show(lambda: core.snapshot(5))
    assert await first.receive() == [core.snapshot(5)]
    assert room.delivered.empty()


async def test_a_page_that_does_not_read_is_sent_no_more_than_a_bounded_backlog(
    room: Room,
) -> None:
    await room.client(wire.Hello("api", 0, 1), e.LineRequested(LineRequest.STOP, "S"))
    await room.delivered.get()
    core = LineController(SETTINGS, first_state(SETTINGS, "r", RULES))
    frame_bytes = len(wire.encode_frame(core.snapshot(5)))
    for _ in range(4 * UNREAD_BYTES_MAX // frame_bytes):
        room.socket.show(lambda: core.snapshot(5))
    (connection,) = room.socket._connections
    waiting = connection._writer.transport.get_write_buffer_size()
    assert UNREAD_BYTES_MAX < waiting <= UNREAD_BYTES_MAX + frame_bytes
