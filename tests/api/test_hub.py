"""Fan-out: the same bytes to all, the newest to the slow, an end for everybody."""

import asyncio

from api.hub import Hub, sse


def joining() -> bytes:
    return sse("frame", b'"first"')


async def start(hub: Hub) -> asyncio.Task[list[bytes]]:
    """A client that collects until the hub closes."""

    async def collect() -> list[bytes]:
        return [chunk async for chunk in hub.stream(joining)]

    task = asyncio.get_running_loop().create_task(collect())
    await asyncio.sleep(0)
    return task


async def test_every_client_is_given_the_same_bytes() -> None:
    hub = Hub()
    clients = [await start(hub) for _ in range(5)]
    assert hub.clients == 5
    hub.publish("frame", b"1")
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    hub.close()
    got = [await client for client in clients]
    assert all(chunks[0].endswith(joining()) for chunks in got)
    assert all(chunks[1] is got[0][1] for chunks in got)
    assert got[0][1] == b"event: frame\ndata: 1\n\n"
    assert hub.clients == 0


async def test_a_client_that_does_not_read_gets_only_the_newest() -> None:
    hub = Hub()
    stream = hub.stream(joining)
    await anext(stream)
    for number in range(1_000):
        hub.publish("frame", str(number).encode())
    assert await anext(stream) == sse("frame", b"999")
    waiting = asyncio.get_running_loop().create_task(anext(stream, None))
    await asyncio.sleep(0)
    assert not waiting.done()  # nothing was queued for it
    hub.close()
    assert await waiting is None


async def test_a_client_that_leaves_is_forgotten() -> None:
    hub = Hub()
    stream = hub.stream(joining)
    await anext(stream)
    assert hub.clients == 1
    await stream.aclose()
    assert hub.clients == 0
    hub.publish("frame", b"1")
