"""One line's plant for the factory process: world, soft PLC and its port, in real time.

Construct `LinePlant`, `await start()`, run `run()` in a task. `on_trigger` hears every trigger pulse
with the true parcels of that body, front to back; `after_scan` hears every scan (use it to act by
`parcel_position_mm`, never to block).
"""

import asyncio
from collections.abc import Callable, Sequence
from random import Random

from controller.core.settings import LineSettings
from controller.core.units import NS_PER_MS, NS_PER_S, NS_PER_US
from controller.core.vocabulary import GatePosition
from controller.interfaces import Clock
from sim.parcels import SimParcel
from sim.plant_truth import PlantTruth
from sim.plc_io import GateOrder, PlcOutputs
from sim.plc_rows import PlcSettings
from sim.plc_server import PlcPort, run_plant
from sim.soft_plc import SoftPlc
from sim.world import World, WorldSettings

OnTrigger = Callable[[int, int, Sequence[SimParcel]], None]


class LinePlant:
    """`truth` is the judge's; `world` takes faults (see World). `parcels_per_h` 0: gaps alone decide."""

    def __init__(
        self,
        settings: LineSettings,
        parcels: Sequence[SimParcel],
        server: PlcPort,
        clock: Clock,
        rng: Random,
        options: WorldSettings | None = None,
        numbers: PlcSettings | None = None,
        on_trigger: OnTrigger = lambda trigger_no, encoder_counts, parcels_in_view: None,
        after_scan: Callable[[], None] = lambda: None,
    ) -> None:
        self.settings = settings
        self.server = server
        self.world = World(settings, parcels, rng, options)
        self._clock = clock
        self._rng = rng
        self._numbers = numbers
        self._on_trigger = on_trigger
        self._after_scan = after_scan
        self._down_ms = 0
        self._restart = False
        self._ended = False
        self.plc = SoftPlc(settings, rng, numbers)
        self.truth = PlantTruth(self.world, clock.monotonic_ns())

    async def start(self) -> None:
        """Open the PLC's port. RuntimeError if it cannot be taken."""
        await self.server.start()

    async def run(self) -> None:
        """Scan until `end`, through every PLC restart."""
        epoch_ns = self._clock.monotonic_ns() - self.world.belt.now_us * NS_PER_US
        self.truth.epoch_ns = epoch_ns
        while True:
            parts = (self.plc, self.world, self.server, self._clock)
            await run_plant(*parts, epoch_ns, self._scanned)
            if self._ended:
                await self.server.stop()
                return
            await self._boot_again()

    def end(self) -> None:
        """Stop after the present scan."""
        self._ended = True

    def restart_plc(self, down_ms: int = 2_000) -> None:
        """Power the PLC off for this long: port closed, belt standing, gates falling to hold; then a new
        boot with an empty tracking table."""
        self._restart, self._down_ms = True, down_ms

    def encoder_now(self) -> int:
        """Encoder counts at the last scan."""
        return self.world.belt.counts

    def parcel_position_mm(self, parcel_number: int) -> int | None:
        """Leading edge of a true parcel from induct; None before induct and after it left."""
        return self.world.position_mm(parcel_number)

    @property
    def finished(self) -> bool:
        """Every parcel has been fed and has left the belt."""
        return self.world.finished

    def _scanned(self, outputs: PlcOutputs) -> bool:
        self.truth.note(self._clock.monotonic_ns(), outputs.notes)
        for pulse in outputs.triggers:
            body = self.world.bodies.get((pulse.eye, pulse.counts), ())
            parcels = tuple(parcel.parcel for parcel in body)
            self._on_trigger(pulse.trigger_no, pulse.counts, parcels)
        self._after_scan()
        return not (self._restart or self._ended)

    async def _boot_again(self) -> None:
        self._restart = False
        await self.server.stop()
        gates = self.settings.gates
        off = PlcOutputs(gates=tuple(GateOrder(gate.number, GatePosition.HOLD) for gate in gates))
        await asyncio.sleep(self._down_ms * NS_PER_MS / NS_PER_S)
        self.world.step(self.world.belt.now_us + self._down_ms * 1_000, off)
        self.plc = SoftPlc(self.settings, self._rng, self._numbers)
        await self.server.start()
