"""The report of a soak: what the truth says of the parcels, and what the machine says of the processes."""

from dataclasses import asdict, dataclass
from typing import Any

from sim.percentiles import Figure
from sim.soak.memory import Growth


@dataclass(frozen=True, slots=True)
class SoakReport:
    """`faults` counts those that hit with a parcel on the belt. `aborts`, by cause, were cleared by a
    supervisor. `deaths` are ends that nobody asked for and that were none of our kills. `stuck`: the
    parcels had not left in twice their time. `memory_slope` is None where no life was long enough.
    """

    minutes: float
    seed: int
    parcels: int
    released: int
    held: int
    wrong_releases: list[str]
    unaccounted: list[str]
    false_reasons: list[str]
    clean: int
    released_clean_share: float | None
    faults: dict[str, int]
    aborts: dict[str, int]
    deaths: list[str]
    stuck: bool
    memory_slope: dict[str, Growth | None]
    loop_lag_ms: dict[str, Figure]
    journal_records: int
    verify_ok: bool
    first_bad: str | None
    replay_differences: int

    @property
    def ok(self) -> bool:
        """Nothing wrong, nothing lost, nothing changed, nothing that grows, nobody died by itself."""
        grown = any(growth and growth.too_much for growth in self.memory_slope.values())
        return self.parcels > 0 and not (
            self.wrong_releases
            or self.unaccounted
            or self.false_reasons
            or self.deaths
            or self.stuck
            or not self.verify_ok
            or self.replay_differences
            or grown
        )

    def as_json(self) -> dict[str, Any]:
        return {"ok": self.ok, **asdict(self)}
