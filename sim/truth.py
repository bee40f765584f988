"""What truly happened in a run: the plant's and the customs side's own account, for the judge alone.

Times are monotonic nanoseconds of the machine, -1 where a thing never happened. Nothing here comes
from the controller: a verdict that reached the PLC appears only as what the PLC did with it.
"""

from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path
from typing import Final

import msgspec

from controller.core.vocabulary import DecisionResult, Destination, Reason
from sim.parcels import SimParcel
from sim.workload import Declaration

NEVER: Final = -1


class FaultKind(IntEnum):
    """What a run may break on purpose."""

    PLC_LINK = 1
    PLC_RESTART = 2
    HOST_RESTART = 3
    XRAY = 4
    LISTS = 5
    JOURNAL = 6
    BELT = 7
    EMERGENCY_STOP = 8
    LANE_FULL = 9
    ZONE = 10
    STALL = 11  # the host or its link stood still: what was measured came too late
    SENSORS = 12
    BY_HAND = 13
    GATE = 14
    LIST_CONTENT = 15
    PICTURES = 16  # a picture shows something else than the body
    STANDSTILL = 17  # what was in a sensor when the belt stood was not measured


# What comes a moment before the decision point cannot be on the disk by then.
_TOO_LATE: Final = frozenset({Reason.LATE, Reason.RECORD_NOT_DURABLE})
_LINK_REASONS: Final = _TOO_LATE | {Reason.LINK_LOST, Reason.REFUSED_BY_PLC}
_TRACKING_REASONS: Final = frozenset(
    {
        Reason.ASSOCIATION_UNPROVEN,
        Reason.UNKNOWN_PARCEL,
        Reason.EXTRA_PARCEL,
        Reason.NO_WEIGHT,
        Reason.NO_DIMENSIONS,
        Reason.NO_PICTURE,
        Reason.NO_READ,
        Reason.DUPLICATE,
    }
)
_BELT_REASONS: Final = frozenset({Reason.STOPPED_IN_SENSOR, Reason.GAP, Reason.LENGTH_CHANGED})
# What a fault makes true of every parcel that was on the belt meanwhile.
REASONS_OF_FAULT: dict[FaultKind, frozenset[Reason]] = {
    FaultKind.PLC_LINK: _LINK_REASONS | _BELT_REASONS | {Reason.RECORDS_LOST},
    FaultKind.PLC_RESTART: _LINK_REASONS
    | _TRACKING_REASONS
    | {Reason.PLC_RESTARTED, Reason.RECORDS_LOST},
    FaultKind.HOST_RESTART: _LINK_REASONS | _TRACKING_REASONS | {Reason.HOST_RESTARTED},
    FaultKind.XRAY: _TOO_LATE
    | {Reason.ASSOCIATION_UNPROVEN, Reason.NO_PICTURE, Reason.PICTURE_INCOMPLETE},
    FaultKind.LISTS: _TOO_LATE | {Reason.LISTS_UNAVAILABLE},
    FaultKind.JOURNAL: _TOO_LATE,
    FaultKind.BELT: _BELT_REASONS | _TOO_LATE | {Reason.NO_WEIGHT, Reason.NO_PICTURE},
    FaultKind.EMERGENCY_STOP: _BELT_REASONS
    | {Reason.EMERGENCY_STOP, Reason.ZONE_OPENED, Reason.LINE_ABORTED},
    FaultKind.LANE_FULL: _BELT_REASONS | {Reason.LANE_FULL},
    FaultKind.ZONE: frozenset({Reason.ZONE_OPENED}),
    FaultKind.STALL: _LINK_REASONS
    | _BELT_REASONS
    | {
        Reason.NO_READ,
        Reason.NO_WEIGHT,
        Reason.NO_DIMENSIONS,
        Reason.NO_PICTURE,
        Reason.RECORDS_LOST,
        Reason.LISTS_UNAVAILABLE,
    },
    FaultKind.SENSORS: _TRACKING_REASONS
    | {
        Reason.AMBIGUOUS,
        Reason.NOT_DECLARED,
        Reason.WEIGHT_NOT_VALID,
        Reason.WEIGHT_DISAGREES,
        Reason.DIMENSIONS_DISAGREE,
        Reason.PICTURE_DISAGREES,
        Reason.STATUS_DETAINED,
        Reason.STATUS_RETURNED,
        Reason.STATUS_INSPECT,
        Reason.STATUS_NOT_RELEASED,
        Reason.UNDECLARED_METAL,
        *_TOO_LATE,
    },
    FaultKind.BY_HAND: _TRACKING_REASONS
    | _BELT_REASONS
    | {
        Reason.TOUCHING,
        Reason.AMBIGUOUS,  # a label laid down close behind one that cannot be read
        Reason.WEIGHT_DISAGREES,
        Reason.WEIGHT_NOT_VALID,
        Reason.NOT_DECLARED,
        Reason.DIMENSIONS_DISAGREE,
        Reason.PICTURE_DISAGREES,
    },
    FaultKind.PICTURES: frozenset(
        {Reason.OPAQUE, Reason.PICTURE_DISAGREES, Reason.TOUCHING, Reason.UNDECLARED_METAL}
    ),
    FaultKind.STANDSTILL: frozenset(
        {
            Reason.WEIGHT_NOT_VALID,
            Reason.NO_DIMENSIONS,
            Reason.NO_READ,
            Reason.PICTURE_DISAGREES,
            Reason.LINE_ABORTED,
        }
    ),
    FaultKind.GATE: _BELT_REASONS
    | {
        Reason.REFUSED_BY_PLC,
        Reason.LINE_ABORTED,
        Reason.UNKNOWN_PARCEL,
        Reason.LANE_FULL,
        *_TOO_LATE,
    },
    FaultKind.LIST_CONTENT: frozenset(
        {
            Reason.NOT_DECLARED,
            Reason.CONTROL_INSTRUCTION,
            Reason.STATUS_INSPECT,
            Reason.AMBIGUOUS,
        }
    ),
}


@dataclass(frozen=True, slots=True)
class FaultWindow:
    """A fault was in force, its aftermath included. Only faults that changed a message count."""

    kind: FaultKind
    from_ns: int
    to_ns: int


@dataclass(slots=True)
class PassTruth:
    """One body that the plant tracked: a parcel, or touching parcels, from induct to a lane. Only the
    plant writes in it, while the run goes on.

    `weight_mg` is what the scale reported of it (-1: nothing), `length_mm` by the induct eye.
    `last_record_ns` is when the PLC committed the last record a release needs, `last_row_ns` when the
    last X-ray row was sent, `accepted_ns` the PLC scan that accepted the first decision, whose
    destination is `accepted`. `refused` is the PLC's answer if it ever refused one. `lane` 0: seen
    in none.
    """

    boot_id: int
    track_id: int
    parcel_numbers: tuple[int, ...]
    inducted_ns: int
    trigger_no: int = 0
    weight_mg: int = -1
    length_mm: int = -1
    dimensioned: bool = False
    last_record_ns: int = NEVER
    last_row_ns: int = NEVER
    rows_lost: int = 0
    accepted_ns: int = NEVER
    accepted: Destination | None = None
    refused: DecisionResult | None = None
    gate_began_ns: int = NEVER
    lane: int = 0
    left_ns: int = NEVER


@dataclass(frozen=True, slots=True)
class ReceiptSent:
    """A receipt sent during the run. `durable_ns` is when its import was acknowledged as durable."""

    waybill: str
    status: int
    sent_ns: int
    durable_ns: int = NEVER


@dataclass(frozen=True, slots=True)
class RunTruth:
    """One line's run. `inducted` holds the parcels that entered the belt, in order.

    `interrupted_ns`: a person ended it then, so that what still lay on the belt is not judged.
    """

    line: str
    inducted: tuple[SimParcel, ...]
    declarations: tuple[Declaration, ...]
    passes: tuple[PassTruth, ...]
    receipts: tuple[ReceiptSent, ...] = ()
    faults: tuple[FaultWindow, ...] = ()
    interrupted_ns: int = NEVER


def write_truth(path: Path, truth: RunTruth) -> None:
    """Whole or not at all: a reader never meets half a file."""
    part = path.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(truth))
    part.replace(path)


def read_truth(path: Path) -> RunTruth:
    """Inverse of `write_truth`. OSError, msgspec.MsgspecError if there is none that can be read."""
    return msgspec.json.decode(path.read_bytes(), type=RunTruth)
