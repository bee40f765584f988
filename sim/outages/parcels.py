"""Parcels that customs has released and that weigh what was declared: what is held was held by an outage."""

from collections.abc import Sequence
from pathlib import Path

from controller.core.units import NS_PER_S
from controller.declared_lists.importing import import_sources
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store
from sim.ceb_writer import Receipt, batches, write_lists, write_receipts
from sim.parcels import ParcelKind, SimParcel
from sim.workload import Workload, make_workload

RATE_PARCELS_PER_H = 5000
# A run has 68 % honest parcels, see `sim.workload`.
_OF_100_HONEST = 68
_DECLARED_BEFORE_NS = 600 * NS_PER_S
_ANSWERED_BEFORE_NS = 60 * NS_PER_S


def honest_workload(count: int, seed: int, speed_mm_per_s: int) -> Workload:
    """A run with at least `count` honest parcels; the same arguments give the same run."""
    return make_workload(
        count * 100 // _OF_100_HONEST + 1, seed, RATE_PARCELS_PER_H, speed_mm_per_s
    )


def honest(workload: Workload) -> tuple[SimParcel, ...]:
    """Its honest parcels, in order."""
    return tuple(p for p in workload.parcels if p.kind is ParcelKind.HONEST)


def import_released(workload: Workload, lists_db: Path, utc_ns: int) -> None:
    """The lists of all honest parcels, answered with 800, into a new store. StoreError as `Store`."""
    numbers = {parcel.number for parcel in honest(workload)}
    declarations = [d for d in workload.declarations if d.number in numbers]
    with Store(lists_db) as store:
        for batch in batches(declarations):
            sources: Sequence[Source] = (
                Source("CEB621", write_lists(batch, utc_ns - _DECLARED_BEFORE_NS)),
                Source(
                    "CEB622",
                    write_receipts([Receipt(d, 800, utc_ns - _ANSWERED_BEFORE_NS) for d in batch]),
                ),
            )
            taken = import_sources(store, sources, utc_ns)
            assert all(each.understood and not each.errors for each in taken), "we wrote them"
