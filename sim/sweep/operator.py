"""The people of a line, as far as a run needs them: they look every two seconds and put right what can
be put right once its cause is gone. They never move a gate and never say that a parcel may go."""

from typing import Final

from controller.core.events import LineRequested
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import LineRequest
from sim.sweep.scene import Scene

LOOK_NS: Final = 2_000 * NS_PER_MS
WHO: Final = "supervisor"


class Operator:
    """`look` once; it goes on by itself."""

    def __init__(self, scene: Scene) -> None:
        self._run = scene
        scene.agenda.after(LOOK_NS, self.look)

    def look(self) -> None:
        """Reset at the machine, word for the journal, start and clear at the page."""
        scene = self._run
        scene.agenda.after(LOOK_NS, self.look)
        plc, world = scene.plant.plc, scene.plant.world
        if plc is not None and not world.emergency_stop:
            gates_free = not any(diverter.stuck for diverter in world.diverters.values())
            if plc.drive.emergency or (plc.gates.any_stuck and gates_free):
                scene.plant.press_reset()
        core = scene.host.core
        if core is None:
            return
        if not core.state.journal_ok and not (scene.disk.full or scene.disk.broken):
            scene.host.supervise(WHO)
        if not core.state.wanted_running:
            scene.host.deliver(LineRequested(LineRequest.START, WHO))
        if core.state.abort_cause is not None:
            scene.host.deliver(LineRequested(LineRequest.CLEAR, WHO))
