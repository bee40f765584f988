"""When faults were in force, their aftermath included, so that the judge is fair to what they caused.

A window closes when its fault has ended, the line runs again, and the belt has moved far enough that
what came in during the fault has been replaced and the X-ray has proved itself again.
"""

from dataclasses import dataclass
from typing import Final

from controller.core.units import NS_PER_MS
from controller.core.vocabulary import LineState
from sim.belt import NM_PER_MM
from sim.sweep.agenda import Agenda
from sim.sweep.virtual_host import VirtualHost
from sim.sweep.virtual_plant import VirtualPlant
from sim.truth import FaultKind, FaultWindow

# Three parcels' pitch: two that prove the X-ray again and the one that was just coming in.
AFTERMATH_NM: Final = 4_000 * NM_PER_MM
# Any of them may make the line abort or stand: a revocation that comes too late does.
_ALWAYS: Final = (FaultKind.BELT, FaultKind.STANDSTILL)
LOOK_NS: Final = 200 * NS_PER_MS


@dataclass(slots=True)
class Window:
    """`end` says that the fault itself is over. `kinds` is what it makes true."""

    kinds: tuple[FaultKind, ...]
    from_ns: int
    ended: bool = False
    clear_nm: int = -1
    to_ns: int = -1

    def end(self) -> None:
        self.ended = True


class Windows:
    """Open and closed ones. They look at the belt and at the line's state by themselves."""

    def __init__(self, agenda: Agenda, plant: VirtualPlant, host: VirtualHost) -> None:
        self._agenda = agenda
        self._plant = plant
        self._host = host
        self._windows: list[Window] = []
        self._looking = False

    def open(self, *kinds: FaultKind) -> Window:
        """A fault begins now; call `end` on the answer when it is over."""
        window = Window((*kinds, *_ALWAYS), self._agenda.now_ns)
        self._windows.append(window)
        if not self._looking:
            self._looking = True
            self._agenda.after(LOOK_NS, self._look)
        return window

    def open_for(self, for_ms: int, *kinds: FaultKind) -> Window:
        window = self.open(*kinds)
        self._agenda.after(for_ms * NS_PER_MS, window.end)
        return window

    def open_since(self, ago_ms: int, *kinds: FaultKind) -> Window:
        """As `open`, for what the host may learn of a body only after it has left."""
        window = self.open(*kinds)
        window.from_ns -= ago_ms * NS_PER_MS
        return window

    @property
    def last_closed_ns(self) -> int:
        """When the last window closed; the time now if one is open."""
        if any(window.to_ns < 0 for window in self._windows):
            return self._agenda.now_ns
        return max((window.to_ns for window in self._windows), default=0)

    def all(self) -> tuple[FaultWindow, ...]:
        """Every window; one still open lasts until now."""
        now_ns = self._agenda.now_ns
        return tuple(
            FaultWindow(kind, window.from_ns, window.to_ns if window.to_ns >= 0 else now_ns)
            for window in self._windows
            for kind in window.kinds
        )

    def _look(self) -> None:
        travel_nm = self._plant.world.belt.travel_nm
        core = self._host.core
        runs = core is not None and core.state.state is LineState.EXECUTE
        still_open = [window for window in self._windows if window.to_ns < 0]
        for window in still_open:
            if window.clear_nm < 0:
                if window.ended and runs and core is not None and core.state.xray.up:
                    window.clear_nm = travel_nm + AFTERMATH_NM
            elif travel_nm >= window.clear_nm and core is not None and core.state.xray.proven:
                window.to_ns = self._agenda.now_ns
        self._looking = bool(still_open)
        if still_open:
            self._agenda.after(LOOK_NS, self._look)
