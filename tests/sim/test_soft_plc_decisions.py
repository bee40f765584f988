"""Every answer the PLC can give to a decision, and what it then does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core import events
from controller.core.vocabulary import DecisionResult, DefaultCause, Destination
from plc import register_map as m
from plc.record_codec import crc16_modbus, words_bytes
from sim.world import WorldSettings
from tests.sim.plc_rig import LINE, Rig, parcel, parcels

R = DecisionResult


def at(position_mm: int, count: int = 1) -> Rig:
    """The first parcel's leading edge is here."""
    rig = Rig(parcels(count, gap_mm=900))
    rig.to_mm(1, position_mm)
    return rig


def causes(rig: Rig) -> list[DefaultCause]:
    return [record.cause for record in rig.of(events.DefaultTaken)]


# --- every DecisionResult -------------------------------------------------------------------------


def test_accepted_in_time_is_copied_into_the_row_and_acted_on() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1)) is R.ACCEPTED
    (row,) = rig.table()
    assert (row.state, row.destination) == (m.T_STATE_LEASED, Destination.RELEASE)
    rig.memory[m.D_ADDRESS : m.D_ADDRESS + 192] = [0] * 192
    rig.finish()
    assert rig.lanes() == {1: 1}
    (entry,) = rig.truth.passes()
    assert entry.accepted is Destination.RELEASE
    assert entry.lane == 1


@pytest.mark.parametrize(
    ("destination", "lane"),
    [
        (Destination.RELEASE, 1),
        (Destination.INSPECT, 2),
        (Destination.DETAIN, 3),
        (Destination.RETURN, 3),
        (Destination.RECIRCULATE, 4),
        (Destination.HOLD, 5),
    ],
)
def test_every_destination_reaches_its_lane(destination: Destination, lane: int) -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1, destination)) is R.ACCEPTED
    rig.finish()
    assert rig.lanes() == {1: lane}
    assert causes(rig) == []


def test_late_is_recorded_and_never_acted_on() -> None:
    rig = at(3_600)
    assert rig.answer(rig.decide(1)) is R.LATE
    rig.finish()
    assert rig.lanes() == {1: 5}
    assert causes(rig) == [DefaultCause.UNDECIDED]
    (entry,) = rig.truth.passes()
    assert entry.refused is R.LATE


def test_unknown_id() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(77)) is R.UNKNOWN_ID
    rig.finish()
    assert rig.answer(rig.decide(1)) is R.UNKNOWN_ID


@pytest.mark.parametrize("word", range(m.D_SLOT_REGISTERS))
def test_bad_crc_whatever_word_is_wrong(word: int) -> None:
    rig = at(2_000)
    rig.decide(1)
    slot, words = rig.host.waiting.pop()
    words[word] ^= 0x0100
    rig.host.waiting.append((slot, words))
    rig.run_ms(50)
    assert set(rig.echoes.values()) == {R.BAD_CRC}
    rig.finish()
    assert rig.lanes() == {1: 5}


def test_wrong_layout_and_wrong_slot_are_bad_rows() -> None:
    rig = at(2_000)
    rig.decide(1)
    slot, words = rig.host.waiting.pop()
    rig.host.waiting.append(((slot + 1) % m.D_SLOTS, words))
    rig.run_ms(50)
    assert set(rig.echoes.values()) == {R.BAD_CRC}
    other = rig.decide(1)
    slot, words = rig.host.waiting.pop()
    words[m.D_LAYOUT] += 1
    words[m.D_CRC] = crc16_modbus(words_bytes(words[: m.D_CRC]))
    rig.host.waiting.append((slot, words))
    assert rig.answer(other) is R.BAD_CRC


@pytest.mark.parametrize(("boot_id", "session"), [(5, None), (None, 5)])
def test_foreign_boot_or_session(boot_id: int | None, session: int | None) -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1, boot_id=boot_id, session=session)) is R.WRONG_BOOT_OR_SESSION
    rig.finish()
    assert rig.lanes() == {1: 5}


def test_full_lane() -> None:
    rig = at(2_000)
    rig.world.lanes[1].capacity_parcels = 0
    rig.run_ms(20)
    assert rig.answer(rig.decide(1)) is R.LANE_FULL
    rig.finish()
    assert rig.lanes() == {1: 5}
    assert causes(rig) == [DefaultCause.LANE_FULL]


def test_jammed_lane_counts_as_full() -> None:
    rig = at(2_000)
    rig.world.lanes[2].jammed = True
    rig.run_ms(20)
    assert rig.answer(rig.decide(1, Destination.INSPECT)) is R.LANE_FULL
    changed = rig.of(events.LaneChanged)[-1]
    assert (changed.source, changed.jammed) == (2, True)


def test_a_destination_without_a_lane_means_hold() -> None:
    lanes = tuple(
        replace(lane, destinations=()) if lane.number == 2 else lane for lane in LINE.lanes
    )
    rig = Rig(parcels(1), line=replace(LINE, lanes=lanes))
    rig.to_mm(1, 2_000)
    assert rig.answer(rig.decide(1, Destination.INSPECT)) is R.LANE_FULL
    rig.finish()
    assert rig.lanes() == {1: 5}


def test_a_lease_that_asks_for_a_full_lane_instead_ends_in_hold() -> None:
    rig = at(2_000)
    rig.world.lanes[2].capacity_parcels = 0
    rig.run_ms(20)
    assert rig.answer(rig.decide(1)) is R.ACCEPTED
    assert rig.answer(rig.decide(1, Destination.INSPECT)) is R.LANE_FULL
    rig.finish()
    assert rig.lanes() == {1: 5}
    assert causes(rig) == [DefaultCause.LANE_FULL]


def test_a_refused_lane_may_be_followed_by_another_destination() -> None:
    rig = at(2_000)
    rig.world.lanes[2].capacity_parcels = 0
    rig.run_ms(20)
    assert rig.answer(rig.decide(1, Destination.INSPECT)) is R.LANE_FULL
    assert rig.answer(rig.decide(1, Destination.DETAIN)) is R.ACCEPTED
    rig.finish()
    assert rig.lanes() == {1: 3}


# --- hold replaces release, never the reverse -------------------------------------------------------


@pytest.mark.parametrize("position_mm", [500, 3_000, 3_700, 3_860])
def test_hold_replaces_a_lease_until_the_gate_begins_to_move(position_mm: int) -> None:
    rig = at(400)
    assert rig.answer(rig.decide(1)) is R.ACCEPTED
    rig.to_mm(1, position_mm)
    assert rig.answer(rig.decide(1, Destination.HOLD)) is R.ACCEPTED
    rig.finish()
    assert rig.lanes() == {1: 5}
    assert rig.world.diverters[1].strikes == 0


def test_hold_after_the_gate_began_is_late() -> None:
    rig = at(2_000)
    rig.decide(1)
    rig.to_mm(1, 3_910)
    assert rig.answer(rig.decide(1, Destination.HOLD)) is R.LATE
    rig.finish()
    assert rig.lanes() == {1: 1}


def test_a_gate_that_need_not_move_still_ends_revocation() -> None:
    """The second of two released parcels finds the gate open: its lease is final at the same point."""
    rig = Rig(parcels(2, gap_mm=330))
    rig.to_mm(1, 2_700)
    rig.decide(1)
    rig.decide(2)
    rig.to_mm(2, 3_910)
    began = [r.track_id for r in rig.of(events.GateMoved) if r.track_id]
    assert 2 in began
    assert rig.answer(rig.decide(2, Destination.HOLD)) is R.LATE
    rig.finish()
    assert rig.lanes() == {1: 1, 2: 1}


def test_revoked_second_of_two_goes_straight_although_the_gate_was_open() -> None:
    rig = Rig(parcels(2, gap_mm=330))
    rig.to_mm(1, 2_700)
    rig.decide(1)
    rig.decide(2)
    rig.to_mm(2, 3_860)
    assert rig.answer(rig.decide(2, Destination.HOLD)) is R.ACCEPTED
    rig.finish()
    assert rig.lanes() == {1: 1, 2: 5}


def test_release_after_hold_is_revoked() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1, Destination.HOLD)) is R.ACCEPTED
    assert rig.answer(rig.decide(1)) is R.REVOKED
    rig.finish()
    assert rig.lanes() == {1: 5}


def test_a_hold_that_overtakes_its_release_wins() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1, Destination.HOLD, seq=9)) is R.ACCEPTED
    assert rig.answer(rig.decide(1, Destination.RELEASE, seq=8)) is R.REVOKED
    rig.finish()
    assert rig.lanes() == {1: 5}


def test_an_older_number_never_replaces_a_newer_one() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1, Destination.RELEASE, seq=9)) is R.ACCEPTED
    assert rig.answer(rig.decide(1, Destination.HOLD, seq=8)) is R.REVOKED
    rig.finish()
    assert rig.lanes() == {1: 1}


def test_decision_numbers_wrap() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1, Destination.RELEASE, seq=0xFFFF_FFFE)) is R.ACCEPTED
    assert rig.answer(rig.decide(1, Destination.HOLD, seq=3)) is R.ACCEPTED
    rig.finish()
    assert rig.lanes() == {1: 5}


def test_inspect_may_replace_release_but_never_the_reverse() -> None:
    rig = at(2_000)
    assert rig.answer(rig.decide(1)) is R.ACCEPTED
    assert rig.answer(rig.decide(1, Destination.INSPECT)) is R.ACCEPTED
    assert rig.answer(rig.decide(1, Destination.RELEASE)) is R.REVOKED
    rig.finish()
    assert rig.lanes() == {1: 2}


def test_each_row_is_judged_once_per_content() -> None:
    rig = at(2_000)
    seq = rig.decide(1)
    assert rig.answer(seq) is R.ACCEPTED
    rig.to_mm(1, 3_700)
    rig.finish()
    assert rig.echoes == {seq: R.ACCEPTED}


# --- the decision point -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("speed", "decision_mm", "point_mm"),
    [(1_000, 3_600, 3_600), (1_000, 4_100, 3_790), (2_000, 3_600, 3_380), (500, 3_600, 3_600)],
)
def test_the_decision_point_is_computed_from_the_encoder(
    speed: int, decision_mm: int, point_mm: int
) -> None:
    line = replace(LINE, decision_position_mm=decision_mm)
    rig = Rig(parcels(1), line=line, options=WorldSettings(speed_profile=((0, speed),)))
    rig.run_ms(100)
    assert rig.plc.plant.decision_point_mm == point_mm
    rig.to_mm(1, point_mm)
    assert rig.answer(rig.decide(1)) is R.LATE


def test_a_standing_belt_makes_nothing_late() -> None:
    rig = at(3_500)
    rig.host.belt = False
    rig.run_ms(5_000)
    assert rig.answer(rig.decide(1)) is R.ACCEPTED
    rig.host.belt = True
    rig.finish()
    assert rig.lanes() == {1: 1}


@settings(max_examples=15, deadline=None)
@given(
    orders=st.lists(
        st.tuples(
            st.integers(400, 4_300),
            st.sampled_from([Destination.RELEASE, Destination.INSPECT, Destination.HOLD]),
        ),
        min_size=1,
        max_size=5,
    )
)
def test_whatever_is_sent_no_hold_that_was_accepted_is_ever_undone(
    orders: list[tuple[int, Destination]],
) -> None:
    rig = Rig([parcel(1)])
    sent: list[tuple[int, Destination]] = []
    for position_mm, destination in sorted(orders, key=lambda order: order[0]):
        rig.to_mm(1, position_mm) if rig.world.position_mm(1) is not None or not sent else None
        if rig.world.left:
            break
        sent.append((rig.decide(1, destination), destination))
        rig.run_ms(30)
    rig.finish()
    accepted = [destination for seq, destination in sent if rig.echoes.get(seq) is R.ACCEPTED]
    lanes = {Destination.RELEASE: 1, Destination.INSPECT: 2, Destination.HOLD: 5}
    assert rig.lanes()[1] == (lanes[accepted[-1]] if accepted else 5)
    if Destination.HOLD in accepted:
        assert rig.lanes()[1] == 5
