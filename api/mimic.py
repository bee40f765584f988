"""The drawing of one belt from the geometry in its configuration: plain numbers for an SVG.

The page's script uses the same scale (`x_at_induct`, `px_per_m`) to move the parcels, so that the
drawing and the motion cannot disagree. The belt runs to the right; "left" of the belt is drawn above.
"""

from dataclasses import dataclass

from controller.core.settings import Lane, LineSettings

WIDTH, HEIGHT = 1_560, 292
BELT_TOP, BELT_BOTTOM = 126, 176
_MARGIN = 14
_INFEED_MM = 450  # belt drawn before the induct eye
_STRAIGHT_BOX = 168  # room for the lane at the end of the belt
_LANE_WIDTH_MAX, _LANE_HEIGHT = 152, 74
_LANE_GAP = 8
_DEVICE_WIDTH = 118


@dataclass(frozen=True, slots=True)
class Device:
    """A box over the belt. `ids` are the words in it; `health` the frame field that greys it out."""

    ids: tuple[str, ...]
    x: int
    box_x: int
    health: str


@dataclass(frozen=True, slots=True)
class LaneBox:
    number: int
    gate: int
    side: str
    destinations: tuple[str, ...]
    x: int
    y: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Mark:
    """An eye or a gate at `x` on the belt."""

    number: int
    x: int


@dataclass(frozen=True, slots=True)
class Mimic:
    """Everything the SVG needs, in its own pixels."""

    x_at_induct: int
    px_per_m: int
    belt_left: int
    belt_right: int
    decision_x: int
    devices: tuple[Device, ...]
    eyes: tuple[Mark, ...]
    gates: tuple[Mark, ...]
    lanes: tuple[LaneBox, ...]
    width: int = WIDTH
    height: int = HEIGHT
    belt_top: int = BELT_TOP
    belt_bottom: int = BELT_BOTTOM


def draw(line: LineSettings) -> Mimic:
    """The drawing of `line`."""
    span_mm = line.belt_end_mm + _INFEED_MM
    usable = WIDTH - 2 * _MARGIN - _STRAIGHT_BOX
    px_per_m = usable * 1_000 // span_mm
    x_at_induct = _MARGIN + _INFEED_MM * px_per_m // 1_000

    def x(position_mm: int) -> int:
        return x_at_induct + position_mm * px_per_m // 1_000

    gates = tuple(Mark(gate.number, x(gate.position_mm)) for gate in line.gates)
    return Mimic(
        x_at_induct=x_at_induct,
        px_per_m=px_per_m,
        belt_left=_MARGIN,
        belt_right=x(line.belt_end_mm),
        decision_x=x(line.decision_position_mm),
        devices=_devices(line, x_at_induct, px_per_m),
        eyes=tuple(Mark(eye.number, x(eye.position_mm)) for eye in line.eyes),
        gates=gates,
        lanes=tuple(_lane_box(lane, gates, x(line.belt_end_mm)) for lane in line.lanes),
    )


def _devices(line: LineSettings, x_at_induct: int, px_per_m: int) -> tuple[Device, ...]:
    """Boxes in belt order; devices at one place share a box, boxes never overlap."""
    placed: dict[int, list[str]] = {}
    health: dict[int, str] = {}
    for text_id, position_mm, field in (
        ("device.scanner", line.scanner_position_mm, "plc_up"),
        ("device.scale", line.scale_position_mm, "plc_up"),
        ("device.dimensioner", line.dimensioner_position_mm, "plc_up"),
        ("device.xray", line.xray_position_mm, "vision_up"),
    ):
        placed.setdefault(position_mm, []).append(text_id)
        health[position_mm] = field
    devices: list[Device] = []
    free_from = _MARGIN
    for position_mm in sorted(placed):
        x = x_at_induct + position_mm * px_per_m // 1_000
        box_x = max(free_from, x - _DEVICE_WIDTH // 2)
        devices.append(Device(tuple(placed[position_mm]), x, box_x, health[position_mm]))
        free_from = box_x + _DEVICE_WIDTH + _LANE_GAP
    return tuple(devices)


def _lane_box(lane: Lane, gates: tuple[Mark, ...], belt_right: int) -> LaneBox:
    destinations = tuple(destination.name for destination in lane.destinations)
    if lane.gate == 0:
        y = (BELT_TOP + BELT_BOTTOM - _LANE_HEIGHT) // 2
        x, width = belt_right + _LANE_GAP, WIDTH - _MARGIN - belt_right - _LANE_GAP
    else:
        y = 14 if lane.side == "left" else HEIGHT - 14 - _LANE_HEIGHT
        gate_x = next(gate.x for gate in gates if gate.number == lane.gate)
        others = [abs(gate.x - gate_x) for gate in gates if gate.x != gate_x]
        width = min([_LANE_WIDTH_MAX, *(distance - _LANE_GAP for distance in others)])
        x = gate_x - width // 2
    return LaneBox(lane.number, lane.gate, lane.side, destinations, x, y, width, _LANE_HEIGHT)
