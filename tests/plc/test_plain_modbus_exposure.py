"""What plain Modbus/TCP leaves open, shown: whoever reaches the port can release a parcel.

The stranger below shares no code with us but the addresses of docs/plc-interface.md. It reads session and
boot id from the PLC like anybody and writes its own decisions. `docs/plc-interface.md` says how to wall the
port in; that a TLS relay refuses who has no certificate is in test_bench_plc.py.
"""

import asyncio
import struct
from random import Random

import pytest

from controller.core.vocabulary import Destination
from plc import register_map as m
from sim.plant_process import LinePlant
from tests.sim.plc_rig import LINE, parcels
from tests.sim.test_plc_server import POLLS_MAX, SwiftClock, WireHost, served

RELEASE_LANE, HOLD_LANE = 1, 5


class Stranger:
    """A Modbus client of forty lines: function 3 and function 16 over a socket."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> "Stranger":
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self.port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()

    async def ask(self, body: bytes) -> bytes:
        """The PDU's answer; IncompleteReadError or ConnectionError if there is none."""
        self._writer.write(struct.pack(">HHHB", 1, 0, len(body) + 1, 1) + body)
        _, _, length, _ = struct.unpack(">HHHB", await self._reader.readexactly(7))
        return await self._reader.readexactly(length - 1)

    async def read(self, address: int, count: int) -> tuple[int, ...]:
        answer = await self.ask(struct.pack(">BHH", 3, address, count))
        return struct.unpack(f">{count}H", answer[2:])

    async def write(self, address: int, words: list[int]) -> None:
        head = struct.pack(">BHHB", 16, address, len(words), 2 * len(words))
        await self.ask(head + struct.pack(f">{len(words)}H", *words))

    async def release_everything(self) -> None:
        """For each parcel in table T a decision of its own, in the name of the host that is latched."""
        boot = await self.read(m.H_BOOT_ID, 2)
        session = await self.read(m.C_ADDRESS + m.C_SESSION, 2)
        for row in range(3):
            track = await self.read(m.T_ADDRESS + row * m.T_ROW_REGISTERS + m.T_TRACK_ID, 2)
            if any(track):
                words = [*boot, *session, *track, Destination.RELEASE, 0, *track, m.LAYOUT_VERSION]
                slot = sum(track) % m.D_SLOTS
                at = m.D_ADDRESS + slot * m.D_SLOT_REGISTERS
                await self.write(at, [*words, _crc(struct.pack(">11H", *words))])


def _crc(data: bytes) -> int:
    """CRC-16/MODBUS, bit by bit."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc


class Silent(WireHost):
    """The honest host: it polls and decides nothing, so that every parcel is to be held."""

    async def release(self, track_id: int) -> None:
        """Nobody asked for it."""


@pytest.mark.parametrize(("attacked", "lane"), [(True, RELEASE_LANE), (False, HOLD_LANE)])
async def test_a_stranger_on_plain_modbus_releases_what_the_host_holds(
    attacked: bool, lane: int
) -> None:
    async with served(0) as (server, client):
        plant = LinePlant(
            LINE, parcels(2), server, SwiftClock(), Random(2), on_trigger=lambda *_: None
        )
        host = Silent(client)
        async with Stranger(server.port) as stranger, asyncio.TaskGroup() as group:
            group.create_task(plant.run())
            for _ in range(POLLS_MAX):
                if plant.finished:
                    break
                await host.poll()
                if attacked:
                    await stranger.release_everything()
            plant.end()
    lanes = {entry.parcel_number: entry.lane for entry in plant.world.left}
    assert lanes == {1: lane, 2: lane}
