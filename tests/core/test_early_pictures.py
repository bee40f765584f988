"""Pictures that come before their trigger record, and those whose record will never come."""

from controller.core.vocabulary import AlarmKind, Destination
from tests.core.story import Line


def test_a_picture_that_overtook_its_trigger_waits_for_it() -> None:
    line = Line()
    line.picture(100, 1)
    line.until_picture(100, 1)
    assert line.core.state.parcels[1].picture is not None
    assert line.core.state.early_pictures == []


def test_the_next_parcels_picture_waits_while_this_one_joins() -> None:
    line = Line()
    line.picture(100, 1)
    line.picture(1_100, 2)
    line.until_picture(100, 1)
    assert [early.trigger_no for early in line.core.state.early_pictures] == [2]
    line.until_picture(1_100, 2, "W2")
    assert line.core.state.parcels[2].picture_placed
    assert line.core.state.xray.proven


def test_a_picture_whose_trigger_record_was_lost_never_meets_a_strangers_trigger() -> None:
    """Found by the sweep: a PLC restart lost the record, its numbers began anew, and half a minute later
    the waiting picture's number came again and held every parcel of the source."""
    line = Line()
    line.picture(-1_000, 3)
    for number in (1, 2, 3):
        verdict = line.until_verdict(number * 1_000, number, f"N{number}")
        assert verdict.destination is Destination.RELEASE
    assert line.core.state.early_pictures == []
    assert AlarmKind.ASSOCIATION_BROKEN not in {alarm.kind for alarm in line.core.state.alarms}
