"""Everything the core can be told. Frozen, integers and text only.

An event carries no host time: `LineController.handle(at_ns, event)` is given it, and the journal
stores it beside the event. `PlcRecord` and its kinds come out of the PLC's ring in order; the other
events come from the links, the vision workers, the list reader, the journal and the clock.

Bounds are part of the contract: the edge refuses what does not fit, the core asserts.
"""

from dataclasses import dataclass

from controller.core.plc_records import (
    BeltChanged,
    CodeRead,
    DefaultTaken,
    DeviceChanged,
    Dimensioned,
    ExtraSeen,
    EyePassed,
    GateMoved,
    Inducted,
    LaneChanged,
    LaneSeen,
    ParcelLost,
    PlcRecord,
    Triggered,
    Weighed,
    ZoneOpened,
)
from controller.core.settings import Rules
from controller.core.vocabulary import (
    DecisionResult,
    LineRequest,
    LinkFault,
    LookUpPurpose,
    LookUpResult,
    PassEnd,
)

# Ring records are part of this vocabulary; plc_records.py only keeps the file short.
__all__ = [
    "BeltChanged",
    "CodeRead",
    "DefaultTaken",
    "DeviceChanged",
    "Dimensioned",
    "ExtraSeen",
    "EyePassed",
    "GateMoved",
    "Inducted",
    "LaneChanged",
    "LaneSeen",
    "ParcelLost",
    "PlcRecord",
    "Triggered",
    "Weighed",
    "ZoneOpened",
]

# --- the PLC link --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class BeltRow:
    """One row of the PLC's tracking table T, read at connect."""

    track_id: int
    encoder_counts: int
    length_mm: int
    state: int
    destination: int


@dataclass(frozen=True, slots=True)
class PlcConnected:
    """The exchange is up. `decision_seq_max` is the highest in block E; ours continue above it.

    `next_ring_seq` is the first record the link will deliver. `same_boot` and no gap mean: carry on.
    `head_ring_seq` is the newest record there is (0: none, or not told): what lies between the two was
    written in the outage.
    """

    boot_id: int
    session: int
    layout_version: int
    next_ring_seq: int
    decision_seq_max: int
    on_belt: tuple[BeltRow, ...]
    head_ring_seq: int = 0


@dataclass(frozen=True, slots=True)
class PlcLost:
    fault: LinkFault


@dataclass(frozen=True, slots=True)
class PlcStateSeen:
    """H+11 changed. `state_bits` are PlcStateBit; `overflow_count` counts records refused by a full ring.
    Our OPC UA certificate ends in `certificate_days_left` days, told when that is soon."""

    state_bits: int
    overflow_count: int
    certificate_days_left: int | None = None


@dataclass(frozen=True, slots=True)
class RingGap:
    """Records after `last_seq` and before `next_seq` of this boot are gone."""

    boot_id: int
    last_seq: int
    next_seq: int


@dataclass(frozen=True, slots=True)
class DecisionEchoed:
    """Block E: the PLC's answer to `decision_seq`."""

    decision_seq: int
    track_id: int
    result: DecisionResult


# --- vision --------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class VisionUp:
    """A vision worker for frame source `source` is connected and its source delivers."""

    source: int


@dataclass(frozen=True, slots=True)
class VisionDown:
    """Worker gone (`source_silent` false) or its frame source silent (true)."""

    source: int
    source_silent: bool


@dataclass(frozen=True, slots=True)
class PictureFindings:
    """What the vision worker found in one X-ray picture (DESIGN: vision contracts).

    Lengths along the belt by encoder, widths across in the belt plane. Attenuation is -1000 ln T of
    the high-energy channel. `rows_missing` counts rows lost inside the frame. `outline_count` is the
    number of separate outlines. `picture_sha256` (64 hex digits) names the raw evidence file.
    """

    source: int
    trigger_no: int
    first_row_encoder_counts: int
    row_pitch_counts: int
    row_count: int
    rows_missing: int
    outline_start_counts: int
    length_mm: int
    width_mm: int
    outline_count: int
    mean_attenuation_milli: int
    max_attenuation_milli: int
    metal_area_mm2: int
    opaque_area_mm2: int
    usable: bool
    calibration_id: str
    profile_version: str
    picture_sha256: str


# --- declared lists ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class GoodsRow:
    """One row of a declared list: 10-digit HS code, quantity x 1e5 (the standard's N19,5)."""

    gcode: str
    qty_e5: int


@dataclass(frozen=True, slots=True)
class EarlierPass:
    """An earlier pass of the same list: how it ended. `line` names another line, "" is this one."""

    pass_no: int
    end: PassEnd
    line: str = ""


@dataclass(frozen=True, slots=True)
class ListFacts:
    """The fields of one declared list that a verdict may use, as durable at `store_seq`.

    `list_key` is `logisticsCode/logisticsNo/copNo`, stable over revisions. `status` is the customs status
    code (0: no receipt yet), `status_time` its YYYYMMDDhhmmssmmm text. `gross_weight_mg` is -1 where
    the message had none.
    """

    list_key: str
    waybill: str
    revision: int
    status: int
    status_time: str
    gross_weight_mg: int
    goods: tuple[GoodsRow, ...]
    open_instructions: tuple[str, ...]
    earlier_passes: tuple[EarlierPass, ...]


@dataclass(frozen=True, slots=True)
class ListsAnswered:
    """Answer to LookUp. `lists` holds every list that any of the codes names, at most 8."""

    pass_no: int
    purpose: LookUpPurpose
    result: LookUpResult
    store_seq: int
    lists: tuple[ListFacts, ...]


@dataclass(frozen=True, slots=True)
class ListChanged:
    """A list that was looked up for a parcel on the belt has changed: new facts."""

    store_seq: int
    facts: ListFacts


# --- journal, clock, people ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HostStarted:
    """First event of a process: every parcel in flight is unproven now."""

    session: int
    software_version: str


@dataclass(frozen=True, slots=True)
class VerdictDurable:
    """The release verdict of this pass is on the disk: the release may be commanded."""

    pass_no: int


@dataclass(frozen=True, slots=True)
class JournalFailed:
    why: str


@dataclass(frozen=True, slots=True)
class JournalRecovered:
    """A supervisor named in `who` let releases resume."""

    who: str


@dataclass(frozen=True, slots=True)
class DeadlineReached:
    """The time that `next_deadline_ns` named has come."""


@dataclass(frozen=True, slots=True)
class ClockRead:
    """UTC for labels and rule dates, at start, each minute and on a step."""

    utc_ns: int
    synchronised: bool


@dataclass(frozen=True, slots=True)
class RulesActivated:
    """`rules_id` is the SHA-256 of `text`; parcels keep the version of their entry."""

    rules_id: str
    text: str
    rules: Rules
    who: str


@dataclass(frozen=True, slots=True)
class LineRequested:
    request: LineRequest
    who: str


Event = (
    Inducted
    | EyePassed
    | CodeRead
    | Weighed
    | Dimensioned
    | Triggered
    | GateMoved
    | LaneSeen
    | DefaultTaken
    | ParcelLost
    | ExtraSeen
    | ZoneOpened
    | BeltChanged
    | LaneChanged
    | DeviceChanged
    | PlcConnected
    | PlcLost
    | PlcStateSeen
    | RingGap
    | DecisionEchoed
    | VisionUp
    | VisionDown
    | PictureFindings
    | ListsAnswered
    | ListChanged
    | HostStarted
    | VerdictDurable
    | JournalFailed
    | JournalRecovered
    | DeadlineReached
    | ClockRead
    | RulesActivated
    | LineRequested
)
