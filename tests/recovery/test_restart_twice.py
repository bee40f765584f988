"""Two restarts in a row with a lease out: only the PLC's records settle what became of the parcel."""

from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, RaiseAlarm, RecordOutcome
from controller.core.parcel import ParcelState
from controller.core.vocabulary import DecisionResult, GatePhase, GatePosition, PassEnd, Reason
from tests.core.story import BOOT, Line, sent_in


def started(line: Line, at_ms: int, session: int) -> tuple[Command, ...]:
    line.tell(at_ms, e.HostStarted(session, "test"))
    return line.tell(at_ms + 50, e.PlcConnected(BOOT, session, 1, line.ring_seq + 1, 1, ()))


def test_the_gate_that_had_begun_is_believed_after_both() -> None:
    line = Line()
    line.lease(100, 1)
    for session in (2, 3):
        commands = started(line, 2_500 + 100 * session, session)
        assert not any(isinstance(command, CommitVerdict) for command in commands)
        assert line.core.state.parcels[1].state is ParcelState.DOUBTED
    line.record(3_700, e.GateMoved, 1, 1, GatePhase.BEGAN, GatePosition.LEFT, 0)
    ended = line.record(4_600, e.LaneSeen, 1, 1)
    (outcome,) = [command for command in ended if isinstance(command, RecordOutcome)]
    assert outcome.end is PassEnd.RELEASED
    assert not any(isinstance(command, RaiseAlarm) for command in ended)


def test_the_hold_that_the_plc_took_is_recorded_after_both() -> None:
    line = Line()
    line.lease(100, 1)
    started(line, 2_600, 2)
    (hold,) = sent_in(started(line, 2_800, 3))
    echo = e.DecisionEchoed(hold.decision_seq, 1, DecisionResult.ACCEPTED)
    (verdict,) = [c for c in line.tell(2_900, echo) if isinstance(c, CommitVerdict)]
    assert (verdict.revision, verdict.reasons) == (1, (Reason.HOST_RESTARTED,))
