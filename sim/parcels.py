"""What is truly on the belt: the simulator's ground truth, never shown to the controller."""

from dataclasses import dataclass
from enum import IntEnum


class ParcelKind(IntEnum):
    """What the workload planted in a parcel."""

    HONEST = 1
    WEIGHT_OFF = 2
    NOT_DECLARED = 3
    NOT_RELEASED = 4
    LATE_INSPECT = 5  # customs said 800, then 500 while the parcel is on the belt
    NO_READ = 6
    TWO_LABELS = 7
    TOUCHING = 8  # planted in both parcels of a touching pair
    UNDECLARED_METAL = 9


class Material(IntEnum):
    ORGANIC = 1
    METAL = 2


@dataclass(frozen=True, slots=True)
class Content:
    """A box of one material inside a parcel: x along the belt from the leading edge, y across from
    the parcel's near side, all mm; `thickness_mm` is what the ray passes."""

    x_mm: int
    y_mm: int
    length_mm: int
    width_mm: int
    thickness_mm: int
    material: Material


@dataclass(frozen=True, slots=True)
class SimParcel:
    """One true parcel. `labels` is what a scanner can read on it, `weight_mg` what it truly weighs.

    `gap_before_mm` is the clear belt to the parcel before it at induct (0 for the second of a
    touching pair). `gcode` and `declared_weight_mg` are what its list says, if it has one.
    """

    number: int
    kind: ParcelKind
    waybill: str
    labels: tuple[str, ...]
    weight_mg: int
    declared_weight_mg: int
    length_mm: int
    width_mm: int
    height_mm: int
    gap_before_mm: int
    gcode: str
    contents: tuple[Content, ...]
