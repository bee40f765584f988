"""One label on two bodies: which of them is it? Both are held while both may be on the belt."""

from typing import Final

from controller.core.deciding import revoke
from controller.core.identity import shown_codes
from controller.core.parcel import Parcel
from controller.core.state import ShownLabel
from controller.core.turn import Turn
from controller.core.vocabulary import Reason

# More than lie on two belts.
SHOWN_LABELS_MAX: Final = 128


def flag_twins(turn: Turn, parcel: Parcel | None, codes: tuple[str, ...]) -> None:
    """Two bodies on the belt show one code: which one is it, if it is a label? That doubt outlives the
    body that leaves, and takes back what the other one was given. `parcel` None: a body without a pass."""
    for other in list(turn.state.parcels.values()):
        shared = tuple(code for code in codes if code in shown_codes(other.code_parts))
        if other is parcel or not shared:
            continue
        for each in (parcel, other) if parcel is not None else (other,):
            _share(each, shared)
        if other.verdict is not None and other.verdict.waybill in shared:
            revoke(turn, other, Reason.DUPLICATE)


def remember_labels(turn: Turn, codes: tuple[str, ...], counts: int) -> None:
    """A body that shows these codes may lie on the belt without a pass that names them: nobody's, or its
    pass was given up. The encoder stood at `counts`."""
    kept = _still_there(turn, counts)
    kept += [ShownLabel(code, counts) for code in codes]
    turn.state.shown_labels = kept[-SHOWN_LABELS_MAX:]


def flag_remembered(turn: Turn, parcel: Parcel, codes: tuple[str, ...], counts: int) -> None:
    """This body shows what such a one has shown. The encoder stands at `counts`."""
    if turn.state.shown_labels:
        turn.state.shown_labels = _still_there(turn, counts)
        known = {label.code for label in turn.state.shown_labels}
        _share(parcel, tuple(code for code in codes if code in known))


def _still_there(turn: Turn, counts: int) -> list[ShownLabel]:
    """As for parcels (tracking._forget_carried_off): twice the belt's length carries everything off."""
    end_mm = 2 * turn.settings.belt_end_mm
    belt = turn.state.belt
    return [
        label
        for label in turn.state.shown_labels
        if belt.travelled_mm(counts, label.counts) <= end_mm
    ]


def _share(parcel: Parcel, codes: tuple[str, ...]) -> None:
    new = tuple(code for code in codes if code not in parcel.shared_codes)
    parcel.shared_codes = (*parcel.shared_codes, *new)
