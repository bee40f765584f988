"""What a soak does to a running site: kills, freezes and cut links, each with what it makes true.

A fault without kinds is one that the line must not notice at all: nothing is excused while it lasts.
"""

import asyncio
import os
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from random import Random

from controller.supervisor import Supervisor
from sim.chaos_proxy import ChaosProxy, Fault
from sim.truth import FaultKind

FREEZE_S = (0.5, 3.0)
CUT_S = (0.1, 3.0)
# A killed process that is not back by then is a finding of its own.
BACK_S = 60.0
CONTROLLER = ("line-L1", "vision-L1", "intake", "records", "api")


@dataclass(slots=True)
class Site:
    """The running processes and the two wires that lead through a proxy."""

    supervisor: Supervisor
    plc: ChaosProxy
    xray: ChaosProxy
    rng: Random
    ready: dict[str, asyncio.Event]
    kills: Counter[str] = field(default_factory=Counter)


Inject = Callable[[Site], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class SoakFault:
    """`inject` returns when the cause is over; its aftermath is not."""

    name: str
    kinds: tuple[FaultKind, ...]
    inject: Inject


async def kill(process: str, site: Site) -> None:
    """SIGKILL, and back. TimeoutError if the supervisor does not bring it back."""
    await asyncio.wait_for(site.ready[process].wait(), BACK_S)
    site.ready[process].clear()
    site.kills[process] += 1
    os.kill(site.supervisor.pids[process], signal.SIGKILL)
    await asyncio.wait_for(site.ready[process].wait(), BACK_S)


async def freeze(process: str, site: Site) -> None:
    """SIGSTOP for a while: alive for the kernel, dead for everybody else."""
    await asyncio.wait_for(site.ready[process].wait(), BACK_S)
    pid = site.supervisor.pids[process]
    os.kill(pid, signal.SIGSTOP)
    try:
        await asyncio.sleep(site.rng.uniform(*FREEZE_S))
    finally:
        os.kill(pid, signal.SIGCONT)


async def reset(wire: Callable[[Site], ChaosProxy], site: Site) -> None:
    """Both sides see their connection break."""
    wire(site).reset()
    await asyncio.sleep(0)


async def disturb(wire: Callable[[Site], ChaosProxy], fault: Fault, site: Site) -> None:
    """Bytes wait or vanish for a while; the connection stands."""
    proxy = wire(site)
    proxy.fault = fault
    try:
        await asyncio.sleep(site.rng.uniform(*CUT_S))
    finally:
        proxy.fault = None


def _plc(site: Site) -> ChaosProxy:
    return site.plc


def _xray(site: Site) -> ChaosProxy:
    return site.xray


_LINK, _VISION = (FaultKind.STALL,), (FaultKind.XRAY,)
_KINDS_OF_KILL = {"line-L1": (FaultKind.HOST_RESTART,), "vision-L1": _VISION}
_KINDS_OF_FREEZE = {"line-L1": _LINK, "vision-L1": _VISION}
FAULTS = (
    *(SoakFault(f"kill {p}", _KINDS_OF_KILL.get(p, ()), partial(kill, p)) for p in CONTROLLER),
    *(
        SoakFault(f"freeze {p}", _KINDS_OF_FREEZE.get(p, ()), partial(freeze, p))
        for p in CONTROLLER
    ),
    SoakFault("PLC link reset", _LINK, partial(reset, _plc)),
    SoakFault("PLC link stalled", _LINK, partial(disturb, _plc, Fault.STALL)),
    SoakFault("PLC link half-open", _LINK, partial(disturb, _plc, Fault.HALF_OPEN)),
    SoakFault("PLC link deaf", _LINK, partial(disturb, _plc, Fault.DEAF)),
    SoakFault("X-ray source dropped", _VISION, partial(reset, _xray)),
    SoakFault("X-ray source stalled", _VISION, partial(disturb, _xray, Fault.STALL)),
    SoakFault("X-ray source silent", _VISION, partial(disturb, _xray, Fault.HALF_OPEN)),
)


async def _nothing(site: Site) -> None:
    """It happened by itself."""


# Not drawn: the machine itself was found standing still, and with it the wires.
STOOD_STILL = SoakFault("machine stood still", (*_LINK, *_VISION), _nothing)
