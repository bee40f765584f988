"""Soft PLCs that neglect a duty of the map, of a start, of the ring or of the session."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.core import events
from controller.core.units import U32_MAX, u32_sum
from controller.core.vocabulary import DefaultCause, PlcStateBit
from plc import register_map as m
from plc.conformance.wire import WriteWay
from plc.record_codec import crc16_modbus, u32_at, u32_words, words_bytes
from sim import plc_ring
from sim.plc_host import Host
from sim.plc_io import RegisterWrite
from sim.plc_ring import Ring
from sim.plc_rows import Plant
from sim.plc_test_mode import TestModePlc
from sim.soft_plc import SoftPlc
from tests.plc.planting import Plant_, fault, masked, rewrite, state_bit_set
from tests.plc.virtual_target import VirtualTarget


@fault("P1")
def words_swapped(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    probe = (m.LAYOUT_VERSION, *u32_words(m.PROBE_U32)[::-1], *m.PROBE_FLOAT_WORDS)
    rewrite(patch, lambda writes: [masked(w, m.P_ADDRESS, probe) for w in writes])


@fault("P1")
def another_layout(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    rewrite(patch, lambda writes: [masked(w, m.P_ADDRESS, (2,)) for w in writes])


@fault("P2")
def takes_writes_everywhere(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    target.takes = set(WriteWay)


@fault("P2")
def takes_single_registers_everywhere(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    target.takes = {WriteWay.ONE}


@fault("P2")
def takes_masked_writes_everywhere(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    target.takes = {WriteWay.MASKED}


@fault("P2")
def takes_a_write_across_the_end_of_c(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    target.takes_across_the_end_of_c = True


@fault("P3")
def life_sign_stands(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    rewrite(patch, lambda writes: [w for w in writes if w.address != m.H_HEARTBEAT])


@fault("P3")
def life_sign_every_second(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def slow(writes: list[RegisterWrite]) -> list[RegisterWrite]:
        return [masked(w, m.H_HEARTBEAT, (target.now_us // 1_000_000,)) for w in writes]

    rewrite(patch, slow)


@fault("P4")
def boot_id_kept(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    started = TestModePlc._started
    boots: list[int] = [target.plc.plc.boot_id]

    def _started(self: TestModePlc) -> SoftPlc:
        self._numbers = replace(self._numbers, first_boot_id=boots[0])
        return started(self)

    patch.setattr(TestModePlc, "_started", _started)


def kept_at_start(block: int) -> Plant_:
    def plant(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
        rewrite(
            patch,
            lambda writes: [
                w
                for w in writes
                if not (w.address == block and not any(w.words) and len(w.words) > 31)
            ],
        )

    return plant


@fault("P4")
def answers_kept_at_start(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    kept_at_start(m.E_ADDRESS)(patch, target)


@fault("P4")
def decisions_kept_at_start(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    kept_at_start(m.D_ADDRESS)(patch, target)


@fault("P4")
def latches_what_stands_in_c_at_start(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    kept_c_words(patch)
    listen = Host.listen

    def eager(self: Host, words: Sequence[int]) -> None:
        listen(self, words)
        if self.session == 0 and not self.tripped and u32_at(words, m.C_SESSION):
            self.session, self._life_us = u32_at(words, m.C_SESSION), self.plant.now_us
            latched = [self.session & 0xFFFF]
            self.plant.registers.write(m.P_ADDRESS + m.P_LATCHED_SESSION_LOW, latched)

    patch.setattr(Host, "listen", eager)


def kept_c_words(patch: pytest.MonkeyPatch) -> None:
    rewrite(patch, lambda writes: [w for w in writes if w.address != m.C_ADDRESS])


@fault("P4")
def gates_free_at_start(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    begin = Plant.begin_scan

    def unlocked(self: Plant, *arguments: int) -> None:
        begin(self, *arguments)
        self.gates_locked = False

    patch.setattr(Plant, "begin_scan", unlocked)


@fault("P4")
def c_kept_at_start(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    kept_c_words(patch)


def commit_in_order(order: Callable[[list[tuple[int, tuple[int, ...]]]], Any]) -> Plant_:
    """A ring that writes the steps of its commit in another order, or others."""

    def plant(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
        commit = Ring._commit

        def wrong(self: Ring, event: events.PlcRecord, address: int) -> None:
            start = len(self.registers.commits)
            commit(self, event, address)
            steps = [(w.address, w.words) for w in self.registers.commits[start:]]
            self.registers.commits[start:] = [RegisterWrite(*step) for step in order(steps)]

        patch.setattr(Ring, "_commit", wrong)

    return plant


@fault("P5")
def head_before_record(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    commit_in_order(lambda steps: steps[-2:] + steps[:-2])(patch, target)


@fault("P5")
def slot_not_invalidated(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    commit_in_order(lambda steps: steps[1:])(patch, target)


@fault("P5")
def first_copy_before_the_body(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    commit_in_order(lambda steps: [steps[4], *steps[1:4], *steps[5:]])(patch, target)


@fault("P5")
def crc_wrong(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    commit_in_order(lambda steps: [(a, w if len(w) > 1 else (w[0] ^ 1,)) for a, w in steps])(
        patch, target
    )


@fault("P5")
def head_copy_never_written(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    commit_in_order(lambda steps: steps[:-1])(patch, target)


@fault("P5")
def records_dropped_under_load(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    push = Ring.push

    def lossy(self: Ring, kind: Any, source: int, *rest: Any) -> None:
        if not (kind is events.Triggered and source == 0 and rest[-1] == 17):
            push(self, kind, source, *rest)

    patch.setattr(Ring, "push", lossy)


@fault("P5")
def kind_outside_the_map(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    whole = plc_ring.encode_record

    def wrong(event: events.PlcRecord) -> list[int]:
        words = whole(event)
        words[m.R_KIND] = 99 if words[m.R_KIND] == 6 else words[m.R_KIND]
        words[m.R_CRC] = crc16_modbus(words_bytes(words[: m.R_CRC]))
        return words

    patch.setattr(plc_ring, "encode_record", wrong)


@fault("P6")
def overwrites_what_nobody_acknowledged(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def push(
        self: Ring, kind: Any, source: int, track: int, counts: int, at_us: int, *payload: object
    ) -> None:
        slot = self.next_seq % m.R_SLOTS
        event = kind(self.boot_id, self.next_seq, source, track, counts, at_us, *payload)
        self._commit(event, m.R_ADDRESS + slot * m.R_SLOT_REGISTERS)
        self.unacknowledged.append(self.next_seq)
        self.next_seq = u32_sum(self.next_seq, 1) or 1

    patch.setattr(Ring, "push", push)


@fault("P6")
def refused_records_not_counted(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    rewrite(patch, lambda writes: [w for w in writes if w.address != m.H_OVERFLOW_COUNT])


@fault("P7")
def infeed_runs_on_a_full_ring(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    state_bit_set(patch, PlcStateBit.INFEED_RUNNING, lambda plc: plc.plant.ring.fill >= 55)


@fault("P7")
def belt_runs_on_a_full_ring(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    state_bit_set(patch, PlcStateBit.BELT_RUNNING, lambda plc: plc.plant.ring.fill >= 94)


def taking(self: Ring, ack: int) -> None:
    self.accepted_ack = ack
    while self.unacknowledged and self.unacknowledged[0] <= ack:
        self._taken.discard(self.unacknowledged.popleft() % m.R_SLOTS)
    self.registers.write(m.H_ACCEPTED_ACK, u32_words(ack))


@fault("P8")
def acknowledgement_beyond_the_head(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def acknowledge(self: Ring, ack: int, complement: int) -> None:
        if ack ^ complement == U32_MAX and ack >= self.accepted_ack:
            taking(self, ack)

    patch.setattr(Ring, "acknowledge", acknowledge)


@fault("P8")
def acknowledgement_without_complement(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    acknowledge = Ring.acknowledge
    patch.setattr(Ring, "acknowledge", lambda s, ack, _: acknowledge(s, ack, ack ^ U32_MAX))


@fault("P8")
def acknowledgement_goes_back(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def acknowledge(self: Ring, ack: int, complement: int) -> None:
        if ack ^ complement == U32_MAX and 0 < ack < self.next_seq:
            taking(self, ack)

    patch.setattr(Ring, "acknowledge", acknowledge)


@fault("P8")
def acknowledgement_never_taken(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Ring, "acknowledge", lambda self, ack, complement: None)


@fault("P9")
def session_not_latched(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    rewrite(
        patch,
        lambda writes: [w for w in writes if w.address != m.P_ADDRESS + m.P_LATCHED_SESSION_LOW],
    )


@fault("P9")
def latch_not_in_the_state_bits(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    bits = SoftPlc._state_bits
    patch.setattr(SoftPlc, "_state_bits", lambda self: bits(self) & ~PlcStateBit.SESSION_LATCHED)


@fault("P10")
def last_writer_takes_the_latch(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    listen = Host.listen

    def fickle(self: Host, words: Sequence[int]) -> None:
        if self.session and u32_at(words, m.C_SESSION):
            self.session = u32_at(words, m.C_SESSION)
        listen(self, words)

    patch.setattr(Host, "listen", fickle)


@fault("P10")
def any_life_sign_keeps_the_latch(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    listen = Host.listen

    def easy(self: Host, words: Sequence[int]) -> None:
        if self.session and u32_at(words, m.C_SESSION) != self.session:
            self._life_us = self.plant.now_us
        listen(self, words)

    patch.setattr(Host, "listen", easy)


@fault("P10")
def obeys_any_session(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    listen = Host.listen

    def meek(self: Host, words: Sequence[int]) -> None:
        listen(self, words)
        if self.session:
            self._obey(words)

    patch.setattr(Host, "listen", meek)


@fault("P11")
def no_watchdog(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Host, "_limit_us", 1 << 60)


@fault("P11")
def watchdog_too_late(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Host, "_limit_us", 700_000)


@fault("P11")
def watchdog_too_early(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Host, "_limit_us", 120_000)


@fault("P11")
def watchdog_a_little_too_early(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Host, "_limit_us", 370_000)


@fault("P11")
def watchdog_a_little_too_late(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Host, "_limit_us", 520_000)


@fault("P11")
def watchdog_does_not_stop_the_infeed(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    state_bit_set(patch, PlcStateBit.INFEED_RUNNING, lambda plc: plc.host.tripped)


@fault("P11")
def leases_outlive_their_host(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def trip(self: Host) -> None:
        self.session, self.tripped, self.infeed_permit = 0, True, False

    patch.setattr(Host, "_trip", trip)


@fault("P11")
def watchdog_defaults_undecided_parcels_too(
    patch: pytest.MonkeyPatch, target: VirtualTarget
) -> None:
    trip = Host._trip

    def harsh(self: Host) -> None:
        trip(self)
        for row in list(self.plant.rows):
            self.plant.take_default(row, DefaultCause.LEASE_ENDED)

    patch.setattr(Host, "_trip", harsh)


@fault("P12")
def belt_ignores_its_permit(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Host, "belt_permit", property(lambda self: True, lambda self, value: None))


@fault("P12")
def watchdog_stops_the_belt(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    trip = Host._trip

    def hard(self: Host) -> None:
        trip(self)
        self.belt_permit = False

    patch.setattr(Host, "_trip", hard)
