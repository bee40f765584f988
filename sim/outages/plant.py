"""`python -m sim.outages.plant LINE_TOML --truth FILE`: belt and soft PLC of one line, made to be killed.

It feeds honest parcels, tells what its PLC does in FILE (`plc_truth`), and goes on after the last parcel
of its life before. Its belt dies with it: what lay there is gone, and the PLC knows none of it.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from random import Random

from controller import notify
from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.events import GateMoved
from controller.core.units import NS_PER_MS, NS_PER_US
from controller.core.vocabulary import DecisionResult, Destination, GatePhase, GatePosition
from controller.interfaces import Clock
from controller.priority import settle_garbage
from sim.outages.parcels import honest, honest_workload
from sim.outages.plc_truth import Truth, TruthFile, What
from sim.plc_io import DecisionNote, Note, PlcOutputs, RecordNote, TrackNote
from sim.plc_ports import plc_port
from sim.plc_server import PlcPort, run_plant
from sim.soft_plc import SoftPlc
from sim.world import World

# Later than this behind its own time a PLC is one that hung.
HUNG_NS = 100 * NS_PER_MS


class HungPort:
    """A port whose PLC hears nothing from its host while it catches up on a time in which it hung.

    Otherwise a host that is there again would speak to the PLC of three seconds ago.
    """

    def __init__(self, port: PlcPort, behind_ns: Callable[[], int]) -> None:
        self.start, self.stop, self.commit = port.start, port.stop, port.commit
        self._port = port
        self._behind_ns = behind_ns
        self._heard: Sequence[int] = port.host_blocks()

    def host_blocks(self) -> Sequence[int]:
        """As PlcPort, or what was there when the PLC began to hang."""
        if self._behind_ns() < HUNG_NS:
            self._heard = list(self._port.host_blocks())
        return self._heard


class Teller:
    """Says what each scan did. `epoch_ns` is the clock at plant time 0."""

    def __init__(
        self, plc: SoftPlc, world: World, truth: TruthFile, clock: Clock, epoch_ns: int
    ) -> None:
        self._plc = plc
        self._world = world
        self._truth = truth
        self._clock = clock
        self._epoch_ns = epoch_ns
        self._booted = False
        self._state = (-1, -1, -1)
        self._inducted = 0
        self._sides: set[int] = set()
        self._late = False

    def scanned(self, outputs: PlcOutputs) -> bool:
        """The scan's writes are visible. True: go on."""
        if not self._booted:
            self._booted = True
            self._say(What.BOOT, self._plc.boot_id)
            notify.ready("the PLC listens")
        self._lateness()
        for parcel in self._world.inducted[self._inducted :]:
            self._say(What.INDUCTED, parcel.number)
        self._inducted = len(self._world.inducted)
        for pulse in outputs.triggers:
            for body in self._world.bodies.get((pulse.eye, pulse.counts), ())[:1]:
                self._say(What.TRIGGER, pulse.trigger_no, pulse.counts, body.parcel.number)
        self._gates(outputs)
        for note in outputs.notes:
            self._noted(note)
        host, rows = self._plc.host, self._plc.plant.rows
        leases = sum(row.leased and not row.started for row in rows)
        state = (int(host.session != 0), int(host.infeed_permit), leases)
        if state != self._state:
            self._state = state
            self._say(What.STATE, *state)
        return True

    def _lateness(self) -> None:
        """Each time the plant itself falls behind: then it was not the host that was silent."""
        behind_ns = self._clock.monotonic_ns() - self._plc_ns
        if behind_ns > HUNG_NS and not self._late:
            self._say(What.LATE, behind_ns // NS_PER_MS)
        self._late = behind_ns > HUNG_NS

    def _gates(self, outputs: PlcOutputs) -> None:
        """What the gates are ordered, whatever any record says of it."""
        sides = {o.gate for o in outputs.gates if o.position is not GatePosition.HOLD}
        for gate in sides - self._sides:
            self._gate_began(gate)
        self._sides = sides

    def _noted(self, note: Note) -> None:
        match note:
            case TrackNote():
                self._say(What.TRACKED, note.track_id)
            case DecisionNote(destination=Destination.RELEASE, result=DecisionResult.ACCEPTED):
                self._say(What.ACCEPTED, note.track_id)
            case RecordNote(record=GateMoved(phase=GatePhase.BEGAN) as moved):
                # also a gate that stays open for the next parcel: nothing moves, and a lease is used
                if moved.position is not GatePosition.HOLD:
                    self._gate_began(moved.source)
            case _:
                pass

    def _gate_began(self, gate: int) -> None:
        self._say(What.GATE, gate, self._plc.plant.moved_since_boot_mm)

    def _say(self, what: What, *values: int) -> None:
        self._truth.say(what, self._clock.monotonic_ns(), self._plc_ns, *values)

    @property
    def _plc_ns(self) -> int:
        return self._epoch_ns + self._world.belt.now_us * NS_PER_US


async def _run(config: LineConfig, options: argparse.Namespace) -> None:
    before = Truth(options.truth)
    before.look()
    lives = sum(word.what is What.BOOT for word in before.words)
    fed = max((w.values[0] for w in before.words if w.what is What.INDUCTED), default=0)
    workload = honest_workload(options.parcels, options.seed, config.line.belt_speed_mm_per_s)
    parcels = [parcel for parcel in honest(workload) if parcel.number > fed]
    rng = Random(f"outages {options.seed} {lives}")
    world, plc, clock = World(config.line, parcels, rng), SoftPlc(config.line, rng), SystemClock()
    server = plc_port(config)
    await server.start()
    settle_garbage()
    epoch_ns = clock.monotonic_ns()
    teller = Teller(plc, world, TruthFile(options.truth), clock, epoch_ns)
    port = HungPort(server, lambda: clock.monotonic_ns() - epoch_ns - world.belt.now_us * NS_PER_US)
    await run_plant(plc, world, port, clock, epoch_ns, teller.scanned)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs until it is killed. Exit code 1: the port is taken."""
    parser = argparse.ArgumentParser(prog="sim.outages.plant", description=__doc__)
    parser.add_argument("line_toml", type=Path)
    parser.add_argument("--truth", type=Path, required=True)
    parser.add_argument("--parcels", type=int, default=1_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args(argv)
    try:
        asyncio.run(_run(load(options.line_toml), options))
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
