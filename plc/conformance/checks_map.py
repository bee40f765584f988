"""Checks that write nothing but what the PLC must refuse: who is there, and is it alive."""

from controller.core.units import NS_PER_MS
from plc import register_map as m
from plc.conformance.bench import Bench
from plc.conformance.duties import Duty, DutyFailed
from plc.conformance.wire import WriteWay
from plc.ring_reader import RegisterRun

_WATCHED_MS = 1_000
# One word of each block that only the PLC writes; what is tried is what stands there, which does no harm.
_PLC_ONLY = (
    m.H_ADDRESS + m.H_SLOTS,
    m.P_ADDRESS + m.P_LAYOUT,
    m.E_ADDRESS + m.E_RESULT,
    m.T_ADDRESS + m.T_LENGTH_MM,
    m.R_ADDRESS + m.R_SLOTS * m.R_SLOT_REGISTERS - 1,
)


# Half of it lies behind block C.
_ACROSS = m.C_ADDRESS + m.C_SPARE
_ACROSS_COUNT = 2 * (m.C_COUNT - m.C_SPARE)


async def map_and_order(bench: Bench) -> None:
    """Magic, sizes, layout, word order, and a header that is whole."""
    end_ns = bench.now_ns + 2 * m.LIFE_SIGN_LIMIT_MS * NS_PER_MS
    bench.header = None
    while bench.header is None and bench.now_ns < end_ns:
        await bench.look()
        await bench.wire.pause(m.POLL_PERIOD_MS)
    for address, count in (
        (m.C_ADDRESS, m.C_COUNT),
        (m.D_ADDRESS, m.D_SLOTS * m.D_SLOT_REGISTERS),
        (m.T_ADDRESS, m.T_ROWS * m.T_ROW_REGISTERS),
        (m.R_ADDRESS, m.R_SLOTS * m.R_SLOT_REGISTERS),
    ):
        words = await bench.wire.read(RegisterRun(address, count))
        if len(words) != count:
            raise DutyFailed(
                Duty.MAP, f"{len(words)} of {count} registers from {bench.at(address)} can be read."
            )


async def writes_refused(bench: Bench) -> None:
    """By every function; what is written is what stands there."""
    for address in _PLC_ONLY:
        there = await bench.wire.read(RegisterRun(address, 1))
        for way in bench.wire.ways:
            if not await bench.wire.refuses(address, there, way):
                by = "" if way is WriteWay.WHOLE else f" by function {way.value}"
                raise DutyFailed(
                    Duty.WRITES,
                    f"the PLC took a host's write{by} to {bench.at(address)}, which only the PLC may "
                    "write.",
                )
    if WriteWay.ONE not in bench.wire.ways:
        return  # a node is written whole
    there = await bench.wire.read(RegisterRun(_ACROSS, _ACROSS_COUNT))
    if not await bench.wire.refuses(_ACROSS, there):
        raise DutyFailed(
            Duty.WRITES,
            f"the PLC took a write of {_ACROSS_COUNT} registers from {bench.at(_ACROSS)} on, which runs "
            "across the end of block C: a write must lie within C or within D.",
        )


async def life_sign(bench: Bench) -> int:
    """It moves with every scan; between two of our reads it may stand no longer than the limit.

    Returns how often it was seen to move in a second.
    """
    await bench.look()
    end_ns = bench.now_ns + _WATCHED_MS * NS_PER_MS
    seen, moved_ns = bench.words[m.H_HEARTBEAT], bench.now_ns
    changes = 0
    while bench.now_ns < end_ns:
        await bench.wire.pause(m.POLL_PERIOD_MS)
        before_ns = bench.now_ns
        await bench.look()
        if bench.words[m.H_HEARTBEAT] != seen:
            seen, moved_ns = bench.words[m.H_HEARTBEAT], bench.now_ns
            changes += 1
        elif before_ns - moved_ns > m.LIFE_SIGN_LIMIT_MS * NS_PER_MS:
            break
    if changes < _WATCHED_MS // m.LIFE_SIGN_LIMIT_MS:
        raise DutyFailed(
            Duty.LIFE,
            f"the life sign at {bench.at(m.H_HEARTBEAT)} moved {changes} times in {_WATCHED_MS} ms and "
            f"stood still for over {m.LIFE_SIGN_LIMIT_MS} ms; it must change with every scan.",
        )
    return changes
