"""What lies inside a parcel, as boxes that the X-ray absorption passes through.

Honest parcels keep their metal under half of what the rules allow for their heading; undeclared
metal is at least seven times what goods without metal may show, and lies where little else is, so
that a real analyser can see it: what it cannot see is another test (`missed`).
"""

import itertools
from random import Random
from typing import Final

from sim.parcels import Content, Material

WALL_MM: Final = 12  # carton and padding around the contents
ORGANIC_MM: Final = (15, 70)  # solid material that the ray passes
METAL_MM: Final = (4, 8)
# Largest metal piece that honest goods hold, so that four of them stay under half of 40,000 mm2.
HONEST_METAL_MM: Final = ((35, 60), (30, 50))
UNDECLARED_METAL_MM: Final = ((35, 90), (25, 60))
OVER_METAL_MM: Final = 20  # organic material where metal may lie


def goods_contents(
    rng: Random, metal_pieces: int, thin: bool, length_mm: int, width_mm: int
) -> tuple[Content, ...]:
    """Goods of a heading: one to three organic boxes side by side along the belt, and the metal
    pieces that the heading brings. `thin` keeps the boxes thin, for metal to be seen over them.
    """
    inner_length, inner_width = length_mm - 2 * WALL_MM, width_mm - 2 * WALL_MM
    boxes = rng.randint(1, 3)
    thickness_max = OVER_METAL_MM if thin else ORGANIC_MM[1]
    each = inner_length // boxes
    organic = tuple(
        Content(
            x_mm=WALL_MM + index * each,
            y_mm=WALL_MM,
            length_mm=each - rng.randint(0, each // 5),
            width_mm=inner_width - rng.randint(0, inner_width // 4),
            thickness_mm=rng.randint(ORGANIC_MM[0], thickness_max),
            material=Material.ORGANIC,
        )
        for index in range(boxes)
    )
    metal = tuple(_metal(rng, HONEST_METAL_MM, length_mm, width_mm) for _ in range(metal_pieces))
    return organic + metal


def undeclared_metal(rng: Random, length_mm: int, width_mm: int) -> Content:
    """A metal block that no list allows."""
    return _metal(rng, UNDECLARED_METAL_MM, length_mm, width_mm)


def _metal(
    rng: Random, size_mm: tuple[tuple[int, int], tuple[int, int]], length_mm: int, width_mm: int
) -> Content:
    along, across = rng.randint(*size_mm[0]), rng.randint(*size_mm[1])
    return Content(
        x_mm=rng.randint(WALL_MM, length_mm - WALL_MM - along),
        y_mm=rng.randint(WALL_MM, width_mm - WALL_MM - across),
        length_mm=along,
        width_mm=across,
        thickness_mm=rng.randint(*METAL_MM),
        material=Material.METAL,
    )


def metal_area_mm2(contents: tuple[Content, ...]) -> int:
    """The true metal area seen from above, overlaps counted once."""
    boxes = [c for c in contents if c.material is Material.METAL]
    edges = sorted({x for c in boxes for x in (c.x_mm, c.x_mm + c.length_mm)})
    area_mm2 = 0
    for left_mm, right_mm in itertools.pairwise(edges):
        covered_mm, end_mm = 0, -1
        for c in sorted(boxes, key=lambda c: c.y_mm):
            if c.x_mm <= left_mm and c.x_mm + c.length_mm >= right_mm:
                far_mm = c.y_mm + c.width_mm
                covered_mm += max(0, far_mm - max(c.y_mm, end_mm))
                end_mm = max(end_mm, far_mm)
        area_mm2 += covered_mm * (right_mm - left_mm)
    return area_mm2
