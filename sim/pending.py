"""What the plant has seen and the PLC's inputs do not show yet."""

from dataclasses import dataclass, field

from sim.plc_io import CodeSeen, DimensionReading, EyeEdge, LaneEdge, ScaleReading

Telegram = CodeSeen | ScaleReading | DimensionReading


@dataclass(slots=True)
class Pending:
    """What the next PlcInputs will carry; telegrams wait until they are due."""

    edges: list[EyeEdge] = field(default_factory=list)
    lane_edges: list[LaneEdge] = field(default_factory=list)
    telegrams: list[tuple[int, Telegram]] = field(default_factory=list)

    def due(self, now_us: int) -> list[Telegram]:
        """Telegrams whose delay is over; each is handed over once."""
        if not self.telegrams:
            return []
        ready = [telegram for due_us, telegram in self.telegrams if due_us <= now_us]
        if ready:
            self.telegrams = [entry for entry in self.telegrams if entry[0] > now_us]
        return ready
