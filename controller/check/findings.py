"""What a check found: one clear sentence each, with the part of the line it is about."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    OK = "ok"
    WARNING = "warning"  # the line runs, but somebody should look
    FAILED = "failed"
    NOT_RUN = "not run"


@dataclass(frozen=True, slots=True)
class Finding:
    """`part` is plc, xray, disk, ports, clock or geometry."""

    part: str
    name: str
    state: State
    sentence: str


Tell = Callable[[Finding], None]


def holds(findings: Iterable[Finding]) -> bool:
    """Nothing failed and nothing was left out."""
    return not any(finding.state in (State.FAILED, State.NOT_RUN) for finding in findings)
