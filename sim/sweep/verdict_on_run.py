"""The end of a run: the judge's count by the truth, every parcel accounted for, and progress after faults."""

from dataclasses import replace
from typing import Final

from controller.core.vocabulary import OutcomeKind
from sim.judge import JournalWords, Judged, judge
from sim.parcels import ParcelKind
from sim.sweep.scene import Scene
from sim.truth import PassTruth, RunTruth

# The quiet phase of a run as long as this must have let at least so many clean parcels through.
QUIET_CLEAN_MIN: Final = 3
QUIET_FROM_PARCELS: Final = 80
NAMED_MAX: Final = 3


def judged(scene: Scene) -> Judged:
    """The judge's count, on the truth of the plant and on what the journals hold."""
    passes = tuple(_with_rows(scene, entry) for entry in scene.plant.truth.passes())
    inducted = scene.plant.truth.inducted()
    known = {parcel.number for parcel in inducted}
    passes = tuple(entry for entry in passes if known.issuperset(entry.parcel_numbers))
    passes = tuple(entry for entry in passes if entry.parcel_numbers)
    truth = RunTruth(
        line=scene.config.line.name,
        inducted=inducted,
        declarations=scene.work.declarations,
        passes=passes,
        receipts=tuple(scene.receipts),
        faults=scene.windows.all(),
    )
    return judge(truth, _words(scene), scene.config.line, scene.config.rules)


def _with_rows(scene: Scene, entry: PassTruth) -> PassTruth:
    key = (entry.boot_id, entry.trigger_no)
    last_row_ns = scene.vision.last_row_ns.get(key, -1)
    return replace(entry, last_row_ns=last_row_ns, rows_lost=scene.vision.rows_lost.get(key, 0))


def _words(scene: Scene) -> JournalWords:
    """Verdicts and outcomes that no crash took back."""
    verdicts, outcomes = [], []
    for known in scene.invariants.history():
        if known.verdict is not None:
            verdicts.append((known.verdict_ns, known.verdict))
        if known.revoked is not None:
            verdicts.append((known.revoked_ns, known.revoked))
        if known.outcome is not None:
            outcomes.append(known.outcome)
    return JournalWords(tuple(verdicts), tuple(outcomes))


def left_behind(scene: Scene, found: Judged) -> list[str]:
    """I7 and I9 over the whole run."""
    failures = [
        f"I7: pass {pass_no} of track {known.body[1]} has no end"
        for pass_no, known in scene.invariants.passes.items()
        if known.outcome is None and pass_no not in scene.invariants.aside
    ][:NAMED_MAX]
    failures += _in_another_lane(scene)
    failures += [
        f"false reason: parcel {number} was held for {reason}"
        for number, reason in found.false_reasons
    ][:NAMED_MAX]
    return failures + _progress(scene, found)


def _in_another_lane(scene: Scene) -> list[str]:
    """An outcome that names a lane names the one that the plant saw."""
    lane_of = {entry.parcel_number: entry.lane for entry in scene.plant.world.left}
    truth = {(e.boot_id, e.track_id): e.parcel_numbers for e in scene.plant.truth.passes()}
    failures = []
    for pass_no, known in scene.invariants.passes.items():
        numbers = truth.get(known.body, ())
        outcome = known.outcome
        if (
            outcome is None
            or not numbers
            or outcome.kind in (OutcomeKind.LOST, OutcomeKind.NOT_SEEN)
        ):
            continue
        lanes = {lane_of[number] for number in numbers if number in lane_of}
        if lanes and outcome.lane not in lanes:
            failures.append(f"I7: pass {pass_no} recorded in lane {outcome.lane}, truly {lanes}")
    return failures[:NAMED_MAX]


def _progress(scene: Scene, found: Judged) -> list[str]:
    """I9: after the last fault every clean parcel is released."""
    quiet_ns = scene.windows.last_closed_ns
    lane_of = {entry.parcel_number: entry.lane for entry in scene.plant.world.left}
    honest = {p.number for p in scene.plant.truth.inducted() if p.kind is ParcelKind.HONEST}
    clean = [
        number
        for entry in scene.plant.truth.passes()
        if entry.inducted_ns > quiet_ns
        for number in entry.parcel_numbers
        if number in honest
    ]
    held = [number for number in clean if lane_of.get(number) != scene.release_lane()]
    if held:
        return [f"I9: clean parcels {held[:NAMED_MAX]} were held in the quiet phase"]
    if scene.plan.fed >= QUIET_FROM_PARCELS and len(clean) < QUIET_CLEAN_MIN:
        return [f"I9: only {len(clean)} clean parcels came after the last fault's end"]
    return []
