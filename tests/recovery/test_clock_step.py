"""The wall clock jumps by a day with parcels on the belt: an alarm, and nothing about any parcel changes."""

import pytest

from controller.core import events as e
from controller.core.commands import ClearAlarm, Command, CommitVerdict, RaiseAlarm
from controller.core.units import NS_PER_S
from controller.core.vocabulary import AlarmKind, Destination
from tests.core.story import START_NS, Line, verdict_in

DAY_NS = 86_400 * NS_PER_S
NOON_NS = 1_795_348_800 * NS_PER_S
MS = 1_000_000


def read(line: Line, at_ms: int, step_ns: int = 0) -> tuple[Command, ...]:
    return line.tell(at_ms, e.ClockRead(NOON_NS + at_ms * MS + step_ns, True))


@pytest.mark.parametrize("step_ns", [DAY_NS, -DAY_NS, 3 * NS_PER_S], ids=["on", "back", "3 s"])
def test_a_step_is_an_alarm_and_moves_nothing(step_ns: int) -> None:
    line, calm = Line(), Line()
    for each in (line, calm):
        read(each, 50)
        each.until_picture(100, 1)
    due_ns = line.core.next_deadline_ns()
    assert read(line, 2_300, step_ns) == (RaiseAlarm(AlarmKind.CLOCK_STEP, 0, 0),)
    assert line.core.next_deadline_ns() == due_ns
    decided = [verdict_in(each.answer(2_356, each.picture(100, 1))) for each in (line, calm)]
    assert decided[0] == decided[1]
    assert decided[0].destination is Destination.RELEASE
    shown = line.core.snapshot(START_NS + 2_400 * MS)
    assert shown.utc_ns // NS_PER_S == (NOON_NS + 50 * MS) // NS_PER_S or shown.utc_ns == (
        NOON_NS + 2_400 * MS
    )


def test_the_alarm_ends_when_the_clock_agrees_again() -> None:
    line = Line()
    read(line, 50)
    read(line, 100, DAY_NS)
    assert read(line, 150, DAY_NS) == ()  # still the same step: said once
    assert read(line, 200) == (ClearAlarm(AlarmKind.CLOCK_STEP, 0),)


def test_a_process_start_takes_the_clock_as_it_is_then() -> None:
    line = Line()
    read(line, 50)
    line.lease(100, 1)
    read(line, 2_500, DAY_NS)
    line.tell(2_600, e.HostStarted(7, "test"))
    commands = read(line, 2_650, DAY_NS)
    assert not any(isinstance(command, CommitVerdict) for command in commands)
    assert ClearAlarm(AlarmKind.CLOCK_STEP, 0) in commands
