"""`parcelgate torture kill`: SIGKILL for the line process at the moments that matter, again and again.

The whole factory runs in real processes; the PLC is reached through a proxy, so that a moment can be
held open: a verdict durable but unsent, sent but unechoed, accepted but before its gate, and the change
of a journal file. After each kill the supervisor starts the line again, and the next kill comes only
after a parcel was released again. At the end the simulator's truth judges, and the journals are
verified, replayed and compared with what the PLC was told to be durable.
"""

import asyncio
import os
import signal
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from random import Random

from pymodbus.client import AsyncModbusTcpClient

from controller.clock import SystemClock
from controller.config import LineConfig, load
from controller.core.commands import CommitVerdict, RecordOutcome, SendDecision
from controller.core.events import DecisionEchoed, PlcRecord, Triggered
from controller.core.units import NS_PER_S
from controller.core.vocabulary import DecisionResult, Destination, PassEnd
from controller.journal.commands import line_core
from controller.journal.keys import public_keys
from controller.journal.reader import Follower, decode, read_directory
from controller.journal.replay import replay
from controller.journal.verify import verify
from controller.runtime.start import keys_dir
from controller.supervisor import Change, Limits, ProcessEvent, ProcessSpec, Supervisor
from plc import register_map as m
from plc.record_codec import decode_decision, u32_at
from sim.chaos_proxy import ChaosProxy, Fault, proxied
from sim.demo import DemoOptions, demo_specs, truth_file
from sim.demo_files import with_values, write_lines
from sim.journal_words import read_words
from sim.judge import judge
from sim.truth import FaultKind, FaultWindow, read_truth

LOOK_S = 0.002
WINDOW_S = 30.0
# From the kill until nothing on the belt can still suffer from it: restart and one belt length.
AFTERMATH_NS = 12 * NS_PER_S
# The least time from trigger to the last row: the shortest parcel and 120 mm, less a margin.
AFTER_TRIGGER_S = 0.24
# Longer than any verdict takes from there; the PLC's watchdog may trip meanwhile.
STALL_LOOKS = 750
# PLC scan, poll and proxy: an echo that is not held back is here by then.
ECHO_S = 0.04
# A write request in Modbus TCP: MBAP header of 7 bytes, function code, address, count, byte count.
_FC_AT, _FC16, _FC16_DATA_AT = 7, 16, 13


class Window(Enum):
    """When the process is killed."""

    DURABLE_UNSENT = "verdict durable but unsent"
    SENT_UNECHOED = "sent but unechoed"
    BEFORE_GATE = "accepted but before the gate"
    FILE_CHANGE = "during a change of journal file"


@dataclass(slots=True)
class Seen:
    """What the journal on the disk says, read as it grows."""

    follower: Follower
    durable_releases: set[int] = field(default_factory=set)
    sent: dict[int, int] = field(default_factory=dict)
    accepted: set[int] = field(default_factory=set)
    triggers: int = 0
    in_release_lane: int = 0

    def look(self) -> None:
        for record in self.follower.read():
            match decode(record):
                case CommitVerdict(destination=Destination.RELEASE) as verdict:
                    self.durable_releases.add(verdict.track_id)
                case SendDecision(destination=Destination.RELEASE) as sent:
                    self.sent[sent.decision_seq] = sent.track_id
                case DecisionEchoed(result=DecisionResult.ACCEPTED) as echo:
                    self.accepted.add(echo.track_id)
                case Triggered():
                    self.triggers += 1
                case RecordOutcome(end=PassEnd.RELEASED):
                    self.in_release_lane += 1
                case _:
                    pass


@dataclass(frozen=True, slots=True)
class TortureReport:
    """`ok` only if every list is empty and every window was hit as often as asked."""

    kills: dict[str, int]
    parcels: int
    released: int
    wrong_releases: list[str]
    unaccounted: list[str]
    first_bad: str | None
    journal_records: int
    replay_differences: int
    acknowledged_records: int
    acknowledged_lost: int

    @property
    def ok(self) -> bool:
        return not (
            self.wrong_releases
            or self.unaccounted
            or self.first_bad
            or self.replay_differences
            or self.acknowledged_lost
        )


class KillTorture:
    """One line under torture in `directory`."""

    def __init__(self, directory: Path, kills: int, seed: int, tell: Callable[[str], None]) -> None:
        self._directory = directory
        self._kills = kills
        self._rng = Random(f"torture kill {seed}")
        self._seed = seed
        self._tell = tell
        self._clock = SystemClock()
        self._done: Counter[Window] = Counter()
        self._faults: list[FaultWindow] = []
        self._release_passed = asyncio.Event()
        self._line_ready = asyncio.Event()

    async def run(self) -> TortureReport:
        """SupervisorError if the processes cannot run; TimeoutError if a moment never comes."""
        (file,) = write_lines(self._directory, 1, 5000, "modbus")
        plant = load(file)
        async with proxied(plant.plc.port, self._seed) as proxy:
            proxy.on_request = self._request_passed
            line = self._behind(proxy, plant, file)
            async with Supervisor(
                self._directory, self._specs(plant, line), on_event=self._heard, limits=_LIMITS
            ) as supervisor:
                seen = Seen(Follower(line.journal_dir))
                windows = [window for window in Window for _ in range(-(-self._kills // 4))]
                self._rng.shuffle(windows)
                for window in windows[: max(self._kills, 4)]:
                    await self._kill(supervisor, proxy, seen, window)
                await self._released_again(seen)
                acknowledged = await acknowledged_seq(plant)
        return self._judge(line, acknowledged)

    # --- the processes --------------------------------------------------------------------------

    def _behind(self, proxy: ChaosProxy, plant: LineConfig, file: Path) -> LineConfig:
        """The same line, its PLC reached through the proxy."""
        text = with_values(file.read_text("utf-8"), {("plc", "port"): str(proxy.port)})
        behind = file.with_name(f"controller-{file.name}")
        behind.write_text(text, "utf-8")
        return load(behind)

    def _specs(self, plant: LineConfig, line: LineConfig) -> list[ProcessSpec]:
        """The demo's processes; the controller's own read the file with the proxy's port."""
        specs = demo_specs([plant], DemoOptions(None, self._seed))
        ours, theirs = str(line.file), str(plant.file)
        return [
            spec
            if spec.name.startswith("factory")
            else replace(spec, argv=tuple(ours if a == theirs else a for a in spec.argv))
            for spec in specs
            if spec.name != "witness"
        ]

    def _heard(self, event: ProcessEvent) -> None:
        if event.name.startswith("line-") and event.change is Change.READY:
            self._line_ready.set()

    def _request_passed(self, data: bytes) -> None:
        """A write request for block D that holds a release has gone to the PLC."""
        if len(data) > _FC16_DATA_AT and data[_FC_AT] == _FC16:
            words = struct.unpack(f">{(len(data) - _FC16_DATA_AT) // 2}H", data[_FC16_DATA_AT:])
            rows = range(0, len(words), m.D_SLOT_REGISTERS)
            decisions = [decode_decision(words[at : at + m.D_SLOT_REGISTERS]) for at in rows]
            if any(d is not None and d.destination is Destination.RELEASE for d in decisions):
                self._release_passed.set()

    # --- one kill -------------------------------------------------------------------------------

    async def _kill(
        self, supervisor: Supervisor, proxy: ChaosProxy, seen: Seen, window: Window
    ) -> None:
        await self._released_again(seen)
        await _WAIT_FOR[window](self, supervisor, proxy, seen)
        killed_ns = self._clock.monotonic_ns()
        self._line_ready.clear()
        os.kill(supervisor.pids["line-L1"], signal.SIGKILL)
        proxy.reset()  # what the dead process had in flight does not arrive
        proxy.fault = None
        self._done[window] += 1
        self._tell(f"kill {self._done.total()}: {window.value}")
        await asyncio.wait_for(self._line_ready.wait(), WINDOW_S)
        self._faults.append(
            FaultWindow(FaultKind.HOST_RESTART, killed_ns, killed_ns + AFTERMATH_NS)
        )

    async def _released_again(self, seen: Seen) -> None:
        """The line lives: another parcel has entered the release lane."""
        await _another(seen, lambda each: each.in_release_lane)

    async def durable_unsent(self, _: Supervisor, proxy: ChaosProxy, seen: Seen) -> None:
        """Nothing reaches the PLC shortly before the verdict, which becomes durable meanwhile."""
        while True:
            await _another(seen, lambda each: each.triggers)
            await asyncio.sleep(AFTER_TRIGGER_S)
            seen.look()
            before = len(seen.durable_releases)
            proxy.fault = Fault.STALL
            self._release_passed.clear()
            for _look in range(STALL_LOOKS):
                await asyncio.sleep(LOOK_S)
                seen.look()
                if len(seen.durable_releases) > before:
                    break
            if len(seen.durable_releases) == before:  # that parcel was held; let the line go on
                proxy.fault = None
                await self._released_again(seen)
                continue
            assert not self._release_passed.is_set(), "a decision passed the stalled proxy"
            return

    async def sent_unechoed(self, _: Supervisor, proxy: ChaosProxy, seen: Seen) -> None:
        """The PLC gets a release, its answer does not come back."""
        while True:
            accepted = len(seen.accepted)
            self._release_passed.clear()
            await asyncio.wait_for(self._release_passed.wait(), WINDOW_S)
            proxy.fault = Fault.DEAF
            await asyncio.sleep(ECHO_S)
            seen.look()
            if len(seen.accepted) == accepted:
                return
            proxy.fault = None  # the echo was quicker than the proxy

    async def before_gate(self, _: Supervisor, __: ChaosProxy, seen: Seen) -> None:
        """The lease is accepted and its gate has more than a second to go."""
        await _another(seen, lambda each: len(each.accepted))

    async def file_change(self, supervisor: Supervisor, _: ChaosProxy, __: Seen) -> None:
        """SIGHUP begins a new journal file, as midnight does."""
        os.kill(supervisor.pids["line-L1"], signal.SIGHUP)
        await asyncio.sleep(self._rng.uniform(0, 0.012))

    # --- the end --------------------------------------------------------------------------------

    def _judge(self, line: LineConfig, acknowledged: dict[int, int]) -> TortureReport:
        truth = replace(read_truth(truth_file(line)), faults=tuple(self._faults))
        found = judge(truth, read_words(line.journal_dir).words, line.line, line.rules)
        verified = verify(line.journal_dir, public_keys(keys_dir(line)))
        replayed = replay(line.journal_dir, line_core)
        total, lost = _acknowledged_lost(line.journal_dir, acknowledged)
        return TortureReport(
            kills={window.value: self._done[window] for window in Window},
            parcels=found.parcels,
            released=found.released,
            wrong_releases=[f"parcel {number}: {why}" for number, why in found.wrong_releases],
            unaccounted=[f"parcel {number}: {why}" for number, why in found.unaccounted],
            first_bad=None if verified.first_bad is None else str(verified.first_bad),
            journal_records=verified.records,
            replay_differences=replayed.differences,
            acknowledged_records=total,
            acknowledged_lost=lost,
        )


_LIMITS = Limits(crashes_max=10_000, grace_s=15.0)
_WAIT_FOR = {
    Window.DURABLE_UNSENT: KillTorture.durable_unsent,
    Window.SENT_UNECHOED: KillTorture.sent_unechoed,
    Window.BEFORE_GATE: KillTorture.before_gate,
    Window.FILE_CHANGE: KillTorture.file_change,
}


async def _another(seen: Seen, count: Callable[[Seen], int]) -> None:
    """Until the journal holds one more. TimeoutError if none comes."""
    seen.look()
    before = count(seen)
    async with asyncio.timeout(WINDOW_S):
        while count(seen) == before:
            await asyncio.sleep(LOOK_S)
            seen.look()


async def acknowledged_seq(plant: LineConfig) -> dict[int, int]:
    """By boot id, the highest record that the PLC was told is durable; read from the PLC itself."""
    client = AsyncModbusTcpClient(plant.plc.host, port=plant.plc.port)
    await client.connect()
    answer = await client.read_holding_registers(
        m.H_ADDRESS, count=m.H_COUNT, device_id=plant.plc.device_id
    )
    client.close()
    words = answer.registers
    return {u32_at(words, m.H_BOOT_ID): u32_at(words, m.H_ACCEPTED_ACK)}


def _acknowledged_lost(directory: Path, acknowledged: dict[int, int]) -> tuple[int, int]:
    kept: dict[int, set[int]] = {}
    for record in read_directory(directory):
        message = decode(record)
        if isinstance(message, PlcRecord):
            kept.setdefault(message.boot_id, set()).add(message.ring_seq)
    total = sum(acknowledged.values())
    lost = sum(
        seq not in kept.get(boot_id, set())
        for boot_id, last in acknowledged.items()
        for seq in range(1, last + 1)
    )
    return total, lost
