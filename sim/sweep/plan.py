"""What a run will be, out of its seed alone: where the counters start, which faults come when.

A plan is data, so that a failing run can be made smaller: fewer kinds, fewer faults, fewer parcels, and
nothing else changes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from controller.core.units import U32_MAX

# A PLC scan of 10 ms at the line's full rate, or one of 20 ms: its gates need 325 mm of clear belt, which
# every parcel has at 4,700 an hour.
SCAN_MS_AND_RATE = ((20, 4_700), (20, 4_700), (20, 4_700), (10, 5_000))
PITCH_MS = 766
# The first parcels; the share of the parcels that come in while faults happen.
FAULTS_FROM_MS = 5_000
FAULT_PHASE_PERMILLE = 500
FAULTS_PER_RUN = (7, 14)
NEAR_WRAP_PERMILLE = 240
MIDNIGHT_PERMILLE = 150
WRAP_WITHIN = 50
# Half of the runs near the wrap let the encoder wrap under parcels instead of before the first.
WRAP_WITHIN_COUNTS = 30_000
# Every so many seeds have one kind of fault alone.
SINGLE_KIND_EVERY = 4
NS_PER_DAY = 86_400 * 10**9


@dataclass(frozen=True, slots=True)
class Injection:
    """One fault: its name in the table, when it begins, and the seed of its own details."""

    name: str
    at_ms: int
    seed: int


@dataclass(frozen=True, slots=True)
class Starts:
    """Where the counters of the PLC and of the host begin."""

    ring_seq: int = 1
    track_id: int = 1
    trigger_no: int = 1
    boot_id: int = 0
    encoder_counts: int = 0
    decision_seq: int = 0


@dataclass(frozen=True, slots=True)
class Plan:
    """`utc_ns` is the wall clock at the start, `phase_us` the poll's place after the PLC's scan.

    `fed` is how many of the run's parcels are fed: all, unless a failing run was made shorter.
    `faults_until_ms`: no fault begins later; what follows is the quiet phase. `exhaustive` leaves out no
    scan and no poll.
    """

    seed: int
    parcels: int
    fed: int
    injections: tuple[Injection, ...]
    faults_until_ms: int
    starts: Starts
    utc_ns: int
    scan_ms: int
    rate_parcels_per_h: int
    phase_us: int
    part_seed: int
    exhaustive: bool = False


def make_plan(seed: int, parcels: int, names: Sequence[str]) -> Plan:
    """The run of `seed` with faults among `names` (none: no fault)."""
    rng = Random(seed)
    span_ms = parcels * PITCH_MS * FAULT_PHASE_PERMILLE // 1000
    until_ms = FAULTS_FROM_MS + span_ms
    starts = _starts(rng)
    midnight = rng.randrange(1000) < MIDNIGHT_PERMILLE
    to_midnight_ms = rng.randrange(FAULTS_FROM_MS, max(FAULTS_FROM_MS + 1, parcels * PITCH_MS))
    noon_ns = NS_PER_DAY * 20_000 + NS_PER_DAY // 2
    utc_ns = NS_PER_DAY * 20_001 - to_midnight_ms * 10**6 if midnight else noon_ns
    scan_ms, rate = rng.choice(SCAN_MS_AND_RATE)
    chosen = _chosen(rng, seed, names)
    injections = [
        Injection(name, rng.randrange(FAULTS_FROM_MS, until_ms), rng.getrandbits(32))
        for name in chosen
    ]
    injections.sort(key=lambda injection: injection.at_ms)
    return Plan(
        seed=seed,
        parcels=parcels,
        fed=parcels,
        injections=tuple(injections),
        faults_until_ms=until_ms,
        starts=starts,
        utc_ns=utc_ns,
        scan_ms=scan_ms,
        rate_parcels_per_h=rate,
        phase_us=rng.randrange(0, scan_ms * 1_000 - 1_000, 500),
        part_seed=rng.getrandbits(48),
    )


def _chosen(rng: Random, seed: int, names: Sequence[str]) -> list[str]:
    if not names:
        return []
    count = rng.randint(*FAULTS_PER_RUN)
    if seed % SINGLE_KIND_EVERY == 0:
        return [rng.choice(names)] * count
    return [rng.choice(names) for _ in range(count)]


def _starts(rng: Random) -> Starts:
    """Everywhere within 50 of the wrap, or at the beginning."""
    if rng.randrange(1000) >= NEAR_WRAP_PERMILLE:
        return Starts(encoder_counts=rng.getrandbits(31))

    def near() -> int:
        return U32_MAX - rng.randrange(WRAP_WITHIN)

    under_parcels = rng.random() < 0.5
    encoder = U32_MAX - rng.randrange(WRAP_WITHIN_COUNTS) if under_parcels else near()
    return Starts(near(), near(), near(), near(), encoder, near())
