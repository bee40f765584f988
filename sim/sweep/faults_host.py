"""Faults of our own machine: processes, power, clock, disk, rules."""

from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from controller.core.events import RulesActivated
from controller.core.units import NS_PER_MS, NS_PER_S
from sim.truth import FaultKind

if TYPE_CHECKING:
    from sim.sweep.fault_windows import Window
    from sim.sweep.run import Run

End = Callable[[], None]
# Rot in what was written last: what lies further back is found by who verifies whole days.
_ROT_RECORDS = 60
_ROT_SINCE_MS = 12_000
_DAY_NS = 86_400 * NS_PER_S


def host_killed(run: "Run", rng: Random, name: str) -> None:
    """Dead at some event from now, before or after it is journalled."""
    host = run.host
    if not host.alive:
        return
    window = _restart_window(run)
    host.dies_in, host.dies_after = rng.randint(1, 60), rng.random() < 0.5
    core = host.core

    def look() -> None:
        if host.core is core and host.dies_in is not None:
            run.agenda.after(20 * NS_PER_MS, look)
            return
        run.count(name)
        _when_back(run, window.end)

    look()


def _restart_window(run: "Run") -> "Window":
    """A restart. It knows nothing of what the disk had not taken yet, and judges that anew."""
    unsaved_ms = (run.agenda.now_ns - run.host.durable_ns) // NS_PER_MS
    return run.windows.open_since(unsaved_ms, FaultKind.HOST_RESTART)


def _when_back(run: "Run", end: End) -> None:
    if run.host.alive and run.vision.up:
        end()
    else:
        run.agenda.after(100 * NS_PER_MS, lambda: _when_back(run, end))


def power_cut(run: "Run", rng: Random, name: str) -> None:
    """PC off at this instant: the commit under way is lost, its clock starts anew."""
    if not run.host.alive:
        return
    window = _restart_window(run)
    run.count(name)
    run.kill_host(lands=False, down_ms=rng.randrange(1_000, 6_000), power=True)
    _when_back(run, window.end)


def host_paused(run: "Run", rng: Random, name: str) -> None:
    """The process stands still: a collector's pause, a stopped machine."""
    if not run.host.alive:
        return
    for_ms = rng.choice((rng.randrange(20, 300), rng.randrange(300, 3_000)))
    run.count(name)
    run.windows.open_for(for_ms, FaultKind.PLC_LINK, FaultKind.STALL)
    run.host.pause_until(run.agenda.now_ns + for_ms * NS_PER_MS)


def clock_step(run: "Run", rng: Random, name: str) -> None:
    """The wall clock jumps by seconds, an hour, or a day; and back at times."""
    step_ns = rng.choice((3 * NS_PER_S, 3_600 * NS_PER_S, _DAY_NS)) * rng.choice((-1, 1))
    run.count(name)
    run.clock.utc_offset_ns += step_ns
    if rng.random() < 0.5:

        def back() -> None:
            run.clock.utc_offset_ns -= step_ns

        run.agenda.after(rng.randrange(500, 5_000) * NS_PER_MS, back)


def disk_full(run: "Run", rng: Random, name: str) -> None:
    """No room until somebody makes some."""
    _disk_fault(run, rng, name, full=True)


def fsync_error(run: "Run", rng: Random, name: str) -> None:
    """The disk answers with an error until it is replaced."""
    _disk_fault(run, rng, name, broken=True)


def _disk_fault(
    run: "Run", rng: Random, name: str, full: bool = False, broken: bool = False
) -> None:
    window = run.windows.open(FaultKind.JOURNAL)
    disk, failures = run.disk, run.disk.failures
    disk.full, disk.broken = full or disk.full, broken or disk.broken

    def over() -> None:
        if disk.failures > failures:
            run.count(name)
        disk.full = disk.broken = False
        well()

    def well() -> None:
        core = run.host.core
        if core is not None and core.state.journal_ok:
            window.end()
        else:
            run.agenda.after(200 * NS_PER_MS, well)

    run.agenda.after(rng.randrange(100, 4_000) * NS_PER_MS, over)


def slow_disk(run: "Run", rng: Random, name: str) -> None:
    """Commits take 150 ms to 5 s."""
    for_ms = rng.randrange(150, 5_000)
    run.count(name)
    run.windows.open_for(for_ms, FaultKind.JOURNAL)
    run.disk.stalled_until_ns = run.agenda.now_ns + for_ms * NS_PER_MS


def bit_rot(run: "Run", rng: Random, name: str) -> None:
    """One of the last records stored changes; the host dies and its start meets it."""
    file = run.disk.files[-1]
    if not run.host.alive or len(file.records) < 4 or file.set_aside:
        return
    kinds = (FaultKind.HOST_RESTART, FaultKind.JOURNAL, FaultKind.PLC_RESTART)
    window = run.windows.open_since(_ROT_SINCE_MS, *kinds)
    run.count(name)
    run.kill_host(lands=True, down_ms=rng.randrange(200, 1_000), power=False)
    file = run.disk.files[-1]
    newest = len(file.records) - 1
    run.disk.rot(file, max(0, newest - rng.randrange(_ROT_RECORDS)), rng.getrandbits(16))

    def well() -> None:
        core = run.host.core
        if core is not None and core.state.journal_ok and run.vision.up:
            window.end()
        else:
            run.agenda.after(200 * NS_PER_MS, well)

    well()


def rules_change(run: "Run", rng: Random, name: str) -> None:
    """Other rules become active with parcels on the belt; each keeps those of its entry."""
    core = run.host.core
    if core is None:
        return
    rules = core.state.rule_versions[-1].rules
    salt = f"salt {rng.getrandbits(32)}"
    text = f"rules of the sweep, {salt}"
    run.count(name)
    changed = replace(rules, inspection_salt=salt)
    run.host.deliver(RulesActivated(f"{rng.getrandbits(256):064x}", text, changed, "supervisor"))


# --- vision ---------------------------------------------------------------------------------------


def vision_crash(run: "Run", rng: Random, name: str) -> None:
    """The worker dies and comes back."""
    if not run.vision.up:
        return
    window = run.windows.open(FaultKind.XRAY)
    run.vision.on_silence = run.once(name)
    run.vision.crash()

    def back() -> None:
        window.end()
        if not run.vision.up:
            run.vision.start()  # the host may die of the news

    run.agenda.after(rng.randrange(300, 4_000) * NS_PER_MS, back)


def vision_hang(run: "Run", rng: Random, name: str) -> None:
    """The worker answers nothing for a while, then everything late."""
    for_ms = rng.randrange(300, 4_000)
    run.windows.open_for(for_ms, FaultKind.XRAY)
    run.vision.on_silence = run.once(name)
    run.vision.hang_until(run.agenda.now_ns + for_ms * NS_PER_MS)
