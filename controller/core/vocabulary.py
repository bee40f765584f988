"""The closed sets of words: destinations, reasons, checks, states, faults.

Numbers are part of the PLC map and of the journal: never renumber, only append. Zero is never a
destination, a reason or a result, because a PLC watchdog may zero registers (docs/plc-interface.md).
"""

from enum import IntEnum


class Destination(IntEnum):
    """Where a parcel is to go. HOLD is straight on, with every gate off."""

    HOLD = 1
    RELEASE = 2
    INSPECT = 3
    DETAIN = 4
    RETURN = 5
    RECIRCULATE = 6
    DOMESTIC = 7


class Reason(IntEnum):
    """Why a parcel is not released. Declared in order of weight: the first true one decides."""

    # what customs said
    STATUS_DETAINED = 1
    STATUS_RETURNED = 2
    CONTROL_INSTRUCTION = 3
    STATUS_INSPECT = 4
    DRAWN_FOR_INSPECTION = 5
    # who the parcel is
    ZONE_OPENED = 10
    UNKNOWN_PARCEL = 11
    EXTRA_PARCEL = 12
    TOUCHING = 13
    LENGTH_CHANGED = 14
    AMBIGUOUS = 15
    NO_READ = 16
    NOT_DECLARED = 17
    DUPLICATE = 18
    STATUS_NOT_RELEASED = 19
    # what was measured
    UNDECLARED_METAL = 30
    WEIGHT_DISAGREES = 31
    DIMENSIONS_DISAGREE = 32
    PICTURE_DISAGREES = 33
    ASSOCIATION_UNPROVEN = 34
    STOPPED_IN_SENSOR = 35
    NO_WEIGHT = 36
    WEIGHT_NOT_VALID = 37
    NO_DIMENSIONS = 38
    NO_PICTURE = 39
    PICTURE_INCOMPLETE = 40
    OPAQUE = 41
    # what the line could not do
    GAP = 50
    LANE_FULL = 51
    LANE_MISSING = 52
    LATE = 53
    LISTS_UNAVAILABLE = 54
    RECORD_NOT_DURABLE = 55
    LINK_LOST = 56
    PLC_RESTARTED = 57
    HOST_RESTARTED = 58
    RECORDS_LOST = 59
    EMERGENCY_STOP = 60
    REFUSED_BY_PLC = 61
    LINE_ABORTED = 62


class LookUpPurpose(IntEnum):
    """IDENTIFY at the first code; DECIDE just before the verdict, on what is durable then."""

    IDENTIFY = 1
    DECIDE = 2


class LookUpResult(IntEnum):
    ANSWERED = 1
    UNAVAILABLE = 2


class PassEnd(IntEnum):
    """How an earlier pass of the same waybill ended."""

    RELEASED = 1
    HELD = 2
    RECIRCULATED = 3
    RECHECK = 4
    OPEN = 5


class CheckKind(IntEnum):
    """Unit of the two values of a check, by kind: mg, mm, mm2, permille or a plain number."""

    IDENTITY = 1  # number of lists found, expected 1
    CUSTOMS_STATUS = 2  # status code as a number
    WEIGHT = 3  # mg
    LENGTH = 4  # mm, dimensioner against photo-eye
    PICTURE_LENGTH = 5  # mm, X-ray outline against photo-eye
    PICTURE_WIDTH = 6  # mm, X-ray outline against dimensioner
    METAL_AREA = 7  # mm2 against the limit for the declared goods
    PICTURE_ROWS = 8  # rows missing against the limit
    SINGLE_PARCEL = 9  # number of outlines or codes, expected 1
    OPAQUE_AREA = 10  # mm2 that no ray came through, against the limit
    INSTRUCTIONS = 11  # number of open instructions, expected 0


class CheckResult(IntEnum):
    AGREE = 1
    DISAGREE = 2
    NOT_MEASURABLE = 3


class DecisionResult(IntEnum):
    """The PLC's answer to a decision, block E of the map."""

    ACCEPTED = 1
    LATE = 2
    UNKNOWN_ID = 3
    BAD_CRC = 4
    LANE_FULL = 7
    REVOKED = 8
    WRONG_BOOT_OR_SESSION = 9


class DefaultCause(IntEnum):
    """Why the PLC took the default (hold) for a parcel, record kind DEFAULT_TAKEN."""

    UNDECIDED = 1
    GAP = 2
    LANE_FULL = 3
    LEASE_ENDED = 4  # watchdog tripped or the session changed
    UNKNOWN_PARCEL = 5
    GATE_FAULT = 6
    GATE_BUSY = 7


class GatePhase(IntEnum):
    BEGAN = 1
    ARRIVED = 2
    STUCK = 3


class GatePosition(IntEnum):
    HOLD = 1
    LEFT = 2
    RIGHT = 3


class BeltMotion(IntEnum):
    RUNNING = 1
    STOPPED = 2


class BeltCause(IntEnum):
    STARTED = 1
    HOST_PERMIT = 2
    EMERGENCY_STOP = 3
    JAM = 4
    RING_FULL = 5
    GAP_INTERLOCK = 6
    WATCHDOG = 7
    GATE_FAULT = 8
    SPEED_CHANGED = 9
    HOLD_LANE_FULL = 10


class LinkFault(IntEnum):
    SILENT = 1  # life sign stood still
    NO_ANSWER = 2  # request timed out
    REFUSED = 3  # connection refused or closed
    EXCEPTION_ANSWER = 4
    NOT_OUR_MAP = 5  # magic or layout version wrong
    WORD_ORDER = 6  # probe block reads swapped
    SECOND_HOST = 7  # the PLC has latched another session
    UNTRUSTED = 8  # a certificate is not accepted, by us or by the PLC


class PlcStateBit(IntEnum):
    """Bits of H+11, PLC state."""

    BELT_RUNNING = 0x0001
    INFEED_RUNNING = 0x0002
    WATCHDOG_TRIPPED = 0x0004
    EMERGENCY_STOP = 0x0008
    GATE_FAULT = 0x0010
    SESSION_LATCHED = 0x0020
    JAM = 0x0040
    TEST_MODE = 0x0080  # inputs are simulated: no host may run a line on it
    TEST_ORDER = 0x0100  # lowest bit of the number of the test order carried out last


class LineState(IntEnum):
    """PackML (ISA-TR88.00.02) states that the line uses; numbers as in OPC 30050."""

    CLEARING = 1
    STOPPED = 2
    STARTING = 3
    IDLE = 4
    SUSPENDED = 5
    EXECUTE = 6
    STOPPING = 7
    ABORTING = 8
    ABORTED = 9
    HELD = 11


class LineCause(IntEnum):
    """Why the line is in its state; every user-visible word is in the message catalogue."""

    NORMAL = 1
    PLC_LINK = 2
    JOURNAL = 3
    RELEASE_LANE_FULL = 4
    HOLD_LANE_FULL = 5
    EMERGENCY_STOP = 6
    HELD_PARCEL_IN_RELEASE_LANE = 7
    GATE_FAULT = 8
    OFFICER = 9
    PLC_RESTARTED = 10
    RECORDS_LOST = 11
    NOT_STARTED = 12
    JAM = 13
    BELT_STOPPED = 14


class LineRequest(IntEnum):
    """What a supervisor may ask of the line. None of them moves a gate."""

    START = 1
    STOP = 2
    CLEAR = 3  # ends ABORTED after the cause is gone


class AlarmKind(IntEnum):
    PLC_LINK_LOST = 1
    VISION_LOST = 2
    JOURNAL_FAILED = 3
    WRONG_LANE = 4
    HELD_PARCEL_IN_RELEASE_LANE = 5
    RELEASED_BUT_BAD_NEWS = 6
    PARCEL_LOST = 7
    EXTRA_PARCEL = 8
    LANE_FULL = 9
    LANE_JAM = 10
    GATE_STUCK = 11
    EMERGENCY_STOP = 12
    LISTS_UNAVAILABLE = 13
    RECORDS_LOST = 14
    PLC_RESTARTED = 15
    ASSOCIATION_BROKEN = 16
    DEVICE_FAULT = 17
    CLOCK_STEP = 18
    SCALE_FAULT = 19
    HOST_RESTARTED = 20
    CERTIFICATE_ENDS = 21
    RECORD_AFTER_END = 22


class OutcomeKind(IntEnum):
    """What became of a pass, seen by lane eyes, never assumed."""

    IN_PLANNED_LANE = 1
    IN_OTHER_LANE = 2
    LOST = 3
    NOT_SEEN = 4  # tracking ended (PLC restart, belt cleared) without a lane eye
