"""Faults of declared lists: missing, late, amended, slow, unavailable, bad news after good."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from controller.core.units import NS_PER_MS
from sim.beams import BeltParcel
from sim.belt import NM_PER_MM
from sim.parcels import ParcelKind
from sim.sweep.scene import Scene
from sim.sweep.virtual_lists import WAKE_NS_MAX
from sim.truth import FaultKind

Act = Callable[[BeltParcel], None]


def _early(scene: Scene, rng: Random) -> BeltParcel | None:
    """An honest parcel that is not at the scanner yet, or just came on."""
    world = scene.plant.world
    fresh = [
        p
        for p in world.on_belt
        if p.parcel.kind is ParcelKind.HONEST
        and world.belt.travel_nm - p.start_nm < 300 * NM_PER_MM
    ]
    return rng.choice(fresh) if fresh else None


def _when_one_comes(scene: Scene, rng: Random, act: Act, tries: int = 100) -> None:
    parcel = _early(scene, rng)
    if parcel is not None:
        act(parcel)
    elif tries:
        scene.agenda.after(50 * NS_PER_MS, lambda: _when_one_comes(scene, rng, act, tries - 1))


def list_missing(scene: Scene, rng: Random, name: str) -> None:
    """The list is not there while its parcel is on the belt."""

    def act(parcel: BeltParcel) -> None:
        taken = scene.store.take_out(parcel.parcel.waybill)
        if taken is not None:
            scene.count(name)
            scene.windows.open_for(8_000, FaultKind.LIST_CONTENT)
            scene.agenda.after(8_000 * NS_PER_MS, lambda: scene.store.put(taken))

    _when_one_comes(scene, rng, act)


def list_late(scene: Scene, rng: Random, name: str) -> None:
    """The list comes while its parcel is on the belt, before the decision or after."""

    def act(parcel: BeltParcel) -> None:
        taken = scene.store.take_out(parcel.parcel.waybill)
        if taken is not None:
            scene.count(name)
            scene.windows.open_for(4_000, FaultKind.LIST_CONTENT)
            late_ms = rng.randrange(100, 4_000)
            scene.agenda.after(late_ms * NS_PER_MS, lambda: scene.store.put(taken))

    _when_one_comes(scene, rng, act)


def list_amended(scene: Scene, rng: Random, name: str) -> None:
    """A new revision with the same content, at any time."""

    def act(parcel: BeltParcel) -> None:
        def amend() -> None:
            facts = scene.store.of_waybill(parcel.parcel.waybill)
            if facts is not None:
                scene.count(name)
                scene.store.put(replace(facts, revision=facts.revision + 1))

        scene.windows.open_for(4_000, FaultKind.LIST_CONTENT)
        scene.agenda.after(rng.randrange(100, 4_000) * NS_PER_MS, amend)

    _when_one_comes(scene, rng, act)


def instruction(scene: Scene, rng: Random, name: str) -> None:
    """Customs orders this list to be opened; as bad as a status that does not release."""
    _bad_news(scene, rng, name, open_instructions=("CI-1",))


def late_status(scene: Scene, rng: Random, name: str) -> None:
    """500 after 800."""
    _bad_news(scene, rng, name, status=500)


def _bad_news(scene: Scene, rng: Random, name: str, **change: object) -> None:
    def act(parcel: BeltParcel) -> None:
        def tell() -> None:
            facts = scene.store.of_waybill(parcel.parcel.waybill)
            if facts is not None:
                scene.count(name)
                scene.store.put(replace(facts, **change))  # type: ignore[arg-type]
                scene.receipt(parcel.parcel.waybill, 500)

        scene.windows.open_for(5_000, FaultKind.LIST_CONTENT)
        scene.agenda.after(rng.randrange(100, 4_500) * NS_PER_MS, tell)

    _when_one_comes(scene, rng, act)


def lists_slow(scene: Scene, rng: Random, name: str) -> None:
    """Look-ups take up to three seconds."""
    _store_fault(
        scene, name, rng.randrange(500, 6_000), slow_ns=rng.randrange(20, 3_000) * NS_PER_MS
    )


def lists_unavailable(scene: Scene, rng: Random, name: str) -> None:
    """The store cannot be read."""
    _store_fault(scene, name, rng.randrange(200, 5_000), unavailable=True)


def _store_fault(
    scene: Scene, name: str, for_ms: int, slow_ns: int = 0, unavailable: bool = False
) -> None:
    window = scene.windows.open(FaultKind.LISTS)
    store, since_ns = scene.store, scene.agenda.now_ns - WAKE_NS_MAX
    store.slow_ns, store.unavailable = slow_ns, unavailable
    store.on_fault = scene.once(name)

    def over() -> None:
        store.slow_ns, store.unavailable = 0, False
        scene.readable_since(since_ns)
        window.end()

    scene.agenda.after(for_ms * NS_PER_MS, over)
