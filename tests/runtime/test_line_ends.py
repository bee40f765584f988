"""A line process without its link controls nothing: it ends, and whoever keeps it starts it again."""

import asyncio
from pathlib import Path

import pytest

from controller.interfaces import Deliver
from controller.runtime.line_process import LineProcess
from tests.runtime.running_line import ScriptedLink, a_line


class EndingLink(ScriptedLink):
    """Its monitor loop ends without an error, as one that was cancelled by mistake."""

    def __init__(self, *, cancelled: bool) -> None:
        super().__init__()
        self._cancelled = cancelled

    async def run(self, deliver: Deliver) -> None:
        await asyncio.sleep(0)
        if self._cancelled:
            raise asyncio.CancelledError


@pytest.mark.parametrize("cancelled", [True, False])
async def test_a_link_that_ends_ends_the_line(tmp_path: Path, cancelled: bool) -> None:
    process = LineProcess(a_line(tmp_path), "0.1.0", lambda *_: EndingLink(cancelled=cancelled))
    async with asyncio.timeout(20):
        with pytest.raises(ExceptionGroup) as raised:
            await process.run(asyncio.Event())
    (error,) = raised.value.exceptions
    assert str(error) == "PLC link ended by itself"
