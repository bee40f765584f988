"""What the ring holds when the link is back was written in the outage: it comes before any release.

The sweep found a belt that ran faster meanwhile: the release went out first, beyond the decision point.
"""

from controller.core import events as e
from controller.core.vocabulary import BeltCause, BeltMotion, Destination, LinkFault, Reason
from tests.core.story import BOOT, SESSION, Line, held_for, sent_in

AGAIN = SESSION + 1


def back(line: Line, at_ms: int, waiting: int) -> list[Destination]:
    """The link is back, and `waiting` records were written meanwhile."""
    head = (line.ring_seq + waiting) % (1 << 32)
    next_seq = line.ring_seq + 1
    told = line.tell(at_ms, e.PlcConnected(BOOT, AGAIN, 1, next_seq, 0, (), head_ring_seq=head))
    return [sent.destination for sent in sent_in(told)]


def unsent(line: Line) -> None:
    """A release whose record became durable while the link was down."""
    assert line.until_verdict(100, 1).destination is Destination.RELEASE
    line.tell(2_360, e.PlcLost(LinkFault.NO_ANSWER))
    assert not sent_in(line.durable(2_370, 1))


def a_lane(line: Line, at_ms: int) -> list[Destination]:
    told = line.record(at_ms, e.LaneChanged, 5, 0, False, False, 30)
    return [sent.destination for sent in sent_in(told)]


def test_a_release_goes_out_after_the_last_record_of_the_outage() -> None:
    line = Line()
    unsent(line)
    assert not back(line, 2_700, waiting=2)
    assert not a_lane(line, 2_500)
    assert a_lane(line, 2_600) == [Destination.RELEASE]
    assert not a_lane(line, 2_650)


def test_nothing_was_written_in_the_outage() -> None:
    line = Line()
    unsent(line)
    assert back(line, 2_700, waiting=0) == [Destination.RELEASE]


def test_what_was_sent_and_not_answered_waits_for_the_records_too() -> None:
    line = Line()
    line.until_verdict(100, 1)
    assert sent_in(line.durable(2_360, 1))
    line.tell(2_370, e.PlcLost(LinkFault.NO_ANSWER))
    assert not back(line, 2_700, waiting=1)
    assert a_lane(line, 2_600) == [Destination.RELEASE]


def test_a_belt_that_ran_faster_in_the_outage_has_carried_the_parcel_too_far() -> None:
    line = Line()
    unsent(line)
    assert not back(line, 2_900, waiting=1)
    seq, faster = line.ring_seq + 1, (BeltMotion.RUNNING, 3_000, BeltCause.SPEED_CHANGED)
    told = line.tell(2_920, e.BeltChanged(BOOT, seq, 0, 0, 2_400, 2_400_000, *faster))
    assert Reason.LATE in held_for(told)
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]


def test_a_verdict_that_becomes_durable_meanwhile_waits_too() -> None:
    line = Line()
    line.until_verdict(100, 1)
    line.tell(2_360, e.PlcLost(LinkFault.NO_ANSWER))
    assert not back(line, 2_700, waiting=1)
    assert not sent_in(line.durable(2_710, 1))
    assert a_lane(line, 2_600) == [Destination.RELEASE]


def test_a_hold_waits_for_nothing() -> None:
    line = Line()
    unsent(line)
    line.tell(2_380, e.ListChanged(9, line.core.state.parcels[1].lists[0]))
    line.record(2_390, e.ZoneOpened, 1, 0, 0, 6_000)
    assert back(line, 2_700, waiting=3) == [Destination.HOLD]


def test_a_gap_in_what_was_written_ends_the_wait_with_a_hold() -> None:
    line = Line()
    unsent(line)
    assert not back(line, 2_700, waiting=3)
    told = line.tell(2_720, e.RingGap(BOOT, line.ring_seq, line.ring_seq + 4))
    assert Reason.RECORDS_LOST in held_for(told)
    line.ring_seq += 3
    line.lease(2_800, 2, "W2")


def test_a_second_outage_waits_for_its_own_records() -> None:
    line = Line()
    unsent(line)
    assert not back(line, 2_700, waiting=2)
    line.tell(2_720, e.PlcLost(LinkFault.NO_ANSWER))
    assert not a_lane(line, 2_500)
    assert back(line, 2_900, waiting=0) == [Destination.RELEASE]


def test_the_numbers_of_the_records_wrap_in_the_outage() -> None:
    line = Line(ring_seq=0xFFFF_FFFE - 6)
    unsent(line)
    assert line.ring_seq == 0xFFFF_FFFE
    assert not back(line, 2_700, waiting=4)  # .., 0xFFFF_FFFF, 1, 2: there is no 0
    assert not a_lane(line, 2_500) and not a_lane(line, 2_510)
    assert a_lane(line, 2_520) == [Destination.RELEASE]
