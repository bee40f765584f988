"""The whole state of one line as one tree of plain data.

msgspec encodes and decodes it whole: that is the snapshot in a journal and the start of a replay. No
sets (their order is not the state's), no clocks, no references to anything outside.
"""

from dataclasses import dataclass, field

from controller.core.belt import Belt
from controller.core.events import CodeRead, PictureFindings
from controller.core.parcel import Parcel
from controller.core.settings import LineSettings, Rules
from controller.core.snapshot import AlarmView
from controller.core.vocabulary import (
    Destination,
    LineCause,
    LineState,
    LinkFault,
    Reason,
)


@dataclass(slots=True)
class RuleVersion:
    rules_id: str
    rules: Rules


@dataclass(slots=True)
class LaneHealth:
    full: bool = False
    jammed: bool = False
    room_parcels: int = -1


@dataclass(slots=True)
class ShownLabel:
    """A code that was read where the encoder stood at `counts`."""

    code: str
    counts: int


@dataclass(slots=True)
class FrameSource:
    """Association health of the X-ray: `agreeing` counts parcels since the last broken link."""

    up: bool = False
    ever_up: bool = False
    proven: bool = True
    agreeing: int = 0


@dataclass(slots=True)
class Tally:
    """Counters since the line's first start."""

    inducted: int = 0
    released: int = 0
    held: int = 0
    decisions_late: int = 0
    by_destination: dict[Destination, int] = field(default_factory=dict)
    by_reason: dict[Reason, int] = field(default_factory=dict)


@dataclass(slots=True)
class CoreState:
    """`parcels` is keyed by track id and ordered by induction; its ids belong to `boot_id`."""

    belt: Belt
    rule_versions: list[RuleVersion]
    state: LineState = LineState.STOPPED
    cause: LineCause = LineCause.NOT_STARTED
    wanted_running: bool = True
    abort_cause: LineCause | None = None
    session: int = 0
    boot_id: int = 0
    last_ring_seq: int = 0
    # Records refused by a full ring use up no number: parcels inducted up to here may lack some.
    overflow_count: int = 0
    suspect_until_seq: int | None = None
    # Records up to here were written while the link was down; the belt may not be what it was.
    behind_until_seq: int | None = None
    plc_up: bool = False
    plc_fault: LinkFault | None = None
    plc_state_bits: int = 0
    decision_seq: int = 0
    next_pass_no: int = 1
    parcels: dict[int, Parcel] = field(default_factory=dict)
    # Track ids of this boot whose bodies are in a lane, or told lost; the oldest leave first.
    ended_ids: list[int] = field(default_factory=list)
    # Code parts of no parcel on the belt; the oldest leave first.
    loose_parts: list[CodeRead] = field(default_factory=list)
    # Codes of bodies that may lie on the belt without a pass that names them.
    shown_labels: list[ShownLabel] = field(default_factory=list)
    early_pictures: list[PictureFindings] = field(default_factory=list)
    xray: FrameSource = field(default_factory=FrameSource)
    scale_measurement_no: int = -1
    lanes: dict[int, LaneHealth] = field(default_factory=dict)
    infeed_permit: bool = False
    belt_permit: bool = False
    journal_ok: bool = True
    lists_ok: bool = True
    utc_ns: int = 0
    utc_at_ns: int = 0
    alarms: list[AlarmView] = field(default_factory=list)
    tally: Tally = field(default_factory=Tally)


def first_state(settings: LineSettings, rules_id: str, rules: Rules) -> CoreState:
    """The state of a line that has never run."""
    belt = Belt(settings.encoder_counts_per_m, settings.belt_speed_mm_per_s)
    return CoreState(belt=belt, rule_versions=[RuleVersion(rules_id, rules)])
