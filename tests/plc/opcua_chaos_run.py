"""The OPC UA link through the chaos proxy, on either library; also the long run behind a script:

    python -m tests.plc.opcua_chaos_run --records 20000 --seed 5 [--library opcua]

prints the table of `chaos_run` and exits 1 if a record was lost, doubled, disordered or wrong, or if
the PLC accepted a decision that nobody sent, or one twice.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from controller.core.vocabulary import LinkFault
from plc.opcua_legacy import LegacyBackend
from plc.opcua_link import AsyncuaBackend
from sim.chaos_proxy import Fault, proxied
from tests.plc.chaos_run import ChaosResult, table_of
from tests.plc.host import Host
from tests.plc.opcua_peer import OpcuaPlc, connected_host, plc_maker, running
from tests.plc.ringplc_peer import BOOT_ID, expected_record

LIBRARIES = {"asyncua": AsyncuaBackend, "opcua": LegacyBackend}


async def chaos(
    plcs: Path,
    *,
    records: int,
    rate_hz: int,
    seed: int,
    fault_s: float,
    calm_s: float,
    library: str = "asyncua",
) -> ChaosResult:
    """Run until every record is delivered. TimeoutError after six times the undisturbed time."""
    limit_s = 20 + 6 * records / rate_hz
    options = {"records": records, "rate_hz": rate_hz, "seed": seed, "piece_pause_us": 200}
    async with running(plcs, **options) as plc:
        async with proxied(plc.port, seed) as proxy, asyncio.TaskGroup() as group:
            trouble = group.create_task(proxy.play(fault_s, calm_s))
            backend = LIBRARIES[library]()
            async with connected_host(
                proxy.port, backend=backend, acknowledge_every=3, decides=True
            ) as host:
                await host.until(lambda h: plc.all_delivered(h, records), limit_s)
                result = _judge(host, plc, seed, dict(proxy.counts))
            trouble.cancel()
    return result


def _judge(host: Host, plc: OpcuaPlc, seed: int, injected: dict[Fault, int]) -> ChaosResult:
    got = host.sequences
    published = set(plc.published_ns) | plc.own
    accepted = {(seq, track, destination) for seq, track, destination in plc.accepted}
    sent = {(seq, d.track_id, int(d.destination)) for seq, d in host.sent.items()}
    return ChaosResult(
        lost=len(published - set(got)),
        doubled=len(got) - len(set(got)),
        out_of_order=sum(later <= earlier for earlier, later in zip(got, got[1:], strict=False)),
        wrong_content=sum(
            record != expected_record(seed, BOOT_ID, record.ring_seq, record.plc_time_us)
            for record in host.records
            if record.ring_seq not in plc.own
        ),
        foreign_decisions=len(accepted - sent) + len(plc.accepted) - len(accepted),
        records=len(got),
        faults_injected=injected,
        link_faults={
            fault: host.faults.count(fault) for fault in LinkFault if fault in host.faults
        },
        counters=host.link.counters,
        plc_counts={"watchdog": plc.watchdog_trips, "accepted": len(plc.accepted)},
        commit_to_delivery_ns=sorted(
            host.delivered_ns[seq] - at_ns for seq, at_ns in plc.published_ns.items()
        ),
    )


def main() -> int:
    """The long run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rate-hz", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault-s", type=float, default=0.6)
    parser.add_argument("--calm-s", type=float, default=1.5)
    parser.add_argument("--library", choices=sorted(LIBRARIES), default="asyncua")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, plc_maker(Path(folder)) as plcs:
        result = asyncio.run(chaos(plcs, **vars(arguments)))
    print(table_of(result))
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main())
