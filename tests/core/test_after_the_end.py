"""Records that come when their body is in its lane already, or told lost.

The sweep found a reading that was 5.9 s late and an eye's edge of a lost body: each opened a pass that
never ended.
"""

import pytest

from controller.core import events as e
from controller.core import tracking
from controller.core.commands import Command, OpenPass, RaiseAlarm
from controller.core.vocabulary import AlarmKind, DefaultCause, Destination
from tests.core.story import Line, sent_in

U32_MAX = 0xFFFF_FFFF
RELEASE_LANE, HOLD_LANE = 1, 5
LATE: dict[type, tuple[object, ...]] = {
    e.EyePassed: (300, U32_MAX),
    e.CodeRead: (1, 0, 1, 0, "W1"),
    e.Weighed: (2_000_000, 0, 9, True, False),
    e.Dimensioned: (300, 200, 150, 9, True),
    e.Triggered: (77,),
    e.DefaultTaken: (DefaultCause.UNDECIDED,),
    e.ParcelLost: (),
}


def released(line: Line, at_ms: int, track_id: int, code: str = "W1") -> None:
    line.lease(at_ms, track_id, code)
    line.record(at_ms + 4_500, e.LaneSeen, RELEASE_LANE, track_id)


def opened(commands: tuple[Command, ...]) -> list[OpenPass]:
    return [command for command in commands if isinstance(command, OpenPass)]


def alarms(commands: tuple[Command, ...]) -> list[AlarmKind]:
    return [command.kind for command in commands if isinstance(command, RaiseAlarm)]


@pytest.mark.parametrize("kind", LATE)
@pytest.mark.parametrize("lost", [False, True])
def test_a_late_record_opens_no_pass_and_is_told(kind: type, lost: bool) -> None:
    line = Line()
    if lost:
        line.induct(100, 1)
        line.record(3_800, e.ParcelLost, 5, 1)
    else:
        released(line, 100, 1)
    told = line.record(5_000, kind, 4, 1, *LATE[kind])
    assert not opened(told) and not sent_in(told)
    assert alarms(told) == [AlarmKind.RECORD_AFTER_END]
    assert not line.core.state.parcels
    assert line.core.state.tally.inducted == 1


def test_a_second_body_with_the_id_of_one_that_was_released_is_seen_in_the_release_lane() -> None:
    line = Line()
    released(line, 100, 1)
    told = line.record(5_000, e.LaneSeen, RELEASE_LANE, 1)
    assert AlarmKind.HELD_PARCEL_IN_RELEASE_LANE in alarms(told)
    assert not line.core.state.parcels


def test_a_lost_body_that_a_lane_sees_after_all_is_recorded_there() -> None:
    line = Line()
    line.induct(100, 1)
    line.record(3_800, e.ParcelLost, 5, 1)
    told = line.record(6_500, e.LaneSeen, HOLD_LANE, 1)
    assert len(opened(told)) == 1 and not line.core.state.parcels


def test_an_id_that_enters_again_is_a_new_pass() -> None:
    line = Line()
    released(line, 100, 1)
    assert len(opened(line.record(6_000, e.Inducted, 1, 1, U32_MAX))) == 1
    line.record(6_300, e.EyePassed, 1, 1, 300, U32_MAX, counts=6_000)
    assert line.core.state.parcels[1].length_counts == 300


def test_an_id_that_entered_again_and_was_crowded_out_lies_on_the_belt() -> None:
    line = Line()
    released(line, 100, 1)
    for track_id in range(1, line.core.settings.parcels_on_belt_max + 2):
        line.record(5_000 + 100 * track_id, e.Inducted, 1, track_id, U32_MAX)
    assert 1 not in line.core.state.parcels
    assert len(opened(line.record(15_000, e.EyePassed, 4, 1, 300, U32_MAX))) == 1


def test_the_id_of_another_boot_is_another_body() -> None:
    line = Line()
    released(line, 100, 1)
    line.tell(5_000, e.PlcConnected(2, 0x5E55, 1, 1, 0, ()))
    line.tell(5_020, e.EyePassed(2, 1, 4, 1, 5_010, 5_010_000, 300, U32_MAX))
    assert 1 in line.core.state.parcels  # unknown to us, and held


def test_a_pass_whose_body_nobody_saw_go_is_no_end() -> None:
    """It was only crowded out of the table: what is told of it later is told of a body on the belt."""
    line = Line()
    for track_id in range(1, line.core.settings.parcels_on_belt_max + 2):
        line.record(100 * track_id, e.Inducted, 1, track_id, U32_MAX)
    assert 1 not in line.core.state.parcels
    told = line.record(9_000, e.EyePassed, 4, 1, 300, U32_MAX)
    assert len(opened(told)) == 1


# A PLC tells what comes late under the id that the body had, or as nobody's.
@pytest.mark.parametrize("told_as", [1, 0])
def test_a_late_code_takes_back_the_release_of_a_body_that_shows_it_too(told_as: int) -> None:
    line = Line()
    line.record(100, e.Inducted, 1, 1, U32_MAX)
    line.record(450, e.CodeRead, 1, 1, 0, 0, 0, 0, "")  # no-read
    line.record(4_500, e.LaneSeen, HOLD_LANE, 1)
    line.lease(2_000, 2)
    told = line.record(4_700, e.CodeRead, 1, told_as, 1, 0, 1, 0, "W1")
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]


@pytest.mark.parametrize("told_as", [1, 0])
def test_a_late_weight_has_moved_the_scales_counter(told_as: int) -> None:
    """The next reading with the same number comes from a scale that stands."""
    line = Line()
    released(line, 100, 1)
    line.record(5_000, e.Weighed, 2, told_as, 2_000_000, 0, 9, True, False)
    line.induct(6_000, 2)
    told = line.record(7_050, e.Weighed, 2, 2, 2_000_000, 0, 9, True, False)
    assert AlarmKind.SCALE_FAULT in alarms(told)


def test_only_the_last_ended_ids_are_kept() -> None:
    line = Line()
    for track_id in range(1, tracking.ENDED_IDS_MAX + 6):
        line.record(10 * track_id, e.Inducted, 1, track_id, U32_MAX)
        line.record(10 * track_id + 5, e.LaneSeen, HOLD_LANE, track_id)
    assert line.core.state.ended_ids == list(range(6, tracking.ENDED_IDS_MAX + 6))
