"""Every planted fault is found, and named by the duty that it breaks, in one sentence with a register."""

import asyncio
import re

import pytest

from plc.conformance.duties import Duty
from plc.conformance.suite import Result, passed, run_suite
from plc.ring_reader import RegisterRun
from tests.plc import broken_gates, broken_leases, broken_ring
from tests.plc.planting import FAULTS
from tests.plc.virtual_target import LINE, VirtualTarget

SESSION = 0x1234_5678
assert broken_gates and broken_leases and broken_ring  # their import fills FAULTS


def test_the_whole_soft_plc_passes() -> None:
    outcomes = asyncio.run(run_suite(VirtualTarget(), SESSION, LINE))
    assert [outcome for outcome in outcomes if outcome.result is not Result.PASSED] == []
    assert passed(outcomes)


@pytest.mark.parametrize("name", FAULTS)
def test_a_neglected_duty_is_named(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    plant, duties = FAULTS[name]
    target = VirtualTarget()
    plant(monkeypatch, target)
    outcomes = asyncio.run(run_suite(target, SESSION, LINE))
    assert not passed(outcomes)
    sentences = [outcome.sentence for outcome in outcomes if outcome.result is Result.FAILED]
    named = {sentence.split()[0] for sentence in sentences}
    assert named & set(duties), sentences
    for sentence in sentences:
        assert re.match(r"P\d+ [a-z -]+: .+\.$", sentence), sentence
    found = [sentence for sentence in sentences if sentence.split()[0] in duties]
    assert any(re.search(r"\(register \d+\)|kind \d+|magic|layout|stores", s) for s in found), found


def test_every_duty_has_a_planted_fault() -> None:
    assert {duty.number for duty in Duty} == {d for _, duties in FAULTS.values() for d in duties}


class AnotherDevice(VirtualTarget):
    """Something that speaks Modbus and is no line."""

    async def read(self, run: RegisterRun) -> list[int]:
        return [0x008C] * run.count


def test_a_foreign_map_is_named_once() -> None:
    first, *others = asyncio.run(run_suite(AnotherDevice(), SESSION, LINE))
    assert first.sentence == (
        "P1 map and word order: register 0 holds 0x008c, not 0xa5c1; is the base address (or the node "
        "prefix) right?"
    )
    assert {outcome.result for outcome in others} == {Result.NOT_RUN}


def test_a_reason_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    plant, _ = FAULTS["rows never freed"]
    target = VirtualTarget()
    plant(monkeypatch, target)
    outcomes = asyncio.run(run_suite(target, SESSION, LINE))
    first, *others = [o.sentence for o in outcomes if o.result is Result.FAILED]
    assert "still holds a parcel" in first
    assert set(others) == {"P22 tracking: for the same reason as 'tracking'."}
