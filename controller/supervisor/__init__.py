"""Starts, watches and ends the processes of one controller, for `run` and `demo`."""

from controller.supervisor.child_process import ProcessEnd
from controller.supervisor.keeper import (
    Change,
    ExitRecord,
    Limits,
    ProcessEvent,
    ProcessSpec,
    Supervisor,
    SupervisorError,
)

__all__ = [
    "Change",
    "ExitRecord",
    "Limits",
    "ProcessEnd",
    "ProcessEvent",
    "ProcessSpec",
    "Supervisor",
    "SupervisorError",
]
