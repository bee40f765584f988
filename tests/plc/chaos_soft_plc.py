"""The link against the soft PLC through the chaos proxy; also the long run behind a script:

    python -m tests.plc.chaos_soft_plc --parcels 300 --seed 5

What the soft PLC wrote into its ring is noted on the PLC's side and compared with what was delivered.
Prints a table and exits 1 if a record was lost, doubled, disordered or changed.
"""

import argparse
import asyncio
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from random import Random

from controller.clock import SystemClock
from controller.core.events import PlcRecord
from sim.chaos_proxy import Fault, proxied
from sim.plant_process import LinePlant
from sim.plant_truth import PlantTruth
from sim.plc_io import Note, RecordNote
from sim.plc_server import PlcServer
from tests.plc.host import connected_host
from tests.sim.plc_rig import LINE, parcels


class NotedTruth(PlantTruth):
    """Also keeps every record that the PLC committed."""

    def __init__(self, plant: LinePlant) -> None:
        super().__init__(plant.world, 0)
        self.committed: list[PlcRecord] = []

    def note(self, at_ns: int, notes: Iterable[Note]) -> None:
        notes = tuple(notes)
        super().note(at_ns, notes)
        self.committed += [note.record for note in notes if isinstance(note, RecordNote)]


@dataclass(frozen=True, slots=True)
class SoftChaosResult:
    """What became of `committed` records. The four after it must be 0."""

    committed: int
    lost: int
    doubled: int
    out_of_order: int
    changed: int
    torn_rejected: int
    reconnects: int
    injected: dict[Fault, int]

    @property
    def clean(self) -> bool:
        return not (self.lost or self.doubled or self.out_of_order or self.changed)


async def chaos_soft(
    *, parcels_count: int, seed: int, fault_s: float, calm_s: float
) -> SoftChaosResult:
    """Until every parcel has left the belt and every record is delivered."""
    server = PlcServer("127.0.0.1", 0)
    plant = LinePlant(LINE, parcels(parcels_count), server, SystemClock(), Random(seed))
    truth = NotedTruth(plant)
    plant.truth = truth
    await plant.start()
    limit_s = 60 + 6 * parcels_count
    async with asyncio.TaskGroup() as group, proxied(server.port, seed) as proxy:
        running = group.create_task(plant.run())
        trouble = group.create_task(proxy.play(fault_s, calm_s))
        async with connected_host(proxy.port, acknowledge_every=3, decides=True) as host:
            host.link.permit(infeed=True, belt=True)
            await host.until(lambda _: plant.finished, limit_s)
            trouble.cancel()
            proxy.fault = None
            await host.until(lambda h: len(h.records) >= len(truth.committed), limit_s)
        plant.end()
        await running
    got = host.sequences
    by_seq = {record.ring_seq: record for record in truth.committed}
    return SoftChaosResult(
        committed=len(truth.committed),
        lost=len(by_seq.keys() - set(got)),
        doubled=len(got) - len(set(got)),
        out_of_order=sum(later <= earlier for earlier, later in zip(got, got[1:], strict=False)),
        changed=sum(record != by_seq.get(record.ring_seq) for record in host.records),
        torn_rejected=host.link.counters.torn_rejected,
        reconnects=host.link.counters.reconnects,
        injected=dict(proxy.counts),
    )


def main() -> int:
    """The long run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--parcels", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault-s", type=float, default=0.6)
    parser.add_argument("--calm-s", type=float, default=3.0)
    options = parser.parse_args()
    result = asyncio.run(
        chaos_soft(
            parcels_count=options.parcels,
            seed=options.seed,
            fault_s=options.fault_s,
            calm_s=options.calm_s,
        )
    )
    for name in SoftChaosResult.__dataclass_fields__:
        print(f"{name:16}{getattr(result, name)}")
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main())
