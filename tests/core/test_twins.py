"""Two bodies on the belt that claim one list: the second is never released."""

from controller.core import events as e
from controller.core.vocabulary import Destination, LookUpPurpose, LookUpResult, Reason
from tests.core.story import Line, facts, held_for


def test_a_copied_label_is_held_while_the_first_is_on_the_belt() -> None:
    line = Line()
    assert line.until_verdict(100, 1, "W1").destination is Destination.RELEASE
    assert Reason.DUPLICATE in line.until_verdict(1_100, 2, "W1").reasons


def test_a_copied_label_is_held_although_the_first_has_another_label_too() -> None:
    """Found by the sweep: the first named two lists, so that it named none that counted."""
    line = Line()
    line.lists["W1"], line.lists["X1"] = (facts("W1"),), (facts("X1"),)
    line.induct(100, 1)
    line.answer(470, line.scan(100, 1, "W1"))
    line.scan(100, 1, "X1", code_no=2)
    line.weigh(100, 1)
    line.measure(100, 1)
    line.trigger(100, 1, 1)
    line.answer(2_355, line.picture(100, 1))
    assert Reason.DUPLICATE in line.until_verdict(1_100, 2, "W1").reasons


def test_a_copied_label_is_held_although_the_firsts_look_up_was_not_answered() -> None:
    line = Line()
    line.lists["W1"] = (facts("W1"),)
    line.induct(100, 1)
    line.scan(100, 1, "W1")
    unavailable = LookUpResult.UNAVAILABLE
    line.tell(480, e.ListsAnswered(1, LookUpPurpose.IDENTIFY, unavailable, 0, ()))
    assert Reason.DUPLICATE in line.until_verdict(1_100, 2, "W1").reasons


def test_a_copied_label_is_held_although_the_first_was_taken_off_the_belt() -> None:
    """Found by the sweep: the body with the true label was gone when the copy was judged."""
    line = Line()
    line.lists["W1"] = (facts("W1"),)
    line.induct(100, 1)
    line.answer(470, line.scan(100, 1, "W1"))
    line.induct(1_100, 2)
    line.scan(1_100, 2, "W1")
    line.weigh(1_100, 2)
    line.measure(1_100, 2)
    line.record(2_600, e.ParcelLost, 3, 1)
    assert 1 not in line.core.state.parcels
    line.trigger(1_100, 2, 1)
    decided = line.answer(3_355, line.picture(1_100, 1))
    assert Reason.DUPLICATE in held_for(decided)


def test_the_true_label_is_held_although_its_copy_was_taken_off_the_belt() -> None:
    """The doubt outlives either of the two: nobody knows which of them was taken away."""
    line = Line()
    line.lists["W1"] = (facts("W1"),)
    line.induct(100, 1)
    line.answer(470, line.scan(100, 1, "W1"))
    line.induct(1_100, 2)
    line.weigh(100, 1)
    line.measure(100, 1)
    line.scan(1_100, 2, "W1")
    line.record(1_950, e.ParcelLost, 2, 2)
    assert 2 not in line.core.state.parcels
    line.trigger(100, 1, 1)
    assert Reason.DUPLICATE in held_for(line.answer(2_355, line.picture(100, 1)))


def test_two_labels_of_one_list_are_not_both_released() -> None:
    """Their codes differ, so that only the list tells that one of them is too many."""
    line = Line()
    line.lists["W1"] = line.lists["W1/2"] = (facts("W1"),)
    assert line.until_verdict(100, 1, "W1").destination is Destination.RELEASE
    assert Reason.DUPLICATE in line.until_verdict(1_100, 2, "W1/2").reasons
