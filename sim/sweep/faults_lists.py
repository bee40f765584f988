"""Faults of declared lists: missing, late, amended, slow, unavailable, bad news after good."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from controller.core.units import NS_PER_MS
from sim.beams import BeltParcel
from sim.belt import NM_PER_MM
from sim.parcels import ParcelKind
from sim.sweep.virtual_lists import WAKE_NS_MAX
from sim.truth import FaultKind

if TYPE_CHECKING:
    from sim.sweep.run import Run

Act = Callable[[BeltParcel], None]


def _early(run: "Run", rng: Random) -> BeltParcel | None:
    """An honest parcel that is not at the scanner yet, or just came on."""
    world = run.plant.world
    fresh = [
        p
        for p in world.on_belt
        if p.parcel.kind is ParcelKind.HONEST
        and world.belt.travel_nm - p.start_nm < 300 * NM_PER_MM
    ]
    return rng.choice(fresh) if fresh else None


def _when_one_comes(run: "Run", rng: Random, act: Act, tries: int = 100) -> None:
    parcel = _early(run, rng)
    if parcel is not None:
        act(parcel)
    elif tries:
        run.agenda.after(50 * NS_PER_MS, lambda: _when_one_comes(run, rng, act, tries - 1))


def list_missing(run: "Run", rng: Random, name: str) -> None:
    """The list is not there while its parcel is on the belt."""

    def act(parcel: BeltParcel) -> None:
        taken = run.store.take_out(parcel.parcel.waybill)
        if taken is not None:
            run.count(name)
            run.windows.open_for(8_000, FaultKind.LIST_CONTENT)
            run.agenda.after(8_000 * NS_PER_MS, lambda: run.store.put(taken))

    _when_one_comes(run, rng, act)


def list_late(run: "Run", rng: Random, name: str) -> None:
    """The list comes while its parcel is on the belt, before the decision or after."""

    def act(parcel: BeltParcel) -> None:
        taken = run.store.take_out(parcel.parcel.waybill)
        if taken is not None:
            run.count(name)
            run.windows.open_for(4_000, FaultKind.LIST_CONTENT)
            late_ms = rng.randrange(100, 4_000)
            run.agenda.after(late_ms * NS_PER_MS, lambda: run.store.put(taken))

    _when_one_comes(run, rng, act)


def list_amended(run: "Run", rng: Random, name: str) -> None:
    """A new revision with the same content, at any time."""

    def act(parcel: BeltParcel) -> None:
        def amend() -> None:
            facts = run.store.of_waybill(parcel.parcel.waybill)
            if facts is not None:
                run.count(name)
                run.store.put(replace(facts, revision=facts.revision + 1))

        run.windows.open_for(4_000, FaultKind.LIST_CONTENT)
        run.agenda.after(rng.randrange(100, 4_000) * NS_PER_MS, amend)

    _when_one_comes(run, rng, act)


def instruction(run: "Run", rng: Random, name: str) -> None:
    """Customs orders this list to be opened; as bad as a status that does not release."""
    _bad_news(run, rng, name, open_instructions=("CI-1",))


def late_status(run: "Run", rng: Random, name: str) -> None:
    """500 after 800."""
    _bad_news(run, rng, name, status=500)


def _bad_news(run: "Run", rng: Random, name: str, **change: object) -> None:
    def act(parcel: BeltParcel) -> None:
        def tell() -> None:
            facts = run.store.of_waybill(parcel.parcel.waybill)
            if facts is not None:
                run.count(name)
                run.store.put(replace(facts, **change))  # type: ignore[arg-type]
                run.receipt(parcel.parcel.waybill, 500)

        run.windows.open_for(5_000, FaultKind.LIST_CONTENT)
        run.agenda.after(rng.randrange(100, 4_500) * NS_PER_MS, tell)

    _when_one_comes(run, rng, act)


def lists_slow(run: "Run", rng: Random, name: str) -> None:
    """Look-ups take up to three seconds."""
    _store_fault(run, name, rng.randrange(500, 6_000), slow_ns=rng.randrange(20, 3_000) * NS_PER_MS)


def lists_unavailable(run: "Run", rng: Random, name: str) -> None:
    """The store cannot be read."""
    _store_fault(run, name, rng.randrange(200, 5_000), unavailable=True)


def _store_fault(
    run: "Run", name: str, for_ms: int, slow_ns: int = 0, unavailable: bool = False
) -> None:
    window = run.windows.open(FaultKind.LISTS)
    store, since_ns = run.store, run.agenda.now_ns - WAKE_NS_MAX
    store.slow_ns, store.unavailable = slow_ns, unavailable
    store.on_fault = run.once(name)

    def over() -> None:
        store.slow_ns, store.unavailable = 0, False
        run.readable_since(since_ns)
        window.end()

    run.agenda.after(for_ms * NS_PER_MS, over)
