"""The line's own socket: whatever a client sends, that connection may end and nothing else."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from controller.core.events import VisionUp
from controller.runtime.line_socket import LineSocket
from controller.wire import Hello, encode_frame
from tests.fuzz.looking import CUTS, anything, looked_at, pieces
from tests.fuzz.specimens import MESSAGES

HELLO = encode_frame(Hello("vision", 4, 1))
STREAMS = [HELLO + encode_frame(message) for message in MESSAGES]
DEEP = HELLO + (5_003).to_bytes(4, "big") + b"\x93\x01\x28" + b"\x91" * 5_000
UP = HELLO + encode_frame(VisionUp(4))


async def _after(stream: bytes, cuts: list[int]) -> tuple[list[Any], list[Any]]:
    """What the line was told by an honest client after this one, and what broke on the loop."""
    told: list[Any] = []
    broken: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: broken.append(context))
    with TemporaryDirectory() as folder:
        path = Path(folder) / "line.sock"
        line = LineSocket(path, told.append, lambda: None)
        await line.open()
        _, writer = await asyncio.open_unix_connection(path)
        for piece in pieces(stream, cuts):
            writer.write(piece)
            await asyncio.sleep(0)
        writer.close()
        told.clear()
        _, honest = await asyncio.open_unix_connection(path)
        honest.write(UP)
        async with asyncio.timeout(5):
            while VisionUp(4) not in told:
                await asyncio.sleep(0)
        honest.close()
        await line.close()
    return told, broken


@looked_at(80)
@given(st.one_of(anything(STREAMS), st.just(DEEP)), CUTS)
def test_only_that_connection_ends(stream: bytes, cuts: list[int]) -> None:
    told, broken = asyncio.run(_after(stream, cuts))
    assert not broken
    assert VisionUp(4) in told
