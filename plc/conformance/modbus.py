"""The suite's wire over Modbus TCP, on the connection of plc/modbus_wire.py."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from typing import TypeVar
from urllib.parse import parse_qs, urlsplit

from controller.core.vocabulary import LinkFault
from controller.interfaces import Clock
from plc import register_map as m
from plc.conformance.wire import WireLost, WriteWay, block_name
from plc.header import ExchangeFault
from plc.modbus_wire import ModbusWire, connected_wire
from plc.ring_reader import RegisterRun

DEFAULT_PORT = 502
# A request that was not answered is asked again (all of them may be repeated) until the life sign's limit.
_TRIES = m.LIFE_SIGN_LIMIT_MS // m.REQUEST_TIMEOUT_MS

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class ModbusUrl:
    """`modbus://host:port/base?device=1`: port 502, base 0 and device 1 where nothing is said."""

    host: str
    port: int = DEFAULT_PORT
    base_address: int = 0
    device_id: int = 1

    @staticmethod
    def parse(url: str) -> "ModbusUrl":
        """ValueError with one sentence."""
        parts = urlsplit(url)
        query = parse_qs(parts.query, keep_blank_values=True)
        base = parts.path.strip("/")
        if parts.scheme != "modbus" or not parts.hostname or set(query) - {"device"}:
            raise ValueError(f"'{url}' is not of the form modbus://host:port/base?device=1.")
        try:
            port, base_address = parts.port or DEFAULT_PORT, int(base or "0")
            device_id = int(query.get("device", ["1"])[0])
        except ValueError as error:
            raise ValueError(f"'{url}': port, base and device must be whole numbers.") from error
        if not 0 <= base_address <= 0x1_0000 - m.MAP_REGISTERS:
            last = 0x1_0000 - m.MAP_REGISTERS
            raise ValueError(f"'{url}': the base must lie between 0 and {last}.")
        if not 0 <= device_id <= 255:
            raise ValueError(f"'{url}': the device must lie between 0 and 255.")
        return ModbusUrl(parts.hostname, port, base_address, device_id)


class ModbusTarget:
    """`Wire` over Modbus TCP."""

    has_rows = True
    ways = tuple(WriteWay)

    def __init__(self, wire: ModbusWire, clock: Clock, base_address: int) -> None:
        self._wire = wire
        self._clock = clock
        self._base = base_address

    async def read(self, run: RegisterRun) -> list[int]:
        """As Wire, in as many requests as it takes."""
        words: list[int] = []
        for at in range(0, run.count, m.FC3_REGISTERS_MAX):
            count = min(m.FC3_REGISTERS_MAX, run.count - at)
            part = RegisterRun(run.address + at, count)
            got = await self._ask(partial(self._wire.read, part))
            words += got or []
        return words

    async def write(self, address: int, words: Sequence[int]) -> None:
        for at in range(0, len(words), m.FC16_REGISTERS_MAX):
            part = words[at : at + m.FC16_REGISTERS_MAX]
            await self._ask(partial(self._wire.write, address + at, part))

    async def refuses(
        self, address: int, words: Sequence[int], way: WriteWay = WriteWay.WHOLE
    ) -> bool:
        try:
            await self._wire.write_by_function(way.value, address, words)
        except ExchangeFault as fault:
            if fault.fault is LinkFault.EXCEPTION_ANSWER:
                return True
            raise WireLost(f"{fault}") from fault
        return False

    async def submit(self, row: Sequence[int]) -> int | None:
        slot = (row[m.D_DECISION_SEQ] << 16 | row[m.D_DECISION_SEQ + 1]) % m.D_SLOTS
        await self.write(m.D_ADDRESS + slot * m.D_SLOT_REGISTERS, row)
        return None

    async def pause(self, ms: int) -> None:
        await asyncio.sleep(ms / 1_000)

    def now_ns(self) -> int:
        return self._clock.monotonic_ns()

    def place(self, address: int) -> str:
        return f"{block_name(address)} (register {self._base + address})"

    async def _ask(self, request: Callable[[], Awaitable[Answer]]) -> Answer:
        try:
            for _ in range(_TRIES):
                answer = await request()
                if answer:
                    return answer
        except ExchangeFault as fault:
            raise WireLost(f"{fault}") from fault
        raise WireLost(f"no answer to {_TRIES} requests of {m.REQUEST_TIMEOUT_MS} ms each")


@asynccontextmanager
async def modbus_target(url: ModbusUrl, clock: Clock) -> AsyncIterator[ModbusTarget]:
    """A connected wire, closed on leaving. WireLost if it cannot connect."""
    try:
        async with connected_wire(
            url.host, url.port, clock, device_id=url.device_id, base_address=url.base_address
        ) as wire:
            yield ModbusTarget(wire, clock, url.base_address)
    except ExchangeFault as fault:
        raise WireLost(f"{fault}") from fault
