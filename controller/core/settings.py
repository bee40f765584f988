"""Every number the core obeys, with the reason beside its default.

`LineSettings` describes one conveyor (from line.toml, fixed while the process runs); `Rules` are the
parameters of the checks (an immutable rule file named by its SHA-256). Relations between numbers are
checked by `controller.config`, which is where a person's mistake is named.
"""

from dataclasses import dataclass, field

from controller.core.vocabulary import Destination


@dataclass(frozen=True, slots=True)
class Eye:
    """A photo-eye: number in the PLC map, distance from the induct eye."""

    number: int
    position_mm: int


@dataclass(frozen=True, slots=True)
class Gate:
    """A diverter; `travel_ms` is one way, hold to diverted or back."""

    number: int
    position_mm: int
    travel_ms: int = 300


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane and the destinations it serves. `gate` 0 is straight on."""

    number: int
    gate: int
    side: str
    destinations: tuple[Destination, ...]


@dataclass(frozen=True, slots=True)
class LineSettings:
    """One conveyor. Positions are mm from the induct eye along the belt."""

    name: str
    belt_speed_mm_per_s: int
    encoder_counts_per_m: int
    eyes: tuple[Eye, ...]
    gates: tuple[Gate, ...]
    lanes: tuple[Lane, ...]
    scanner_position_mm: int
    scale_position_mm: int
    dimensioner_position_mm: int
    xray_position_mm: int
    decision_position_mm: int
    belt_end_mm: int
    scanner_source: int = 1
    scale_source: int = 2
    dimensioner_source: int = 3
    xray_source: int = 4
    parcel_length_max_mm: int = 400
    # A reading belongs to a parcel only if the encoder puts it within this distance of its device:
    # half of the least gap, so that it can never be the neighbour's.
    attach_window_mm: int = 150
    # Two eyes agree on a length within this; the dimensioner's own interval is 5 mm.
    length_tolerance_mm: int = 15
    # Nothing more is awaited this long after the trailing edge left the last required sensor.
    evidence_limit_ms: int = 800
    # A decision must be with the PLC this long before the decision point: link p99.9 with a margin.
    link_margin_ms: int = 60
    # A look-up that takes longer counts as unavailable; p99 is 5 ms on first touch of a cold page.
    look_up_limit_ms: int = 200
    # Parcels tracked at once: the PLC's table T has 48 rows.
    parcels_on_belt_max: int = 48


@dataclass(frozen=True, slots=True)
class MetalLimit:
    """Metal-like area allowed for goods whose HS code starts with `hs_prefix`; the longest prefix wins."""

    hs_prefix: str
    area_mm2_max: int


@dataclass(frozen=True, slots=True)
class Rules:
    """Parameters of the checks; the checks themselves are Python in customs.py and matching.py."""

    weight_tolerance_mg: int = 50_000
    weight_tolerance_permille: int = 30
    picture_length_tolerance_mm: int = 15
    picture_width_tolerance_mm: int = 30
    release_statuses: tuple[int, ...] = (800, 899)
    # 0.5 cm2 bounded false holds at 0.5 % where goods have no metal; zips and tags need more, see
    # metal_limits.
    metal_area_mm2_max: int = 100
    metal_limits: tuple[MetalLimit, ...] = field(default=())
    opaque_area_mm2_max: int = 100
    scale_zero_mg_max: int = 20_000
    rows_missing_max: int = 0
    recirculations_max: int = 2
    # What waybill numbers look like, so that a second one that nobody declared is seen beside a declared
    # one: `#` stands for a digit, `@` for a capital letter, anything else for itself. Empty: not known.
    waybill_forms: tuple[str, ...] = ()
    # Share of lists drawn for inspection, HMAC-SHA256(salt, list key): provable and the same each time.
    inspection_permille: int = 0
    inspection_salt: str = ""
