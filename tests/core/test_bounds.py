"""Nothing in the core grows with the days: what is kept, how many of it, and which ones."""

from dataclasses import replace

from controller.core import events as e
from controller.core.vocabulary import AlarmKind, Destination
from tests.core.story import BOOT, MS, RULES, Line

S = 1_000 * MS


def test_of_pictures_without_a_trigger_the_newest_eight_are_kept() -> None:
    line = Line()
    for number in range(1, 21):
        line.picture(100 * number, number)
    assert [early.trigger_no for early in line.core.state.early_pictures] == list(range(13, 21))


def test_of_standing_alarms_the_newest_sixty_four_are_kept() -> None:
    line = Line()
    for source in range(1, 101):
        line.record(10 * source, e.DeviceChanged, source, 0, False, True, True)
    alarms = line.core.state.alarms
    assert {alarm.kind for alarm in alarms} == {AlarmKind.DEVICE_FAULT}
    assert [alarm.subject for alarm in alarms] == list(range(37, 101))


def activated(line: Line, at_ms: int, name: str, weight_tolerance_mg: int) -> None:
    rules = replace(RULES, weight_tolerance_mg=weight_tolerance_mg, weight_tolerance_permille=0)
    line.tell(at_ms, e.RulesActivated(name, "text", rules, "supervisor"))


def test_only_the_rules_that_a_parcel_carries_are_kept_beside_the_active_ones() -> None:
    line = Line()
    activated(line, 10, "rules-2", 1)
    assert [version.rules_id for version in line.core.state.rule_versions] == ["rules-2"]
    line.until_picture(100, 1)
    for number in range(3, 9):
        activated(line, 2_000 + number, f"rules-{number}", 10_000_000)
    kept = [version.rules_id for version in line.core.state.rule_versions]
    assert kept == ["rules-2", "rules-8"]
    verdict = line.until_verdict(1_100, 2, "W2")
    assert (verdict.rules_id, verdict.destination) == ("rules-8", Destination.RELEASE)


def test_a_clock_that_is_read_seldom_has_not_stepped() -> None:
    line = Line()
    for at_ms in (0, 1_000, 61_000, 661_000):
        line.tell(at_ms, e.ClockRead(1_700_000_000 * S + at_ms * MS, True))
    assert line.core.state.alarms == []
    assert line.core.state.utc_ns == 1_700_000_661 * S


def test_after_a_power_cut_deadlines_are_reckoned_by_the_new_clock() -> None:
    """The PC's clock begins near 0 again while the PLC's and the encoder go on."""
    line = Line()
    line.lease(100_000, 1)
    line.core.handle(2 * S, e.HostStarted(77, "test"))
    line.core.handle(2 * S + MS, e.PlcConnected(BOOT, 77, 1, line.ring_seq + 1, 0, ()))
    seq, plc_us = line.ring_seq + 1, 103_000_000
    line.core.handle(3 * S, e.Inducted(BOOT, seq, 1, 2, 103_000, plc_us, 0xFFFF_FFFF))
    due_ns = line.core.next_deadline_ns()
    # the longest parcel's trailing edge leaves the X-ray at 2,200 mm, and 800 ms of grace
    assert due_ns == 6 * S
