"""The people of a line, as far as a run needs them: they look every two seconds and put right what can
be put right once its cause is gone. They never move a gate and never say that a parcel may go."""

from typing import TYPE_CHECKING

from controller.core.events import LineRequested
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import LineRequest

if TYPE_CHECKING:
    from sim.sweep.run import Run

LOOK_NS = 2_000 * NS_PER_MS
WHO = "supervisor"


class Operator:
    """`look` once; it goes on by itself."""

    def __init__(self, run: "Run") -> None:
        self._run = run
        run.agenda.after(LOOK_NS, self.look)

    def look(self) -> None:
        """Reset at the machine, word for the journal, start and clear at the page."""
        run = self._run
        run.agenda.after(LOOK_NS, self.look)
        plc, world = run.plant.plc, run.plant.world
        if plc is not None and not world.emergency_stop:
            gates_free = not any(diverter.stuck for diverter in world.diverters.values())
            if plc.drive.emergency or (plc.gates.any_stuck and gates_free):
                run.plant.press_reset()
        core = run.host.core
        if core is None:
            return
        if not core.state.journal_ok and not (run.disk.full or run.disk.broken):
            run.host.supervise(WHO)
        if not core.state.wanted_running:
            run.host.deliver(LineRequested(LineRequest.START, WHO))
        if core.state.abort_cause is not None:
            run.host.deliver(LineRequested(LineRequest.CLEAR, WHO))
