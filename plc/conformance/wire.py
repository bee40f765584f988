"""What the suite needs of a protocol: read a block, write a block, submit a decision, tell the time.

Addresses are those of plc/register_map.py, whatever the protocol does with them; `place` says in the
protocol's own words where a register is, for the sentence that a PLC programmer reads. An implementation
never judges what it reads.
"""

from collections.abc import Sequence
from enum import Enum
from typing import Protocol

from plc import register_map as m
from plc.ring_reader import RegisterRun

_BLOCKS = (
    ("R", m.R_ADDRESS, m.R_SLOT_REGISTERS),
    ("T", m.T_ADDRESS, m.T_ROW_REGISTERS),
    ("D", m.D_ADDRESS, m.D_SLOT_REGISTERS),
    ("C", m.C_ADDRESS, 0),
    ("E", m.E_ADDRESS, m.E_SLOT_REGISTERS),
    ("P", m.P_ADDRESS, 0),
    ("H", m.H_ADDRESS, 0),
)


class WireLost(Exception):
    """The PLC does not answer or the connection is gone; the text is for a person."""


class WriteWay(Enum):
    """How a client can write. Over OPC UA there is WHOLE only: the node."""

    WHOLE = 16  # Modbus function 16
    ONE = 6
    MASKED = 22
    WITH_READ = 23


class Wire(Protocol):
    """One open connection to one PLC. Every method raises WireLost if the PLC does not answer."""

    @property
    def has_rows(self) -> bool:
        """The PLC has the rows of block D; false where it takes decisions by method only."""

    async def read(self, run: RegisterRun) -> list[int]:
        """The registers of `run`, which lies within one block or is H, P and E together."""

    async def write(self, address: int, words: Sequence[int]) -> None:
        """Write block C or rows of D."""

    @property
    def ways(self) -> tuple[WriteWay, ...]:
        """What `refuses` can try."""

    async def refuses(
        self, address: int, words: Sequence[int], way: WriteWay = WriteWay.WHOLE
    ) -> bool:
        """Try to write where only the PLC may; true if it refused. ONE and MASKED write one word."""

    async def submit(self, row: Sequence[int]) -> int | None:
        """Hand over the 12 words of a decision. Its result where the protocol answers at once, None
        where the answer is to be read in block E. NotRun if this PLC offers no way to say it."""

    async def pause(self, ms: int) -> None:
        """Do nothing for so long."""

    def now_ns(self) -> int:
        """Monotonic time."""

    def place(self, address: int) -> str:
        """The register's name for a person, such as `H+8 (register 8)`."""


def block_name(address: int) -> str:
    """`H+8`, or with its row `E row 3 +4`."""
    for name, start, row_registers in _BLOCKS:
        if address >= start:
            row, offset = divmod(address - start, row_registers or m.MAP_REGISTERS)
            what = "slot" if name == "R" else "row"
            return f"{name} {what} {row} +{offset}" if row_registers else f"{name}+{offset}"
    raise AssertionError(f"{address} lies before the map")
