"""Everything that sees parcels pass one point of the belt: photo-eyes, lane eyes, and the ends of a
reading zone.

A beam knows only blocked or clear. Two parcels that touch are one body to it, which is the point.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

from sim.belt import NM_PER_MM
from sim.parcels import SimParcel


@dataclass(slots=True, eq=False)
class BeltParcel:
    """A true parcel on the belt. `start_nm` is the belt's travel when its leading edge was at induct.

    `left_at_mm` is where it left the line sideways, None while it has not; `label_mm` are where its
    labels sit, from the leading edge.
    """

    parcel: SimParcel
    start_nm: int
    label_mm: tuple[int, ...] = ()
    lane: int = 0
    left_at_mm: int | None = None
    gone: bool = False

    @property
    def length_nm(self) -> int:
        return self.parcel.length_mm * NM_PER_MM

    def leading_nm(self, position_mm: int) -> int:
        """Belt travel when the leading edge is at `position_mm`."""
        return self.start_nm + position_mm * NM_PER_MM

    def trailing_nm(self, position_mm: int) -> int:
        return self.leading_nm(position_mm) + self.length_nm


class Body(NamedTuple):
    """What a beam saw as one thing: from leading to trailing edge at the beam, and who it truly was."""

    leading_nm: int
    trailing_nm: int
    parcels: tuple[BeltParcel, ...]

    @property
    def middle_nm(self) -> int:
        return (self.leading_nm + self.trailing_nm) // 2


@dataclass(slots=True)
class Beam:
    """`enter` and `leave` answer whether the beam changed: True / a whole Body."""

    position_mm: int
    inside: list[BeltParcel] = field(default_factory=list)
    _since_nm: int = 0
    _seen: list[BeltParcel] = field(default_factory=list)

    def enter(self, parcel: BeltParcel, at_nm: int) -> bool:
        self.inside.append(parcel)
        if len(self.inside) > 1:
            self._seen.append(parcel)
            return False
        self._since_nm = at_nm
        self._seen = [parcel]
        return True

    def leave(self, parcel: BeltParcel, at_nm: int) -> Body | None:
        if parcel not in self.inside:
            return None
        self.inside.remove(parcel)
        return None if self.inside else Body(self._since_nm, at_nm, tuple(self._seen))


def touching(parcel: BeltParcel, others: list[BeltParcel]) -> tuple[BeltParcel, ...]:
    """`parcel` and every parcel behind it without clear belt between them, front to back."""
    chain = [parcel]
    behind = sorted((p for p in others if p.start_nm > parcel.start_nm), key=lambda p: p.start_nm)
    for other in behind:
        if other.start_nm > chain[-1].trailing_nm(0):
            break
        chain.append(other)
    return tuple(chain)


def overlap_mm(parcel: BeltParcel, from_mm: int, to_mm: int, at_nm: int) -> int:
    """How much of the parcel lies over from_mm .. to_mm when the belt stands at `at_nm`."""
    leading_mm = (at_nm - parcel.start_nm) // NM_PER_MM
    trailing_mm = leading_mm - parcel.parcel.length_mm
    return max(0, min(leading_mm, to_mm) - max(trailing_mm, from_mm))
