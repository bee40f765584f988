"""The factory process of one line: plant with its soft PLC, X-ray source and customs side on one loop.

It stands behind the same wires as a real site and shows the controller nothing else. The order: lists
and receipts are imported, frames rendered, ports opened; then, when a vision worker has come and the
belt has moved once around for the PLC to trust it, parcels are fed. At the end, or on SIGTERM, the
truth is written for the judge.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from errno import EADDRINUSE
from pathlib import Path
from random import Random

from controller import notify
from controller.config import LineConfig
from controller.core.units import NS_PER_S
from controller.interfaces import Clock
from controller.priority import settle_garbage
from sim.absorption import make_detector
from sim.customs_side import CustomsSide
from sim.frames import FrameStore
from sim.parcels import SimParcel
from sim.plant_process import LinePlant
from sim.plc_ports import plc_port
from sim.truth import NEVER, PassTruth, RunTruth, write_truth
from sim.workload import Declaration, Workload, make_workload
from sim.xray_source import XraySource

# Parcels of an endless run come in batches of this size, the next when this few wait.
BATCH_PARCELS = 300
WAITING_PARCELS_MIN = 80
# After the last parcel left: lane eye, ring, journal.
GRACE_S = 3.0
STATUS_PERIOD_S = 0.5
LOOK_PERIOD_S = 0.1
# Per look, while the belt runs: twice what the fastest line uses up, and never long in one piece.
FRAMES_PER_LOOK = 2


@dataclass(frozen=True, slots=True)
class FactoryOptions:
    """`parcels` None: endless. `first_number` keeps the waybills of several lines apart."""

    parcels: int | None
    seed: int
    rate_parcels_per_h: int
    truth_file: Path
    first_number: int = 1


class Factory:
    """Everything outside the controller, for one line."""

    def __init__(self, config: LineConfig, options: FactoryOptions, clock: Clock) -> None:
        self._config = config
        self._options = options
        self._clock = clock
        self._declarations: list[Declaration] = []
        self._next_number = options.first_number
        self._fed = 0
        self._sent: dict[tuple[int, int], tuple[int, int]] = {}
        self._frames = FrameStore(make_detector(options.seed), options.seed)
        self._customs = CustomsSide(config.paths.state_dir, clock)
        self._plant = LinePlant(
            config.line,
            (),
            plc_port(config),
            clock,
            Random(f"parcelgate plant {options.seed} {options.first_number}"),
            on_trigger=self._triggered,
        )
        self._xray = XraySource(
            config.line, self._frames, self._plant.encoder_now, clock, self._frame_sent
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Until every parcel has left, or `stop`; the truth is written in either case.

        OSError (perhaps in a group): a port is taken or intake is not there. CustomsRefused.
        """
        try:
            first = await self._next_batch()
            await self._open_plc()
            await self._serve(first, stop)
        finally:
            self._customs.close()
            await self._plant.server.stop()

    async def _open_plc(self) -> None:
        try:
            await self._plant.start()
        except RuntimeError as error:
            plc = self._config.plc
            why = f"the PLC cannot listen at {plc.host}:{plc.port}: {error}"
            raise OSError(EADDRINUSE, why) from error

    async def _serve(self, first: Workload, stop: asyncio.Event) -> None:
        listening = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            xray = self._config.xray
            background = [
                tasks.create_task(self._xray.run(xray.host, xray.port, listening.set)),
                tasks.create_task(self._plant.run()),
                tasks.create_task(self._tell_progress()),
            ]
            await listening.wait()
            settle_garbage()
            notify.ready(self._progress())
            feeding = tasks.create_task(self._feed(first))
            stopping = tasks.create_task(stop.wait())
            await asyncio.wait([feeding, stopping], return_when=asyncio.FIRST_COMPLETED)
            interrupted_ns = NEVER if feeding.done() else self._clock.monotonic_ns()
            self._write_truth(interrupted_ns)
            notify.status(self._progress())
            for task in (feeding, stopping, *background):
                task.cancel()

    # --- parcels ----------------------------------------------------------------------------------

    async def _next_batch(self) -> Workload:
        """The next parcels with their lists imported and frames rendered, ready to be fed."""
        options = self._options
        left = BATCH_PARCELS if options.parcels is None else options.parcels
        speed_mm_per_s = self._config.line.belt_speed_mm_per_s
        arguments = (left, options.seed, options.rate_parcels_per_h, speed_mm_per_s)
        batch = await asyncio.to_thread(make_workload, *arguments, self._next_number)
        self._next_number += len(batch.parcels)
        self._declarations += batch.declarations
        await self._customs.import_all(
            batch.declarations, lambda done: notify.status(f"{done} lists imported")
        )
        self._frames.add(batch.parcels)
        if not self._fed:  # nothing is being timed yet
            await asyncio.to_thread(self._frames.render_ahead)
        return batch

    async def _feed(self, batch: Workload) -> None:
        """Feed batches until there are no more and the belt is empty."""
        await self._xray.connected.wait()
        world = self._plant.world
        belt_length_nm = self._config.line.belt_end_mm * 1_000_000
        await self._until(lambda: world.belt.travel_nm > belt_length_nm)
        async with asyncio.TaskGroup() as customs:
            while True:
                world.infeed.add(batch.parcels)
                self._fed += len(batch.parcels)
                late = batch.late_receipts
                position_of = self._plant.parcel_position_mm
                customs.create_task(self._customs.follow(late, position_of))
                if self._options.parcels is not None:
                    break
                await self._until(lambda: len(world.infeed.waiting) < WAITING_PARCELS_MIN)
                batch = await self._next_batch()
            await self._until(lambda: self._plant.finished)
        await asyncio.sleep(GRACE_S)

    async def _until(self, holds: Callable[[], bool]) -> None:
        while not holds():
            if self._frames.low:
                await asyncio.to_thread(self._frames.render_ahead, FRAMES_PER_LOOK)
            await asyncio.sleep(LOOK_PERIOD_S)

    async def _tell_progress(self) -> None:
        while True:
            await asyncio.sleep(STATUS_PERIOD_S)
            notify.status(self._progress())

    def _progress(self) -> str:
        world = self._plant.world
        return f"left {len(world.left)} of {self._fed}, on the belt {len(world.on_belt)}"

    # --- truth ------------------------------------------------------------------------------------

    def _triggered(self, trigger_no: int, counts: int, parcels: Sequence[SimParcel]) -> None:
        if parcels:
            self._xray.trigger(trigger_no, counts, parcels)

    def _frame_sent(self, trigger_no: int, at_ns: int, rows_lost: int) -> None:
        self._sent[(self._plant.plc.boot_id, trigger_no)] = (at_ns, rows_lost)

    def _write_truth(self, interrupted_ns: int) -> None:
        inducted = self._plant.truth.inducted()
        passes = tuple(self._with_picture(entry) for entry in self._plant.truth.passes())
        truth = RunTruth(
            line=self._config.line.name,
            inducted=inducted,
            declarations=tuple(self._declarations),
            passes=with_touching(passes, inducted),
            receipts=tuple(self._customs.receipts),
            interrupted_ns=interrupted_ns,
        )
        write_truth(self._options.truth_file, truth)

    def _with_picture(self, entry: PassTruth) -> PassTruth:
        at_ns, rows_lost = self._sent.get((entry.boot_id, entry.trigger_no), (NEVER, 0))
        return replace(entry, last_row_ns=at_ns, rows_lost=rows_lost)


def with_touching(
    passes: Sequence[PassTruth], inducted: Sequence[SimParcel]
) -> tuple[PassTruth, ...]:
    """`passes` with each touching follower that no eye saw by itself put to the pass of its leader."""
    tracked = {number for entry in passes for number in entry.parcel_numbers}
    leader_of: dict[int, list[int]] = {}
    leader = 0
    for parcel in inducted:
        if parcel.gap_before_mm > 0 or parcel.number in tracked:
            leader = parcel.number
        else:
            leader_of.setdefault(leader, []).append(parcel.number)
    return tuple(
        replace(entry, parcel_numbers=(*entry.parcel_numbers, *leader_of[entry.parcel_numbers[0]]))
        if entry.parcel_numbers and entry.parcel_numbers[0] in leader_of
        else entry
        for entry in passes
    )


async def wait_for_intake(socket: Path, limit_s: float, clock: Clock) -> None:
    """Until intake listens. TimeoutError after `limit_s`."""
    give_up_ns = clock.monotonic_ns() + int(limit_s * NS_PER_S)
    while not socket.exists():
        if clock.monotonic_ns() > give_up_ns:
            raise TimeoutError(
                f"no controller took the lists at {socket} within {limit_s:g} s; start "
                "`parcelgate run` with the same line.toml first."
            )
        await asyncio.sleep(LOOK_PERIOD_S)
