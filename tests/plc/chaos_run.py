"""The link against the C PLC through the chaos proxy; also the long run behind a script:

    python -m tests.plc.chaos_run --records 20000 --seed 5

prints a table and exits 1 if a record was lost, doubled, disordered or wrong, or if the PLC accepted
a decision that nobody sent.
"""

import argparse
import asyncio
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from controller.core.units import NS_PER_MS
from controller.core.vocabulary import LinkFault
from plc.exchange import Counters
from sim.chaos_proxy import Fault, proxied
from tests.plc.host import Host, connected_host
from tests.plc.ringplc_peer import BOOT_ID, RingPlc, build, expected_record, running


@dataclass(frozen=True, slots=True)
class ChaosResult:
    """What became of `records` published records. The first five must be 0."""

    lost: int
    doubled: int
    out_of_order: int
    wrong_content: int
    foreign_decisions: int
    records: int
    faults_injected: dict[Fault, int]
    link_faults: dict[LinkFault, int]
    counters: Counters
    plc_counts: dict[str, int]
    commit_to_delivery_ns: list[int]

    @property
    def clean(self) -> bool:
        wrong = (self.lost, self.doubled, self.out_of_order, self.wrong_content)
        return not any(wrong) and not self.foreign_decisions


async def chaos(
    binary: Path, *, records: int, rate_hz: int, seed: int, fault_s: float, calm_s: float
) -> ChaosResult:
    """Run until every record is delivered. TimeoutError after four times the undisturbed time."""
    limit_s = 20 + 4 * records / rate_hz
    options = {"records": records, "rate_hz": rate_hz, "seed": seed, "early_head_permille": 20}
    async with running(binary, **options) as plc:
        async with proxied(plc.port, seed) as proxy, asyncio.TaskGroup() as group:
            trouble = group.create_task(proxy.play(fault_s, calm_s))
            async with connected_host(proxy.port, acknowledge_every=3, decides=True) as host:
                await host.until(lambda h: len(h.records) >= records, limit_s)
            trouble.cancel()
    return _judge(host, plc, records, seed, dict(proxy.counts))


def _judge(
    host: Host, plc: RingPlc, records: int, seed: int, injected: dict[Fault, int]
) -> ChaosResult:
    got = host.sequences
    accepted = {(seq, track, dest) for seq, track, dest in plc.accepted}
    sent = {(seq, d.track_id, int(d.destination)) for seq, d in host.sent.items()}
    return ChaosResult(
        lost=len(set(range(1, records + 1)) - set(got)),
        doubled=len(got) - len(set(got)),
        out_of_order=sum(later <= earlier for earlier, later in zip(got, got[1:], strict=False)),
        wrong_content=sum(
            record != expected_record(seed, BOOT_ID, record.ring_seq, record.plc_time_us)
            for record in host.records
        ),
        foreign_decisions=len(accepted - sent) + len(plc.accepted) - len(accepted),
        records=len(got),
        faults_injected=injected,
        link_faults={
            fault: host.faults.count(fault) for fault in LinkFault if fault in host.faults
        },
        counters=host.link.counters,
        plc_counts=plc.counts,
        commit_to_delivery_ns=sorted(
            host.delivered_ns[seq] - at_ns
            for seq, at_ns in plc.published_ns.items()
            if seq in host.delivered_ns
        ),
    )


def table_of(result: ChaosResult) -> str:
    times = result.commit_to_delivery_ns
    rows: list[tuple[str, object]] = [
        ("records delivered", result.records),
        ("lost", result.lost),
        ("doubled", result.doubled),
        ("out of order", result.out_of_order),
        ("wrong content (torn accepted)", result.wrong_content),
        ("accepted decisions nobody sent", result.foreign_decisions),
        ("torn reads rejected", result.counters.torn_rejected),
        ("exchanges rebuilt", result.counters.reconnects),
        ("polls", result.counters.polls),
        *((f"injected: {fault.value}", count) for fault, count in result.faults_injected.items()),
        *((f"seen: {fault.name}", count) for fault, count in result.link_faults.items()),
        *((f"PLC: {name}", count) for name, count in result.plc_counts.items()),
        *(
            (f"commit to delivery p{percent}, ms", times[len(times) * percent // 100] / NS_PER_MS)
            for percent in (50, 90)
        ),
    ]
    return "\n".join(f"{name:<36}{value:>12}" for name, value in rows)


def main() -> int:
    """The long run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--rate-hz", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--fault-s", type=float, default=0.6)
    parser.add_argument("--calm-s", type=float, default=1.5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        binary = build(Path(folder))
        if isinstance(binary, str):
            print(f"no C PLC: {binary}")
            return 2
        result = asyncio.run(chaos(binary, **vars(arguments)))
    print(table_of(result))
    return 0 if result.clean else 1


if __name__ == "__main__":
    sys.exit(main())
