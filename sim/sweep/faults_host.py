"""Faults of our own machine: processes, power, clock, disk, rules."""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from controller.core.events import RulesActivated
from controller.core.units import NS_PER_MS, NS_PER_S
from sim.sweep.fault_windows import Window
from sim.sweep.scene import Scene
from sim.truth import FaultKind

End = Callable[[], None]
# Rot in what was written last: what lies further back is found by who verifies whole days.
_ROT_RECORDS = 60
_ROT_SINCE_MS = 12_000
_DAY_NS = 86_400 * NS_PER_S


def host_killed(scene: Scene, rng: Random, name: str) -> None:
    """Dead at some event from now, before or after it is journalled."""
    host = scene.host
    if not host.alive:
        return
    window = _restart_window(scene)
    host.dies_in, host.dies_after = rng.randint(1, 60), rng.random() < 0.5
    core = host.core

    def look() -> None:
        if host.core is core and host.dies_in is not None:
            scene.agenda.after(20 * NS_PER_MS, look)
            return
        scene.count(name)
        _when_back(scene, window.end)

    look()


def _restart_window(scene: Scene) -> Window:
    """A restart. It knows nothing of what the disk had not taken yet, and judges that anew."""
    unsaved_ms = (scene.agenda.now_ns - scene.host.durable_ns) // NS_PER_MS
    return scene.windows.open_since(unsaved_ms, FaultKind.HOST_RESTART)


def _when_back(scene: Scene, end: End) -> None:
    if scene.host.alive and scene.vision.up:
        end()
    else:
        scene.agenda.after(100 * NS_PER_MS, lambda: _when_back(scene, end))


def power_cut(scene: Scene, rng: Random, name: str) -> None:
    """PC off at this instant: the commit under way is lost, its clock starts anew."""
    if not scene.host.alive:
        return
    window = _restart_window(scene)
    scene.count(name)
    scene.kill_host(lands=False, down_ms=rng.randrange(1_000, 6_000), power=True)
    _when_back(scene, window.end)


def host_paused(scene: Scene, rng: Random, name: str) -> None:
    """The process stands still: a collector's pause, a stopped machine."""
    if not scene.host.alive:
        return
    for_ms = rng.choice((rng.randrange(20, 300), rng.randrange(300, 3_000)))
    scene.count(name)
    scene.windows.open_for(for_ms, FaultKind.PLC_LINK, FaultKind.STALL)
    scene.host.pause_until(scene.agenda.now_ns + for_ms * NS_PER_MS)


def clock_step(scene: Scene, rng: Random, name: str) -> None:
    """The wall clock jumps by seconds, an hour, or a day; and back at times."""
    step_ns = rng.choice((3 * NS_PER_S, 3_600 * NS_PER_S, _DAY_NS)) * rng.choice((-1, 1))
    scene.count(name)
    scene.clock.utc_offset_ns += step_ns
    if rng.random() < 0.5:

        def back() -> None:
            scene.clock.utc_offset_ns -= step_ns

        scene.agenda.after(rng.randrange(500, 5_000) * NS_PER_MS, back)


def disk_full(scene: Scene, rng: Random, name: str) -> None:
    """No room until somebody makes some."""
    _disk_fault(scene, rng, name, full=True)


def fsync_error(scene: Scene, rng: Random, name: str) -> None:
    """The disk answers with an error until it is replaced."""
    _disk_fault(scene, rng, name, broken=True)


def _disk_fault(
    scene: Scene, rng: Random, name: str, full: bool = False, broken: bool = False
) -> None:
    window = scene.windows.open(FaultKind.JOURNAL)
    disk, failures = scene.disk, scene.disk.failures
    disk.full, disk.broken = full or disk.full, broken or disk.broken

    def over() -> None:
        if disk.failures > failures:
            scene.count(name)
        disk.full = disk.broken = False
        well()

    def well() -> None:
        core = scene.host.core
        if core is not None and core.state.journal_ok:
            window.end()
        else:
            scene.agenda.after(200 * NS_PER_MS, well)

    scene.agenda.after(rng.randrange(100, 4_000) * NS_PER_MS, over)


def slow_disk(scene: Scene, rng: Random, name: str) -> None:
    """Commits take 150 ms to 5 s."""
    for_ms = rng.randrange(150, 5_000)
    scene.count(name)
    scene.windows.open_for(for_ms, FaultKind.JOURNAL)
    scene.disk.stalled_until_ns = scene.agenda.now_ns + for_ms * NS_PER_MS


def bit_rot(scene: Scene, rng: Random, name: str) -> None:
    """One of the last records stored changes; the host dies and its start meets it."""
    file = scene.disk.files[-1]
    if not scene.host.alive or len(file.records) < 4 or file.set_aside:
        return
    kinds = (FaultKind.HOST_RESTART, FaultKind.JOURNAL, FaultKind.PLC_RESTART)
    window = scene.windows.open_since(_ROT_SINCE_MS, *kinds)
    scene.count(name)
    scene.kill_host(lands=True, down_ms=rng.randrange(200, 1_000), power=False)
    file = scene.disk.files[-1]
    newest = len(file.records) - 1
    scene.disk.rot(file, max(0, newest - rng.randrange(_ROT_RECORDS)), rng.getrandbits(16))

    def well() -> None:
        core = scene.host.core
        if core is not None and core.state.journal_ok and scene.vision.up:
            window.end()
        else:
            scene.agenda.after(200 * NS_PER_MS, well)

    well()


def rules_change(scene: Scene, rng: Random, name: str) -> None:
    """Other rules become active with parcels on the belt; each keeps those of its entry."""
    core = scene.host.core
    if core is None:
        return
    rules = core.state.rule_versions[-1].rules
    salt = f"salt {rng.getrandbits(32)}"
    text = f"rules of the sweep, {salt}"
    scene.count(name)
    changed = replace(rules, inspection_salt=salt)
    scene.host.deliver(RulesActivated(f"{rng.getrandbits(256):064x}", text, changed, "supervisor"))


# --- vision ---------------------------------------------------------------------------------------


def vision_crash(scene: Scene, rng: Random, name: str) -> None:
    """The worker dies and comes back."""
    if not scene.vision.up:
        return
    window = scene.windows.open(FaultKind.XRAY)
    scene.vision.on_silence = scene.once(name)

    def back() -> None:
        window.end()
        if not scene.vision.up:
            scene.vision.start()

    scene.agenda.after(rng.randrange(300, 4_000) * NS_PER_MS, back)
    scene.vision.crash()  # the host may die of the news


def vision_hang(scene: Scene, rng: Random, name: str) -> None:
    """The worker answers nothing for a while, then everything late."""
    for_ms = rng.randrange(300, 4_000)
    scene.windows.open_for(for_ms, FaultKind.XRAY)
    scene.vision.on_silence = scene.once(name)
    scene.vision.hang_until(scene.agenda.now_ns + for_ms * NS_PER_MS)
