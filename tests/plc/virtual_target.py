"""The soft PLC in test mode behind a wire without a network, in virtual time.

A request takes 2 ms and the PLC scans every 10 ms, so that a suite of a minute runs in a second.
"""

from collections.abc import Sequence
from pathlib import Path
from random import Random

from controller.config import load
from plc import register_map as m
from plc.conformance.wire import WriteWay, block_name
from plc.ring_reader import RegisterRun
from sim.plc_test_mode import TestModePlc
from sim.soft_plc import HOST_BLOCKS_ADDRESS, HOST_BLOCKS_COUNT

LINE = load(Path(__file__).with_name("conformance_line.toml")).line
_REQUEST_US = 2_000


class VirtualTarget:
    """`Wire` on a register image."""

    has_rows = True
    ways = tuple(WriteWay)

    def __init__(self, seed: int = 1) -> None:
        self.plc = TestModePlc(LINE, Random(seed))
        self.image = [0] * m.MAP_REGISTERS
        self.takes: set[WriteWay] = set()
        self.takes_across_the_end_of_c = False
        self.now_us = 0
        self._scanned_us = 0

    async def read(self, run: RegisterRun) -> list[int]:
        self._pass(_REQUEST_US)
        return self.image[run.address : run.address + run.count]

    async def write(self, address: int, words: Sequence[int]) -> None:
        self._pass(_REQUEST_US)
        self.image[address : address + len(words)] = words

    async def refuses(
        self, address: int, words: Sequence[int], way: WriteWay = WriteWay.WHOLE
    ) -> bool:
        self._pass(_REQUEST_US)
        if m.C_ADDRESS <= address < m.D_ADDRESS:
            return not self.takes_across_the_end_of_c
        return way not in self.takes

    async def submit(self, row: Sequence[int]) -> int | None:
        seq = row[m.D_DECISION_SEQ] << 16 | row[m.D_DECISION_SEQ + 1]
        await self.write(m.D_ADDRESS + seq % m.D_SLOTS * m.D_SLOT_REGISTERS, row)
        return None

    async def pause(self, ms: int) -> None:
        self._pass(ms * 1_000)

    def now_ns(self) -> int:
        return self.now_us * 1_000

    def place(self, address: int) -> str:
        return f"{block_name(address)} (register {address})"

    def _pass(self, us: int) -> None:
        self.now_us += us
        while self._scanned_us + self.plc.scan_us <= self.now_us:
            self._scanned_us += self.plc.scan_us
            blocks = self.image[HOST_BLOCKS_ADDRESS : HOST_BLOCKS_ADDRESS + HOST_BLOCKS_COUNT]
            for write in self.plc.scan(self._scanned_us, blocks):
                self.image[write.address : write.address + len(write.words)] = write.words
