"""What the declared-list reader tells: its answers, and news on a list that a release rests on."""

from controller.core.customs import customs_reasons
from controller.core.deciding import conclude, revoke
from controller.core.events import ListChanged, ListFacts, ListsAnswered
from controller.core.matching import check_picture, check_weight
from controller.core.parcel import Parcel, ParcelState
from controller.core.turn import Turn
from controller.core.verdict import is_duplicate
from controller.core.vocabulary import AlarmKind, Destination, LookUpPurpose, LookUpResult, Reason


def lists_answered(turn: Turn, event: ListsAnswered) -> None:
    parcel = turn.of_pass(event.pass_no)
    _note_lists(turn, event.result is LookUpResult.ANSWERED)
    if parcel is None:
        return
    if event.purpose is LookUpPurpose.IDENTIFY:
        if parcel.state is ParcelState.TRACKED and parcel.lists_result is None:
            parcel.lists = event.lists
        return
    if parcel.state is ParcelState.DECIDING:
        parcel.lists = event.lists
        parcel.lists_result = event.result
        parcel.store_seq = event.store_seq
        conclude(turn, parcel)


def _note_lists(turn: Turn, available: bool) -> None:
    turn.state.lists_ok = available
    if available:
        turn.clear_alarm(AlarmKind.LISTS_UNAVAILABLE)
    else:
        turn.raise_alarm(AlarmKind.LISTS_UNAVAILABLE)


def list_changed(turn: Turn, event: ListChanged) -> None:
    """News on a list after its verdict: it may take a release back, never the reverse.

    The reader answers and tells in order; `store_seq` orders nothing, for a restored store counts anew.
    """
    for parcel in list(turn.state.parcels.values()):
        if len(parcel.lists) != 1 or parcel.verdict is None:
            continue
        if parcel.verdict.destination is not Destination.RELEASE:
            continue
        own = parcel.lists[0]
        if own.list_key == event.facts.list_key:
            reasons = _bad_news(turn, parcel, event.facts)
            if reasons:
                parcel.lists = (event.facts,)
                parcel.store_seq = event.store_seq
                revoke(turn, parcel, *reasons)
        elif own.waybill == event.facts.waybill:  # a second list for its label
            revoke(turn, parcel, Reason.AMBIGUOUS)


def _bad_news(turn: Turn, parcel: Parcel, facts: ListFacts) -> tuple[Reason, ...]:
    """What now speaks against this parcel. Customs may have released other contents than those that it
    was compared with."""
    rules = turn.rules_of(parcel)
    compared = (
        check_weight(parcel, facts, rules),
        *check_picture(parcel, facts, turn.settings, rules),
    )
    reasons = [*customs_reasons(facts, rules), *(why for _, why in compared if why is not None)]
    elsewhere = tuple(earlier for earlier in facts.earlier_passes if earlier.line)
    if is_duplicate(elsewhere, parcel.pass_no):
        reasons.append(Reason.DUPLICATE)
    return tuple(reasons)
