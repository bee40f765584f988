"""One simulated line: all parts of a run, put together out of its plan, and what faults do to them.

It never judges and never decides when something happens (run.py, faults.py).
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final

from controller.config import LineConfig
from controller.core import events as e
from controller.core.line import LineController
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import Destination, GatePosition
from sim.invariants import Invariants
from sim.plc_rows import PlcSettings
from sim.sweep.agenda import Agenda, VirtualClock
from sim.sweep.fault_windows import Windows
from sim.sweep.plan import Plan
from sim.sweep.virtual_host import VirtualHost
from sim.sweep.virtual_lists import ListStore
from sim.sweep.virtual_plant import VirtualPlant
from sim.sweep.virtual_vision import VirtualVision
from sim.sweep.virtual_wire import Medium
from sim.sweep.workload import SweepWorkload, sweep_workload
from sim.truth import ReceiptSent
from sim.virtual_disk import VirtualDisk
from sim.workload import LateReceipt
from sim.world import WorldSettings

# A PC that came up has been up for a while.
FIRST_BOOT_NS: Final = -60_000 * NS_PER_MS


class Scene:
    """The parts by name; `injected` counts what faults really changed, `receipts` what customs said."""

    def __init__(self, plan: Plan, config: LineConfig) -> None:
        rng = Random(plan.part_seed)
        self.plan = plan
        self.config = config
        self.agenda = Agenda(0)
        self.work: SweepWorkload = sweep_workload(plan, config)
        self.medium = Medium(Random(rng.getrandbits(48)))
        self.store: ListStore = self.work.store
        self.disk = VirtualDisk()
        self.clock = VirtualClock(self.agenda, FIRST_BOOT_NS, plan.utc_ns)
        self.vision = VirtualVision(
            config.line, self.agenda, Random(rng.getrandbits(48)), self._from_vision
        )
        self.plant = VirtualPlant(
            config.line,
            self.work.parcels,
            Random(rng.getrandbits(48)),
            self.medium,
            self.vision,
            WorldSettings(encoder_start_counts=plan.starts.encoder_counts),
            _plc_numbers(plan),
        )
        self.invariants = Invariants(
            self._destinations_behind, self.vision.content, self._beyond_mm
        )
        self.host = VirtualHost(
            config,
            self.agenda,
            Random(rng.getrandbits(48)),
            self.disk,
            self.medium,
            self.store,
            self.clock,
            self.invariants,
            every_poll=plan.exhaustive,
        )
        self.host.first_core = self._first_core
        self.windows = Windows(self.agenda, self.plant, self.host)
        self.injected: Counter[str] = Counter()
        self.receipts: list[ReceiptSent] = []

    # --- what faults use --------------------------------------------------------------------------

    @property
    def parcels_on_belt(self) -> bool:
        return any(p.start_nm <= self.plant.world.belt.travel_nm for p in self.plant.world.on_belt)

    def count(self, name: str) -> None:
        """The fault changed something; it counts while a parcel was on the belt."""
        if self.parcels_on_belt:
            self.injected[name] += 1

    def once(self, name: str) -> Callable[[], None]:
        """A `count` that counts one fault once, however many messages it changes."""
        done: list[bool] = []

        def count() -> None:
            if not done and self.parcels_on_belt:
                done.append(True)
                self.injected[name] += 1

        return count

    def kill_host(self, lands: bool, down_ms: int, power: bool) -> None:
        """The line process dies now; with `power` the whole PC does, the vision worker with it."""
        self.host.die(lands and not power)
        if power:
            self.vision.up = False
        self.agenda.after(down_ms * NS_PER_MS, lambda: self.start_host(power))

    def start_host(self, power: bool) -> None:
        if self.host.alive:
            return
        if power:
            self.clock.boot_ns = self.agenda.now_ns - 20_000 * NS_PER_MS
        self.host.start()
        self.agenda.after(300 * NS_PER_MS, self.vision.start)

    def release_lane(self) -> int:
        """Number of the lane that released parcels go to."""
        lanes = self.config.line.lanes
        return next(lane.number for lane in lanes if Destination.RELEASE in lane.destinations)

    def receipt(self, waybill: str, status: int) -> None:
        """Customs says something of a list; durable at once."""
        now_ns = self.agenda.now_ns
        self.receipts.append(ReceiptSent(waybill, status, now_ns, now_ns))

    def news(self, late: LateReceipt) -> None:
        """This receipt is durable now."""
        facts = self.store.of_waybill(late.waybill)
        if facts is not None:
            self.store.put(replace(facts, status=late.status))
            self.receipt(late.waybill, late.status)

    def readable_since(self, since_ns: int) -> None:
        """What became durable since then could be read by nobody until now."""
        now_ns = self.agenda.now_ns
        self.receipts = [
            replace(said, durable_ns=now_ns) if said.durable_ns >= since_ns else said
            for said in self.receipts
        ]

    # --- what the parts ask ------------------------------------------------------------------------

    def _from_vision(self, event: e.PictureFindings | e.VisionUp | e.VisionDown) -> None:
        self.host.deliver(event)

    def _destinations_behind(self, gate: int, side: GatePosition) -> tuple[Destination, ...]:
        for lane in self.config.line.lanes:
            if (lane.gate, lane.side) == (gate, side.name.lower()):
                return lane.destinations
        return ()

    def _beyond_mm(self, number: int) -> int:
        """Truly beyond the decision point; not said where the host cannot know how fast the belt is."""
        line, belt = self.config.line, self.plant.world.belt
        steady = belt.speed_mm_per_s == line.belt_speed_mm_per_s and self.medium.steady
        position_mm = self.plant.world.position_mm(number) if steady else None
        return -1 if position_mm is None else position_mm - line.decision_position_mm

    def _first_core(self, core: LineController) -> None:
        core.state.decision_seq = self.plan.starts.decision_seq


def _plc_numbers(plan: Plan) -> PlcSettings:
    starts = plan.starts
    return PlcSettings(
        scan_ms=plan.scan_ms,
        first_ring_seq=starts.ring_seq,
        first_track_id=starts.track_id,
        first_trigger_no=starts.trigger_no,
        first_boot_id=starts.boot_id,
        every_scan_whole=plan.exhaustive,
    )
