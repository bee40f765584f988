"""Checks of the session latch and the watchdog. None of them needs test mode or a parcel."""

from controller.core.units import NS_PER_MS, U16_MAX
from controller.core.vocabulary import PlcStateBit
from plc import register_map as m
from plc.conformance.bench import SHOWN_LIMIT_MS, Bench
from plc.conformance.duties import Duty, DutyFailed

_LATCH = m.P_ADDRESS + m.P_LATCHED_SESSION_LOW
_STATE = m.H_STATE_BITS
SAFE_LIMIT_MS = 500
# A watchdog may not bite before the life sign has stood still for the limit. The PLC may count from the
# beginning of the scan that saw it last: one scan, and rounding.
_EARLY_MS = 15
_PULLS = 4
# Long enough for a session that must not be latched to be latched.
_STILL_MS = 300


async def no_session(bench: Bench) -> None:
    """Fall silent and wait until nothing is latched. DutyFailed P11 if our latch does not end."""
    bench.alive = False
    if not await bench.until(lambda: bench.latched_low == 0, 2 * SAFE_LIMIT_MS):
        raise DutyFailed(
            Duty.WATCHDOG,
            f"{bench.at(_LATCH)} still shows session ..{bench.latched_low:04x} although its life sign "
            f"at {bench.at(m.C_ADDRESS + m.C_HEARTBEAT)} stands still.",
        )


async def latch(bench: Bench) -> None:
    """A session is latched when its life sign moves, not before, and shown in P and H."""
    await no_session(bench)
    # what an earlier host left behind: a session, and a life sign that does not move
    await bench.write_c()
    if await bench.until(lambda: bench.latched_low != 0, _STILL_MS):
        raise DutyFailed(
            Duty.LATCH,
            f"the PLC latched a session whose life sign at {bench.at(m.C_ADDRESS + m.C_HEARTBEAT)} "
            "never moved.",
        )
    await latched(bench)


async def latched(bench: Bench) -> None:
    """Our life sign moves until our session is latched. DutyFailed P9 if it is not."""
    bench.alive = True
    if not await bench.until(lambda: bench.latched):
        raise DutyFailed(
            Duty.LATCH,
            f"{bench.at(_LATCH)} shows ..{bench.latched_low:04x}, not the session "
            f"..{bench.session & U16_MAX:04x} whose life sign has been moving for {SHOWN_LIMIT_MS} ms.",
        )
    if not await bench.until(lambda: bench.has(PlcStateBit.SESSION_LATCHED)):
        raise DutyFailed(
            Duty.LATCH, f"bit 0x0020 of {bench.at(_STATE)} is not set while a session is latched."
        )


async def second_host(bench: Bench) -> None:
    """A second host that writes C too changes nothing, and takes over only after our silence."""
    other = bench.session ^ 0x0101_0101
    for beat in range(40):
        await bench.write_c(bench.c_words(session=other, heartbeat=beat))
        await bench.wire.pause(m.POLL_PERIOD_MS)
        await bench.poll()
        _must_stay_ours(bench, "while the latched one was alive")
        await bench.wire.pause(m.POLL_PERIOD_MS)
    bench.alive = False
    silent_ns, beat = bench.life_done_ns, 0
    while True:
        beat += 1
        await bench.write_c(bench.c_words(session=other, heartbeat=beat))
        await bench.wire.pause(m.POLL_PERIOD_MS)
        before_ns = bench.now_ns
        await bench.look()
        if not bench.latched:
            break
        if before_ns - silent_ns > 2 * SAFE_LIMIT_MS * NS_PER_MS:
            raise DutyFailed(
                Duty.FOREIGN,
                f"{bench.at(_LATCH)} keeps our silent session as long as another session's life sign "
                "moves: only the latched session's own life sign may keep the latch.",
            )
    _not_early(bench, bench.now_ns, "another session took over")


def _must_stay_ours(bench: Bench, when: str) -> None:
    if not bench.latched:
        raise DutyFailed(
            Duty.FOREIGN,
            f"{bench.at(_LATCH)} shows ..{bench.latched_low:04x}: another session took the latch {when}.",
        )


async def watchdog_repeatedly(bench: Bench) -> None:
    """Several times, because our reads see the moment up to a scan and a poll late."""
    for _ in range(_PULLS):
        await watchdog(bench)


async def watchdog(bench: Bench) -> int:
    """Silence trips it after 400 ms and not later than 500; a new life sign clears it.

    Returns after how many ms of silence it was seen.
    """
    await latched(bench)
    await bench.run_ms(100)
    if bench.has(PlcStateBit.WATCHDOG_TRIPPED):
        raise _stays_set(bench)
    bench.alive = False
    silent_ns = bench.life_done_ns
    while not bench.has(PlcStateBit.WATCHDOG_TRIPPED):
        await bench.wire.pause(1)
        before_ns = bench.now_ns
        await bench.look()
        late = before_ns - silent_ns > SAFE_LIMIT_MS * NS_PER_MS
        if late and not bench.has(PlcStateBit.WATCHDOG_TRIPPED):
            raise DutyFailed(
                Duty.WATCHDOG,
                f"bit 0x0004 of {bench.at(_STATE)} is not set {SAFE_LIMIT_MS} ms after the last life "
                f"sign at {bench.at(m.C_ADDRESS + m.C_HEARTBEAT)}.",
            )
    seen_ms = (bench.now_ns - silent_ns) // NS_PER_MS
    _not_early(bench, bench.now_ns, "the watchdog tripped")
    if not await bench.until(lambda: bench.latched_low == 0, 100):
        raise DutyFailed(
            Duty.WATCHDOG, f"the watchdog tripped, but {bench.at(_LATCH)} still shows the session."
        )
    still_set = PlcStateBit.SESSION_LATCHED | PlcStateBit.INFEED_RUNNING
    if not await bench.until(lambda: not bench.whole.state_bits & still_set, 100):
        raise DutyFailed(
            Duty.WATCHDOG,
            f"after the watchdog {bench.at(_STATE)} is {bench.whole.state_bits:#06x}: session latched "
            "(0x0020) and infeed running (0x0002) must be 0.",
        )
    await latched(bench)
    if not await bench.until(lambda: not bench.has(PlcStateBit.WATCHDOG_TRIPPED)):
        raise _stays_set(bench)
    return seen_ms


def _stays_set(bench: Bench) -> DutyFailed:
    return DutyFailed(
        Duty.WATCHDOG,
        f"bit 0x0004 of {bench.at(_STATE)} stays set while a session is latched again.",
    )


def _not_early(bench: Bench, seen_ns: int, what: str) -> None:
    passed_ms = (seen_ns - bench.life_sent_ns) // NS_PER_MS
    if passed_ms < m.LIFE_SIGN_LIMIT_MS - _EARLY_MS:
        raise DutyFailed(
            Duty.WATCHDOG,
            f"{what} {passed_ms} ms after the last life sign at "
            f"{bench.at(m.C_ADDRESS + m.C_HEARTBEAT)}; the limit is {m.LIFE_SIGN_LIMIT_MS} ms.",
        )
