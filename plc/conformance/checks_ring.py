"""Checks of the ring that need test mode: load, commit order, back-pressure, overflow, other hosts.

Records come from test order BURST; they pass the PLC's own ring writer. None of these needs a parcel.
"""

from controller.core import events
from controller.core.units import NS_PER_MS
from controller.core.vocabulary import BeltCause, BeltMotion, PlcStateBit
from plc import register_map as m
from plc.conformance import test_mode as t
from plc.conformance.bench import Bench
from plc.conformance.checks_decisions import acknowledgement
from plc.conformance.checks_session import SAFE_LIMIT_MS, latched, no_session
from plc.conformance.duties import Duty, DutyFailed, NotRun
from plc.record_codec import RecordFault, decode_record, u32_at
from plc.ring_reader import RegisterRun, ring_distance, ring_step

_HEAD, _COPY, _ACK = m.H_HEAD_SEQ, m.H_HEAD_COPY, m.H_ACCEPTED_ACK
_STATE, _OVERFLOW = m.H_STATE_BITS, m.H_OVERFLOW_COUNT
_BURST = 60
_BURSTS = 5
_BURST_LIMIT_MS = 5_000
_FILL_LIMIT_MS = 1_000
_DRIVE_LIMIT_MS = 30_000
SLOW_STEP_MS = 40


def burst_numbers(records: list[events.PlcRecord]) -> list[int]:
    """Trigger numbers of the records that BURST wrote."""
    return [r.trigger_no for r in records if isinstance(r, events.Triggered) and not r.source]


async def under_load(bench: Bench) -> None:
    """Bursts while the host reads and acknowledges: nothing lost, doubled or changed."""
    for _ in range(_BURSTS):
        start = len(bench.records)
        await bench.order(t.TestOrder.BURST, _BURST)
        await bench.until(
            lambda start=start: len(burst_numbers(bench.records[start:])) >= _BURST,  # type: ignore[misc]
            _BURST_LIMIT_MS,
        )
        numbers = burst_numbers(bench.records[start:])
        if not numbers:
            raise NotRun(
                "test order 2 (BURST) was shown as carried out, and no record of kind 6 came."
            )
        if numbers != list(range(1, _BURST + 1)):
            raise DutyFailed(
                Duty.COMMIT,
                f"of a burst of {_BURST} records {len(numbers)} came with the trigger numbers "
                f"{_short(numbers)}, not 1 to {_BURST} in order (kind 6, source 0).",
            )
        await _acknowledged(bench)


def _short(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:6]))
    return f"{shown} .." if len(numbers) > 6 else shown or "none"


async def _acknowledged(bench: Bench) -> None:
    if not await bench.until(lambda: bench.whole.accepted_ack == bench.ack):
        raise DutyFailed(
            Duty.ACK,
            f"{bench.at(_ACK)} stays {bench.whole.accepted_ack} although {bench.ack} is acknowledged in "
            f"{bench.at(m.C_ADDRESS + m.C_ACK)}.",
        )


async def commit_order(bench: Bench) -> None:
    """With pauses between the steps of a commit, every read must be harmless."""
    # so that every slot holds an older record, which must become invalid before it changes
    for _ in range(2):
        await bench.order(t.TestOrder.BURST, m.R_SLOTS // 2)
        await bench.run_ms(300)
    await _acknowledged(bench)
    bench.acknowledges = False
    await bench.order(t.TestOrder.SLOW_COMMIT, SLOW_STEP_MS)
    try:
        watch = _Commit(bench)
        await bench.order(t.TestOrder.BURST, 2)
        end_ns = bench.now_ns + 40 * SLOW_STEP_MS * NS_PER_MS
        while bench.now_ns < end_ns and ring_distance(bench.whole.head_seq, watch.last) < 2:
            await watch.look()
            await bench.poll()
    finally:
        await bench.order(t.TestOrder.SLOW_COMMIT, 0)
    await bench.run_ms(200)
    if ring_distance(bench.whole.head_seq, watch.last) < 2:
        raise NotRun("with test order 3 (SLOW_COMMIT) no two records came.")
    if watch.torn == 0:
        raise NotRun(
            "test order 3 (SLOW_COMMIT) did not slow the commit: no half-written slot seen."
        )


class _Commit:
    """One slot while it is rewritten."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self.last = bench.whole.head_seq
        self._seq = ring_step(self.last)
        self.torn = 0
        self._seen: list[int] = []
        self._wrong = ""

    async def look(self) -> None:
        """DutyFailed if what can be read now could be taken for a record, or is published too early.

        Only what two reads in a row show counts: a read itself may be torn.
        """
        bench = self._bench
        address = m.R_ADDRESS + self._seq % m.R_SLOTS * m.R_SLOT_REGISTERS
        head = await bench.wire.read(RegisterRun(m.H_ADDRESS, m.H_COUNT))
        slot = await bench.wire.read(RegisterRun(address, m.R_SLOT_REGISTERS))
        whole = self._record(slot, self._seq)
        wrong = ""
        for offset in (_HEAD, _COPY):
            if ring_distance(u32_at(head, offset), self._seq) >= 0 and not whole:
                wrong = f"{bench.at(offset)} already says {self._seq}, but its slot is not whole"
        begin = u32_at(slot, m.R_SEQ_BEGIN)
        if begin == self._seq and not whole:
            wrong = (
                f"{bench.at(address)} already holds the sequence {begin}, but the record behind it is not "
                "whole"
            )
        elif begin not in (0, self._seq) and not self._record(slot, begin):
            wrong = (
                f"{bench.at(address)} still holds the old sequence {begin} while the record behind it "
                "changes; it must be 0 first"
            )
        if wrong and wrong == self._wrong:
            raise DutyFailed(Duty.COMMIT, f"{wrong}.")
        self._wrong = wrong
        self.torn += slot != self._seen and not whole and begin == 0
        self._seen = slot
        if whole and ring_distance(u32_at(head, _COPY), self._seq) >= 0:
            self._seq = ring_step(self._seq)

    def _record(self, slot: list[int], seq: int) -> bool:
        try:
            return decode_record(self._bench.whole.boot_id, seq, slot) is not None
        except RecordFault:
            return True


async def waiting_acknowledgement(bench: Bench) -> None:
    """The rules of an acknowledgement again, now that there is something to acknowledge."""
    bench.acknowledges = False
    await bench.order(t.TestOrder.BURST, 5)
    await _waiting(bench, 5)
    await acknowledgement(bench)


async def _waiting(bench: Bench, records: int) -> None:
    """Until so many records are published and read, unacknowledged."""
    start = bench.next_seq

    def come() -> bool:
        return ring_distance(bench.next_seq, start) >= records

    if not await bench.until(come, _BURST_LIMIT_MS):
        raise NotRun(f"test order 2 (BURST) did not bring {records} records.")


async def back_pressure(bench: Bench) -> None:
    """Infeed stops at half a ring, the belt with 16 slots free; both come back."""
    await _both_run(bench, "before the ring fills")
    bench.acknowledges = False
    await _fill(bench, m.RING_INFEED_STOP_FILL - 5)
    if not bench.has(PlcStateBit.INFEED_RUNNING):
        raise DutyFailed(
            Duty.PRESSURE,
            f"the infeed (bit 0x0002 of {bench.at(_STATE)}) stops with {_fill_of(bench)} records "
            f"waiting; it may run below {m.RING_INFEED_STOP_FILL}.",
        )
    await _fill(bench, m.RING_INFEED_STOP_FILL)
    if not await bench.until(lambda: not bench.has(PlcStateBit.INFEED_RUNNING)):
        raise DutyFailed(
            Duty.PRESSURE,
            f"{_fill_of(bench)} records wait and the infeed (bit 0x0002 of {bench.at(_STATE)}) runs on; "
            f"it must stop at {m.RING_INFEED_STOP_FILL}.",
        )
    await _fill(bench, m.R_SLOTS - m.RING_BELT_STOP_FREE)
    if not await bench.until(lambda: not bench.has(PlcStateBit.BELT_RUNNING)):
        raise DutyFailed(
            Duty.PRESSURE,
            f"{m.R_SLOTS - _fill_of(bench)} slots are free and the belt (bit 0x0001 of "
            f"{bench.at(_STATE)}) runs on; it must stop at {m.RING_BELT_STOP_FREE}.",
        )
    await _belt_told(bench, BeltMotion.STOPPED, BeltCause.RING_FULL, Duty.PRESSURE)
    bench.acknowledges, bench.ack = True, bench.next_seq - 1
    await _both_run(bench, "after everything was acknowledged")


def _fill_of(bench: Bench) -> int:
    return ring_distance(bench.whole.head_seq, bench.whole.accepted_ack)


async def _fill(bench: Bench, fill: int) -> None:
    """Burst until so many records wait for an acknowledgement."""
    for _ in range(3):
        more = fill - _fill_of(bench)
        if more <= 0:
            return
        # an acknowledgement on its way may still take some of them
        await bench.order(t.TestOrder.BURST, more)
        await bench.until(lambda: _fill_of(bench) >= fill, _FILL_LIMIT_MS)
    raise NotRun(f"test order 2 (BURST) did not bring {fill} records.")


async def _both_run(bench: Bench, when: str) -> None:
    both = PlcStateBit.BELT_RUNNING | PlcStateBit.INFEED_RUNNING
    if not await bench.until(lambda: bench.whole.state_bits & both == both, _DRIVE_LIMIT_MS):
        raise DutyFailed(
            Duty.PRESSURE,
            f"{bench.at(_STATE)} is {bench.whole.state_bits:#06x} {when}: belt and infeed must run with "
            f"both permits given and nothing waiting.",
        )


async def overflow(bench: Bench) -> None:
    """What finds no free slot is counted and nothing unacknowledged is overwritten."""
    await _acknowledged(bench)
    bench.acknowledges = False
    refused_before = bench.whole.overflow_count
    first = bench.next_seq
    await bench.order(t.TestOrder.BURST, m.R_SLOTS + 20)
    counted = await bench.until(
        lambda: bench.whole.overflow_count > refused_before, _BURST_LIMIT_MS
    )
    await bench.run_ms(200)
    # read them again: whatever was overwritten later is no longer what it was
    bench.next_seq = first
    await bench.run_ms(600)
    fill = _fill_of(bench)

    if not counted:
        raise DutyFailed(
            Duty.OVERWRITE,
            f"{m.R_SLOTS + 20} records were to be written while {fill} wait, but {bench.at(_OVERFLOW)} "
            f"stays {bench.whole.overflow_count}: records were dropped without being counted.",
        )
    if fill < m.R_SLOTS - 2:
        raise DutyFailed(
            Duty.OVERWRITE, f"only {fill} records fit the ring; it has {m.R_SLOTS} slots."
        )
    bench.acknowledges, bench.ack = True, bench.next_seq - 1
    await _acknowledged(bench)


async def foreign_c(bench: Bench) -> None:
    """While our session is latched, another one may neither acknowledge nor stop anything."""
    await _both_run(bench, "before another host writes")
    bench.acknowledges = False
    await bench.order(t.TestOrder.BURST, 5)
    await _waiting(bench, 5)
    accepted, other = bench.whole.accepted_ack, bench.session ^ 0x0101_0101
    for beat in range(15):
        words = bench.c_words(session=other, heartbeat=beat, ack=bench.whole.head_seq, permits=0)
        await bench.write_c(words)
        await bench.wire.pause(2 * m.POLL_PERIOD_MS)
        await bench.look()
        if bench.whole.accepted_ack != accepted:
            raise DutyFailed(
                Duty.FOREIGN,
                f"the PLC took an acknowledgement of another session: {bench.at(_ACK)} must stay "
                f"{accepted}.",
            )
        if not bench.has(PlcStateBit.BELT_RUNNING):
            raise DutyFailed(
                Duty.FOREIGN,
                f"the PLC obeyed the permits of another session: bit 0x0001 of {bench.at(_STATE)} fell.",
            )
        await bench.poll()
    bench.acknowledges, bench.ack = True, bench.next_seq - 1


async def host_restart(bench: Bench) -> None:
    """A new host finds every record that its predecessor did not acknowledge."""
    await bench.run_ms(100)
    bench.acknowledges = False
    accepted = bench.whole.accepted_ack
    await bench.order(t.TestOrder.BURST, 20)
    await _waiting(bench, 20)
    await no_session(bench)
    bench.session ^= 0x0000_0100
    if not bench.session & 0xFFFF:
        bench.session ^= 0x0001
    await latched(bench)
    if ring_distance(bench.whole.accepted_ack, accepted) != 0:
        raise DutyFailed(
            Duty.OVERWRITE,
            f"after a change of session {bench.at(_ACK)} is {bench.whole.accepted_ack}, not {accepted}: "
            "what nobody acknowledged must wait for the next host.",
        )
    start = len(bench.records)
    bench.acknowledges = True
    bench.follow_ring()
    await bench.until(lambda: burst_numbers(bench.records[start:])[-1:] == [20])
    numbers = burst_numbers(bench.records[start:])
    if numbers != list(range(1, 21)):
        raise DutyFailed(
            Duty.OVERWRITE,
            f"after a change of session the waiting records read {_short(numbers)}, not 1 to 20.",
        )


async def permits(bench: Bench) -> None:
    """0 is stop, and no session is no infeed."""
    await _both_run(bench, "with both permits given")
    for kept, gone, name in (
        (m.C_BIT_BELT_PERMIT, PlcStateBit.INFEED_RUNNING, "infeed"),
        (0, PlcStateBit.BELT_RUNNING, "belt"),
    ):
        bench.permits = kept
        if not await bench.until(lambda gone=gone: not bench.has(gone)):  # type: ignore[misc]
            raise DutyFailed(
                Duty.PERMIT,
                f"without its permit in {bench.at(m.C_ADDRESS + m.C_COMMAND_BITS)} the {name} runs on: "
                f"bit {gone.value:#06x} of {bench.at(_STATE)} must fall within 500 ms.",
            )
    await _belt_told(bench, BeltMotion.STOPPED, BeltCause.HOST_PERMIT, Duty.PERMIT)
    bench.permits = m.C_BIT_INFEED_PERMIT | m.C_BIT_BELT_PERMIT
    await _both_run(bench, "with both permits given again")
    await _belt_told(bench, BeltMotion.RUNNING, BeltCause.STARTED, Duty.PERMIT)


async def permits_without_host(bench: Bench) -> None:
    """When the watchdog trips the infeed stops; the belt carries on what lies on it, to hold."""
    await _both_run(bench, "with both permits given")
    bench.alive = False
    await bench.until_looking(lambda: bench.has(PlcStateBit.WATCHDOG_TRIPPED), 2 * SAFE_LIMIT_MS)
    if await bench.until_looking(lambda: not bench.has(PlcStateBit.BELT_RUNNING), SAFE_LIMIT_MS):
        raise DutyFailed(
            Duty.PERMIT,
            f"the belt (bit 0x0001 of {bench.at(_STATE)}) stopped with the watchdog: its permit stays as "
            "it was, the infeed's does not.",
        )
    await latched(bench)


async def _belt_told(bench: Bench, motion: BeltMotion, cause: BeltCause, duty: Duty) -> None:
    """DutyFailed unless the newest record of kind 13 says so, with the belt's speed where it is known."""
    speed = bench.line.belt_speed_mm_per_s if bench.line is not None else None
    if motion is BeltMotion.STOPPED:
        speed = 0

    def last() -> events.BeltChanged | None:
        found = [r for r in bench.records if isinstance(r, events.BeltChanged)]
        return found[-1] if found else None

    def told() -> bool:
        record = last()
        if record is None or (record.motion, record.cause) != (motion, cause):
            return False
        return speed is None or record.speed_mm_per_s == speed

    if not await bench.until(told):
        record = last()
        shown = "none came"
        if record is not None:
            shown = f"the last says {record.motion.value}, {record.speed_mm_per_s}, {record.cause.value}"
        wanted = f"{motion.value}, {'its speed' if speed is None else speed}, {cause.value}"
        raise DutyFailed(
            duty,
            f"the belt {'runs' if motion is BeltMotion.RUNNING else 'stands'}, and a record of kind 13 must "
            f"say so (motion, mm/s, cause: {wanted}); {shown}.",
        )
