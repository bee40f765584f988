"""The PLC's duties by their numbers in docs/plc-interface.md section 5, and how a check says one fails."""

from enum import Enum


class Duty(Enum):
    """The number a PLC programmer finds in the document, and the duty's name."""

    MAP = ("P1", "map and word order")
    WRITES = ("P2", "writes refused")
    LIFE = ("P3", "life sign")
    START = ("P4", "start")
    COMMIT = ("P5", "commit order")
    OVERWRITE = ("P6", "no overwriting")
    PRESSURE = ("P7", "back-pressure")
    ACK = ("P8", "acknowledgement")
    LATCH = ("P9", "one session")
    FOREIGN = ("P10", "foreign session")
    WATCHDOG = ("P11", "watchdog")
    PERMIT = ("P12", "permits")
    ANSWER = ("P13", "one answer to a decision")
    EMPTY = ("P14", "zero is empty")
    CRC = ("P15", "bad row")
    STRANGER = ("P16", "foreign boot or session")
    UNKNOWN = ("P17", "unknown parcel")
    HOLD_WINS = ("P18", "hold replaces release")
    LATE = ("P19", "late")
    LANE = ("P20", "lane full")
    LEASE = ("P21", "lease")
    TRACK = ("P22", "tracking")
    DEFAULT = ("P23", "default is hold")
    GAP = ("P24", "gap")
    GATE = ("P25", "gate")

    @property
    def number(self) -> str:
        return self.value[0]

    @property
    def title(self) -> str:
        return self.value[1]


class DutyFailed(Exception):
    """A duty is not fulfilled; the text is one sentence that names the register."""

    def __init__(self, duty: Duty, sentence: str) -> None:
        super().__init__(f"{duty.number} {duty.title}: {sentence}")
        self.duty = duty


class NotRun(Exception):
    """The check could not judge anything; the text says why. Never a pass."""


class DoesNotApply(NotRun):
    """There is nothing to check on this PLC or line; the run may pass without it."""
