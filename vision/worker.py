"""The vision process: frames of one source in, findings to the line out, evidence on the disk.

For each frame, in this order: measured in one thread while its raw rows are written and synced in
another; then the findings go to the line; then the picture for people is drawn in a third. Findings
never name evidence that is not on the disk. Nothing waits without a limit: what does not fit is
dropped, counted and said once, and its parcel is held for want of a picture.

It must never know the PLC or a verdict, and it never learns from what it sees.
"""

import argparse
import asyncio
import logging
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from controller import notify
from controller.clock import SystemClock
from controller.core.events import VisionDown, VisionUp
from controller.core.units import NS_PER_S, U16_MAX
from controller.interfaces import Clock
from vision.analysis import Measurement, PictureFault, findings_of, measure
from vision.evidence import day_directory, evidence_of, write_evidence
from vision.frame_assembly import ScanFrame
from vision.line_link import LineLink
from vision.source_link import SourceAddress, SourceLink
from vision.source_session import AcquiredFrame
from vision.view_picture import write_view

log = logging.getLogger(__name__)

# 4 frames are 3 s at 5,000 parcels/h: whoever is further behind answers too late for any parcel.
FRAMES_WAITING_MAX = 4
VIEWS_WAITING_MAX = 4
# A frame takes some 20 ms; one that takes this long never ends, and no sign of life covers for it.
FRAME_NS_MAX = 5 * NS_PER_S
ALIVE_PERIOD_S = 1.0


@dataclass(frozen=True, slots=True)
class VisionConfig:
    """One worker: its source, the line it reports to, where raw pictures go."""

    source: SourceAddress
    line_socket: Path
    evidence_dir: Path


@dataclass(slots=True)
class VisionCounts:
    """What went wrong or unseen since the start."""

    frames: int = 0
    frames_dropped: int = 0
    findings_unsent: int = 0
    views_dropped: int = 0


class VisionWorker:
    """`run` until cancelled; `counts` may be read at any time."""

    def __init__(self, config: VisionConfig, clock: Clock) -> None:
        self.counts = VisionCounts()
        self._config = config
        self._clock = clock
        self._source = SourceLink(config.source, clock, self._enqueue, self._tell_state)
        self._line = LineLink(config.line_socket, config.source.source, self._state)
        self._frames: asyncio.Queue[AcquiredFrame] = asyncio.Queue(FRAMES_WAITING_MAX)
        self._previous: ScanFrame | None = None
        self._frame_since_ns: int | None = None
        self._views_waiting = 0
        self._said: dict[str, str] = {}

    async def run(self, ready: Callable[[], None], alive: Callable[[], None]) -> None:
        """Until cancelled. `ready` is called once, when both links are being worked on; `alive` every
        second, unless a frame hangs."""
        with (
            ThreadPoolExecutor(1, "analysis") as analysis,
            ThreadPoolExecutor(1, "evidence") as evidence,
            ThreadPoolExecutor(1, "view", _yield_to_others) as view,
        ):
            async with asyncio.TaskGroup() as group:
                group.create_task(self._line.run())
                group.create_task(self._source.run())
                group.create_task(self._process_frames(analysis, evidence, view))
                group.create_task(self._live(alive))
                ready()

    @property
    def hangs(self) -> bool:
        """A frame has been under way for so long that it will not end."""
        since_ns = self._frame_since_ns
        return since_ns is not None and self._clock.monotonic_ns() - since_ns >= FRAME_NS_MAX

    async def _live(self, alive: Callable[[], None]) -> None:
        while True:
            if not self.hangs:
                alive()
            await asyncio.sleep(ALIVE_PERIOD_S)

    def _state(self) -> VisionUp | VisionDown:
        source = self._config.source.source
        return VisionUp(source) if self._source.up else VisionDown(source, source_silent=True)

    def _tell_state(self, _up: bool) -> None:
        self._line.send(self._state())

    def _enqueue(self, acquired: AcquiredFrame) -> None:
        self.counts.frames += 1
        try:
            self._frames.put_nowait(acquired)
        except asyncio.QueueFull:
            self.counts.frames_dropped += 1
            self._say("queue", "the analysis cannot keep up: frames are dropped")
        else:
            self._say("queue", "")

    async def _process_frames(
        self, analysis: ThreadPoolExecutor, evidence: ThreadPoolExecutor, view: ThreadPoolExecutor
    ) -> None:
        loop = asyncio.get_running_loop()
        while True:
            acquired = await self._frames.get()
            self._frame_since_ns = self._clock.monotonic_ns()
            day = day_directory(self._config.evidence_dir, self._clock.utc_ns())
            measured, (sha256, lost) = await asyncio.gather(
                loop.run_in_executor(
                    analysis, measure, acquired.frame, acquired.field, self._previous
                ),
                loop.run_in_executor(evidence, _store, day, acquired),
            )
            self._frame_since_ns = None
            self._previous = acquired.frame
            self._say("evidence", lost)
            if lost:
                faults = (*measured.faults, PictureFault.EVIDENCE_LOST)
                measured = replace(measured, faults=faults)
            self._report(acquired, measured, sha256)
            if not lost:
                self._draw(loop, view, day / f"{sha256}.png", acquired)

    def _report(self, acquired: AcquiredFrame, measured: Measurement, sha256: str) -> None:
        calibration_id = acquired.field.calibration_id if acquired.field else ""
        self._line.contexts.pop(acquired.frame.trigger_no, None)
        findings = findings_of(acquired.frame, measured, calibration_id, sha256)
        self._say("picture", "; ".join(measured.faults))
        sent = self._line.send(findings)
        self.counts.findings_unsent += not sent
        self._say("line", "" if sent else "no line process takes the findings")

    def _draw(
        self,
        loop: asyncio.AbstractEventLoop,
        view: ThreadPoolExecutor,
        path: Path,
        acquired: AcquiredFrame,
    ) -> None:
        if acquired.field is None or not acquired.frame.row_count:
            return
        if self._views_waiting >= VIEWS_WAITING_MAX:
            self.counts.views_dropped += 1
            return
        self._views_waiting += 1
        drawn = loop.run_in_executor(view, write_view, path, acquired.frame, acquired.field)
        drawn.add_done_callback(self._drawn)

    def _drawn(self, future: asyncio.Future[None]) -> None:
        self._views_waiting -= 1
        if not future.cancelled():
            error = future.exception()
            self._say("view", f"a picture for people could not be drawn: {error}" if error else "")

    def _say(self, subject: str, fault: str) -> None:
        """Log a lasting fault once when it begins or changes, and once when it is over."""
        before = self._said.get(subject, "")
        self._said[subject] = fault
        if fault and fault != before:
            log.warning("Source %d, %s: %s.", self._config.source.source, subject, fault)
        elif before and not fault:
            log.info("Source %d, %s: in order again.", self._config.source.source, subject)


def _yield_to_others() -> None:
    """Linux knows a niceness for each thread: drawing never delays the next frame's analysis."""
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), 19)


def _store(day: Path, acquired: AcquiredFrame) -> tuple[str, str]:
    """Digest of the evidence, and why it is not on the disk ('' if it is)."""
    evidence = evidence_of(acquired.frame, acquired.calibration)
    try:
        write_evidence(day, evidence)
    except OSError as error:
        return evidence.picture_sha256, f"raw rows cannot be stored: {error.strerror or error}"
    return evidence.picture_sha256, ""


async def run_vision(
    config: VisionConfig,
    ready: Callable[[], None],
    clock: Clock | None = None,
    alive: Callable[[], None] = notify.watchdog,
) -> None:
    """One vision worker until it is cancelled. `ready` is called once it works, `alive` every second."""
    await VisionWorker(config, clock or SystemClock()).run(ready, alive)


def _arguments(argv: Sequence[str] | None) -> VisionConfig:
    parser = argparse.ArgumentParser(
        prog="python -m vision.worker",
        description="Reads one X-ray source, reports to the line what it sees, stores the raw rows.",
    )
    parser.add_argument("--source-host", required=True, help="where the source listens")
    parser.add_argument("--source-port", required=True, type=int)
    parser.add_argument("--source-number", required=True, type=int, help="its number in line.toml")
    parser.add_argument("--line-socket", required=True, type=Path, help="Unix socket of the line")
    parser.add_argument("--evidence-dir", required=True, type=Path)
    given = parser.parse_args(argv)
    if not 1 <= given.source_port <= U16_MAX:
        parser.error(f"argument --source-port: {given.source_port} is not between 1 and {U16_MAX}")
    source = SourceAddress(given.source_host, given.source_port, given.source_number)
    return VisionConfig(source, given.line_socket, given.evidence_dir)


async def _run_until_told(config: VisionConfig) -> None:
    """SIGTERM and SIGINT end the worker in order: what is being written is written."""
    task = asyncio.current_task()
    assert task is not None
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, task.cancel)
    try:
        await run_vision(config, notify.ready)
    except asyncio.CancelledError:
        notify.stopping()


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of the process; returns its exit code."""
    config = _arguments(argv)
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s: %(message)s")
    asyncio.run(_run_until_told(config))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
