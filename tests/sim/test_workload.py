"""The workload keeps its promises: shares, truth of every lie, spacing, repeatability."""

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.contents import metal_area_mm2
from sim.parcels import ParcelKind
from sim.people import id_check_digit
from sim.workload import (
    DISHONEST_KINDS,
    GAP_MM_MIN,
    UNRELEASED_STATUSES,
    Workload,
    belt_length_mm,
    kind_counts,
    make_workload,
    weight_tolerance_mg,
)

ALLOWED_METAL_MM2 = {"8516": 40_000, "8518": 20_000}


def reference_run(count: int = 300, seed: int = 7) -> Workload:
    return make_workload(count, seed, rate_parcels_per_h=5000, speed_mm_per_s=1000)


def test_a_run_of_300_holds_enough_of_every_kind() -> None:
    kinds = Counter(parcel.kind for parcel in reference_run().parcels)
    assert sum(kinds.values()) == 300
    assert all(kinds[kind] >= 10 for kind in DISHONEST_KINDS)
    assert sum(kinds[kind] for kind in DISHONEST_KINDS) >= 90


@given(count=st.integers(1, 700), seed=st.integers(0, 10**6))
@settings(max_examples=25, deadline=None)
def test_any_run_has_the_asked_length_and_pairs(count: int, seed: int) -> None:
    counts = kind_counts(count)
    assert counts[ParcelKind.TOUCHING] % 2 == 0
    parcels = reference_run(min(count, 120), seed).parcels
    assert [p.number for p in parcels] == list(range(1, len(parcels) + 1))
    assert parcels[0].gap_before_mm > 0
    touching = [p for p in parcels if p.kind is ParcelKind.TOUCHING]
    assert all(second.gap_before_mm == 0 for second in touching[1::2])
    clear = [p.gap_before_mm for p in parcels if p not in touching[1::2]]
    assert min(clear) >= GAP_MM_MIN
    assert all(150 <= p.length_mm <= 400 for p in parcels)
    assert len({p.waybill for p in parcels}) == len(parcels)


def test_forty_parcels_show_every_kind() -> None:
    kinds = Counter(parcel.kind for parcel in reference_run(40).parcels)
    assert all(kinds[kind] >= 1 for kind in DISHONEST_KINDS)


def test_the_rate_holds() -> None:
    assert 0.98 <= belt_length_mm(reference_run()) / (300 * 720) <= 1.02


def test_a_rate_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="6000 parcels/h at 1000 mm/s leave 600 mm"):
        make_workload(10, 1, rate_parcels_per_h=6000, speed_mm_per_s=1000)


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    assert reference_run(60) == reference_run(60)
    assert reference_run(60) != reference_run(60, seed=8)


def test_weights_lie_well_inside_or_well_outside_the_tolerance() -> None:
    for parcel in reference_run().parcels:
        off = abs(parcel.weight_mg - parcel.declared_weight_mg)
        tolerance = weight_tolerance_mg(parcel.declared_weight_mg)
        if parcel.kind is ParcelKind.WEIGHT_OFF:
            assert off >= 2 * tolerance
        else:
            assert off <= tolerance // 2
        assert parcel.weight_mg > 0


def test_metal_is_where_it_was_planted_or_allowed() -> None:
    for parcel in reference_run().parcels:
        area = metal_area_mm2(parcel.contents)
        if parcel.kind is ParcelKind.UNDECLARED_METAL:
            assert area >= 700
            assert parcel.gcode[:4] not in ALLOWED_METAL_MM2
        else:
            assert area <= ALLOWED_METAL_MM2.get(parcel.gcode[:4], 0) // 2


def test_contents_lie_inside_their_parcel() -> None:
    for parcel in reference_run().parcels:
        for box in parcel.contents:
            assert box.x_mm >= 0
            assert box.x_mm + box.length_mm <= parcel.length_mm
            assert box.y_mm >= 0
            assert box.y_mm + box.width_mm <= parcel.width_mm


def test_declarations_fit_what_was_planted() -> None:
    run = reference_run()
    declared: dict[int, list[tuple[int, ...]]] = {}
    for declaration in run.declarations:
        declared.setdefault(declaration.number, []).append(declaration.statuses)
    seen_statuses = set()
    for parcel in run.parcels:
        lists = declared.get(parcel.number, [])
        match parcel.kind:
            case ParcelKind.NOT_DECLARED:
                assert lists == []
            case ParcelKind.TWO_LABELS:
                assert lists == [(120, 800), (120, 800)]
                assert len(parcel.labels) == 2
            case ParcelKind.NOT_RELEASED:
                assert 800 not in lists[0]
                seen_statuses.add(lists[0][-1] if lists[0] else None)
            case _:
                assert lists == [(120, 800)]
        assert (parcel.labels == ()) == (parcel.kind is ParcelKind.NO_READ)
    assert seen_statuses == set(UNRELEASED_STATUSES)


def test_every_late_parcel_has_its_receipt_in_time() -> None:
    run = reference_run()
    late = {p.number for p in run.parcels if p.kind is ParcelKind.LATE_INSPECT}
    assert {receipt.parcel_number for receipt in run.late_receipts} == late
    assert all(300 <= receipt.position_mm <= 3000 for receipt in run.late_receipts)


def test_identity_numbers_pass_their_own_check() -> None:
    assert id_check_digit("11010519491231002") == "X"  # the example of GB 11643-1999
    for declaration in reference_run().declarations:
        number = declaration.buyer.id_number
        assert id_check_digit(number[:17]) == number[17]


def test_numbers_of_a_following_batch_never_repeat_waybills() -> None:
    first = reference_run(20)
    second = make_workload(20, 7, 5000, 1000, first_number=21)
    waybills = [p.waybill for p in (*first.parcels, *second.parcels)]
    assert all(a < b for a, b in pairwise(waybills))
