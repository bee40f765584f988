"""1,500 records through a network that resets, stalls, goes half-open, cuts and glues segments."""

from pathlib import Path

import pytest

from sim.chaos_proxy import Fault
from tests.plc.chaos_run import chaos


@pytest.mark.timeout(60)
async def test_nothing_is_lost_torn_or_doubled(ringplc: Path) -> None:
    result = await chaos(ringplc, records=1_500, rate_hz=300, seed=11, fault_s=0.25, calm_s=0.3)
    assert result.records == 1_500
    assert (result.lost, result.doubled, result.out_of_order) == (0, 0, 0)
    assert result.wrong_content == 0
    assert result.foreign_decisions == 0
    assert result.counters.reconnects > 0
    assert result.faults_injected.get(Fault.RESET, 0) > 0
    assert len(result.faults_injected) >= 3
