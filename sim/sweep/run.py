"""One seed, one run: a whole line in virtual time, broken on purpose, judged by its truth.

The loop is the plant's scan; between scans everything else happens at its own time. Nothing here reads
a clock or chance but the plan's seeds, so that a plan gives the same run on every machine.
"""

from collections import Counter
from dataclasses import dataclass, field
from random import Random
from typing import Final

from controller.config import LineConfig
from controller.core.line import LineController
from controller.core.units import NS_PER_MS, NS_PER_US
from controller.core.vocabulary import Destination
from controller.journal.recovery import Recovered
from plc.ring_reader import ring_distance
from sim.invariants import InvariantBroken
from sim.judge import Judged
from sim.plc_io import DecisionNote, Note, RecordNote, TrackNote
from sim.sweep.agenda import NEVER_NS
from sim.sweep.faults import plan_faults
from sim.sweep.operator import Operator
from sim.sweep.plan import PITCH_MS, Plan
from sim.sweep.scene import Scene
from sim.sweep.verdict_on_run import judged, left_behind
from sim.sweep.virtual_host import HostKilled

HOST_STARTS_NS: Final = 30 * NS_PER_MS
# Beyond a parcel's own time: faults of many seconds, and people.
EXTRA_MS: Final = 400_000
SETTLED_MS: Final = 2_000
LATE_LOOK_SCANS: Final = 4
# The matrix row that every workload has.
TOUCHING: Final = "touching"


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
    """`play` once."""

    def __init__(self, plan: Plan, config: LineConfig) -> None:
        self.plan = plan
        self.scene = Scene(plan, config)
        self._operator = Operator(self.scene)
        self._left = 0
        # what was acknowledged, by PLC boot, when a damaged file that told of it was set aside
        self._gone_with_a_file = (0, 0)
        self._late = sorted(self.scene.work.late, key=lambda receipt: receipt.parcel_number)
        self._lanes = {lane.number: lane for lane in config.line.lanes}
        self.scene.plant.on_notes = self._noted
        self.scene.host.on_recovered = self._recovered

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
        found = judged(self.scene)
        failures += [] if failures else left_behind(self.scene, found)
        return self._result(found, failures)

    def _play(self) -> None:
        self.scene.agenda.at(HOST_STARTS_NS, lambda: self.scene.start_host(power=False))
        plan_faults(self.scene)
        scan_us, limit_us = self.scene.plant.scan_us, self._limit_us()
        phase_ns = self.plan.phase_us * NS_PER_US
        now_us = scans = 0
        settled_us = 0
        while now_us < limit_us and settled_us < SETTLED_MS * 1_000:
            now_us += scan_us
            scans += 1
            self._advance(now_us * NS_PER_US)
            self.scene.plant.scan(now_us)
            if len(self.scene.plant.world.left) > self._left:
                self._parcels_left()
            if self._late and scans % LATE_LOOK_SCANS == 0:
                self._late_news()
            self._advance(now_us * NS_PER_US + phase_ns)
            self._guarded_poll()
            settled_us = settled_us + scan_us if self.scene.plant.world.finished else 0
        if settled_us == 0:
            raise InvariantBroken(9, f"parcels are still on the line after {now_us // 1000} ms")

    def _advance(self, to_ns: int) -> None:
        """Everything that is due until then."""
        agenda, host = self.scene.agenda, self.scene.host
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
            self.scene.host.poll()
        except HostKilled:
            self._host_killed()

    def _host_killed(self) -> None:
        rng = Random(self.scene.host.events)
        self.scene.kill_host(rng.random() < 0.5, rng.randrange(150, 3_000), power=False)

    def _limit_us(self) -> int:
        return (self.plan.parcels * PITCH_MS + EXTRA_MS) * 1_000

    # --- what the parts tell ----------------------------------------------------------------------

    def _noted(self, notes: tuple[Note, ...]) -> None:
        check, now_ns = self.scene.invariants, self.scene.agenda.now_ns
        check.host_spoke_ns = self.scene.medium.host_spoke_ns
        for note in notes:
            if isinstance(note, RecordNote):
                check.recorded(now_ns, note.record)
            elif isinstance(note, TrackNote):
                body = self.scene.plant.world.bodies.get((note.eye, note.counts), ())
                numbers = tuple(one.parcel.number for one in body)
                check.tracked((note.boot_id, note.track_id), numbers)
            elif isinstance(note, DecisionNote):
                body_id = (note.boot_id, note.track_id)
                check.answered(body_id, note.decision_seq, note.destination, note.result)

    def _parcels_left(self) -> None:
        left = self.scene.plant.world.left
        for entry in left[self._left :]:
            lane = self._lanes[entry.lane]
            release = Destination.RELEASE in lane.destinations
            self.scene.invariants.entered_lane(entry.parcel_number, release)
        self._left = len(left)

    def _recovered(self, found: Recovered, core: LineController) -> None:
        self.scene.invariants.recovered(found.start.head.journal_seq, len(found.set_aside))
        plc = self.scene.plant.plc
        if plc is None or plc.boot_id != core.state.boot_id:
            return
        accepted, known = plc.plant.ring.accepted_ack, core.state.last_ring_seq
        if found.set_aside:
            self._gone_with_a_file = (plc.boot_id, accepted)
        if accepted and (plc.boot_id, accepted) != self._gone_with_a_file:
            self.scene.invariants.acknowledged(known, ring_distance(accepted, known))

    def _late_news(self) -> None:
        """Customs sends its second thoughts when the parcel comes to the place that was drawn."""
        late = self._late[0]
        position_mm = self.scene.plant.world.position_mm(late.parcel_number)
        gone = (
            self.scene.plant.world.left
            and late.parcel_number < self.scene.plant.world.left[-1].parcel_number
        )
        if position_mm is None and not gone:
            return
        if position_mm is None or position_mm >= late.position_mm:
            del self._late[0]
            self.scene.news(late)

    # --- the end ----------------------------------------------------------------------------------

    def _result(self, found: Judged, failures: list[str]) -> RunResult:
        pairs = sum(len(entry.parcel_numbers) > 1 for entry in self.scene.plant.truth.passes())
        if self.plan.injections and pairs:
            self.scene.injected[TOUCHING] += pairs
        head = self.scene.disk.files[-1].records[-1].hash.hex() if self.scene.disk.files else ""
        return RunResult(
            seed=self.plan.seed,
            parcels=found.parcels,
            released=found.released,
            held=found.held,
            events=self.scene.host.events,
            clean=found.clean,
            clean_released=found.clean_released,
            wrong_releases=[f"parcel {number}: {why}" for number, why in found.wrong_releases],
            failures=failures,
            failed_at=self.scene.host.events,
            injected=self.scene.injected,
            missed=found.missed,
            head=head,
        )
