"""The encoder's word on where a parcel is: slipped, standing still, and told late."""

import pytest

from controller.core import events as e
from controller.core.commands import CommitVerdict
from controller.core.vocabulary import BeltCause, BeltMotion, Destination, LinkFault, Reason
from tests.core.story import BOOT, SESSION, SETTINGS, Line, held_for, sent_in, verdict_in

EYE_2 = 800


@pytest.mark.parametrize(
    ("off_mm", "is_it"), [(0, True), (150, True), (-150, True), (151, False), (-151, False)]
)
def test_a_body_of_the_right_length_in_the_wrong_place_is_another(off_mm: int, is_it: bool) -> None:
    assert SETTINGS.attach_window_mm == 150
    line = Line()
    line.lease(100, 1)
    place = 100 + EYE_2 + off_mm
    told = line.record(2_500, e.EyePassed, 2, 1, 300, 0, counts=place)
    verdicts = [c.reasons for c in told if isinstance(c, CommitVerdict)]
    assert verdicts == ([] if is_it else [(Reason.LENGTH_CHANGED,)])


def test_a_belt_that_stops_gives_overdue_evidence_no_new_time() -> None:
    """Its trailing edge left the X-ray at 2,200 ms; 800 ms later nothing more can come."""
    line = Line()
    line.until_picture(100, 1)
    line.record(2_300, e.BeltChanged, 0, 0, BeltMotion.STOPPED, 0, BeltCause.HOST_PERMIT)
    due_ns = line.core.next_deadline_ns()
    assert due_ns is not None
    due_ms = (due_ns - 1_000_000_000) // 1_000_000
    assert 3_000 <= due_ms <= 3_013
    asked = line.tell(due_ms + 1, e.DeadlineReached())
    assert Reason.NO_PICTURE in held_for(line.answer(due_ms + 5, asked))


def test_a_parcel_that_came_into_an_opened_zone_before_we_heard_of_it_is_held() -> None:
    """The zone was opened with the parcel far before it; the record came 1.5 s late."""
    line = Line()
    line.lease(100, 1)
    told = line.record(2_600, e.ZoneOpened, 1, 0, 2_000, 2_400, counts=1_100)
    assert verdict_in(told).reasons == (Reason.ZONE_OPENED,)
    line = Line()
    line.lease(100, 1)
    assert line.record(2_600, e.ZoneOpened, 1, 0, 3_000, 3_400, counts=1_100) == ()


def test_a_belt_whose_start_was_told_by_a_lost_record_is_not_believed_to_stand() -> None:
    """Found by the sweep: the record was in a file that was set aside, and a release was sent again long
    after its body had passed the decision point."""
    line = Line()
    line.record(100, e.BeltChanged, 0, 0, BeltMotion.STOPPED, 0, BeltCause.HOST_PERMIT)
    line.tell(3_000, e.RingGap(BOOT, line.ring_seq, line.ring_seq + 5))
    line.ring_seq += 4
    line.until_verdict(3_100, 1)
    (release,) = sent_in(line.durable(5_360, 1))
    assert release.destination is Destination.RELEASE
    line.tell(5_400, e.PlcLost(LinkFault.SILENT))
    told = line.tell(7_200, e.PlcConnected(BOOT, SESSION, 1, line.ring_seq + 1, 9, ()))
    assert Destination.RELEASE not in [sent.destination for sent in sent_in(told)]
