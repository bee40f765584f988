"""How urgent an alarm is, by ISA-18.2: what happens if nobody acts. Only for display and sound."""

from controller.core.vocabulary import AlarmKind, LineState

CRITICAL, HIGH, LOW = 1, 2, 3

_PRIORITY = {
    AlarmKind.HELD_PARCEL_IN_RELEASE_LANE: CRITICAL,
    AlarmKind.RELEASED_BUT_BAD_NEWS: CRITICAL,
    AlarmKind.WRONG_LANE: CRITICAL,
    AlarmKind.EMERGENCY_STOP: CRITICAL,
    AlarmKind.JOURNAL_FAILED: CRITICAL,
    AlarmKind.PLC_LINK_LOST: CRITICAL,
    AlarmKind.GATE_STUCK: CRITICAL,
    AlarmKind.RECORDS_LOST: HIGH,
    AlarmKind.PARCEL_LOST: HIGH,
    AlarmKind.EXTRA_PARCEL: HIGH,
    AlarmKind.LANE_FULL: HIGH,
    AlarmKind.LANE_JAM: HIGH,
    AlarmKind.VISION_LOST: HIGH,
    AlarmKind.LISTS_UNAVAILABLE: HIGH,
    AlarmKind.ASSOCIATION_BROKEN: HIGH,
    AlarmKind.PLC_RESTARTED: HIGH,
    AlarmKind.DEVICE_FAULT: HIGH,
    AlarmKind.SCALE_FAULT: HIGH,
    AlarmKind.CLOCK_STEP: LOW,
    AlarmKind.HOST_RESTARTED: LOW,
    AlarmKind.CERTIFICATE_ENDS: LOW,
    AlarmKind.RECORD_AFTER_END: LOW,
}

# Urgency of a line state; 0: nothing to do. EXECUTE is the normal day.
_STATE_PRIORITY = {
    LineState.ABORTING: CRITICAL,
    LineState.ABORTED: CRITICAL,
    LineState.HELD: HIGH,
    LineState.SUSPENDED: HIGH,
    LineState.STOPPED: LOW,
    LineState.STOPPING: LOW,
}


def priority(kind: AlarmKind) -> int:
    """1 critical, 2 high, 3 low; every kind has one."""
    return _PRIORITY[kind]


def state_priorities() -> dict[str, int]:
    """For the page's script: 0 to 3 by the state's name."""
    return {state.name: _STATE_PRIORITY.get(state, 0) for state in LineState}
