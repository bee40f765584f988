"""Disconnects, stalls, half-open links and torn writes against the soft PLC: nothing lost or doubled."""

import pytest

from tests.plc.chaos_soft_plc import chaos_soft


@pytest.mark.live
@pytest.mark.timeout(120)
async def test_soft_plc_through_chaos_loses_and_doubles_nothing() -> None:
    result = await chaos_soft(parcels_count=12, seed=3, fault_s=0.25, calm_s=1.0)
    assert result.clean, result
    assert result.committed >= 12 * 10
    assert sum(result.injected.values()) >= 5
