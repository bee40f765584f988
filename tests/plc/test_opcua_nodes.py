"""The map as nodes: nothing lost, nothing twice, and a poll that asks for no more than it needs."""

import asyncio
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.clock import SystemClock
from controller.config.model import PlcConfig
from plc import opcua_nodes as nodes
from plc import register_map as m
from plc.header import ExchangeFault
from plc.opcua_wire import OpcuaWire
from plc.ring_reader import RegisterRun
from tests.plc.register_plc import Registers

MAPPED = [block for block in nodes.BLOCKS if block.end <= m.MAP_REGISTERS]


def test_blocks_are_in_order_and_overlap_nowhere() -> None:
    assert MAPPED == list(nodes.BLOCKS)
    for one, next_one in zip(nodes.BLOCKS, nodes.BLOCKS[1:], strict=False):
        assert one.end <= next_one.address
    assert len({block.name for block in nodes.BLOCKS}) == len(nodes.BLOCKS)


def test_the_namespace_of_the_configuration_is_the_one_of_the_map() -> None:
    assert PlcConfig("plc", 4840).opcua_namespace_uri == nodes.NAMESPACE_URI


@given(st.integers(0, m.R_SLOTS - 1), st.integers(1, m.RECORDS_PER_READ), st.data())
def test_any_run_of_the_ring_comes_out_of_its_nodes(
    slot: int, slots: int, data: st.DataObject
) -> None:
    slots = min(slots, m.R_SLOTS - slot)
    address = m.R_ADDRESS + slot * m.R_SLOT_REGISTERS
    start = data.draw(st.integers(0, slots * m.R_SLOT_REGISTERS - 1))
    count = data.draw(st.integers(1, slots * m.R_SLOT_REGISTERS - start))
    run = RegisterRun(address + start, count)
    blocks = nodes.blocks_over(run)
    values = [list(range(block.address, block.end)) for block in blocks]
    assert nodes.words_of(run, blocks, values) == list(range(run.address, run.address + count))


def test_a_write_that_ends_within_a_node_is_a_bug() -> None:
    with pytest.raises(AssertionError, match="whole"):
        nodes.split(m.D_ADDRESS, [0] * (m.D_SLOT_REGISTERS + 1))


class NodePlc:
    """A session on a register PLC; `asked` are the names of every request."""

    connected = True
    has_method = False
    has_rows = True

    def __init__(self) -> None:
        self.plc = Registers()
        self.asked: list[tuple[list[str], list[str]]] = []
        self.too_long = ""
        self.answers = True

    async def exchange(
        self, writes: Sequence[tuple[str, list[int]]], reads: Sequence[str]
    ) -> list[list[int]]:
        self.asked.append(([name for name, _ in writes], list(reads)))
        if not self.answers:
            await asyncio.sleep(60)
        blocks = {block.name: block for block in nodes.BLOCKS}
        extra = {self.too_long: [0]}
        return [
            self.plc.words[blocks[name].address : blocks[name].end] + extra.get(name, [])
            for name in reads
        ]

    async def submit(self, arguments: Sequence[int]) -> int:
        raise AssertionError(f"no method here: {arguments}")


AHEAD = RegisterRun(m.R_ADDRESS + 5 * m.R_SLOT_REGISTERS, 4 * m.R_SLOT_REGISTERS)
HEADER = RegisterRun(0, 20)


async def test_a_poll_brings_the_next_slots_along_and_hands_them_out_once() -> None:
    plc = NodePlc()
    wire = OpcuaWire(plc, SystemClock(), lambda: AHEAD)
    assert await wire.write_and_read(m.C_ADDRESS, [1] * m.C_COUNT, HEADER) == plc.plc.words[:20]
    assert plc.asked == [(["C"], ["HP", "R5", "R6", "R7", "R8"])]
    one = RegisterRun(AHEAD.address + m.R_SLOT_REGISTERS, m.R_SLOT_REGISTERS)
    await wire.read(one)
    assert len(plc.asked) == 1
    await wire.read(one)
    assert plc.asked[1] == ([], ["R6"])


async def test_block_c_is_written_when_it_says_something_new() -> None:
    plc = NodePlc()
    wire = OpcuaWire(plc, SystemClock(), lambda: None)
    for heartbeat in (1, 2):
        await wire.write_and_read(m.C_ADDRESS, [heartbeat, 0, *[7] * 10], HEADER)
    await wire.write_and_read(m.C_ADDRESS, [3, 0, *[8] * 10], HEADER)
    assert [writes for writes, _ in plc.asked] == [["C"], [], ["C"]]


async def test_a_request_that_is_not_answered_is_none_and_is_written_again() -> None:
    plc = NodePlc()
    wire = OpcuaWire(plc, SystemClock(), lambda: AHEAD)
    plc.answers = False
    assert await wire.write_and_read(m.C_ADDRESS, [1] * m.C_COUNT, HEADER) is None
    plc.answers = True
    assert await wire.write_and_read(m.C_ADDRESS, [1] * m.C_COUNT, HEADER) is not None
    assert [writes for writes, _ in plc.asked] == [["C"], ["C"]]


async def test_a_node_of_another_length_is_not_our_map() -> None:
    plc = NodePlc()
    plc.too_long = "HP"
    wire = OpcuaWire(plc, SystemClock(), lambda: None)
    with pytest.raises(ExchangeFault, match="HP holds 21 values"):
        await wire.read(HEADER)
