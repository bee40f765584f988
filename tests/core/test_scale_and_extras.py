"""A scale that shows nothing or speaks twice, and a body that nobody inducted."""

from controller.core import events as e
from controller.core.vocabulary import Destination, Reason
from tests.core.story import Line, facts, held_for, sent_in

LIGHT_MG = 30_000


def weighed_light(weight_mg: int, *more_mg: int) -> Line:
    """A parcel that its list says to weigh 30 g: less than the scale's tolerance of 50 g."""
    line = Line(lists={"W1": (facts(gross_weight_mg=LIGHT_MG),)})
    line.induct(100, 1)
    line.answer(470, line.scan(100, 1, "W1"))
    for each_mg in (weight_mg, *more_mg):
        line.weigh(100, 1, each_mg)
    line.measure(100, 1)
    line.trigger(100, 1, 1)
    return line


def test_an_empty_scale_has_weighed_nothing_however_light_the_list_says_it_is() -> None:
    line = weighed_light(0)
    assert held_for(line.answer(2_355, line.picture(100, 1))) == (Reason.WEIGHT_NOT_VALID,)


def test_two_weights_of_one_parcel_are_none() -> None:
    line = weighed_light(LIGHT_MG, LIGHT_MG)
    assert held_for(line.answer(2_355, line.picture(100, 1))) == (Reason.WEIGHT_NOT_VALID,)


def test_one_weight_is_one() -> None:
    line = weighed_light(LIGHT_MG)
    line.answer(2_355, line.picture(100, 1))
    verdict = line.core.state.parcels[1].verdict
    assert verdict is not None and verdict.destination is Destination.RELEASE


def test_a_body_that_nobody_inducted_is_held_when_it_is_first_seen() -> None:
    line = Line()
    told = line.record(2_500, e.ExtraSeen, 4, 7, 200)
    assert Reason.EXTRA_PARCEL in held_for(told)
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]
