"""One Modbus TCP connection: the only file that touches pymodbus.

One request is in flight at a time, never repeated by the library (retries 0; every write here may
be repeated without harm), and each has its own time-out. A request that was not answered is None,
because the next one may be; everything else that goes wrong leaves as ExchangeFault. The library's
own reconnect is off: it keeps the old object's state and backs off up to minutes.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

from pymodbus.client import AsyncModbusTcpClient
from pymodbus.exceptions import ModbusException, ModbusIOException
from pymodbus.pdu import ModbusPDU

from controller.core.units import NS_PER_MS
from controller.core.vocabulary import DecisionResult, LinkFault
from controller.interfaces import Clock
from plc import register_map as m
from plc.decision_slots import ROWS_PER_WRITE, RowsToWrite
from plc.header import ExchangeFault
from plc.ring_reader import RegisterRun

# The library logs every failed request and connect; the link says it once per outage.
logging.getLogger("pymodbus").setLevel(logging.CRITICAL)


class ModbusWire:
    """Requests on one open connection. Addresses are relative to the line's base address."""

    rows_per_write = ROWS_PER_WRITE

    def __init__(
        self, client: AsyncModbusTcpClient, clock: Clock, *, device_id: int, base_address: int
    ) -> None:
        self._client = client
        self._clock = clock
        self._device_id = device_id
        self._base = base_address
        self._answered_ns = clock.monotonic_ns()

    @property
    def silent_ms(self) -> int:
        """How long nothing was answered on this connection."""
        return (self._clock.monotonic_ns() - self._answered_ns) // NS_PER_MS

    @property
    def connected(self) -> bool:
        return self._client.connected

    async def read(self, run: RegisterRun) -> list[int] | None:
        """FC3: the registers of `run`."""
        assert run.count <= m.FC3_REGISTERS_MAX, "the map's reads fit one request"
        self._require_open()
        request = self._client.read_holding_registers(
            self._base + run.address, count=run.count, device_id=self._device_id
        )
        return await self._registers(request, run.count)

    async def write_and_read(
        self, address: int, words: Sequence[int], run: RegisterRun
    ) -> list[int] | None:
        """FC23: write `words` at `address`, then read the registers of `run`."""
        self._require_open()
        request = self._client.readwrite_registers(
            read_address=self._base + run.address,
            read_count=run.count,
            write_address=self._base + address,
            values=list(words),
            device_id=self._device_id,
        )
        return await self._registers(request, run.count)

    async def write(self, address: int, words: Sequence[int]) -> bool:
        """FC16: true if the PLC confirmed."""
        # pymodbus does not refuse 124 registers; they would go out on the wire.
        assert len(words) <= m.FC16_REGISTERS_MAX, "the map's writes fit one request"
        self._require_open()
        request = self._client.write_registers(
            self._base + address, list(words), device_id=self._device_id
        )
        return await self._answer(request) is not None

    async def write_by_function(self, function: int, address: int, words: Sequence[int]) -> bool:
        """As `write`, by function 6, 16, 22 (each bit as it is given) or 23; 6 and 22 write one word."""
        self._require_open()
        client, at, device = self._client, self._base + address, self._device_id
        request: Awaitable[ModbusPDU]
        if function == 6:
            request = client.write_register(at, words[0], device_id=device)
        elif function == 22:
            request = client.mask_write_register(
                address=at, and_mask=0, or_mask=words[0], device_id=device
            )
        elif function == 23:
            request = client.readwrite_registers(
                read_address=self._base,
                read_count=1,
                write_address=at,
                values=list(words),
                device_id=device,
            )
        else:
            request = client.write_registers(at, list(words), device_id=device)
        return await self._answer(request) is not None

    async def submit(self, write: RowsToWrite) -> dict[int, DecisionResult] | None:
        """Rows of block D; their answers come in block E."""
        return {} if await self.write(write.address, write.words) else None

    async def _registers(self, request: Awaitable[ModbusPDU], count: int) -> list[int] | None:
        answer = await self._answer(request)
        if answer is None:
            return None
        if len(answer.registers) != count:
            raise ExchangeFault(
                LinkFault.EXCEPTION_ANSWER,
                f"the PLC answered {len(answer.registers)} of {count} registers",
            )
        return list(answer.registers)

    async def _answer(self, request: Awaitable[ModbusPDU]) -> ModbusPDU | None:
        try:
            answer = await request
        except ModbusIOException:
            self._require_open()
            return None
        except ModbusException as error:
            raise ExchangeFault(LinkFault.REFUSED, str(error)) from error
        _obey_cancellation()
        self._answered_ns = self._clock.monotonic_ns()
        if answer.isError():
            raise ExchangeFault(LinkFault.EXCEPTION_ANSWER, f"the PLC refused a request: {answer}")
        return answer

    def _require_open(self) -> None:
        # Otherwise the library would open a new connection behind our back.
        if not self._client.connected:
            raise ExchangeFault(LinkFault.REFUSED, "the PLC closed the connection")


def _obey_cancellation() -> None:
    """pymodbus waits with `asyncio.wait_for`, which before Python 3.12 swallows a cancellation that
    comes in the same turn of the loop as the answer; the link would then run for ever."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


@asynccontextmanager
async def connected_wire(
    host: str, port: int, clock: Clock, *, device_id: int, base_address: int
) -> AsyncIterator[ModbusWire]:
    """A new client object, connected; closed on leaving. ExchangeFault if it cannot connect."""
    client = AsyncModbusTcpClient(
        host,
        port=port,
        timeout=m.REQUEST_TIMEOUT_MS / 1_000,
        retries=0,
        reconnect_delay=0,
    )
    try:
        connected = await client.connect()
        _obey_cancellation()
        if not connected:
            raise ExchangeFault(LinkFault.REFUSED, f"no connection to {host} port {port}")
        yield ModbusWire(client, clock, device_id=device_id, base_address=base_address)
    finally:
        client.close()
