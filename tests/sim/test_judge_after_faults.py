"""The judge where something was broken: what a fault excuses, and how far."""

from dataclasses import replace

import pytest

from controller.core.units import NS_PER_MS, NS_PER_S
from sim.parcels import ParcelKind
from sim.truth import FaultKind, FaultWindow
from tests.sim.test_judge import WORK, Run


@pytest.mark.parametrize("taken_away", [True, False])
def test_one_of_a_touching_pair_may_go_alone_only_if_a_hand_took_the_other(
    taken_away: bool,
) -> None:
    run = Run()
    number = run.first(ParcelKind.TOUCHING)
    weight_mg = next(parcel.weight_mg for parcel in WORK.parcels if parcel.number == number)
    run.release(number)
    run.passes[number] = replace(run.passes[number], parcel_numbers=(number,), weight_mg=weight_mg)
    run.verdicts[number] = replace(run.verdicts[number], weight_mg=weight_mg)
    if taken_away:
        start_ns = run.starts_ns(number)
        run.faults = (FaultWindow(FaultKind.BY_HAND, start_ns, start_ns + NS_PER_S),)
    wrong = [] if taken_away else [(number, "touching in the release lane")]
    assert run.judged().wrong_releases == wrong


@pytest.mark.parametrize("kind", [FaultKind.PLC_LINK, FaultKind.STALL, FaultKind.XRAY])
@pytest.mark.parametrize("early_ms", [210, 690, 710])
def test_over_a_silent_link_a_lease_ends_by_itself(kind: FaultKind, early_ms: int) -> None:
    """Found by the sweep: the news came 50 ms after the link had died, the gate 300 ms later."""
    run = Run()
    number = run.first(ParcelKind.LATE_INSPECT)
    run.release(number)
    began_ns = run.passes[number].gate_began_ns
    told_ns = began_ns - early_ms * NS_PER_MS
    waybill = run.verdicts[number].waybill
    run.receipts = tuple(
        replace(r, sent_ns=told_ns, durable_ns=told_ns) if r.waybill == waybill else r
        for r in run.receipts
    )
    run.faults = (FaultWindow(kind, told_ns - 50 * NS_PER_MS, began_ns),)
    wrong = kind is FaultKind.XRAY or early_ms > 700
    assert [case[0] for case in run.judged().wrong_releases] == [number] * wrong
