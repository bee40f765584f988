"""When is a reason true? One row a reason, from the plant's truth and never the controller's word.

A hold whose reason is false here is a fault of the controller even if the parcel deserved a hold. A
sensor's accuracy is granted: a reason may be true within it, a release may not rest on it.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from controller.core.settings import LineSettings, Rules
from controller.core.units import NS_PER_MS, travel_ns
from controller.core.vocabulary import Destination, Reason
from sim.contents import metal_area_mm2
from sim.parcels import SimParcel
from sim.truth import REASONS_OF_FAULT, FaultKind, PassTruth
from sim.workload import GAP_MM_MIN, Declaration

STATUS_INSPECT: Final = 500
STATUSES_DETAINED: Final = (501, 502, 503, 505, 599)
STATUS_RETURNED: Final = 700
SCALE_ACCURACY_MG: Final = 20_000
SCALE_ACCURACY_PERMILLE: Final = 5
# The plant's clock and the host's estimate of the decision point differ by a scan and a poll.
LATE_ACCURACY_NS: Final = 100 * NS_PER_MS


@dataclass(frozen=True, slots=True)
class Case:
    """One body as the truth knows it at the time of one verdict.

    `lists` are the declared lists that its readable labels name, `statuses` what customs had said of
    them last (0: nothing), a list whose receipt was just under way appearing with both.
    """

    parcels: tuple[SimParcel, ...]
    passage: PassTruth
    lists: tuple[Declaration, ...]
    statuses: frozenset[int]
    gap_behind_mm: int | None
    faults: frozenset[FaultKind]
    verdict_ns: int
    settings: LineSettings
    rules: Rules

    @property
    def labels(self) -> tuple[str, ...]:
        return tuple(label for parcel in self.parcels for label in parcel.labels)

    @property
    def touching(self) -> bool:
        return len(self.parcels) > 1

    @property
    def weight_mg(self) -> int:
        return sum(parcel.weight_mg for parcel in self.parcels)


def reason_is_true(reason: Reason, case: Case) -> bool:
    """Whether `reason` holds for this body; every member of Reason has a row (tested)."""
    if any(reason in REASONS_OF_FAULT[fault] for fault in case.faults):
        return True
    return TRUE_WHEN[reason](case)


def weight_disagrees(weight_mg: int, declared_mg: int, rules: Rules, accuracy_mg: int = 0) -> bool:
    """Outside max(absolute, permille of the declared weight), by more than `-accuracy_mg`."""
    tolerance_mg = max(
        rules.weight_tolerance_mg, declared_mg * rules.weight_tolerance_permille // 1000
    )
    return abs(weight_mg - declared_mg) > tolerance_mg - accuracy_mg


def metal_limit_mm2(gcodes: tuple[str, ...], rules: Rules) -> int:
    """The most metal that any of the declared goods may show; the longest prefix of a code wins."""
    limits = []
    for gcode in gcodes:
        fitting = [limit for limit in rules.metal_limits if gcode.startswith(limit.hs_prefix)]
        longest = max(fitting, key=lambda limit: len(limit.hs_prefix), default=None)
        limits.append(longest.area_mm2_max if longest else rules.metal_area_mm2_max)
    return max(limits, default=rules.metal_area_mm2_max)


def _metal(case: Case) -> bool:
    area_mm2 = sum(metal_area_mm2(parcel.contents) for parcel in case.parcels)
    return area_mm2 > metal_limit_mm2(tuple(item.goods.gcode for item in case.lists), case.rules)


def _weight_off(case: Case) -> bool:
    accuracy_mg = max(SCALE_ACCURACY_MG, case.weight_mg * SCALE_ACCURACY_PERMILLE // 1000)
    return any(
        weight_disagrees(case.weight_mg, item.gross_weight_mg, case.rules, accuracy_mg)
        for item in case.lists
    )


def _gap_too_small(case: Case) -> bool:
    gaps_mm = [case.parcels[0].gap_before_mm]
    if case.gap_behind_mm is not None:
        gaps_mm.append(case.gap_behind_mm)
    return min(gaps_mm) < GAP_MM_MIN


def _late(case: Case) -> bool:
    settings = case.settings
    travel = travel_ns(settings.decision_position_mm, settings.belt_speed_mm_per_s)
    deadline_ns = case.passage.inducted_ns + travel - settings.link_margin_ms * NS_PER_MS
    return case.verdict_ns >= deadline_ns - LATE_ACCURACY_NS


def _lane_missing(case: Case) -> bool:
    served = {destination for lane in case.settings.lanes for destination in lane.destinations}
    return set(Destination) - {Destination.DOMESTIC} > served


def _never(case: Case) -> bool:
    """Only a fault makes it true."""
    return False


def _touching(case: Case) -> bool:
    return case.touching


TRUE_WHEN: dict[Reason, Callable[[Case], bool]] = {
    Reason.STATUS_DETAINED: lambda case: not case.statuses.isdisjoint(STATUSES_DETAINED),
    Reason.STATUS_RETURNED: lambda case: STATUS_RETURNED in case.statuses,
    Reason.CONTROL_INSTRUCTION: _never,
    Reason.STATUS_INSPECT: lambda case: STATUS_INSPECT in case.statuses,
    Reason.DRAWN_FOR_INSPECTION: _never,
    Reason.ZONE_OPENED: _never,
    Reason.UNKNOWN_PARCEL: _never,
    Reason.EXTRA_PARCEL: _touching,
    Reason.TOUCHING: _touching,
    Reason.LENGTH_CHANGED: _touching,
    Reason.AMBIGUOUS: lambda case: len(case.lists) > 1 or len(case.labels) > len(case.lists) > 0,
    Reason.NO_READ: lambda case: not case.labels,
    Reason.NOT_DECLARED: lambda case: bool(case.labels) and not case.lists,
    Reason.DUPLICATE: _never,
    Reason.STATUS_NOT_RELEASED: lambda case: (
        not case.statuses.issubset(case.rules.release_statuses)
    ),
    Reason.UNDECLARED_METAL: _metal,
    Reason.WEIGHT_DISAGREES: _weight_off,
    Reason.DIMENSIONS_DISAGREE: _touching,
    Reason.PICTURE_DISAGREES: _touching,
    Reason.ASSOCIATION_UNPROVEN: _never,
    Reason.STOPPED_IN_SENSOR: _never,
    Reason.NO_WEIGHT: lambda case: case.passage.weight_mg < 0,
    Reason.WEIGHT_NOT_VALID: _touching,
    Reason.NO_DIMENSIONS: lambda case: case.touching or not case.passage.dimensioned,
    Reason.NO_PICTURE: lambda case: case.passage.last_row_ns < 0,
    Reason.PICTURE_INCOMPLETE: lambda case: case.passage.rows_lost > 0,
    Reason.OPAQUE: _never,
    Reason.GAP: _gap_too_small,
    Reason.LANE_FULL: _never,
    Reason.LANE_MISSING: _lane_missing,
    Reason.LATE: _late,
    Reason.LISTS_UNAVAILABLE: _never,
    Reason.RECORD_NOT_DURABLE: _never,
    Reason.LINK_LOST: _never,
    Reason.PLC_RESTARTED: _never,
    Reason.HOST_RESTARTED: _never,
    Reason.RECORDS_LOST: _never,
    Reason.EMERGENCY_STOP: _never,
    Reason.LINE_ABORTED: _never,
    Reason.REFUSED_BY_PLC: lambda case: case.passage.refused is not None,
}
