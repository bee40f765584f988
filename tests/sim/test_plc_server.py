"""The register image over a real socket: torn records are seen and caught, foreign writes refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random

import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.constants import ExcCodes

from controller.clock import SystemClock
from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import u32_difference
from controller.core.vocabulary import DecisionResult, Destination
from plc import register_map as m
from plc.record_codec import decode_echo, decode_record, encode_decision, u32_at
from sim.parcels import SimParcel
from sim.plant_process import LinePlant
from sim.plc_ring import Registers, Ring
from sim.plc_server import PlcServer
from tests.sim.plc_rig import LINE, Host, parcels

BASE = 500
# a bound, so that a fault ends the test instead of polling for ever
POLLS_MAX = 20_000


@asynccontextmanager
async def served(base: int = BASE) -> AsyncIterator[tuple[PlcServer, AsyncModbusTcpClient]]:
    server = PlcServer("127.0.0.1", 0, device_id=1, base_address=base)
    await server.start()
    client = AsyncModbusTcpClient("127.0.0.1", port=server.port, timeout=2, retries=0)
    assert await client.connect()
    try:
        yield server, client
    finally:
        client.close()
        await server.stop()


async def test_every_function_code_of_the_exchange_is_served() -> None:
    async with served() as (server, client):
        server.image[m.H_MAGIC] = m.MAGIC
        read = await client.read_holding_registers(BASE, count=14, device_id=1)
        assert read.registers[m.H_MAGIC] == m.MAGIC
        written = await client.write_registers(BASE + m.D_ADDRESS, [1, 2, 3], device_id=1)
        assert not written.isError()
        both = await client.readwrite_registers(
            read_address=BASE,
            read_count=m.H_COUNT,
            write_address=BASE + m.C_ADDRESS,
            values=list(range(1, 13)),
            device_id=1,
        )
        assert both.registers[m.H_MAGIC] == m.MAGIC
        blocks = list(server.host_blocks())
        assert blocks[:12] == list(range(1, 13))
        assert blocks[20:23] == [1, 2, 3]


@pytest.mark.parametrize(
    "address",
    [0, m.P_ADDRESS, m.E_ADDRESS, m.C_ADDRESS - 1, m.C_ADDRESS + 11, m.D_ADDRESS - 1, m.T_ADDRESS]
    + [m.D_ADDRESS + m.D_SLOTS * m.D_SLOT_REGISTERS - 1, m.R_ADDRESS],
)
async def test_writes_outside_c_and_d_get_an_exception(address: int) -> None:
    async with served() as (server, client):
        before = list(server.image)
        answer = await client.write_registers(BASE + address, [7, 7], device_id=1)
        assert answer.isError()
        assert answer.exception_code == ExcCodes.ILLEGAL_ADDRESS
        assert server.image == before
        assert server.refused_writes == 1


async def test_reads_outside_the_map_and_other_functions_get_an_exception() -> None:
    async with served() as (server, client):
        for address in (BASE - 1, BASE + m.MAP_REGISTERS - 1):
            answer = await client.read_holding_registers(address, count=2, device_id=1)
            assert answer.isError()
        assert (await client.read_coils(BASE, count=8, device_id=1)).isError()
        assert (await client.write_coil(BASE + m.C_ADDRESS, True, device_id=1)).isError()
        assert not any(server.image)


async def test_torn_records_are_really_seen_and_the_crc_catches_each() -> None:
    """A poll of one slot while the PLC overwrites it again and again."""
    async with served() as (server, client):
        registers = Registers()
        ring = Ring(registers, boot_id=7)
        stop, rng = asyncio.Event(), Random(4)

        async def write() -> None:
            for number in range(1, 100_000):
                if stop.is_set():
                    return
                ring.push(events.Inducted, 1, number * 65_537 % (1 << 32), number, number, number)
                seq = ring.next_seq - 1
                ring.acknowledge(seq, seq ^ 0xFFFF_FFFF)
                # in one event loop host and PLC would otherwise run in step and never meet
                for _ in range(rng.randint(0, 9)):
                    await asyncio.sleep(0)
                await server.commit(registers.take()[0])

        torn = whole = 0
        async with asyncio.TaskGroup() as group:
            group.create_task(write())
            for _ in range(600):
                header = await client.read_holding_registers(BASE, count=14, device_id=1)
                head = u32_at(header.registers, m.H_HEAD_SEQ) + 1
                at = BASE + m.R_ADDRESS + head % m.R_SLOTS * m.R_SLOT_REGISTERS
                slot = await client.read_holding_registers(at, count=31, device_id=1)
                begin = u32_at(slot.registers, m.R_SEQ_BEGIN)
                record = decode_record(7, begin, slot.registers) if begin else None
                if record is None:
                    torn += 1
                    continue
                whole += 1
                assert isinstance(record, events.Inducted)
                assert record.track_id == record.encoder_counts * 65_537 % (1 << 32)
                assert record.gap_before_counts == record.encoder_counts == record.ring_seq
            stop.set()
        assert torn > 50
        assert whole > 50


class WireHost:
    """A host over Modbus: releases every body it sees triggered."""

    def __init__(self, client: AsyncModbusTcpClient) -> None:
        self.client = client
        self.host = Host(next_seq=1)
        self.boot_id = 0
        self.records: list[events.PlcRecord] = []
        self.torn = 0
        self.answers: dict[int, DecisionResult] = {}

    async def poll(self) -> None:
        self.host.heartbeat = (self.host.heartbeat + 1) & 0xFFFF
        answer = await self.client.readwrite_registers(
            read_address=0,
            read_count=m.H_COUNT,
            write_address=m.C_ADDRESS,
            values=self.host.c_block(),
            device_id=1,
        )
        header = answer.registers
        head = u32_at(header, m.H_HEAD_SEQ)
        if header[m.H_MAGIC] != m.MAGIC or head != u32_at(header, m.H_HEAD_COPY):
            return
        self.boot_id = u32_at(header, m.H_BOOT_ID)
        while head and u32_difference(head, self.host.next_seq) >= 0:
            seq = self.host.next_seq
            at = m.R_ADDRESS + seq % m.R_SLOTS * m.R_SLOT_REGISTERS
            slot = await self.client.read_holding_registers(at, count=31, device_id=1)
            record = decode_record(self.boot_id, seq, slot.registers)
            if record is None:
                self.torn += 1
                return
            self.records.append(record)
            self.host.ack, self.host.next_seq = seq, seq + 1
            if isinstance(record, events.Triggered):
                await self.release(record.track_id)
        echoes = await self.client.read_holding_registers(m.E_ADDRESS, count=80, device_id=1)
        for slot_at in range(0, 80, m.E_SLOT_REGISTERS):
            echo = decode_echo(echoes.registers[slot_at : slot_at + m.E_SLOT_REGISTERS])
            if echo is not None:
                self.answers[echo.decision_seq] = echo.result

    async def release(self, track_id: int) -> None:
        decision = SendDecision(
            track_id, self.boot_id, self.host.session, track_id, Destination.RELEASE, 0
        )
        at = m.D_ADDRESS + track_id % m.D_SLOTS * m.D_SLOT_REGISTERS
        await self.client.write_registers(at, encode_decision(decision), device_id=1)


class SwiftClock(SystemClock):
    """Plant time passes four times as fast."""

    def monotonic_ns(self) -> int:
        return super().monotonic_ns() * 4


async def test_a_line_in_real_time_is_released_over_the_wire() -> None:
    heard: list[tuple[int, int, tuple[int, ...]]] = []

    def on_trigger(trigger_no: int, counts: int, bodies: tuple[SimParcel, ...]) -> None:
        heard.append((trigger_no, counts, tuple(one.number for one in bodies)))

    async with served(0) as (server, client):
        plant = LinePlant(
            LINE,
            parcels(5),
            server,
            SwiftClock(),
            Random(2),
            on_trigger=on_trigger,  # type: ignore[arg-type]
        )
        host = WireHost(client)
        async with asyncio.TaskGroup() as group:
            group.create_task(plant.run())
            for _ in range(POLLS_MAX):
                if plant.finished:
                    break
                await host.poll()
            plant.end()
    lanes = {entry.parcel_number: entry.lane for entry in plant.world.left}
    assert lanes == dict.fromkeys(range(1, 6), 1)
    assert host.answers == dict.fromkeys(range(1, 6), DecisionResult.ACCEPTED)
    assert [entry[2] for entry in heard] == [(1,), (2,), (3,), (4,), (5,)]
    triggers = [r for r in host.records if isinstance(r, events.Triggered)]
    assert [(r.trigger_no, r.encoder_counts) for r in triggers] == [entry[:2] for entry in heard]
    passes = plant.truth.passes()
    assert all(0 < p.inducted_ns < p.last_record_ns < p.accepted_ns < p.left_ns for p in passes)
    assert [parcel.number for parcel in plant.truth.inducted()] == [1, 2, 3, 4, 5]


async def test_a_plc_restart_closes_the_port_and_comes_back_with_a_new_boot() -> None:
    async with served(0) as (server, client):
        port = server.port
        plant = LinePlant(LINE, parcels(5), server, SwiftClock(), Random(2))
        host = WireHost(client)
        async with asyncio.TaskGroup() as group:
            group.create_task(plant.run())
            for _ in range(POLLS_MAX):
                if plant.parcel_position_mm(1) is not None:
                    break
                await host.poll()
            old = host.boot_id
            plant.restart_plc(down_ms=100)
            async with asyncio.timeout(10):
                while client.connected:
                    await asyncio.sleep(0.01)
                second = AsyncModbusTcpClient("127.0.0.1", port=port, timeout=2, retries=0)
                while not await second.connect():
                    await asyncio.sleep(0.02)
            again = WireHost(second)
            for _ in range(POLLS_MAX):
                if again.boot_id not in (0, old):
                    break
                await again.poll()
            plant.end()
        second.close()
    assert plant.plc.boot_id == again.boot_id != old


async def test_a_taken_port_is_refused_with_a_clear_error() -> None:
    async with served() as (server, _):
        with pytest.raises(RuntimeError, match="listen"):
            await PlcServer("127.0.0.1", server.port).start()
