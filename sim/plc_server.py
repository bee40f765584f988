"""The soft PLC on the wire: its register image over Modbus TCP, and the real-time loop around it.

A host sees the image as the PLC writes it: `commit` pauses inside a record, so that a poll can really
meet a torn one. Blocks C and D take writes, everything else answers an exception. The scan keeps its
own time: after a stall the missed scans follow one by one, so that no edge is skipped.
"""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from controller.core.units import NS_PER_S, NS_PER_US
from controller.interfaces import Clock
from plc import register_map as m
from sim.diverters import US_PER_MS
from sim.plc_io import PlcOutputs, RegisterWrite
from sim.soft_plc import HOST_BLOCKS_ADDRESS, HOST_BLOCKS_COUNT, SoftPlc
from sim.world import World

# Words written between two pauses; a longer write is a block cleared at boot and goes in whole.
PIECE_WORDS = 4
_TORN_WORDS_MAX = m.R_SLOT_REGISTERS
_READ_CODES = frozenset({3, 4})
_WRITE_CODES = frozenset({6, 16, 22, 23})
_D_COUNT = m.D_SLOTS * m.D_SLOT_REGISTERS


class PlcPort(Protocol):
    """Where a host finds the soft PLC, whatever the protocol."""

    async def start(self) -> None:
        """Listen. RuntimeError if the address cannot be taken."""

    async def stop(self) -> None:
        """Close the port and every connection."""

    def host_blocks(self) -> Sequence[int]:
        """Blocks C and D as the host last wrote them, for `SoftPlc.scan`."""

    async def commit(self, writes: Sequence[RegisterWrite]) -> None:
        """Show the writes in order, with pauses inside them."""


def pieces_of(write: RegisterWrite) -> Iterator[tuple[int, tuple[int, ...]]]:
    """A write as the pieces (address, words) that a host may see one by one."""
    count = len(write.words)
    size = PIECE_WORDS if count <= _TORN_WORDS_MAX else count
    for at in range(0, count, size):
        yield write.address + at, write.words[at : at + size]


class PlcServer:
    """One line's map at `base_address` of device `device_id`. `refused_writes` counts exceptions given."""

    def __init__(self, host: str, port: int, device_id: int = 1, base_address: int = 0) -> None:
        self.image = [0] * m.MAP_REGISTERS
        self.refused_writes = 0
        self._address = (host, port)
        self._device_id = device_id
        self._base = base_address
        self._server: ModbusTcpServer | None = None

    async def start(self) -> None:
        """Listen. RuntimeError if the address cannot be taken."""
        registers = SimData(0, count=self._base + m.MAP_REGISTERS, datatype=DataType.REGISTERS)
        device = SimDevice(id=self._device_id, simdata=[registers], action=self._access)
        self._server = ModbusTcpServer(device, address=self._address)
        await self._server.serve_forever(background=True)
        # a PLC that was off comes back on the port it had
        self._address = (self._address[0], self.port)

    async def stop(self) -> None:
        """Close the port and every connection."""
        if self._server is not None:
            await self._server.shutdown()  # type: ignore[no-untyped-call]
            self._server = None

    @property
    def port(self) -> int:
        """The port really listened on (for port 0)."""
        assert self._server is not None, "start first"
        assert self._server.transport is not None, "start first"
        return int(self._server.transport.sockets[0].getsockname()[1])  # type: ignore[attr-defined]

    def host_blocks(self) -> Sequence[int]:
        """Blocks C and D as the host last wrote them, for `SoftPlc.scan`."""
        return self.image[HOST_BLOCKS_ADDRESS : HOST_BLOCKS_ADDRESS + HOST_BLOCKS_COUNT]

    async def commit(self, writes: Sequence[RegisterWrite]) -> None:
        """Show the writes in order, with pauses inside them."""
        for write in writes:
            for address, piece in pieces_of(write):
                self.image[address : address + len(piece)] = piece
                await asyncio.sleep(0)

    async def _access(
        self,
        function_code: int,
        start_address: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Pymodbus asks before every read and write: the image is the truth, its registers a copy."""
        if function_code not in _READ_CODES | _WRITE_CODES:
            return ExcCodes.ILLEGAL_FUNCTION
        at = address - self._base
        if at < 0:
            return ExcCodes.ILLEGAL_ADDRESS
        if values is None:
            offset = address - start_address
            registers[offset : offset + count] = self.image[at : at + count]
            return None
        in_c = at >= m.C_ADDRESS and at + count <= m.C_ADDRESS + m.C_COUNT
        in_d = at >= m.D_ADDRESS and at + count <= m.D_ADDRESS + _D_COUNT
        if not (in_c or in_d):
            self.refused_writes += 1
            return ExcCodes.ILLEGAL_ADDRESS
        self.image[at : at + count] = [int(word) for word in values]
        return None


async def run_plant(
    plc: SoftPlc,
    world: World,
    server: PlcPort,
    clock: Clock,
    epoch_ns: int | None = None,
    after_scan: Callable[[PlcOutputs], bool] = lambda outputs: True,
) -> None:
    """World and PLC in real time, until `after_scan` (called when the scan's writes are all visible)
    answers False. `epoch_ns` is the clock at plant time 0; None: such that the plant goes on now."""
    scan_us = plc.plant.numbers.scan_ms * US_PER_MS
    if epoch_ns is None:
        epoch_ns = clock.monotonic_ns() - world.belt.now_us * NS_PER_US
    outputs = PlcOutputs()
    while True:
        next_us = world.belt.now_us + scan_us
        wait_ns = epoch_ns + next_us * NS_PER_US - clock.monotonic_ns()
        # at least a turn of the loop, also when catching up: the host's requests are served in it
        await asyncio.sleep(max(0, wait_ns) / NS_PER_S)
        inputs = world.step(next_us, outputs)
        outputs = plc.scan(next_us, inputs, server.host_blocks())
        await server.commit(outputs.commits)
        if not after_scan(outputs):
            return
