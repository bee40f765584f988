"""What must have a planted bug: every row of the fault matrix, every word on the wire, every promise.

The matrix is read from the sweep's table and the words from the register map, so that a new row or a
new word asks for its bug.
"""

from plc import register_map as m
from sim.sweep.faults import FAULTS, NOT_INJECTABLE

# Sizes, addresses, bits and values stand in the map beside the words themselves.
_NO_WORDS = ("_ADDRESS", "_COUNT", "_SLOTS", "_SLOT_REGISTERS", "_ROWS", "_ROW_REGISTERS", "_WORDS")
_NO_WORDS_OF = ("C_BIT_", "T_STATE_TRACKED", "T_STATE_LEASED", "T_STATE_DIV", "T_STATE_DEF")
_WORDS_ALL_THE_SAME = ("H_SLOTS", "H_SLOT_REGISTERS", "H_OVERFLOW_COUNT")

MATRIX: frozenset[str] = frozenset({fault.row for fault in FAULTS.values()} | set(NOT_INJECTABLE))

# What the line promises beside the matrix.
PROMISES: frozenset[str] = frozenset(
    {
        "durable before it is sent",
        "bad news after the verdict",
        "customs' word",
        "weight against the list",
        "undeclared metal",
        "zone opened",
        "emergency stop",
        "every parcel in a lane",
        "room for the gate",
        "counters wrap",
        "journal changed afterwards",
    }
)

WITHOUT_BUG: dict[str, str] = {
    "centre link down": "there is no code of it yet",
    "C_SPARE": "zeros outside the PLC's test mode, which no host may run a line on",
}


def words() -> frozenset[str]:
    """Every word of every block that host and PLC exchange, by its name in the register map."""
    return frozenset(
        name
        for name in vars(m)
        if name[1] == "_"
        and name[0] in "RDECTHP"
        and (
            name in _WORDS_ALL_THE_SAME
            or not (name.endswith(_NO_WORDS) or name.startswith(_NO_WORDS_OF))
        )
    )
