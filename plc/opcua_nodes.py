"""The register map as OPC UA nodes: each node is a UInt16 array that holds a run of registers. Pure.

The same registers, the same commit order and the same checks as over Modbus; only how they are
addressed differs. A node is found by namespace URI and name, never by namespace index. The ring is one
node a slot: a poll reads the few slots it expects, not the ring (docs/decisions/0030).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from plc import register_map as m
from plc.ring_reader import RegisterRun

NAMESPACE_URI = "urn:parcelgate:plc-exchange:1"

# The decision call: arguments in this order, each a scalar, and one UInt16 answer (DecisionResult).
SUBMIT_METHOD = "SubmitDecision"
SUBMIT_ARGUMENTS = (
    ("BootId", "UInt32"),
    ("Session", "UInt32"),
    ("TrackId", "UInt32"),
    ("Destination", "UInt16"),
    ("Reason", "UInt16"),
    ("DecisionSeq", "UInt32"),
)


@dataclass(frozen=True, slots=True)
class Block:
    """Node `name` holds `count` registers from `address` on."""

    name: str
    address: int
    count: int

    @property
    def end(self) -> int:
        return self.address + self.count


def _rows(name: str, address: int, rows: int, registers: int) -> Iterable[Block]:
    return (Block(f"{name}{row}", address + row * registers, registers) for row in range(rows))


HEADER = Block("HP", m.H_ADDRESS, m.H_COUNT + m.P_COUNT)
ECHOES = Block("E", m.E_ADDRESS, m.E_SLOTS * m.E_SLOT_REGISTERS)
HOST = Block("C", m.C_ADDRESS, m.C_COUNT)
BELT = Block("T", m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS)
DECISION_ROWS = tuple(_rows("D", m.D_ADDRESS, m.D_SLOTS, m.D_SLOT_REGISTERS))
RING_SLOTS = tuple(_rows("R", m.R_ADDRESS, m.R_SLOTS, m.R_SLOT_REGISTERS))
BLOCKS = (HEADER, ECHOES, HOST, *DECISION_ROWS, BELT, *RING_SLOTS)


@lru_cache(maxsize=512)
def blocks_over(run: RegisterRun) -> tuple[Block, ...]:
    """The nodes that together hold `run`, in order of address."""
    end = run.address + run.count
    return tuple(block for block in BLOCKS if block.address < end and run.address < block.end)


def words_of(
    run: RegisterRun, blocks: Sequence[Block], values: Sequence[Sequence[int]]
) -> list[int]:
    """The registers of `run` from the `values` of `blocks`, which hold all of it without a hole."""
    words = [word for value in values for word in value]
    start = run.address - blocks[0].address
    return words[start : start + run.count]


def split(address: int, words: Sequence[int]) -> list[tuple[Block, list[int]]]:
    """`words` at `address` as whole nodes. AssertionError if they end within one."""
    parts = []
    for block in blocks_over(RegisterRun(address, len(words))):
        part = list(words[block.address - address : block.end - address])
        assert len(part) == block.count, f"{block.name} is written whole"
        parts.append((block, part))
    return parts
