"""The plant's own account of a run for the judge: what was tracked, recorded, accepted, and where every
parcel really went. Built from the PLC's notes and the world, never from what a host says.
"""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from controller.core import events
from controller.core.units import NS_PER_US, mm_from_counts
from controller.core.vocabulary import DecisionResult, GatePhase, GatePosition
from sim.parcels import SimParcel
from sim.plc_io import DecisionNote, Note, RecordNote, TrackNote
from sim.truth import NEVER, PassTruth
from sim.world import World

# What the verdict rests on; the induct record starts a pass and an eye gives its length.
_REQUIRED: Final = (
    events.CodeRead,
    events.Weighed,
    events.Dimensioned,
    events.Triggered,
)


class PlantTruth:
    """One entry per tracked body. `at_ns` arguments are the machine's monotonic clock; plant times
    become such by `epoch_ns`, the clock at plant time 0.
    """

    def __init__(self, world: World, epoch_ns: int) -> None:
        self._world = world
        self.epoch_ns = epoch_ns
        self._first_eye = world.settings.eyes[0].number
        self._passes: dict[tuple[int, int], PassTruth] = {}

    def note(self, at_ns: int, notes: Iterable[Note]) -> None:
        """The notes of one scan, whose writes became visible at `at_ns`."""
        for note in notes:
            if isinstance(note, TrackNote):
                self._begin(at_ns, note)
            elif isinstance(note, DecisionNote):
                self._decided(at_ns, note)
            elif isinstance(note, RecordNote):
                self._recorded(at_ns, note.record)

    def _begin(self, at_ns: int, note: TrackNote) -> None:
        body = self._world.bodies.get((note.eye, note.counts), ())
        numbers = tuple(parcel.parcel.number for parcel in body)
        begun = PassTruth(note.boot_id, note.track_id, numbers, inducted_ns=at_ns)
        if note.eye == self._first_eye:
            self._parted(numbers)
        self._passes[(note.boot_id, note.track_id)] = begun

    def _parted(self, numbers: tuple[int, ...]) -> None:
        """A follower that the first eye sees by itself touches nothing: its leader was taken away."""
        for before in self._passes.values():
            if numbers and numbers[0] in before.parcel_numbers[1:]:
                alone = tuple(each for each in before.parcel_numbers if each not in numbers)
                before.parcel_numbers = alone

    def _decided(self, at_ns: int, note: DecisionNote) -> None:
        known = self._passes.get((note.boot_id, note.track_id))
        if known is None:
            return
        if note.result is not DecisionResult.ACCEPTED:
            known.refused = note.result
        elif known.accepted_ns == NEVER:
            known.accepted_ns, known.accepted = at_ns, note.destination

    def _recorded(self, at_ns: int, record: events.PlcRecord) -> None:
        known = self._passes.get((record.boot_id, record.track_id))
        if known is None:
            return
        if isinstance(record, _REQUIRED):
            known.last_record_ns = at_ns
        match record:
            case events.Inducted():
                known.inducted_ns = self.epoch_ns + record.plc_time_us * NS_PER_US
            case events.EyePassed() if record.source == self._first_eye:
                per_m = self._world.settings.encoder_counts_per_m
                known.length_mm = mm_from_counts(record.length_counts, per_m)
                known.last_record_ns = at_ns
            case events.Triggered():
                known.trigger_no = record.trigger_no
            case events.Weighed():
                known.weight_mg = record.weight_mg
            case events.Dimensioned():
                known.dimensioned = True
            case events.GateMoved() if record.position is not GatePosition.HOLD:
                if record.phase is GatePhase.BEGAN and known.gate_began_ns == NEVER:
                    known.gate_began_ns = at_ns
            case _:
                pass

    # --- what the judge asks ----------------------------------------------------------------------

    def passes(self) -> tuple[PassTruth, ...]:
        """Every pass, in order of tracking, with the lane its first parcel physically entered.

        `last_row_ns` and `rows_lost` are the X-ray source's to fill in.
        """
        left = {entry.parcel_number: entry for entry in self._world.left}
        result = []
        for known in self._passes.values():
            entry = replace(known)
            gone = next((left[n] for n in entry.parcel_numbers if n in left), None)
            if gone is not None:
                entry.lane = gone.lane
                entry.left_ns = self.epoch_ns + gone.at_us * NS_PER_US
            result.append(entry)
        return tuple(result)

    def inducted(self) -> tuple[SimParcel, ...]:
        """The true parcels that entered the belt at induct, in order."""
        return tuple(self._world.inducted)
