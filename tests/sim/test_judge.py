"""The judge counts what a run did wrong: each fault is planted once and must be seen."""

from dataclasses import replace

import pytest

from controller.core.commands import CommitVerdict, RecordOutcome
from controller.core.settings import Eye, Gate, Lane, LineSettings, MetalLimit, Rules
from controller.core.units import NS_PER_MS, NS_PER_S
from controller.core.vocabulary import (
    DecisionResult,
    Destination,
    OutcomeKind,
    PassEnd,
    Reason,
)
from sim.judge import JournalWords, Judged, judge
from sim.parcels import ParcelKind, SimParcel
from sim.reason_truth import TRUE_WHEN
from sim.truth import FaultKind, FaultWindow, PassTruth, ReceiptSent, RunTruth
from sim.workload import make_workload

BOOT = 77
D = Destination
RELEASE_LANE, INSPECT_LANE, HOLD_LANE = 1, 2, 5
SETTINGS = LineSettings(
    name="T",
    belt_speed_mm_per_s=1000,
    encoder_counts_per_m=1000,
    eyes=(Eye(1, 0),),
    gates=(Gate(1, 4200), Gate(2, 5000)),
    lanes=(
        Lane(1, 1, "left", (D.RELEASE,)),
        Lane(2, 1, "right", (D.INSPECT,)),
        Lane(3, 2, "left", (D.DETAIN, D.RETURN)),
        Lane(4, 2, "right", (D.RECIRCULATE,)),
        Lane(5, 0, "straight", (D.HOLD,)),
    ),
    scanner_position_mm=300,
    scale_position_mm=900,
    dimensioner_position_mm=900,
    xray_position_mm=1800,
    decision_position_mm=3600,
    belt_end_mm=6000,
)
RULES = Rules(metal_limits=(MetalLimit("8516", 40_000), MetalLimit("8518", 20_000)))
WORK = make_workload(300, 7, rate_parcels_per_h=5000, speed_mm_per_s=1000)
TRUE_REASON = {
    ParcelKind.WEIGHT_OFF: Reason.WEIGHT_DISAGREES,
    ParcelKind.NOT_DECLARED: Reason.NOT_DECLARED,
    ParcelKind.LATE_INSPECT: Reason.STATUS_INSPECT,
    ParcelKind.NO_READ: Reason.NO_READ,
    ParcelKind.TWO_LABELS: Reason.AMBIGUOUS,
    ParcelKind.TOUCHING: Reason.TOUCHING,
    ParcelKind.UNDECLARED_METAL: Reason.UNDECLARED_METAL,
}
STATUS_REASON = {
    500: Reason.STATUS_INSPECT,
    501: Reason.STATUS_DETAINED,
    700: Reason.STATUS_RETURNED,
}


class Run:
    """A run in which everything went right, to be spoilt one thing at a time."""

    def __init__(self) -> None:
        self.passes: dict[int, PassTruth] = {}
        self.verdicts: dict[int, CommitVerdict] = {}
        self.outcomes: dict[int, RecordOutcome] = {}
        self.extra_verdicts: list[tuple[int, CommitVerdict]] = []
        self.faults: tuple[FaultWindow, ...] = ()
        self.receipts = tuple(
            ReceiptSent(late.waybill, 500, self.starts_ns(late.parcel_number) + NS_PER_S // 2)
            for late in WORK.late_receipts
        )
        self.receipts = tuple(
            replace(receipt, durable_ns=receipt.sent_ns + 30 * NS_PER_MS)
            for receipt in self.receipts
        )
        body: list[SimParcel] = []
        for parcel in WORK.parcels:
            if body and parcel.gap_before_mm:
                self.add(body)
                body = []
            body.append(parcel)
        self.add(body)

    @staticmethod
    def starts_ns(number: int) -> int:
        return number * 720 * NS_PER_MS

    def add(self, body: list[SimParcel]) -> None:
        first = body[0]
        number, start = first.number, self.starts_ns(first.number)
        reason = self.true_reason(first)
        destination = D.RELEASE if reason is None else D.HOLD
        weight = sum(parcel.weight_mg for parcel in body)
        self.passes[number] = PassTruth(
            boot_id=BOOT,
            track_id=number,
            parcel_numbers=tuple(parcel.number for parcel in body),
            inducted_ns=start,
            trigger_no=1000 + number,
            weight_mg=weight,
            length_mm=first.length_mm,
            dimensioned=True,
            last_record_ns=start + 1000 * NS_PER_MS,
            last_row_ns=start + 2100 * NS_PER_MS,
            accepted_ns=start + 2140 * NS_PER_MS,
            accepted=destination,
            gate_began_ns=start + 3800 * NS_PER_MS,
            lane=RELEASE_LANE if destination is D.RELEASE else HOLD_LANE,
            left_ns=start + 4300 * NS_PER_MS,
        )
        self.verdicts[number] = CommitVerdict(
            pass_no=5000 + number,
            track_id=number,
            boot_id=BOOT,
            revision=0,
            destination=destination,
            reasons=() if reason is None else (reason,),
            checks=(),
            codes=(),
            list_key="",
            waybill=first.waybill,
            list_revision=1,
            list_status=800,
            store_seq=1,
            rules_id="",
            weight_mg=weight,
            length_mm=first.length_mm,
            width_mm=first.width_mm,
            height_mm=first.height_mm,
            trigger_no=1000 + number,
            picture_sha256="ab" * 32,
            entered_at_ns=start,
        )
        self.outcomes[number] = RecordOutcome(
            5000 + number,
            number,
            first.waybill,
            "",
            destination,
            OutcomeKind.IN_PLANNED_LANE,
            self.passes[number].lane,
            PassEnd.RELEASED if destination is D.RELEASE else PassEnd.HELD,
        )

    def true_reason(self, parcel: SimParcel) -> Reason | None:
        if parcel.kind is ParcelKind.NOT_RELEASED:
            declared = next(d for d in WORK.declarations if d.number == parcel.number)
            status = declared.statuses[-1] if declared.statuses else 0
            return STATUS_REASON.get(status, Reason.STATUS_NOT_RELEASED)
        return TRUE_REASON.get(parcel.kind)

    def first(self, kind: ParcelKind) -> int:
        return next(parcel.number for parcel in WORK.parcels if parcel.kind is kind)

    def release(self, number: int) -> None:
        """Let a held parcel go, as if the controller had judged so."""
        self.passes[number] = replace(self.passes[number], lane=RELEASE_LANE, accepted=D.RELEASE)
        self.verdicts[number] = replace(self.verdicts[number], destination=D.RELEASE, reasons=())
        self.outcomes[number] = replace(self.outcomes[number], lane=RELEASE_LANE)

    def hold(self, number: int, *reasons: Reason) -> None:
        self.passes[number] = replace(self.passes[number], lane=HOLD_LANE, accepted=D.HOLD)
        self.verdicts[number] = replace(self.verdicts[number], destination=D.HOLD, reasons=reasons)
        self.outcomes[number] = replace(self.outcomes[number], lane=HOLD_LANE)

    def judged(self, interrupted_ns: int = -1) -> Judged:
        truth = RunTruth(
            line="T",
            inducted=WORK.parcels,
            declarations=WORK.declarations,
            passes=tuple(self.passes.values()),
            receipts=self.receipts,
            faults=self.faults,
            interrupted_ns=interrupted_ns,
        )
        verdicts = [
            (self.passes[number].accepted_ns - 5 * NS_PER_MS, verdict)
            for number, verdict in self.verdicts.items()
            if number in self.passes
        ]
        words = JournalWords(tuple(verdicts + self.extra_verdicts), tuple(self.outcomes.values()))
        return judge(truth, words, SETTINGS, RULES)


def test_a_run_in_which_everything_went_right() -> None:
    found = Run().judged()
    assert found.parcels == 300
    assert found.released == 204
    assert found.held == 96
    assert (found.wrong_releases, found.unaccounted, found.false_reasons) == ([], [], [])
    assert not found.missed
    assert not found.needless_holds
    assert found.clean == found.clean_released == 204
    assert found.by_destination == {"release": 204, "hold": 96}
    assert found.held_by_reason["touching"] == 12
    assert sum(found.held_by_reason.values()) == 96
    assert len(found.decisions) == 294


@pytest.mark.parametrize(
    ("kind", "why"),
    [
        (ParcelKind.WEIGHT_OFF, "weighs"),
        (ParcelKind.NOT_DECLARED, "never declared"),
        (ParcelKind.NOT_RELEASED, "customs status"),
        (ParcelKind.LATE_INSPECT, "status 500 was durable"),
        (ParcelKind.NO_READ, "no label"),
        (ParcelKind.TWO_LABELS, "two lists"),
        (ParcelKind.TOUCHING, "touching"),
        (ParcelKind.UNDECLARED_METAL, "of metal"),
    ],
)
def test_every_kind_of_lie_in_the_release_lane_is_a_wrong_release(
    kind: ParcelKind, why: str
) -> None:
    run = Run()
    number = run.first(kind)
    run.release(number)
    wrong = run.judged().wrong_releases
    assert [case[0] for case in wrong] == list(run.passes[number].parcel_numbers)
    assert all(why in case[1] for case in wrong)


def test_bad_news_that_came_too_late_to_be_obeyed_is_missed_not_wrong() -> None:
    run = Run()
    number = run.first(ParcelKind.LATE_INSPECT)
    run.release(number)
    too_late = run.passes[number].gate_began_ns - 100 * NS_PER_MS
    waybill = run.verdicts[number].waybill
    run.receipts = tuple(
        replace(r, sent_ns=too_late, durable_ns=too_late) if r.waybill == waybill else r
        for r in run.receipts
    )
    found = run.judged()
    assert found.wrong_releases == []
    assert found.missed == {"late_inspect": 1}


HONEST = next(parcel.number for parcel in WORK.parcels if parcel.kind is ParcelKind.HONEST)


@pytest.mark.parametrize(
    ("verdict_change", "pass_change", "why"),
    [
        ({"waybill": "YT0070000000999"}, {}, "judged as YT0070000000999"),
        ({"weight_mg": 1}, {}, "judged by a weight of 1 mg"),
        ({"trigger_no": 9}, {}, "judged by picture 9"),
        ({"picture_sha256": ""}, {}, "judged by picture"),
        ({"destination": D.HOLD, "reasons": (Reason.GAP,)}, {}, "the verdict was hold"),
        ({}, {"accepted": D.HOLD}, "no release was accepted"),
        ({}, {"rows_lost": 4}, "not whole"),
        ({}, {"dimensioned": False}, "without dimensions"),
    ],
)
def test_an_honest_parcel_judged_by_something_foreign_is_a_wrong_release(
    verdict_change: dict[str, object], pass_change: dict[str, object], why: str
) -> None:
    run = Run()
    run.verdicts[HONEST] = replace(run.verdicts[HONEST], **verdict_change)  # type: ignore[arg-type]
    run.passes[HONEST] = replace(run.passes[HONEST], **pass_change)  # type: ignore[arg-type]
    ((number, said),) = run.judged().wrong_releases
    assert number == HONEST
    assert why in said


def test_a_release_without_a_verdict_is_wrong() -> None:
    run = Run()
    del run.verdicts[HONEST]
    assert run.judged().wrong_releases == [(HONEST, "released without a verdict")]


def test_an_honest_parcel_held_is_needless_and_its_reason_false() -> None:
    run = Run()
    run.hold(HONEST, Reason.UNDECLARED_METAL, Reason.NO_PICTURE)
    found = run.judged()
    assert found.needless_holds == {"undeclared_metal": 1}
    assert found.false_reasons == [(HONEST, "undeclared_metal"), (HONEST, "no_picture")]
    assert (found.clean, found.clean_released) == (204, 203)


def test_a_false_reason_counts_even_if_the_parcel_deserved_the_hold() -> None:
    run = Run()
    number = run.first(ParcelKind.NO_READ)
    run.hold(number, Reason.NO_READ, Reason.STATUS_DETAINED)
    assert run.judged().false_reasons == [(number, "status_detained")]


def test_a_superseded_verdict_answers_for_its_reasons_too() -> None:
    run = Run()
    number = run.first(ParcelKind.LATE_INSPECT)
    first = replace(run.verdicts[number], destination=D.HOLD, reasons=(Reason.DUPLICATE,))
    run.extra_verdicts = [(run.passes[number].accepted_ns, first)]
    assert (number, "duplicate") in run.judged().false_reasons


def test_bad_news_is_no_reason_before_it_was_sent() -> None:
    run = Run()
    number = run.first(ParcelKind.LATE_INSPECT)
    waybill = run.verdicts[number].waybill
    later = run.passes[number].accepted_ns + NS_PER_S
    run.receipts = tuple(
        replace(r, sent_ns=later, durable_ns=later) if r.waybill == waybill else r
        for r in run.receipts
    )
    assert run.judged().false_reasons == [(number, "status_inspect")]


@pytest.mark.parametrize(
    "lost",
    [
        lambda run: run.outcomes.pop(HONEST),
        lambda run: run.outcomes.__setitem__(
            HONEST, replace(run.outcomes[HONEST], lane=INSPECT_LANE)
        ),
        lambda run: run.passes.pop(HONEST),
    ],
    ids=["no record", "another lane", "never tracked"],
)
def test_a_parcel_without_a_true_final_record_is_unaccounted(lost: object) -> None:
    run = Run()
    assert callable(lost)
    lost(run)
    assert [number for number, _ in run.judged().unaccounted] == [HONEST]


def test_a_fault_makes_its_reasons_true_and_its_parcels_unclean() -> None:
    run = Run()
    run.hold(HONEST, Reason.LINK_LOST)
    start = run.passes[HONEST].inducted_ns
    run.faults = (FaultWindow(FaultKind.PLC_LINK, start + NS_PER_S, start + 2 * NS_PER_S),)
    found = run.judged()
    assert found.false_reasons == []
    assert found.needless_holds == {"link_lost": 1}
    assert found.clean < 204
    assert found.clean == found.clean_released


@pytest.mark.parametrize(("ms", "false"), [(-1, [(HONEST, "record_not_durable")]), (1, [])])
def test_a_fault_counts_that_began_before_the_parcel_was_judged(
    ms: int, false: list[tuple[int, str]]
) -> None:
    """A host that was down judges a parcel that has left; the sweep called its reason false."""
    run = Run()
    late_ns = run.passes[HONEST].left_ns + NS_PER_S
    hold = replace(run.verdicts[HONEST], destination=D.HOLD, reasons=(Reason.RECORD_NOT_DURABLE,))
    run.extra_verdicts = [(late_ns + ms * NS_PER_MS, hold)]
    run.faults = (FaultWindow(FaultKind.JOURNAL, late_ns, late_ns + NS_PER_S),)
    assert run.judged().false_reasons == false


def test_a_parcel_that_the_plc_refused() -> None:
    run = Run()
    run.hold(HONEST, Reason.REFUSED_BY_PLC)
    assert run.judged().false_reasons
    run.passes[HONEST] = replace(run.passes[HONEST], refused=DecisionResult.LANE_FULL)
    assert not run.judged().false_reasons


def test_undecided_parcels_are_timed_as_endless_and_early_holds_not_at_all() -> None:
    run = Run()
    run.passes[HONEST] = replace(run.passes[HONEST], accepted_ns=-1, accepted=None, lane=HOLD_LANE)
    del run.verdicts[HONEST]
    other = run.first(ParcelKind.NO_READ)
    early = run.passes[other].last_record_ns
    run.passes[other] = replace(run.passes[other], accepted_ns=early)
    found = run.judged()
    assert len(found.decisions) == 293
    assert sum(decision.to_ns is None for decision in found.decisions) == 1
    assert found.held_by_reason["no_verdict"] == 1


def test_what_lay_on_the_belt_when_a_person_stopped_the_run_is_not_judged() -> None:
    run = Run()
    last = WORK.parcels[-1].number
    run.passes[last] = replace(run.passes[last], lane=0, left_ns=-1)
    del run.outcomes[last]
    assert run.judged().unaccounted
    end = run.starts_ns(last) + 2 * NS_PER_S
    assert not run.judged(interrupted_ns=end).unaccounted
    # what came shortly before it had only just left, or not yet
    assert 290 <= run.judged(interrupted_ns=end).parcels <= 298


def test_every_reason_has_its_truth() -> None:
    assert set(TRUE_WHEN) == set(Reason)
