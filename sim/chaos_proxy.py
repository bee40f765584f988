"""A TCP proxy that behaves like a bad network, from one seed.

Byte pumps between host and PLC that cut segments into pieces, glue neighbours together, stall, go
half-open (bytes vanish, the connection stands) and reset connections, at random but repeatably.
"""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from enum import Enum


class Fault(Enum):
    """What may befall the connection; STALL and HALF_OPEN last, the others are moments or phases."""

    RESET = "reset"
    STALL = "stall"
    HALF_OPEN = "half-open"
    SPLIT = "split"
    MERGE = "merge"
    DEAF = "deaf"  # what the PLC answers does not arrive


# What `play` chooses from; DEAF is HALF_OPEN in one direction, for those who ask for it.
CHAOS = (Fault.RESET, Fault.STALL, Fault.HALF_OPEN, Fault.SPLIT, Fault.MERGE)
OnRequest = Callable[[bytes], None]


class ChaosProxy:
    """Forwards to `plc_port`; `fault` is what happens now, `counts` what happened with bytes at hand.

    `on_request` hears everything that was forwarded to the PLC.
    """

    def __init__(self, plc_port: int, seed: int) -> None:
        self.plc_port = plc_port
        self.seed = seed
        self.port = 0
        self.counts: Counter[Fault] = Counter()
        self.connections = 0
        self.on_request: OnRequest = lambda data: None
        self._fault: Fault | None = None
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._writers: set[asyncio.StreamWriter] = set()

    @property
    def fault(self) -> Fault | None:
        return self._fault

    @fault.setter
    def fault(self, fault: Fault | None) -> None:
        self._fault = fault
        if fault is Fault.STALL:
            self._flowing.clear()
        else:
            self._flowing.set()

    async def play(self, fault_s: float, calm_s: float) -> None:
        """Fault after fault, each about `fault_s` long with about `calm_s` between, until cancelled."""
        dice = random.Random(self.seed)
        while True:
            await asyncio.sleep(calm_s * dice.uniform(0.5, 1.5))
            self.fault = dice.choice(CHAOS)
            if self.fault is Fault.RESET:
                self.reset()
            else:
                await asyncio.sleep(fault_s * dice.uniform(0.2, 1.8))
            self.fault = None

    def reset(self) -> None:
        """Abort every connection on both sides."""
        if self._writers:
            self.counts[Fault.RESET] += 1
        for writer in list(self._writers):
            writer.transport.abort()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One host connection; ends when either side does."""
        self.connections += 1
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.plc_port)
        except OSError:
            writer.transport.abort()
            return
        both = {writer, far_writer}
        self._writers |= both
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._pump(reader, far_writer, both, from_host=True))
                group.create_task(self._pump(far_reader, writer, both, from_host=False))
        finally:
            self._writers -= both
            for each in both:
                each.transport.abort()

    async def _pump(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        both: set[asyncio.StreamWriter],
        *,
        from_host: bool,
    ) -> None:
        seen: Fault | None = None
        dice = random.Random(self.seed + self.connections)
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(4096):
                fault = self.fault
                if fault is not None and fault is not seen:
                    self.counts[fault] += 1
                seen = fault
                if self.fault is Fault.DEAF and not from_host:
                    continue
                await self._forward(data, writer, dice)
                if from_host and self.fault is not Fault.HALF_OPEN:
                    self.on_request(data)
        for each in both:
            each.transport.abort()

    async def _forward(
        self, data: bytes, writer: asyncio.StreamWriter, dice: random.Random
    ) -> None:
        match self.fault:
            case Fault.HALF_OPEN:
                return
            case Fault.STALL:
                await self._flowing.wait()
            case Fault.MERGE:
                await asyncio.sleep(0.15)
            case Fault.SPLIT:
                cut = dice.randrange(1, len(data)) if len(data) > 1 else 1
                writer.write(data[:cut])
                await asyncio.sleep(0.002)
                data = data[cut:]
            case _:
                pass
        writer.write(data)
        await writer.drain()


@asynccontextmanager
async def proxied(plc_port: int, seed: int) -> AsyncIterator[ChaosProxy]:
    """A listening proxy without faults; start `play` for those."""
    proxy = ChaosProxy(plc_port, seed)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.reset()
        await server.wait_closed()
