"""Soft PLCs that neglect a duty about decisions, parcels or gates."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from controller.core import events
from controller.core.vocabulary import DecisionResult, Destination, PlcStateBit
from plc import register_map as m
from plc.record_codec import crc16_modbus, u32_at, words_bytes
from sim import plc_host
from sim.diverters import Diverter
from sim.plc_gates import Gates
from sim.plc_host import Decisions
from sim.plc_ring import Registers, Ring
from sim.plc_rows import Plant, Row
from sim.plc_tracking import Tracking
from sim.soft_plc import SoftPlc
from tests.plc.planting import Plant_, fault, state_bit_set
from tests.plc.virtual_target import VirtualTarget


def judging(
    change: Callable[[Decisions, Any, DecisionResult], DecisionResult],
) -> Plant_:
    """Another answer than the right one."""

    def plant(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
        judge = Decisions.judge
        patch.setattr(
            Decisions, "judge", lambda self, decision: change(self, decision, judge(self, decision))
        )

    return plant


@fault("P13")
def decisions_not_answered(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Decisions, "_echo", lambda self, slot, seq, track_id, result: None)


@fault("P13")
def answer_names_no_parcel(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    echo = Decisions._echo
    patch.setattr(
        Decisions, "_echo", lambda self, slot, seq, track, result: echo(self, slot, seq, 0, result)
    )


@fault("P13")
def same_sequence_judged_again(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    answer = Decisions._answer

    def again(self: Decisions, words: tuple[int, ...], slot: int) -> None:
        at = m.E_ADDRESS + slot * m.E_SLOT_REGISTERS
        self.plant.registers.image[at : at + 2] = (0, 0)
        answer(self, words, slot)

    patch.setattr(Decisions, "_answer", again)


@fault("P14")
def empty_row_answered(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    take = Decisions.take

    def eager(self: Decisions, words: Sequence[int]) -> None:
        if words[m.D_LAYOUT] and not any(words[m.D_DECISION_SEQ : m.D_LAYOUT]):
            self._echo(0, 0, 0, DecisionResult.BAD_CRC)
            self.plant.registers.force(m.E_ADDRESS + m.E_RESULT, (3,))
        take(self, words)

    patch.setattr(Decisions, "take", eager)


@fault("P14")
def zero_means_release(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    decode = plc_host.decode_decision

    def generous(words: Sequence[int]) -> Any:
        found = decode(words)
        if found is None and words[m.D_DESTINATION] == 0:
            words = [*words[: m.D_DESTINATION], 2, *words[m.D_REASON : m.D_CRC]]
            return decode(with_crc(words))
        return found

    patch.setattr(plc_host, "decode_decision", generous)


def with_crc(words: Sequence[int]) -> list[int]:
    return [*words, crc16_modbus(words_bytes(words))]


@fault("P15")
def crc_ignored(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    decode = plc_host.decode_decision
    patch.setattr(plc_host, "decode_decision", lambda words: decode(with_crc(words[: m.D_CRC])))


@fault("P15")
def layout_ignored(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    decode = plc_host.decode_decision

    def lax(words: Sequence[int]) -> Any:
        fits = with_crc(words[: m.D_CRC])[m.D_CRC] == words[m.D_CRC]
        return decode(with_crc([*words[: m.D_LAYOUT], m.LAYOUT_VERSION])) if fits else None

    patch.setattr(plc_host, "decode_decision", lax)


@fault("P15")
def misplaced_row_judged(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    answer = Decisions._answer

    def anywhere(self: Decisions, words: tuple[int, ...], slot: int) -> None:
        seq = u32_at(words, m.D_DECISION_SEQ)
        decision = plc_host.decode_decision(words)
        if decision is None or seq % m.D_SLOTS == slot:
            answer(self, words, slot)
        elif seq != u32_at(self.plant.registers.image, m.E_ADDRESS + slot * m.E_SLOT_REGISTERS):
            self._echo(slot, seq, decision.track_id, self.judge(decision))

    patch.setattr(Decisions, "_answer", anywhere)


@fault("P15")
def misplaced_row_answered_elsewhere(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    echo = Decisions._echo
    patch.setattr(
        Decisions,
        "_echo",
        lambda self, slot, seq, track, result: echo(self, seq % m.D_SLOTS, seq, track, result),
    )


@fault("P16")
def foreign_boot_accepted(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    judge = Decisions.judge
    patch.setattr(
        Decisions,
        "judge",
        lambda self, d: judge(self, replace(d, boot_id=self.plant.boot_id)),
    )


@fault("P16")
def foreign_session_accepted(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    judge = Decisions.judge
    patch.setattr(
        Decisions,
        "judge",
        lambda self, d: judge(self, replace(d, session=self.host.session)),
    )


@fault("P16")
def only_the_low_word_of_a_session_compared(
    patch: pytest.MonkeyPatch, target: VirtualTarget
) -> None:
    judge = Decisions.judge

    def half(self: Decisions, d: Any) -> DecisionResult:
        if d.session & 0xFFFF == self.host.session & 0xFFFF:
            d = replace(d, session=self.host.session)
        return judge(self, d)

    patch.setattr(Decisions, "judge", half)


@fault("P16")
def session_zero_decides_when_none_is_latched(
    patch: pytest.MonkeyPatch, target: VirtualTarget
) -> None:
    def zero(self: Decisions, d: Any, result: DecisionResult) -> DecisionResult:
        nobody = self.host.session == 0 == d.session and d.boot_id == self.plant.boot_id
        return DecisionResult.UNKNOWN_ID if nobody else result

    judging(zero)(patch, target)


@fault("P17")
def unknown_parcel_accepted(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def trusting(self: Decisions, d: Any, result: DecisionResult) -> DecisionResult:
        return DecisionResult.ACCEPTED if result is DecisionResult.UNKNOWN_ID else result

    judging(trusting)(patch, target)


@fault("P18")
def release_replaces_hold(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    lease = Decisions._lease

    def reopen(self: Decisions, row: Row, d: Any) -> DecisionResult:
        row.closed, row.default = False, None
        return lease(self, row, d)

    patch.setattr(Decisions, "_lease", reopen)


@fault("P18")
def hold_answered_and_forgotten(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def forget(self: Decisions, row: Row, d: Any) -> DecisionResult:
        return DecisionResult.LATE if row.started else DecisionResult.ACCEPTED

    patch.setattr(Decisions, "_hold", forget)


@fault("P18")
def older_sequence_accepted(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def forget(self: Decisions, d: Any, result: DecisionResult) -> DecisionResult:
        for row in self.plant.rows:
            if row.track_id == d.track_id and not row.closed and not row.started:
                row.decision_seq, row.destination, row.lane = 0, None, None
                return judge(self, d)
        return result

    judge = Decisions.judge
    judging(forget)(patch, target)


@fault("P19")
def late_decision_accepted(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def lenient(self: Decisions, d: Any, result: DecisionResult) -> DecisionResult:
        late = result is DecisionResult.LATE and d.destination is Destination.RELEASE
        return DecisionResult.ACCEPTED if late else result

    judging(lenient)(patch, target)


@fault("P19")
def hold_accepted_after_the_gate_began(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    def lenient(self: Decisions, d: Any, result: DecisionResult) -> DecisionResult:
        late = result is DecisionResult.LATE and d.destination is Destination.HOLD
        return DecisionResult.ACCEPTED if late else result

    judging(lenient)(patch, target)


@fault("P20")
def full_lane_ignored(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(SoftPlc, "_shut_lanes", lambda self, inputs: {})


@fault("P20")
def infeed_runs_for_a_full_release_lane(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    full = lambda plc: bool(plc.decisions.lanes_shut)  # noqa: E731
    state_bit_set(patch, PlcStateBit.INFEED_RUNNING, full)


@fault("P21")
def lease_acts_out_of_block_d(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    take = Decisions.take

    def forgetful(self: Decisions, words: Sequence[int]) -> None:
        take(self, words)
        wanted = {u32_at(words, at + m.D_TRACK_ID) for at in range(0, len(words), 12)}
        for row in self.plant.rows:
            if row.lane is not None and row.track_id not in wanted and not row.started:
                row.lane, row.destination, self.plant.touched = None, None, True

    patch.setattr(Decisions, "take", forgetful)


@fault("P21")
def lease_not_shown_in_t(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    state = Row.state_words

    def shy(self: Row, counts_per_m: int) -> list[int]:
        words = state(self, counts_per_m)
        return [*words[:-1], m.T_STATE_TRACKED << 8]

    patch.setattr(Row, "state_words", shy)


@fault("P22")
def tracking_ids_used_again(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    start = Plant.start_row

    def same(self: Plant, *arguments: Any, **more: Any) -> Row | None:
        self.next_track_id = 7
        return start(self, *arguments, **more)

    patch.setattr(Plant, "start_row", same)


@fault("P22")
def length_not_measured(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    cleared = Tracking._cleared

    def short(self: Tracking, edge: Any) -> None:
        seen = self._open.get(edge.eye)
        cleared(self, edge._replace(counts=seen.counts if seen else edge.counts))

    patch.setattr(Tracking, "_cleared", short)


@fault("P22")
def rows_never_freed(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    write = Registers.force

    def keep(self: Registers, address: int, words: Sequence[int]) -> None:
        in_t = m.T_ADDRESS <= address < m.T_ADDRESS + 288
        if not (in_t and len(words) <= 4 and not any(words)):
            write(self, address, words)

    patch.setattr(Registers, "force", keep)


@fault("P23", "P19")
def default_not_reported(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Decisions, "default_undecided", lambda self: None)


@fault("P24")
def gap_not_checked(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Gates, "check_gaps", lambda self: None)


@fault("P25")
def gate_movement_not_reported(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    push = Ring.push

    def silent(self: Ring, kind: Any, *rest: Any) -> None:
        if kind is not events.GateMoved:
            push(self, kind, *rest)

    patch.setattr(Ring, "push", silent)


@fault("P25")
def gate_never_moves(patch: pytest.MonkeyPatch, target: VirtualTarget) -> None:
    patch.setattr(Diverter, "order", lambda self, position, at_us: None)
