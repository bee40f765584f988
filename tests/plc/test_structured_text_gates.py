"""P25 (a) to (c), which no test order provokes: the printed program with a failing gate or encoder."""

import asyncio
from collections.abc import Awaitable, Callable

from controller.core import events
from controller.core.vocabulary import BeltCause, DefaultCause, Destination, GatePhase, PlcStateBit
from plc.conformance.belt import (
    BOTH_PERMITS,
    accepted,
    induct,
    of,
    parcel_standing,
    release_moves,
    seen_in,
    stand,
    sweep,
)
from plc.conformance.bench import Bench
from plc.conformance.checks_session import latched
from plc.conformance.checks_tracking import restarted
from plc.conformance.duties import Duty
from plc.conformance.suite import greet
from tests.plc.test_structured_text import PrintedPlc
from tests.plc.virtual_target import LINE

_NEVER_US = 1 << 62
_GATE_MM, _LEAD_MM = 1_000, 315


class FailingPlc(PrintedPlc):
    """Gate 1 can be held where it is, and the encoder can slip."""

    def __init__(self) -> None:
        super().__init__()
        self.gate_held = False
        self._program, self._main = self._main, self._scan

    def _scan(self) -> None:
        self._program()
        if self.gate_held:
            self.variables["simGateUs"].items[0] = _NEVER_US

    def free_gate(self) -> None:
        self.gate_held = False
        self.variables["simGateUs"].items[0] = 0

    def slip(self, counts: int) -> None:
        """The encoder counts on, the parcels have not moved."""
        self.variables["encoder"] += counts
        starts = self.variables["simStart"].items
        starts[:] = [start + counts for start in starts]

    def before_gate_mm(self, track_id: int) -> int:
        """By the program's own reckoning, one count a millimetre."""
        (parcel,) = [p for p in self.variables["p"].items if p.id == track_id]
        return int(_GATE_MM - (self.variables["encoder"] - parcel.induct))


def on_a_swept_belt(story: Callable[[Bench, FailingPlc], Awaitable[None]]) -> None:
    async def told() -> None:
        plc = FailingPlc()
        bench = Bench(plc, 0x1234_5678, LINE)
        assert not await greet(bench)
        bench.begin_check(BOTH_PERMITS)
        await latched(bench)
        await sweep(bench)
        await story(bench, plc)

    asyncio.run(told())


def test_a_parcel_waits_for_its_gate_whatever_the_encoder_says() -> None:
    async def story(bench: Bench, plc: FailingPlc) -> None:
        track_id = await parcel_standing(bench)
        await accepted(bench, Duty.LEASE, track_id)
        bench.permits = BOTH_PERMITS
        assert await bench.until(lambda: bool(release_moves(bench, track_id)), 5_000)
        plc.gate_held = True
        assert await bench.until(lambda: not bench.has(PlcStateBit.BELT_RUNNING), 1_000)
        assert 0 < plc.before_gate_mm(track_id) <= 15
        plc.slip(30)
        assert plc.before_gate_mm(track_id) < 0
        await bench.run_ms(300)
        assert not bench.has(PlcStateBit.BELT_RUNNING)
        await bench.run_ms(800)
        assert bench.has(PlcStateBit.GATE_FAULT)
        assert not bench.has(PlcStateBit.BELT_RUNNING)
        (default,) = of(bench, events.DefaultTaken, track_id)
        assert isinstance(default, events.DefaultTaken)
        assert default.cause is DefaultCause.GATE_FAULT
        stops = [r.cause for r in bench.records if isinstance(r, events.BeltChanged)]
        assert stops[-1] is BeltCause.GAP_INTERLOCK
        plc.free_gate()
        await seen_in(bench, Duty.GATE, track_id, Destination.HOLD)

    on_a_swept_belt(story)


def test_before_a_late_gate_the_belt_stops_earlier() -> None:
    async def story(bench: Bench, plc: FailingPlc) -> None:
        first = (await induct(bench)).track_id
        await stand(bench)
        await accepted(bench, Duty.LEASE, first)
        bench.permits = BOTH_PERMITS
        await bench.run_ms(500)
        second = (await induct(bench)).track_id

        def returns() -> bool:
            moved = [r for r in bench.records if isinstance(r, events.GateMoved) and r.source == 1]
            return len(moved) == 3 and moved[-1].phase is GatePhase.BEGAN

        assert await bench.until(returns, 5_000)
        plc.gate_held = True
        assert await bench.until(lambda: not bench.has(PlcStateBit.BELT_RUNNING), 2_000)
        assert 15 < plc.before_gate_mm(second) <= 55
        plc.free_gate()
        await seen_in(bench, Duty.GATE, second, Destination.HOLD)

    on_a_swept_belt(story)


def test_after_a_start_the_belt_stands_until_every_gate_is_at_hold() -> None:
    async def story(bench: Bench, plc: FailingPlc) -> None:
        track_id = await parcel_standing(bench)
        await accepted(bench, Duty.LEASE, track_id)
        bench.permits = BOTH_PERMITS
        assert await bench.until(lambda: bool(release_moves(bench, track_id)), 5_000)
        plc.gate_held = True
        await restarted(bench)
        await bench.run_ms(500)
        assert not bench.has(PlcStateBit.BELT_RUNNING)
        plc.free_gate()
        assert await bench.until(lambda: bench.has(PlcStateBit.BELT_RUNNING), 1_000)

    on_a_swept_belt(story)


def test_gates_reckon_from_the_pre_gate_eye() -> None:
    async def story(bench: Bench, plc: FailingPlc) -> None:
        track_id = await parcel_standing(bench)
        await accepted(bench, Duty.LEASE, track_id)
        plc.slip(30)
        await seen_in(bench, Duty.GATE, track_id, Destination.RELEASE)
        (began,) = release_moves(bench, track_id)
        (eye,) = [r for r in of(bench, events.EyePassed, track_id) if r.source == 3]
        before_mm = _GATE_MM - 600 - (began.encoder_counts - eye.encoder_counts)
        assert _LEAD_MM - 10 <= before_mm <= _LEAD_MM
        (inducted,) = of(bench, events.Inducted, track_id)
        assert eye.encoder_counts - inducted.encoder_counts == 630

    on_a_swept_belt(story)
