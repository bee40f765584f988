"""One seed, one run: a whole line in virtual time, broken on purpose, judged by its truth.

The loop is the plant's scan; between scans everything else happens at its own time. Nothing here reads
a clock or chance but the plan's seeds, so that a plan gives the same run on every machine.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from random import Random

from controller.config import LineConfig
from controller.core import events as e
from controller.core.line import LineController
from controller.core.units import NS_PER_MS, NS_PER_US
from controller.core.vocabulary import Destination, GatePosition
from controller.journal.recovery import Recovered
from plc.ring_reader import ring_distance
from sim.invariants import InvariantBroken, Invariants
from sim.judge import Judged
from sim.plc_io import DecisionNote, Note, RecordNote, TrackNote
from sim.plc_rows import PlcSettings
from sim.sweep.agenda import NEVER_NS, Agenda, VirtualClock
from sim.sweep.fault_windows import Windows
from sim.sweep.operator import Operator
from sim.sweep.plan import PITCH_MS, Plan
from sim.sweep.verdict_on_run import judged, left_behind
from sim.sweep.virtual_host import HostKilled, VirtualHost
from sim.sweep.virtual_lists import ListStore
from sim.sweep.virtual_plant import VirtualPlant
from sim.sweep.virtual_vision import VirtualVision
from sim.sweep.virtual_wire import Medium
from sim.sweep.workload import SweepWorkload, sweep_workload
from sim.truth import ReceiptSent
from sim.virtual_disk import VirtualDisk
from sim.world import WorldSettings

# A PC that came up has been up for a while.
FIRST_BOOT_NS = -60_000 * NS_PER_MS
# Beyond a parcel's own time: faults of many seconds, and people.
HOST_STARTS_NS = 30 * NS_PER_MS
EXTRA_MS = 400_000
SETTLED_MS = 2_000
LATE_LOOK_SCANS = 4
# The matrix row that every workload has.
TOUCHING = "touching"


@dataclass(slots=True)
class RunResult:
    """What a run came to. `failures` are sentences, `failed_at` the number of the event."""

    seed: int
    parcels: int
    released: int
    held: int
    events: int
    clean: int
    clean_released: int
    wrong_releases: list[str]
    failures: list[str]
    failed_at: int
    injected: Counter[str] = field(default_factory=Counter)
    missed: Counter[str] = field(default_factory=Counter)
    head: str = ""

    @property
    def ok(self) -> bool:
        return not self.wrong_releases and not self.failures


class Run:
    """The parts of one run. Faults act on them through the names here."""

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
        self.windows = Windows(self)
        self.operator = Operator(self)
        self.injected: Counter[str] = Counter()
        self.receipts: list[ReceiptSent] = []
        self._left = 0
        self._late = sorted(self.work.late, key=lambda receipt: receipt.parcel_number)
        self._lanes = {lane.number: lane for lane in config.line.lanes}
        self._wire()

    def _wire(self) -> None:
        self.plant.on_notes = self._noted
        self.host.on_recovered = self._recovered
        self.host.first_core = self._first_core

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
        self.agenda.after(down_ms * NS_PER_MS, lambda: self._start_host(power))

    def _start_host(self, power: bool) -> None:
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

    def readable_since(self, since_ns: int) -> None:
        """What became durable since then could be read by nobody until now."""
        now_ns = self.agenda.now_ns
        self.receipts = [
            replace(said, durable_ns=now_ns) if said.durable_ns >= since_ns else said
            for said in self.receipts
        ]

    # --- the loop ---------------------------------------------------------------------------------

    def play(self) -> RunResult:
        """The whole run. A broken invariant ends it."""
        failures: list[str] = []
        try:
            self._play()
        except InvariantBroken as broken:
            failures.append(str(broken))
        except Exception as error:  # noqa: BLE001 - whatever a part raises is what the run found
            failures.append(f"crash: {error!r}")
        found = judged(self)
        failures += [] if failures else left_behind(self, found)
        return self._result(found, failures)

    def _play(self) -> None:
        self.agenda.at(HOST_STARTS_NS, lambda: self._start_host(power=False))
        self.windows.plan_all()
        scan_us, limit_us = self.plant.scan_us, self._limit_us()
        phase_ns = self.plan.phase_us * NS_PER_US
        now_us = scans = 0
        settled_us = 0
        while now_us < limit_us and settled_us < SETTLED_MS * 1_000:
            now_us += scan_us
            scans += 1
            self._advance(now_us * NS_PER_US)
            self.plant.scan(now_us)
            if len(self.plant.world.left) > self._left:
                self._parcels_left()
            if self._late and scans % LATE_LOOK_SCANS == 0:
                self._late_news()
            self._advance(now_us * NS_PER_US + phase_ns)
            self._guarded_poll()
            settled_us = settled_us + scan_us if self.plant.world.finished else 0
        if settled_us == 0:
            raise InvariantBroken(9, f"parcels are still on the line after {now_us // 1000} ms")

    def _advance(self, to_ns: int) -> None:
        """Everything that is due until then."""
        agenda, host = self.agenda, self.host
        while True:
            next_ns = agenda.next_ns
            due_ns = host.due_ns if host.alive else NEVER_NS
            if next_ns > to_ns and due_ns > to_ns:
                break
            try:
                if due_ns < next_ns:
                    agenda.now_ns = max(agenda.now_ns, due_ns)
                    host.deadline()
                else:
                    agenda.step()
            except HostKilled:
                self._host_killed()
        agenda.now_ns = max(agenda.now_ns, to_ns)

    def _guarded_poll(self) -> None:
        try:
            self.host.poll()
        except HostKilled:
            self._host_killed()

    def _host_killed(self) -> None:
        rng = Random(self.host.events)
        self.kill_host(rng.random() < 0.5, rng.randrange(150, 3_000), power=False)

    def _limit_us(self) -> int:
        return (self.plan.parcels * PITCH_MS + EXTRA_MS) * 1_000

    # --- what the parts tell ----------------------------------------------------------------------

    def _from_vision(self, event: e.PictureFindings | e.VisionUp | e.VisionDown) -> None:
        self.host.deliver(event)

    def _noted(self, notes: tuple[Note, ...]) -> None:
        check, now_ns = self.invariants, self.agenda.now_ns
        check.host_spoke_ns = self.medium.host_spoke_ns
        for note in notes:
            if isinstance(note, RecordNote):
                check.recorded(now_ns, note.record)
            elif isinstance(note, TrackNote):
                body = self.plant.world.bodies.get((note.eye, note.counts), ())
                numbers = tuple(one.parcel.number for one in body)
                check.tracked((note.boot_id, note.track_id), numbers)
            elif isinstance(note, DecisionNote):
                body_id = (note.boot_id, note.track_id)
                check.answered(body_id, note.decision_seq, note.destination, note.result)

    def _parcels_left(self) -> None:
        left = self.plant.world.left
        for entry in left[self._left :]:
            lane = self._lanes[entry.lane]
            release = Destination.RELEASE in lane.destinations
            self.invariants.entered_lane(entry.parcel_number, release)
        self._left = len(left)

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

    def _recovered(self, found: Recovered, core: LineController) -> None:
        self.invariants.recovered(found.start.head.journal_seq, len(found.set_aside))
        plc = self.plant.plc
        if plc is None or plc.boot_id != core.state.boot_id or found.set_aside:
            return
        accepted, known = plc.plant.ring.accepted_ack, core.state.last_ring_seq
        if accepted:
            self.invariants.acknowledged(known, ring_distance(accepted, known))

    def _late_news(self) -> None:
        """Customs sends its second thoughts when the parcel comes to the place that was drawn."""
        late = self._late[0]
        position_mm = self.plant.world.position_mm(late.parcel_number)
        gone = (
            self.plant.world.left and late.parcel_number < self.plant.world.left[-1].parcel_number
        )
        if position_mm is None and not gone:
            return
        if position_mm is None or position_mm >= late.position_mm:
            del self._late[0]
            self.work.news(self, late)

    # --- the end ----------------------------------------------------------------------------------

    def _result(self, found: Judged, failures: list[str]) -> RunResult:
        pairs = sum(len(entry.parcel_numbers) > 1 for entry in self.plant.truth.passes())
        if self.plan.injections and pairs:
            self.injected[TOUCHING] += pairs
        head = self.disk.files[-1].records[-1].hash.hex() if self.disk.files else ""
        return RunResult(
            seed=self.plan.seed,
            parcels=found.parcels,
            released=found.released,
            held=found.held,
            events=self.host.events,
            clean=found.clean,
            clean_released=found.clean_released,
            wrong_releases=[f"parcel {number}: {why}" for number, why in found.wrong_releases],
            failures=failures,
            failed_at=self.host.events,
            injected=self.injected,
            missed=found.missed,
            head=head,
        )


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
