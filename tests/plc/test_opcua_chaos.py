"""Records through a network that resets, stalls, goes half-open, cuts and glues segments, over OPC UA."""

from pathlib import Path

import pytest

from sim.chaos_proxy import Fault
from tests.plc.opcua_chaos_run import chaos


@pytest.mark.parametrize("library", ["asyncua", "opcua"])
async def test_nothing_is_lost_torn_or_doubled(opcua_plcs: Path, library: str) -> None:
    result = await chaos(
        opcua_plcs,
        records=200,
        rate_hz=100,
        seed=25,
        fault_s=0.2,
        calm_s=0.4,
        library=library,
    )
    assert result.records >= 200
    assert (result.lost, result.doubled, result.out_of_order) == (0, 0, 0)
    assert result.wrong_content == 0
    assert result.foreign_decisions == 0
    assert result.counters.reconnects > 0
    assert result.faults_injected.get(Fault.RESET, 0) > 0
