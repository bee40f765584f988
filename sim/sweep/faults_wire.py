"""Faults between host and PLC: cut, half open, slow, torn, a restarted PLC, a second host."""

from random import Random

from controller.core.units import NS_PER_MS
from controller.core.vocabulary import LinkFault
from plc.exchange import HEADER_AND_ECHO_RUN, Exchange
from plc.header import ExchangeFault
from sim.invariants import InvariantBroken
from sim.sweep.scene import Scene
from sim.sweep.virtual_wire import WireFaults
from sim.truth import FaultKind

# A host that was away learns of the restart while it still holds bodies that left before it.
PASS_MS = 7_000


def _spell(scene: Scene, name: str, faults: WireFaults, for_ms: int) -> None:
    """The wire is like this for a while; counted once, when a request met it."""
    window = scene.windows.open(FaultKind.PLC_LINK, FaultKind.STALL)
    count = scene.once(name)

    def meets() -> None:
        if scene.medium.faults is faults:
            count()

    def over() -> None:
        if scene.medium.faults is faults:
            scene.medium.faults = WireFaults()
        window.end()

    scene.medium.faults = faults
    scene.medium.on_fault = meets
    scene.agenda.after(for_ms * NS_PER_MS, over)


def _a_while_ms(rng: Random, longest_ms: int) -> int:
    """From 50 ms to `longest_ms`, short ones as often as long ones."""
    longest = rng.randrange(50, longest_ms)
    return rng.randrange(50, longest + 1)


def plc_link_lost(scene: Scene, rng: Random, name: str) -> None:
    _spell(scene, name, WireFaults(cut=True), _a_while_ms(rng, 8_000))


def half_open(scene: Scene, rng: Random, name: str) -> None:
    _spell(scene, name, WireFaults(mute=True), _a_while_ms(rng, 5_000))


def slow_answers(scene: Scene, rng: Random, name: str) -> None:
    delay_ns = rng.randrange(5, 250) * NS_PER_MS
    faults = WireFaults(delay_ns=delay_ns, jitter_ns=rng.randrange(1, 100) * NS_PER_MS)
    _spell(scene, name, faults, _a_while_ms(rng, 5_000))


def lost_answers(scene: Scene, rng: Random, name: str) -> None:
    _spell(scene, name, WireFaults(lose_answers=True), _a_while_ms(rng, 2_000))


def torn_read(scene: Scene, rng: Random, name: str) -> None:
    """The next scans that write anything are met half done."""
    window = scene.windows.open(FaultKind.PLC_LINK)
    scene.medium.on_torn = scene.once(name)
    scene.plant.torn_scans = rng.randint(3, 30)

    def look() -> None:
        if scene.plant.torn_scans:
            scene.agenda.after(500 * NS_PER_MS, look)
        else:
            window.end()

    look()


def plc_restarted(scene: Scene, rng: Random, name: str) -> None:
    """Power off, and a new boot id after a while."""
    if scene.plant.plc is None:
        return
    window = scene.windows.open_since(PASS_MS, FaultKind.PLC_RESTART)
    scene.count(name)
    scene.plant.switch_off()

    def on() -> None:
        scene.plant.switch_on()
        window.end()

    scene.agenda.after(rng.randrange(200, 3_000) * NS_PER_MS, on)


def second_host(scene: Scene, rng: Random, name: str) -> None:
    """Another controller greets the PLC while ours is latched: it must be refused, unheard."""
    image, plc = scene.medium.image, scene.plant.plc
    if image is None or plc is None or plc.host.session == 0:
        return
    before = image.copy()
    session = plc.host.session ^ rng.randrange(1, 1 << 16)
    other = Exchange(session if session & 0xFFFF else session + 1)
    scene.count(name)
    try:
        other.greet(scene.agenda.now_ns, image[: HEADER_AND_ECHO_RUN.count])
    except ExchangeFault as fault:
        if fault.fault is LinkFault.SECOND_HOST and image == before:
            return
    if image[19]:  # the latch is shown from the scan after
        raise InvariantBroken(5, "a second host was not refused")
