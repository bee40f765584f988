"""World, soft PLC and a trivial host in virtual time: one call is one scan of 10 ms."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TypeVar

from controller.config.load import load
from controller.core import events
from controller.core.commands import SendDecision
from controller.core.settings import Lane, LineSettings
from controller.core.units import u32_difference, u32_sum
from controller.core.vocabulary import DecisionResult, Destination
from plc import register_map as m
from plc.record_codec import (
    decode_belt_row,
    decode_decision,
    decode_echo,
    decode_record,
    encode_decision,
    u32_at,
    u32_words,
)
from sim.parcels import ParcelKind, SimParcel
from sim.plant_truth import PlantTruth
from sim.plc_io import DecisionNote, PlcInputs, PlcOutputs
from sim.plc_rows import PlcSettings
from sim.soft_plc import HOST_BLOCKS_ADDRESS, HOST_BLOCKS_COUNT, SoftPlc
from sim.world import World, WorldSettings

SCAN_US = 10_000
REFERENCE: LineSettings = load(Path(__file__).parents[2] / "sim" / "reference_line.toml").line


def _opposite(lane: Lane) -> Lane:
    """Inspect and recirculate change places: then the two sides of gate 1 are both asked for."""
    swapped = {
        Destination.INSPECT: Destination.RECIRCULATE,
        Destination.RECIRCULATE: Destination.INSPECT,
    }
    return replace(lane, destinations=tuple(swapped.get(d, d) for d in lane.destinations))


# The hardest case for the gates, see docs/decisions/0005.
LINE: LineSettings = replace(REFERENCE, lanes=tuple(_opposite(lane) for lane in REFERENCE.lanes))
Records = list[events.PlcRecord]
Record = TypeVar("Record", bound=events.PlcRecord)


def parcel(number: int, length_mm: int = 300, gap_mm: int = 420, **more: object) -> SimParcel:
    """An honest parcel of 1 kg; `more` overrides any field."""
    fields: dict[str, object] = {
        "number": number,
        "kind": ParcelKind.HONEST,
        "waybill": f"YT{number:012d}",
        "labels": (f"YT{number:012d}",),
        "weight_mg": 1_000_000,
        "declared_weight_mg": 1_000_000,
        "length_mm": length_mm,
        "width_mm": 200,
        "height_mm": 100,
        "gap_before_mm": gap_mm,
        "gcode": "6109100000",
        "contents": (),
    }
    return SimParcel(**(fields | more))  # type: ignore[arg-type]


def parcels(count: int, length_mm: int = 300, gap_mm: int = 420) -> list[SimParcel]:
    return [parcel(number, length_mm, gap_mm) for number in range(1, count + 1)]


@dataclass
class Host:
    """The trivial host: reads every record, acknowledges it, decides when told. `alive` false: it is
    gone, its registers stay as they were."""

    session: int = 0x5E55_1001
    alive: bool = True
    infeed: bool = True
    belt: bool = True
    reset: bool = False
    acknowledges: bool = True
    heartbeat: int = 0
    ack: int = 0
    next_seq: int = 0
    waiting: list[tuple[int, list[int]]] = field(default_factory=list)

    def c_block(self) -> list[int]:
        bits = (
            self.infeed * m.C_BIT_INFEED_PERMIT
            | self.belt * m.C_BIT_BELT_PERMIT
            | self.reset * m.C_BIT_ALARM_RESET
        )
        complement = self.ack ^ 0xFFFF_FFFF
        words = [self.heartbeat, bits, *u32_words(self.ack), *u32_words(complement)]
        return [*words, *u32_words(self.session), 0, 0, 0, 0]


class Rig:
    """`records` are what the host read, in order; `echoes` its answers by decision number; `trace`
    hashes every register write if `traced`."""

    def __init__(
        self,
        bodies: Sequence[SimParcel] = (),
        seed: int = 1,
        line: LineSettings = LINE,
        options: WorldSettings | None = None,
        numbers: PlcSettings | None = None,
    ) -> None:
        self.rng = Random(seed)
        self.line = line
        self.numbers = numbers
        self.world = World(line, bodies, self.rng, options)
        self.truth = PlantTruth(self.world, 0)
        self.memory = [0] * m.MAP_REGISTERS
        self.host = Host()
        self.records: Records = []
        self.echoes: dict[int, DecisionResult] = {}
        self.accepted: list[tuple[int, Destination]] = []
        self.outputs = PlcOutputs()
        self.inputs: PlcInputs | None = None
        self.now_us = 0
        self.decision_seq = 0
        self.trace = hashlib.sha256()
        self.traced = False
        self._echoed = False
        self.on_record: Callable[[events.PlcRecord], None] = lambda record: None
        self.boot()

    def boot(self) -> None:
        """A new PLC in the same plant."""
        self.plc = SoftPlc(self.line, self.rng, self.numbers)
        self.outputs = PlcOutputs()
        self.host.ack, self.host.waiting = 0, []
        self.host.next_seq = self.plc.plant.ring.next_seq
        self.memory[m.H_HEAD_SEQ : m.H_HEAD_SEQ + 2] = (0, 0)

    # --- time -------------------------------------------------------------------------------------

    def scan(self) -> None:
        self.now_us += SCAN_US
        self.inputs = self.world.step(self.now_us, self.outputs)
        blocks = self.memory[HOST_BLOCKS_ADDRESS : HOST_BLOCKS_ADDRESS + HOST_BLOCKS_COUNT]
        self.outputs = self.plc.scan(self.now_us, self.inputs, blocks)
        for write in self.outputs.commits:
            self.memory[write.address : write.address + len(write.words)] = write.words
            if self.traced:
                self.trace.update(repr((write.address, write.words)).encode())
            self._echoed |= m.E_ADDRESS <= write.address < m.C_ADDRESS
        self.truth.note(self.now_us * 1_000, self.outputs.notes)
        for note in self.outputs.notes:
            if isinstance(note, DecisionNote) and note.result is DecisionResult.ACCEPTED:
                self.accepted.append((note.track_id, note.destination))
        if self.host.alive:
            self._host_turn()

    def run_ms(self, ms: int) -> None:
        for _ in range(ms // 10):
            self.scan()

    def run_until(self, done: Callable[[], bool], limit_ms: int = 60_000) -> None:
        """Scan until `done()`; AssertionError after `limit_ms`."""
        for _ in range(limit_ms // 10):
            if done():
                return
            self.scan()
        raise AssertionError(f"not done after {limit_ms} ms")

    def to_mm(self, number: int, position_mm: int) -> None:
        """Until the leading edge of the parcel has reached `position_mm`."""
        self.run_until(lambda: (self.world.position_mm(number) or 0) >= position_mm)

    def finish(self) -> None:
        self.run_until(lambda: self.world.finished, 1_000_000)
        self.run_ms(200)

    # --- the host -----------------------------------------------------------------------------------

    def _host_turn(self) -> None:
        host, memory = self.host, self.memory
        host.heartbeat = (host.heartbeat + 1) & 0xFFFF
        head = u32_at(memory, m.H_HEAD_SEQ)
        while head and u32_difference(head, host.next_seq) >= 0:
            at = m.R_ADDRESS + host.next_seq % m.R_SLOTS * m.R_SLOT_REGISTERS
            words = memory[at : at + m.R_SLOT_REGISTERS]
            record = decode_record(self.plc.boot_id, host.next_seq, words)
            assert record is not None, f"record {host.next_seq} is not there"
            self.records.append(record)
            if host.acknowledges:
                host.ack = host.next_seq
            host.next_seq = u32_sum(host.next_seq, 1) or 1
            self.on_record(record)
        for slot in range(m.E_SLOTS if self._echoed else 0):
            at = m.E_ADDRESS + slot * m.E_SLOT_REGISTERS
            echo = decode_echo(memory[at : at + m.E_SLOT_REGISTERS])
            if echo is not None:
                self.echoes[echo.decision_seq] = echo.result
        self._echoed = False
        memory[m.C_ADDRESS : m.C_ADDRESS + m.C_COUNT] = host.c_block()
        for slot, words in host.waiting[:]:
            at = m.D_ADDRESS + slot * m.D_SLOT_REGISTERS
            last = decode_decision(memory[at : at + m.D_SLOT_REGISTERS])
            if last is None or last.decision_seq in self.echoes:
                memory[at : at + m.D_SLOT_REGISTERS] = words
                host.waiting.remove((slot, words))

    def decide(
        self,
        track_id: int,
        destination: Destination = Destination.RELEASE,
        seq: int | None = None,
        boot_id: int | None = None,
        session: int | None = None,
    ) -> int:
        """Queue a decision of this boot and session, if no others are given; its number."""
        if seq is None:
            self.decision_seq = seq = u32_sum(self.decision_seq, 1) or 1
        boot_id = self.plc.boot_id if boot_id is None else boot_id
        session = self.host.session if session is None else session
        words = encode_decision(SendDecision(seq, boot_id, session, track_id, destination, 0))
        self.host.waiting.append((seq % m.D_SLOTS, words))
        return seq

    def answer(self, seq: int) -> DecisionResult:
        """The PLC's answer, after as many scans as it takes."""
        self.run_until(lambda: seq in self.echoes, 200)
        return self.echoes[seq]

    def release_all(self, after: type[events.PlcRecord] = events.Triggered) -> None:
        """From now on, release every body as soon as `after` is read of it."""

        def release(record: events.PlcRecord) -> None:
            if isinstance(record, after) and record.track_id:
                self.decide(record.track_id)

        self.on_record = release

    # --- what came out --------------------------------------------------------------------------------

    def of(self, kind: type[Record], track_id: int | None = None) -> list[Record]:
        return [
            r
            for r in self.records
            if isinstance(r, kind) and (track_id is None or r.track_id == track_id)
        ]

    def lanes(self) -> dict[int, int]:
        """Where each true parcel went."""
        return {entry.parcel_number: entry.lane for entry in self.world.left}

    def bits(self) -> int:
        return self.memory[m.H_STATE_BITS]

    def table(self) -> list[events.BeltRow]:
        rows = []
        for at in range(m.T_ROWS):
            address = m.T_ADDRESS + at * m.T_ROW_REGISTERS
            row = decode_belt_row(self.memory[address : address + m.T_ROW_REGISTERS])
            if row is not None:
                rows.append(row)
        return rows
