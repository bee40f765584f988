"""The parcels of a run, the lists that are durable before it, and what customs says during it."""

from dataclasses import dataclass
from typing import Final

from controller.config import LineConfig
from controller.core.events import GoodsRow, ListFacts
from sim.parcels import SimParcel
from sim.sweep.plan import Plan
from sim.sweep.virtual_lists import ListStore
from sim.workload import Declaration, LateReceipt, make_workload

E5: Final = 100_000


@dataclass(slots=True)
class SweepWorkload:
    """`late` are the receipts that customs sends while their parcel is on the belt."""

    parcels: tuple[SimParcel, ...]
    declarations: tuple[Declaration, ...]
    store: ListStore
    late: tuple[LateReceipt, ...]


def sweep_workload(plan: Plan, config: LineConfig) -> SweepWorkload:
    """The workload of the plan's seed."""
    speed = config.line.belt_speed_mm_per_s
    made = make_workload(plan.parcels, plan.seed, plan.rate_parcels_per_h, speed)
    store = ListStore()
    for declaration in made.declarations:
        store.put(facts_of(declaration))
    return SweepWorkload(made.parcels[: plan.fed], made.declarations, store, made.late_receipts)


def facts_of(declared: Declaration) -> ListFacts:
    """What the list reader would find of it."""
    return ListFacts(
        list_key=f"LC/{declared.waybill}/C1",
        waybill=declared.waybill,
        revision=1,
        status=declared.statuses[-1] if declared.statuses else 0,
        status_time="20261122100000000" if declared.statuses else "",
        gross_weight_mg=declared.gross_weight_mg,
        goods=(GoodsRow(declared.goods.gcode, declared.qty * E5),),
        open_instructions=(),
        earlier_passes=(),
    )
