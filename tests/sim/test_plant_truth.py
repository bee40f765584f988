"""The plant's own account where somebody's hand was in it."""

from tests.sim.plc_rig import LINE, Rig, parcel

FIRST_EYE_MM = LINE.eyes[0].position_mm


def _bodies(taken_when_leader_at_mm: int) -> list[tuple[int, ...]]:
    """Two touching parcels of 300 mm; the leader is taken off the belt there."""
    rig = Rig([parcel(1, 300, 420), parcel(2, 300, 0)])
    rig.to_mm(1, taken_when_leader_at_mm)
    rig.world.remove(1)
    rig.finish()
    return [entry.parcel_numbers for entry in rig.truth.passes()]


def test_a_follower_that_the_first_eye_saw_by_itself_touches_nothing() -> None:
    assert _bodies(FIRST_EYE_MM + 200) == [(1,), (2,)]


def test_two_that_the_first_eye_saw_as_one_stay_one_body() -> None:
    assert (1, 2) in _bodies(FIRST_EYE_MM + 400)
