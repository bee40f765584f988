"""One turn of the core: the state, the time and the commands that this event causes.

Small verbs that several handlers need (alarms, decision numbers, flags) live here; what an event
means lives in tracking.py, readings.py, deciding.py, links.py and list_news.py.
"""

from typing import Final

from controller.core.commands import ClearAlarm, Command, RaiseAlarm, SendDecision
from controller.core.parcel import Parcel, ParcelState, Step, after
from controller.core.settings import Lane, LineSettings, Rules
from controller.core.snapshot import AlarmView
from controller.core.state import CoreState
from controller.core.units import u32_sum
from controller.core.vocabulary import AlarmKind, Destination

# More alarms than an operator can read are no alarms: the oldest leave first.
ALARMS_MAX: Final = 64


class Turn:
    """Made anew for every event: a plain class, whose making costs the least."""

    __slots__ = ("at_ns", "commands", "settings", "state")

    def __init__(self, settings: LineSettings, state: CoreState, at_ns: int) -> None:
        self.settings = settings
        self.state = state
        self.at_ns = at_ns
        self.commands: list[Command] = []

    def emit(self, command: Command) -> None:
        self.commands.append(command)

    def step(self, parcel: Parcel, step: Step) -> bool:
        """Take `step` if the table allows it; False leaves the parcel as it is."""
        state = after(parcel.state, step)
        if state is None:
            return False
        parcel.state = state
        return True

    def raise_alarm(self, kind: AlarmKind, subject: int = 0, pass_no: int = 0) -> None:
        """Raise once per kind, subject and pass until cleared; a later pass takes the earlier's place."""
        alarms = self.state.alarms
        standing = [a for a in alarms if (a.kind, a.subject) == (kind, subject)]
        if any(alarm.pass_no == pass_no for alarm in standing):
            return
        for alarm in standing:
            alarms.remove(alarm)
        alarms.append(AlarmView(kind, subject, pass_no, self.at_ns))
        del alarms[:-ALARMS_MAX]
        self.emit(RaiseAlarm(kind, subject, pass_no))

    def clear_alarm(self, kind: AlarmKind, subject: int = 0) -> None:
        kept = [a for a in self.state.alarms if (a.kind, a.subject) != (kind, subject)]
        if len(kept) != len(self.state.alarms):
            self.state.alarms = kept
            self.emit(ClearAlarm(kind, subject))

    def send(self, parcel: Parcel, destination: Destination, reason: int) -> None:
        """A row of block D with the next decision number (never 0)."""
        self.state.decision_seq = u32_sum(self.state.decision_seq, 1) or 1
        parcel.decision_seq = self.state.decision_seq
        self.emit(
            SendDecision(
                decision_seq=self.state.decision_seq,
                boot_id=parcel.boot_id,
                session=self.state.session,
                track_id=parcel.track_id,
                destination=destination,
                reason=reason,
            )
        )

    def rules_of(self, parcel: Parcel) -> Rules:
        """The rule version fixed at the parcel's entry."""
        for version in self.state.rule_versions:
            if version.rules_id == parcel.rules_id:
                return version.rules
        raise AssertionError(f"rules {parcel.rules_id} of pass {parcel.pass_no} are gone")

    def of_pass(self, pass_no: int) -> Parcel | None:
        """The parcel on the belt whose pass it is, None if it has left."""
        for parcel in self.state.parcels.values():
            if parcel.pass_no == pass_no:
                return parcel
        return None

    def undecided(self) -> list[Parcel]:
        waiting = (ParcelState.TRACKED, ParcelState.DECIDING)
        return [parcel for parcel in self.state.parcels.values() if parcel.state in waiting]

    def lane_for(self, destination: Destination) -> Lane | None:
        """The lane that serves `destination`, None if the line has none."""
        for lane in self.settings.lanes:
            if destination in lane.destinations:
                return lane
        return None

    def lane_number(self, number: int) -> Lane | None:
        for lane in self.settings.lanes:
            if lane.number == number:
                return lane
        return None
