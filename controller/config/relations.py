"""Relations between the numbers of one line.toml, and between several run together.

Each check is one sentence that says what cannot work and why. Geometry is compared in whole
millimetres and milliseconds multiplied out, so nothing is rounded in favour of the line.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

from controller.config.key_lines import Path as KeyPath
from controller.config.model import LineConfig
from controller.config.typed_toml import ConfigError
from controller.core.settings import Eye, Gate, Lane, LineSettings
from controller.core.vocabulary import Destination

# A held follower must find the gate back at hold: gate travel, and 20 ms for scan cycle and jitter.
GAP_MARGIN_MS = 20
SIDES = ("left", "right", "straight")
# sun_path of a Unix socket, without the closing zero byte.
SOCKET_PATH_BYTES_MAX = 107
MS_PER_S = 1_000
S_PER_H = 3_600

Finding = tuple[KeyPath, str]


def gate_lead_mm(line: LineSettings) -> int:
    """Belt travelled while the slowest gate moves once, with the margin; rounded up. The least gap."""
    travel_ms = max(gate.travel_ms for gate in line.gates) + GAP_MARGIN_MS
    return -(-line.belt_speed_mm_per_s * travel_ms // MS_PER_S)


def last_sensor_mm(line: LineSettings) -> int:
    """Position of the last sensor that a release requires."""
    return max(
        line.scanner_position_mm,
        line.scale_position_mm,
        line.dimensioner_position_mm,
        line.xray_position_mm,
    )


def findings(line: LineSettings, rate_parcels_per_h: int) -> Iterator[Finding]:
    """What cannot work, most basic first; the caller reports the first one."""
    yield from _values(line, rate_parcels_per_h)
    yield from _positions(line)
    yield from _lanes(line)
    yield from _attachment(line)
    yield from _time_to_decide(line)
    yield from _pitch(line, rate_parcels_per_h)


def _values(line: LineSettings, rate_parcels_per_h: int) -> Iterator[Finding]:
    limits = (
        ("belt_speed_mm_per_s", line.belt_speed_mm_per_s, 5_000),
        ("encoder_counts_per_m", line.encoder_counts_per_m, 1_000_000),
        ("rate_parcels_per_h", rate_parcels_per_h, 100_000),
        ("parcel_length_max_mm", line.parcel_length_max_mm, 5_000),
        ("attach_window_mm", line.attach_window_mm, 5_000),
        ("length_tolerance_mm", line.length_tolerance_mm, 1_000),
        ("evidence_limit_ms", line.evidence_limit_ms, 60_000),
        ("link_margin_ms", line.link_margin_ms, 60_000),
        ("look_up_limit_ms", line.look_up_limit_ms, 60_000),
        ("parcels_on_belt_max", line.parcels_on_belt_max, 48),
    )
    for key, value, most in limits:
        if not 1 <= value <= most:
            yield ("line", key), f"{key} is {value}, but must lie between 1 and {most}."
    if not line.name.isascii() or not line.name.replace("-", "").replace("_", "").isalnum():
        yield (
            ("line", "name"),
            f"the line's name '{line.name}' becomes a file name: letters, digits, '-' and '_' only.",
        )
    if not line.eyes:
        yield ("line", "eyes"), "a line needs at least the induct eye and the pre-gate eye."
    if not line.gates:
        yield ("line", "gates"), "a line without a gate can release nothing."


def _positions(line: LineSettings) -> Iterator[Finding]:
    standing: dict[str, Sequence[Eye | Gate]] = {"eyes": line.eyes, "gates": line.gates}
    for kind, items in standing.items():
        for index, (before, after) in enumerate(pairwise(items), start=1):
            if after.position_mm <= before.position_mm:
                yield (
                    ("line", kind, index, "position_mm"),
                    f"{kind} must stand in belt order: number {after.number} at {after.position_mm} mm "
                    f"is not behind number {before.number} at {before.position_mm} mm.",
                )
    yield from _numbers(line)
    for index, gate in enumerate(line.gates):
        if not 1 <= gate.travel_ms <= 10_000:
            yield (
                ("line", "gates", index, "travel_ms"),
                f"gate {gate.number} has travel_ms {gate.travel_ms}, but must lie between 1 and 10000.",
            )
    if line.eyes[0].position_mm != 0:
        yield ("line", "eyes", 0, "position_mm"), "the first eye is the induct eye, at 0 mm."
    for key, position_mm in _stations(line):
        if not 0 <= position_mm <= line.belt_end_mm:
            yield (
                ("line", key),
                f"{key} is {position_mm}, not on the belt of {line.belt_end_mm} mm.",
            )
    if line.decision_position_mm not in {eye.position_mm for eye in line.eyes}:
        yield (
            ("line", "decision_position_mm"),
            f"the decision point at {line.decision_position_mm} mm has no eye: the gap before a parcel "
            "is measured there.",
        )


def _stations(line: LineSettings) -> Iterator[tuple[str, int]]:
    for key in ("scanner", "scale", "dimensioner", "xray", "decision"):
        name = f"{key}_position_mm"
        yield name, getattr(line, name)
    for gate in line.gates:
        yield "gates", gate.position_mm


def _numbers(line: LineSettings) -> Iterator[Finding]:
    """Numbers are addresses in the PLC's records: 1 to 65535, each once."""
    numbered: dict[str, Sequence[Eye | Gate | Lane]]
    numbered = {"eyes": line.eyes, "gates": line.gates, "lanes": line.lanes}
    for kind, items in numbered.items():
        seen: set[int] = set()
        for index, item in enumerate(items):
            if not 1 <= item.number <= 0xFFFF:
                yield (
                    ("line", kind, index, "number"),
                    f"number {item.number} in {kind} must lie between 1 and 65535.",
                )
            if item.number in seen:
                yield (
                    ("line", kind, index, "number"),
                    f"number {item.number} stands twice in {kind}.",
                )
            seen.add(item.number)
    sources = ("scanner_source", "scale_source", "dimensioner_source", "xray_source")
    for first, second in combinations(sources, 2):
        if getattr(line, first) == getattr(line, second):
            yield (
                ("line", second),
                f"{first} and {second} are both {getattr(line, first)}, so records cannot be told apart.",
            )


def _lanes(line: LineSettings) -> Iterator[Finding]:
    gates = {gate.number for gate in line.gates}
    for index, lane in enumerate(line.lanes):
        path: KeyPath = ("line", "lanes", index)
        if lane.side not in SIDES:
            sides = ", ".join(SIDES)
            yield (*path, "side"), f"lane {lane.number}: side '{lane.side}' is none of {sides}."
        if lane.gate and lane.gate not in gates:
            yield (*path, "gate"), f"lane {lane.number}: there is no gate {lane.gate}."
        if (lane.gate == 0) != (lane.side == "straight"):
            yield path, f"lane {lane.number}: gate 0 and side 'straight' belong together."
    for (_, first), (index, second) in combinations(enumerate(line.lanes), 2):
        if (first.gate, first.side) == (second.gate, second.side):
            yield (
                ("line", "lanes", index),
                f"lanes {first.number} and {second.number} are the same side of gate {first.gate}.",
            )
    yield from _destinations(line)


def _destinations(line: LineSettings) -> Iterator[Finding]:
    """Straight on is where parcels go when nothing works: that is hold, and never release."""
    lane_of = {destination: lane for lane in line.lanes for destination in lane.destinations}
    for destination in (Destination.RELEASE, Destination.HOLD):
        if destination not in lane_of:
            yield ("lanes",), f"no lane is given for '{destination.name.lower()}'."
            return
    release, hold = lane_of[Destination.RELEASE], lane_of[Destination.HOLD]
    if release.gate == 0:
        yield (
            ("lanes", "release"),
            f"release is lane {release.number}, which is straight on: with all gates off, as after "
            "a fault, every parcel would be released.",
        )
    if hold.gate != 0:
        yield (
            ("lanes", "hold"),
            f"hold is lane {hold.number} at gate {hold.gate}: hold must be straight on, where "
            "parcels go when all gates are off.",
        )
    for other in release.destinations:
        if other is not Destination.RELEASE:
            yield (
                ("lanes", other.name.lower()),
                f"lane {release.number} serves release and {other.name.lower()}: held parcels would "
                "stand among released ones.",
            )


def _attachment(line: LineSettings) -> Iterator[Finding]:
    """Half of the least gap, so that a reading can never be the neighbour's."""
    if 2 * line.attach_window_mm > gate_lead_mm(line):
        yield (
            ("line", "attach_window_mm"),
            f"attach_window_mm is {line.attach_window_mm}, more than half of the least gap of "
            f"{gate_lead_mm(line)} mm: a reading of the next parcel would pass for this one's.",
        )


def _time_to_decide(line: LineSettings) -> Iterator[Finding]:
    """(decision point - last sensor - longest parcel) / speed must reach the evidence limit."""
    way_mm = line.decision_position_mm - last_sensor_mm(line) - line.parcel_length_max_mm
    if way_mm * MS_PER_S < line.evidence_limit_ms * line.belt_speed_mm_per_s:
        yield (
            ("line", "decision_position_mm"),
            f"from the last sensor at {last_sensor_mm(line)} mm to the decision point at "
            f"{line.decision_position_mm} mm, less the longest parcel of {line.parcel_length_max_mm} mm, "
            f"is {way_mm} mm: at {line.belt_speed_mm_per_s} mm/s that is under the evidence limit of "
            f"{line.evidence_limit_ms} ms.",
        )
    first_gate_mm = min(gate.position_mm for gate in line.gates)
    if first_gate_mm - line.decision_position_mm < gate_lead_mm(line):
        yield (
            ("line", "gates", 0, "position_mm"),
            f"the first gate stands {first_gate_mm - line.decision_position_mm} mm behind the decision "
            f"point, but its travel takes {gate_lead_mm(line)} mm of belt.",
        )


def _pitch(line: LineSettings, rate_parcels_per_h: int) -> Iterator[Finding]:
    """Parcels at this rate must leave the least gap between the longest of them."""
    least_mm = line.parcel_length_max_mm + gate_lead_mm(line)
    if line.belt_speed_mm_per_s * S_PER_H < rate_parcels_per_h * least_mm:
        pitch_mm = line.belt_speed_mm_per_s * S_PER_H // rate_parcels_per_h
        yield (
            ("line", "rate_parcels_per_h"),
            f"{rate_parcels_per_h} parcels/h leave a pitch of {pitch_mm} mm, but the longest parcel of "
            f"{line.parcel_length_max_mm} mm and the least gap of {gate_lead_mm(line)} mm need "
            f"{least_mm} mm.",
        )


def check_together(configs: Sequence[LineConfig]) -> None:
    """ConfigError if these lines cannot run side by side in one controller."""
    for first, second in combinations(configs, 2):
        pair = f"{first.file.name} and {second.file.name}"
        if first.line.name == second.line.name:
            raise ConfigError(f"{pair}: both lines are called '{first.line.name}'.")
        if first.paths.state_dir != second.paths.state_dir:
            raise ConfigError(f"{pair}: lines that run together share one state_dir.")
        if first.api != second.api:
            raise ConfigError(f"{pair}: lines that run together share one [api] address.")
        if (first.xray.host, first.xray.port) == (second.xray.host, second.xray.port):
            raise ConfigError(
                f"{pair}: both read the X-ray at {first.xray.host}:{first.xray.port}."
            )
        if _same_registers(first, second):
            raise ConfigError(
                f"{pair}: their register maps overlap in the PLC at {first.plc.host}:{first.plc.port}; "
                "two controllers on one base address would command the same gates."
            )


# Last register of the map, from plc/register_map.py; this layer may not import it, a test compares.
MAP_REGISTERS = 4_050


def _same_registers(first: LineConfig, second: LineConfig) -> bool:
    if (first.plc.host, first.plc.port) != (second.plc.host, second.plc.port):
        return False
    if "opcua" in (first.plc.protocol, second.plc.protocol):
        return _node_names(first) == _node_names(second)
    if first.plc.device_id != second.plc.device_id:
        return False
    return abs(first.plc.base_address - second.plc.base_address) < MAP_REGISTERS


def _node_names(config: LineConfig) -> tuple[str, ...]:
    plc = config.plc
    return (plc.protocol, plc.opcua_namespace_uri, plc.opcua_node_prefix, plc.opcua_node_suffix)
