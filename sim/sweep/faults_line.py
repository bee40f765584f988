"""Faults of the conveyor: hands, guards, encoder, drive, gates, lanes, jams, stops.

What no PLC and no host could see is left out and said: an encoder that slips further than the reserve of
a lease between the last eye and the gate (docs/limits.md), a body laid on the belt behind it, a gate whose
feedback lies.
"""

from dataclasses import replace
from random import Random

from controller.core.events import LineRequested
from controller.core.units import NS_PER_MS, u32_sum
from controller.core.vocabulary import GatePosition, LineRequest
from sim.belt import NM_PER_MM
from sim.parcels import ParcelKind, SimParcel
from sim.plc_io import OpenZone
from sim.sweep.scene import Scene
from sim.truth import FaultKind

# Parcels that nobody fed: their numbers lie beyond every run's.
ADDED_FROM = 1_000_000
SLIP_COUNTS_MAX = 40
# At 1,000 mm/s and one count a millimetre, what the PLC's gate margin of 5 ms makes good.
SLIP_WITH_LEASES = 5
# The last eye stands at 3,600 mm; what is laid on behind it is seen by none.
ADDED_MM = (200, 3_300)
CLEAR_MM = 20
# From induct to the lane, with the records' way.
PASS_MS = 7_000
_TRY_MS, _TRIES = 50, 120


def _on_line(scene: Scene) -> list[tuple[int, int, int]]:
    """(leading mm, trailing mm, number) of every true parcel on the main belt."""
    world = scene.plant.world
    places = []
    for p in world.on_belt:
        leading = (world.belt.travel_nm - p.start_nm) // NM_PER_MM
        if p.left_at_mm is None and leading >= 0:
            places.append((leading, leading - p.parcel.length_mm, p.parcel.number))
    return places


def parcel_removed(scene: Scene, rng: Random, name: str, tries: int = _TRIES) -> None:
    """Somebody takes a parcel off the belt, with or without opening a guard."""
    world = scene.plant.world
    taken = [number for leading, _, number in _on_line(scene) if 100 < leading < 4_000]
    if not taken:
        if tries:
            again = lambda: parcel_removed(scene, rng, name, tries - 1)  # noqa: E731
            scene.agenda.after(_TRY_MS * NS_PER_MS, again)
        return
    scene.windows.open_for(3_000, FaultKind.BY_HAND)
    scene.count(name)
    world.remove(rng.choice(taken))


def parcel_added(scene: Scene, rng: Random, name: str, tries: int = _TRIES) -> None:
    """Somebody lays an undeclared parcel on clear belt."""
    length_mm = rng.randint(150, 400)
    at_mm = rng.randint(*ADDED_MM)
    behind_mm = at_mm - length_mm - CLEAR_MM
    places = _on_line(scene)
    free = all(lead < behind_mm or trail > at_mm + CLEAR_MM for lead, trail, _ in places)
    if not free or behind_mm < 0 or not places:
        if tries:
            again = lambda: parcel_added(scene, rng, name, tries - 1)  # noqa: E731
            scene.agenda.after(_TRY_MS * NS_PER_MS, again)
        return
    number = ADDED_FROM + scene.plant.world.belt.now_us // 1000
    added = SimParcel(
        number=number,
        kind=ParcelKind.NOT_DECLARED,
        waybill=f"XX{number:010d}",
        labels=(f"XX{number:010d}",),
        weight_mg=rng.randint(200, 4_000) * 1_000,
        declared_weight_mg=0,
        length_mm=length_mm,
        width_mm=200,
        height_mm=120,
        gap_before_mm=CLEAR_MM,
        gcode="6109100021",
        contents=(),
    )
    scene.windows.open_for(3_000, FaultKind.BY_HAND)
    scene.count(name)
    scene.plant.world.insert(added, at_mm)


def zone_opened(scene: Scene, rng: Random, name: str) -> None:
    """A guard stands open for a moment; hands may have been in there."""
    from_mm = rng.randrange(0, 4_500)
    zone = OpenZone(rng.randint(1, 9), from_mm, from_mm + rng.randrange(200, 1_500))
    window = scene.windows.open(FaultKind.BY_HAND, FaultKind.ZONE)
    world = scene.plant.world
    world.open_zones = (*world.open_zones, zone)
    if any(trail < zone.to_mm and lead > zone.from_mm for lead, trail, _ in _on_line(scene)):
        scene.count(name)

    def shut() -> None:
        world.open_zones = tuple(each for each in world.open_zones if each is not zone)
        window.end()

    scene.agenda.after(rng.randrange(50, 2_000) * NS_PER_MS, shut)


# --- belt -----------------------------------------------------------------------------------------


def encoder_slip(scene: Scene, rng: Random, name: str, tries: int = _TRIES) -> None:
    """The encoder counts too much or too little, within the window of an eye; within the reserve of a
    lease where a body without an eye before it has one."""
    slip = rng.randint(3, SLIP_COUNTS_MAX) * rng.choice((-1, 1))
    if abs(slip) > SLIP_WITH_LEASES and _gates_are_in_use(scene):
        if tries:
            again = lambda: encoder_slip(scene, rng, name, tries - 1)  # noqa: E731
            scene.agenda.after(_TRY_MS * NS_PER_MS, again)
        return
    scene.windows.open_for(6_500, FaultKind.BY_HAND)
    scene.count(name)
    belt = scene.plant.world.belt
    belt.counts_start = u32_sum(belt.counts_start, slip)


def _gates_are_in_use(scene: Scene) -> bool:
    """A gate is away from hold, or a body that no eye will see again is on its way to one."""
    plc = scene.plant.plc
    if plc is None:
        return False
    leased = any(
        row.lane is not None and row.eyes_passed == len(plc.plant.line.eyes)
        for row in plc.plant.rows
    )
    return leased or not all(drive.at_hold for drive in plc.gates.drives.values())


def speed_change(scene: Scene, rng: Random, name: str) -> None:
    """The drive runs at half to double its speed for a while."""
    world = scene.plant.world
    window = scene.windows.open(FaultKind.GATE)
    speed = scene.config.line.belt_speed_mm_per_s * rng.choice((500, 800, 950, 1_050, 1_300, 2_000))
    world.options = replace(world.options, speed_profile=((0, speed // 1_000),))
    scene.count(name)

    def back() -> None:
        world.options = replace(world.options, speed_profile=())
        window.end()

    scene.agenda.after(rng.randrange(300, 5_000) * NS_PER_MS, back)


def emergency_stop(scene: Scene, rng: Random, name: str) -> None:
    """Pressed, held, released; reset and clear are the people's."""
    window = scene.windows.open_since(PASS_MS, FaultKind.EMERGENCY_STOP, FaultKind.BY_HAND)
    scene.plant.world.emergency_stop = True
    scene.count(name)

    def released() -> None:
        scene.plant.world.emergency_stop = False
        window.end()

    scene.agenda.after(rng.randrange(100, 5_000) * NS_PER_MS, released)


def line_stop(scene: Scene, rng: Random, name: str) -> None:
    """A supervisor stops the line; the next one starts it."""
    scene.windows.open_for(3_000, FaultKind.BELT)
    scene.count(name)
    scene.host.deliver(LineRequested(LineRequest.STOP, "supervisor"))


def jam(scene: Scene, rng: Random, name: str) -> None:
    """The hold lane's mouth jams: the belt stands, and goes on when it is clear."""
    end = next(lane for lane in scene.config.line.lanes if lane.gate == 0)
    _lane_fault(scene, rng, name, end.number, jammed=True)


# --- gates and lanes ------------------------------------------------------------------------------


def gate_stuck_open(scene: Scene, rng: Random, name: str, tries: int = _TRIES) -> None:
    """A gate stays where it is while it is open."""
    _stick(scene, rng, name, False, tries)


def gate_stuck_at_hold(scene: Scene, rng: Random, name: str) -> None:
    """A gate does not leave hold."""
    _stick(scene, rng, name, True, 0)


def _stick(scene: Scene, rng: Random, name: str, at_hold: bool, tries: int) -> None:
    world = scene.plant.world
    now_us = world.belt.now_us
    fitting = [
        diverter
        for diverter in world.diverters.values()
        if (diverter.side_at(now_us) is GatePosition.HOLD) == at_hold and not diverter.stuck
    ]
    if not fitting:
        if tries:
            again = lambda: _stick(scene, rng, name, at_hold, tries - 1)  # noqa: E731
            scene.agenda.after(_TRY_MS * NS_PER_MS, again)
        return
    window = scene.windows.open(FaultKind.GATE)
    diverter = rng.choice(fitting)
    scene.count(name)
    diverter.jam(now_us)

    def free() -> None:
        diverter.free(world.belt.now_us)
        window.end()

    scene.agenda.after(rng.randrange(300, 6_000) * NS_PER_MS, free)


def hold_lane_full(scene: Scene, rng: Random, name: str) -> None:
    """The hold lane takes no more, or not enough for what is on the belt."""
    end = next(lane for lane in scene.config.line.lanes if lane.gate == 0)
    _lane_fault(scene, rng, name, end.number, room=rng.randrange(0, 6))


def release_lane_full(scene: Scene, rng: Random, name: str) -> None:
    """The release lane is full."""
    _lane_fault(scene, rng, name, scene.release_lane(), room=0)


def _lane_fault(
    scene: Scene, rng: Random, name: str, number: int, room: int = -1, jammed: bool = False
) -> None:
    window = scene.windows.open(FaultKind.LANE_FULL)
    lane = scene.plant.world.lanes[number]
    scene.count(name)
    if room >= 0:
        lane.capacity_parcels = lane.parcels + room
    lane.jammed = jammed or lane.jammed

    def free() -> None:
        lane.capacity_parcels, lane.jammed = 0xFFFF, False
        window.end()

    scene.agenda.after(rng.randrange(300, 8_000) * NS_PER_MS, free)
