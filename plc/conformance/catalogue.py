"""Which checks there are, in the order they run: the list of docs/plc-interface.md section 7 in code."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import IntEnum

from plc.conformance import checks_decisions as decisions
from plc.conformance import checks_faults as faults
from plc.conformance import checks_gates as gates
from plc.conformance import checks_lanes as lanes
from plc.conformance import checks_leases as leases
from plc.conformance import checks_map as identity
from plc.conformance import checks_ring as ring
from plc.conformance import checks_session as session
from plc.conformance import checks_tracking as tracking
from plc.conformance.bench import Bench
from plc.conformance.duties import Duty


class Needs(IntEnum):
    """What a check needs beyond a PLC that answers."""

    WIRE = 1  # not even a session
    SESSION = 2
    TEST_MODE = 3
    PARCELS = 4  # test mode and the line's geometry


@dataclass(frozen=True, slots=True)
class Check:
    """`duties` are those that it is about; a failure may name another one that shows itself there.
    `about_rows`: a PLC that takes decisions by method only need not have it."""

    name: str
    duties: tuple[Duty, ...]
    needs: Needs
    run: Callable[[Bench], Awaitable[object]]
    about_rows: bool = False

    @property
    def numbers(self) -> str:
        """`P13 P21`."""
        return " ".join(duty.number for duty in self.duties)


def _check(
    name: str,
    duties: str,
    needs: Needs,
    run: Callable[[Bench], Awaitable[object]],
    *,
    about_rows: bool = False,
) -> Check:
    by_number = {duty.number: duty for duty in Duty}
    return Check(name, tuple(by_number[each] for each in duties.split()), needs, run, about_rows)


_WIRE, _SESSION, _TEST, _PARCELS = Needs.WIRE, Needs.SESSION, Needs.TEST_MODE, Needs.PARCELS

CHECKS = (
    _check("map and word order", "P1", _WIRE, identity.map_and_order),
    _check("writes refused", "P2", _WIRE, identity.writes_refused),
    _check("PLC life sign", "P3", _WIRE, identity.life_sign),
    _check("session latch", "P9", _SESSION, session.latch),
    _check("watchdog", "P11", _SESSION, session.watchdog_repeatedly),
    _check("second host", "P10", _SESSION, session.second_host),
    _check("acknowledgement", "P8", _SESSION, decisions.acknowledgement),
    _check("bad CRC", "P15", _SESSION, decisions.bad_crc, about_rows=True),
    _check("wrong layout", "P15", _SESSION, decisions.wrong_layout, about_rows=True),
    _check("misplaced row", "P15", _SESSION, decisions.misplaced, about_rows=True),
    _check("foreign boot id", "P16", _SESSION, decisions.foreign_boot),
    _check("foreign session", "P16", _SESSION, decisions.foreign_session),
    _check("no session", "P16", _SESSION, decisions.decision_without_session),
    _check("unknown parcel", "P17", _SESSION, decisions.unknown_parcel),
    _check("one answer", "P13", _SESSION, decisions.one_answer),
    _check("zero is empty", "P14", _SESSION, decisions.zero_row, about_rows=True),
    _check("ring under load", "P5", _TEST, ring.under_load),
    _check("commit order", "P5", _TEST, ring.commit_order),
    _check("acknowledgement of waiting records", "P8", _TEST, ring.waiting_acknowledgement),
    _check("foreign permit and acknowledgement", "P10", _TEST, ring.foreign_c),
    _check("host restart", "P6", _TEST, ring.host_restart),
    _check("permits", "P12", _TEST, ring.permits),
    _check("permits without a host", "P11 P12", _TEST, ring.permits_without_host),
    _check("back-pressure", "P7", _TEST, ring.back_pressure),
    _check("ring overflow", "P6", _TEST, ring.overflow),
    _check("tracking", "P22", _PARCELS, tracking.induct_and_track),
    _check("lease and gate", "P21 P25", _PARCELS, leases.lease),
    _check("gate timing", "P25", _PARCELS, gates.timing),
    _check("two releases", "P25", _PARCELS, gates.two_releases),
    _check("two sides of a gate", "P25", _PARCELS, gates.other_side),
    _check("hold replaces release", "P18", _PARCELS, leases.hold_replaces_release),
    _check("another destination", "P18 P20", _PARCELS, lanes.another_destination),
    _check("sequences wrap", "P18", _PARCELS, leases.sequences_wrap),
    _check("no destination", "P14 P15", _PARCELS, leases.no_destination),
    _check("late is hold", "P19 P23", _PARCELS, leases.late_is_hold),
    _check("decision point", "P19 P23", _PARCELS, leases.decision_point),
    _check("gap", "P24", _PARCELS, leases.gap),
    _check("lane full", "P20 P23", _PARCELS, lanes.lane_full),
    _check("full lane ends lease", "P20", _PARCELS, lanes.full_lane_ends_lease),
    _check("watchdog ends leases", "P11", _PARCELS, faults.watchdog_ends_leases),
    _check("host gone for good", "P11", _PARCELS, faults.nobody_there),
    _check("PLC restart", "P4", _PARCELS, faults.plc_restart),
    _check("gates locked after a start", "P4", _PARCELS, faults.gates_locked),
    _check("unknown on the belt", "P4 P22", _PARCELS, tracking.unknown_on_the_belt),
)
