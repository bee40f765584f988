"""Hypothesis strategies for everything the map can carry."""

from hypothesis import strategies as st

from controller.core import events
from controller.core.commands import SendDecision
from controller.core.units import U16_MAX, U32_MAX
from controller.core.vocabulary import (
    BeltCause,
    BeltMotion,
    DecisionResult,
    DefaultCause,
    Destination,
    GatePhase,
    GatePosition,
    Reason,
)

U16 = st.integers(0, U16_MAX)
U32 = st.integers(0, U32_MAX)
I32 = st.integers(-(1 << 31), (1 << 31) - 1)
SEQ = st.integers(1, U32_MAX)
FLAG = st.booleans()
PRINTABLE = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=28)
HEAD = (SEQ, SEQ, U16, U32, U32, st.integers(0, (1 << 64) - 1))


def _codes_of(part_count: int) -> st.SearchStrategy[events.CodeRead]:
    byte = st.integers(0, 255)
    part_no = st.integers(0, max(part_count - 1, 0))
    fields = (byte, part_no, st.just(part_count), byte, PRINTABLE)
    return st.builds(events.CodeRead, *HEAD, *fields)


RECORD_BY_KIND: dict[type[events.PlcRecord], st.SearchStrategy[events.PlcRecord]] = {
    kind: st.builds(kind, *HEAD, *fields)
    for kind, fields in {
        events.Inducted: (U32,),
        events.EyePassed: (U32, U32),
        events.Weighed: (U32, I32, U16, FLAG, FLAG),
        events.Dimensioned: (U16, U16, U16, U16, FLAG),
        events.Triggered: (U32,),
        events.GateMoved: (st.sampled_from(GatePhase), st.sampled_from(GatePosition), U16),
        events.LaneSeen: (),
        events.DefaultTaken: (st.sampled_from(DefaultCause),),
        events.ParcelLost: (),
        events.ExtraSeen: (U32,),
        events.ZoneOpened: (U16, U16),
        events.BeltChanged: (st.sampled_from(BeltMotion), U16, st.sampled_from(BeltCause)),
        events.LaneChanged: (FLAG, FLAG, U16),
        events.DeviceChanged: (FLAG, FLAG, FLAG),
    }.items()
}
RECORD_BY_KIND[events.CodeRead] = st.integers(0, 15).flatmap(_codes_of)
RECORDS = st.one_of(*RECORD_BY_KIND.values())

DECISIONS = st.builds(
    SendDecision,
    decision_seq=SEQ,
    boot_id=SEQ,
    session=SEQ,
    track_id=U32,
    destination=st.sampled_from(Destination),
    reason=st.sampled_from([0, *Reason]),
)
ECHOES = st.builds(events.DecisionEchoed, SEQ, U32, st.sampled_from(DecisionResult))
BELT_ROWS = st.builds(events.BeltRow, SEQ, U32, U16, st.integers(1, 4), st.integers(0, 7))
