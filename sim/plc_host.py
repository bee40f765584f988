"""The soft PLC's view of its host: life sign, the one latched session, permits, acknowledgement, and
the decisions it takes or refuses.

A permit or an acknowledgement counts only from the latched session. A decision is judged once per
content of its row; hold replaces a lease until the gate begins to move, never the reverse.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import U32_MAX
from controller.core.vocabulary import DecisionResult, DefaultCause, Destination
from plc import register_map as m
from plc.record_codec import decode_decision, encode_echo, u32_at
from sim.plc_io import DecisionNote
from sim.plc_rows import Plant, Row

# Decision numbers wrap; a difference beyond half the range is an older one.
_HALF: Final = 1 << 31


@dataclass(slots=True)
class Host:
    """`session` 0: none latched. `tripped` from the end of a life sign to the next latch."""

    plant: Plant
    session: int = 0
    tripped: bool = False
    infeed_permit: bool = False
    belt_permit: bool = False
    alarm_reset: bool = False
    _life_us: int = 0
    _heartbeats: dict[int, int] = field(default_factory=dict)
    _reset_bit: bool = False
    _told: Sequence[int] = ()

    def listen(self, words: Sequence[int]) -> None:
        """Block C, once a scan."""
        plant, heartbeat = self.plant, words[m.C_HEARTBEAT]
        told = words[m.C_COMMAND_BITS : m.C_COUNT]
        if told == self._told and heartbeat != self._heartbeats[self.session]:
            # the latched host lives and says nothing new
            self._heartbeats[self.session] = heartbeat
            self._life_us = plant.now_us
            return
        self._told = ()
        before = (self.session, self.infeed_permit, self.belt_permit, self.alarm_reset)
        session = u32_at(words, m.C_SESSION)
        # kept per session, so that a second host's writes never pass for the first one's life sign
        beats = self._heartbeats.get(session, heartbeat) != heartbeat
        latched = self._heartbeats.get(self.session, heartbeat)
        self._heartbeats = {self.session: latched, session: heartbeat}
        self.alarm_reset = False
        if self.session and beats and session == self.session:
            self._life_us = plant.now_us
        elif self.session and plant.now_us - self._life_us >= self._limit_us:
            self._trip()
        if self.session == 0 and beats and session != 0:
            self.session, self.tripped, self._life_us = session, False, plant.now_us
        if self.session and session == self.session:
            self._obey(words)
        if (self.session, self.infeed_permit, self.belt_permit, self.alarm_reset) != before:
            plant.disturbed = True
        obeyed = u32_at(words, m.C_ACK) == plant.ring.accepted_ack and not self.alarm_reset
        if self.session and session == self.session and obeyed:
            self._told = told
        plant.registers.write(m.P_ADDRESS + m.P_LATCHED_SESSION_LOW, [self.session & 0xFFFF])

    @property
    def _limit_us(self) -> int:
        return self.plant.numbers.life_sign_limit_ms * 1_000

    def _obey(self, words: Sequence[int]) -> None:
        bits = words[m.C_COMMAND_BITS]
        self.infeed_permit = bool(bits & m.C_BIT_INFEED_PERMIT)
        self.belt_permit = bool(bits & m.C_BIT_BELT_PERMIT)
        reset = bool(bits & m.C_BIT_ALARM_RESET)
        self.alarm_reset, self._reset_bit = reset and not self._reset_bit, reset
        self.plant.ring.acknowledge(u32_at(words, m.C_ACK), u32_at(words, m.C_ACK_COMPLEMENT))

    def _trip(self) -> None:
        """The session ended: leases whose gate has not begun to move are gone, the infeed stops."""
        self.session, self.tripped, self.infeed_permit = 0, True, False
        for row in list(self.plant.rows):
            if row.leased and not row.started:
                self.plant.take_default(row, DefaultCause.LEASE_ENDED)


@dataclass(slots=True)
class Decisions:
    """Block D to rows of the tracking table, answers to block E."""

    plant: Plant
    host: Host
    lanes_shut: dict[int, DefaultCause] = field(default_factory=dict)
    _last: tuple[int, ...] = ()

    def take(self, words: Sequence[int]) -> None:
        """Judge every row of block D whose content changed since the last scan."""
        block = tuple(words)
        if block == self._last:
            return
        size = m.D_SLOT_REGISTERS
        for at in range(0, m.D_SLOTS * size, size):
            row = block[at : at + size]
            if row != self._last[at : at + size] and any(row):
                self._answer(row, at // size)
        self._last = block

    def _answer(self, words: tuple[int, ...], slot: int) -> None:
        decision = decode_decision(words)
        seq, track_id = u32_at(words, m.D_DECISION_SEQ), u32_at(words, m.D_TRACK_ID)
        echo_at = m.E_ADDRESS + slot * m.E_SLOT_REGISTERS + m.E_DECISION_SEQ
        if seq in (0, u32_at(self.plant.registers.image, echo_at)):
            return  # no decision, or answered already
        if decision is None or seq % m.D_SLOTS != slot:
            self._echo(slot, seq, track_id, DecisionResult.BAD_CRC)
            return
        result = self.judge(decision)
        note = (self.plant.boot_id, track_id, seq, decision.destination, result)
        self.plant.registers.notes.append(DecisionNote(*note))
        self._echo(slot, seq, track_id, result)

    def judge(self, decision: SendDecision) -> DecisionResult:
        """Take the decision or say why not."""
        plant, session = self.plant, self.host.session
        if decision.boot_id != plant.boot_id or session == 0 or decision.session != session:
            return DecisionResult.WRONG_BOOT_OR_SESSION
        row = next((row for row in plant.rows if row.track_id == decision.track_id), None)
        if row is None:
            return DecisionResult.UNKNOWN_ID
        older = (row.decision_seq - decision.decision_seq) & U32_MAX < _HALF
        if row.decision_seq and older:
            return DecisionResult.REVOKED
        lane = plant.lane_for(decision.destination)
        if decision.destination is Destination.HOLD or (lane is not None and lane.gate == 0):
            return self._hold(row, decision)
        return self._lease(row, decision)

    def _hold(self, row: Row, decision: SendDecision) -> DecisionResult:
        """Hold counts until the gate begins to move, or until the PLC itself has held."""
        if row.started or row.default is not None:
            return DecisionResult.LATE
        row.lane, row.closed = None, True
        self.plant.touched = True
        return self._accepted(row, decision)

    def _lease(self, row: Row, decision: SendDecision) -> DecisionResult:
        plant = self.plant
        if row.started or plant.leading_mm(row) >= plant.decision_point_mm:
            return DecisionResult.LATE
        replaces = row.lane is None or (
            row.destination is Destination.RELEASE
            and decision.destination is not Destination.RELEASE
        )
        if row.closed or not replaces:
            return DecisionResult.REVOKED
        lane = plant.lane_for(decision.destination)
        shut = DefaultCause.LANE_FULL if lane is None else self.lanes_shut.get(lane.number)
        if lane is None or shut is not None:
            # a lease it had was for a lane that is no longer wanted
            row.lane, row.destination = None, None
            row.cause, plant.touched = shut or DefaultCause.LANE_FULL, True
            return DecisionResult.LANE_FULL
        row.lane = lane
        return self._accepted(row, decision)

    def _accepted(self, row: Row, decision: SendDecision) -> DecisionResult:
        row.decision_seq, row.destination = decision.decision_seq, decision.destination
        self.plant.touched = True
        return DecisionResult.ACCEPTED

    def _echo(self, slot: int, seq: int, track_id: int, result: DecisionResult) -> None:
        """Sequence 0, content, sequence: a torn row is an empty one."""
        address = m.E_ADDRESS + slot * m.E_SLOT_REGISTERS
        words = encode_echo(events.DecisionEchoed(seq, track_id, result))
        force = self.plant.registers.force
        force(address + m.E_DECISION_SEQ, (0, 0))
        force(address + m.E_TRACK_ID, words[m.E_TRACK_ID :])
        force(address + m.E_DECISION_SEQ, words[: m.E_TRACK_ID])

    def default_undecided(self) -> None:
        """At the decision point, whatever has no lease and no hold is held by default."""
        plant = self.plant
        for row in plant.rows:
            undecided = row.destination is None and row.default is None
            if undecided and row.leading_mm >= plant.decision_point_mm:
                plant.take_default(row, row.cause)

    def shut_lanes(self, shut: dict[int, DefaultCause]) -> None:
        """Lanes that take nothing now; leases for them end."""
        self.lanes_shut = shut
        for row in list(self.plant.rows) if shut else ():
            if row.lane is not None and row.lane.number in shut:
                self.plant.take_default(row, shut[row.lane.number])
