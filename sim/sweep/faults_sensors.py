"""Faults of what the sensors say: codes, weights, dimensions, pictures.

A distortion sits between the plant and the PLC's inputs for one telegram, or a few, and then leaves.
"""

from collections.abc import Callable
from dataclasses import replace
from random import Random

from controller.core.identity import complete_codes
from controller.core.units import NS_PER_MS, u32_difference
from sim.plc_io import CodeSeen, PlcInputs, ScaleReading
from sim.sweep.scene import Scene
from sim.sweep.virtual_vision import PictureFault
from sim.truth import FaultKind

Codes = tuple[CodeSeen, ...]
# From the sensor's telegram back to the parcel's induct, and on to its lane.
PASS_MS = 6_500
# A label anywhere on a body, and the body's middle.
_SAME_BODY_COUNTS = 220
_WAIT_MS = 4_000


def _distort(
    scene: Scene, name: str, change: Callable[[PlcInputs], PlcInputs | None], times: int = 1
) -> None:
    """Apply `change` to the next inputs that it answers, `times` times; None leaves them alone."""
    window = scene.windows.open(FaultKind.SENSORS)
    count = scene.once(name)
    left = [times]

    def distortion(inputs: PlcInputs) -> PlcInputs:
        changed = change(inputs)
        if changed is None:
            return inputs
        count()
        left[0] -= 1
        if left[0] == 0:
            over()
        return changed

    def over() -> None:
        if distortion in scene.plant.distortions:
            scene.plant.distortions.remove(distortion)
            # what the body lacks stays true until it is in its lane
            scene.agenda.after(PASS_MS * NS_PER_MS, window.end)

    scene.plant.distortions.append(distortion)
    scene.agenda.after(_WAIT_MS * NS_PER_MS, over)


def _is_read(scene: Scene, text: str) -> bool:
    """Whether the host has this label of a body that is on the belt."""
    core = scene.host.core
    parcels = core.state.parcels.values() if core is not None else ()
    return any(text in complete_codes(parcel.code_parts) for parcel in parcels)


def _first_code(inputs: PlcInputs) -> CodeSeen | None:
    return next((code for code in inputs.codes if code.text), None)


def lost_scan(scene: Scene, rng: Random, name: str) -> None:
    """The scanner's telegram is lost altogether."""
    _distort(scene, name, lambda i: i._replace(codes=()) if i.codes else None, rng.randint(1, 4))


def no_read(scene: Scene, rng: Random, name: str) -> None:
    """The scanner says that it read nothing."""

    def change(inputs: PlcInputs) -> PlcInputs | None:
        code = _first_code(inputs)
        if code is None:
            return None
        return inputs._replace(codes=(replace(code, code_no=0, symbology=0, text=""),))

    _distort(scene, name, change, rng.randint(1, 4))


def duplicate_scan(scene: Scene, rng: Random, name: str) -> None:
    """The same telegram again, 1 to 500 ms later."""
    late: list[tuple[int, Codes]] = []
    again_ms = rng.randrange(1, 500)

    def change(inputs: PlcInputs) -> PlcInputs | None:
        due = [codes for due_ns, codes in late if due_ns <= scene.agenda.now_ns]
        if due:
            late.clear()
            return inputs._replace(codes=inputs.codes + due[0])
        if inputs.codes and not late:
            late.append((scene.agenda.now_ns + again_ms * NS_PER_MS, inputs.codes))
        return None

    _distort(scene, name, change, rng.randint(1, 3))


def late_scan(scene: Scene, rng: Random, name: str) -> None:
    """A telegram comes up to two seconds late, after the next body's too."""
    late: list[tuple[int, Codes]] = []
    late_ms = rng.randrange(50, 2_000)

    def change(inputs: PlcInputs) -> PlcInputs | None:
        due = [codes for due_ns, codes in late if due_ns <= scene.agenda.now_ns]
        if due:
            late.clear()
            return inputs._replace(codes=inputs.codes + due[0])
        if inputs.codes and not late:
            late.append((scene.agenda.now_ns + late_ms * NS_PER_MS, inputs.codes))
            return inputs._replace(codes=())
        return None

    _distort(scene, name, change, 2)


def two_codes(scene: Scene, rng: Random, name: str) -> None:
    """Another code on the same body: of a parcel before it, or of none. (A later one's would hold that
    parcel long after, and rightly.)"""
    before = [parcel.waybill for parcel in scene.plant.world.inducted]
    other = rng.choice(before) if before and rng.random() < 0.5 else "NOBODYS-CODE-1"

    def change(inputs: PlcInputs) -> PlcInputs | None:
        code = _first_code(inputs)
        if code is None or code.text == other:
            return None
        second = replace(code, code_no=code.code_no + 1, text=other)
        return inputs._replace(codes=(*inputs.codes, second))

    _distort(scene, name, change)


def neighbours_code(scene: Scene, rng: Random, name: str) -> None:
    """A body is read as the one before it: the same list twice on the belt."""
    before: list[str] = []

    def change(inputs: PlcInputs) -> PlcInputs | None:
        code = _first_code(inputs)
        if code is None:
            return None
        if not before or before[0] == code.text or not _is_read(scene, before[0]):
            before[:] = [code.text]
            return None
        return inputs._replace(codes=(replace(code, text=before[0]),))

    _distort(scene, name, change)


def twin_parcel(scene: Scene, rng: Random, name: str) -> None:
    """A body with a copy of the label before it, and as heavy: only the list tells that they are two."""
    between = scene.config.line.scale_position_mm - scene.config.line.scanner_position_mm
    first: list[CodeSeen] = []
    weight: list[ScaleReading] = []
    twin: list[CodeSeen] = []

    def follows(code: CodeSeen, counts: int) -> bool:
        return abs(u32_difference(counts, code.counts) - between) <= _SAME_BODY_COUNTS

    def change(inputs: PlcInputs) -> PlcInputs | None:
        for reading in inputs.weights:
            if first and not weight and follows(first[0], reading.counts):
                weight.append(reading)
            elif weight and twin and follows(twin[0], reading.counts):
                return inputs._replace(weights=(replace(reading, weight_mg=weight[0].weight_mg),))
        code = _first_code(inputs)
        if code is None or twin:
            return None
        if not first or not _is_read(scene, first[0].text):
            # a copy whose original nobody could read is the original, for all that a line can know
            first[:], weight[:] = [code], []
            return None
        twin.append(code)
        return inputs._replace(codes=(replace(code, text=first[0].text),))

    _distort(scene, name, change, 2)


# --- scale and dimensioner ------------------------------------------------------------------------


def _weight(
    scene: Scene, rng: Random, name: str, change: Callable[[ScaleReading], tuple[ScaleReading, ...]]
) -> None:
    def changed(inputs: PlcInputs) -> PlcInputs | None:
        if not inputs.weights:
            return None
        weights = tuple(new for reading in inputs.weights for new in change(reading))
        return inputs._replace(weights=weights)

    _distort(scene, name, changed, rng.randint(1, 4))


def no_weight(scene: Scene, rng: Random, name: str) -> None:
    _weight(scene, rng, name, lambda reading: ())


def zero_weight(scene: Scene, rng: Random, name: str) -> None:
    _weight(scene, rng, name, lambda reading: (replace(reading, weight_mg=0),))


def stuck_scale(scene: Scene, rng: Random, name: str) -> None:
    """The last answer again and again, counter included."""
    held: list[ScaleReading] = []

    def change(reading: ScaleReading) -> tuple[ScaleReading, ...]:
        if not held:
            held.append(reading)
        last = held[0]
        number, zero_mg = last.measurement_no, last.zero_mg
        stuck = replace(reading, weight_mg=last.weight_mg, zero_mg=zero_mg, measurement_no=number)
        return (stuck,)

    _weight(scene, rng, name, change)


def scale_residue(scene: Scene, rng: Random, name: str) -> None:
    """Something lies on the scale: it does not return to zero."""
    residue_mg = rng.randrange(25_000, 2_000_000, 1_000)

    def change(reading: ScaleReading) -> tuple[ScaleReading, ...]:
        loaded = replace(reading, weight_mg=reading.weight_mg + residue_mg)
        return (replace(loaded, zero_mg=reading.zero_mg + residue_mg),)

    _weight(scene, rng, name, change)


def no_dimensions(scene: Scene, rng: Random, name: str) -> None:
    """Lost, or said to be not measurable."""
    lost = rng.random() < 0.5

    def change(inputs: PlcInputs) -> PlcInputs | None:
        if not inputs.dimensions:
            return None
        unsure = tuple(replace(box, measurable=False) for box in inputs.dimensions)
        return inputs._replace(dimensions=() if lost else unsure)

    _distort(scene, name, change, rng.randint(1, 4))


def wrong_length(scene: Scene, rng: Random, name: str) -> None:
    """The dimensioner's length is not the photo-eyes'."""
    off_mm = rng.randrange(60, 400) * rng.choice((-1, 1))

    def change(inputs: PlcInputs) -> PlcInputs | None:
        if not inputs.dimensions:
            return None
        wrong = (replace(b, length_mm=max(1, b.length_mm + off_mm)) for b in inputs.dimensions)
        return inputs._replace(dimensions=tuple(wrong))

    _distort(scene, name, change, rng.randint(1, 4))


# --- pictures -------------------------------------------------------------------------------------


def picture(fault_name: str) -> Callable[[Scene, Random, str], None]:
    """The next picture, or a few, suffer this; a shift goes on for several."""
    fault = PictureFault[fault_name]

    def begin(scene: Scene, rng: Random, name: str) -> None:
        window = scene.windows.open(FaultKind.XRAY, FaultKind.PICTURES)
        count = scene.once(name)
        times = rng.randint(1, 4)
        left = [times]

        def happened() -> None:
            count()
            left[0] -= 1
            if left[0] == 0:
                scene.agenda.after(PASS_MS * NS_PER_MS, window.end)

        scene.vision.faulty.extend((fault, happened) for _ in range(times))

    return begin
