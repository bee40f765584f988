"""Checks of this PC and of the line on paper: geometry, directories, ports, clock. Nothing stays behind."""

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

from controller.check.findings import Finding, State
from controller.config import ApiConfig, LineConfig
from controller.config.relations import MS_PER_S, S_PER_H, gate_lead_mm, last_sensor_mm
from controller.core.units import NS_PER_MS, NS_PER_S, NS_PER_US
from controller.interfaces import Clock

# A percentile is told only with 20 samples beyond it.
P99_WRITES = 2_000
_WRITE_LIMIT_S = 15
_BLOCK = b"\0" * 4_096
# A verdict waits for one commit; the decision budget leaves this much for it.
SYNC_P99_LIMIT_MS = 20
_FREE_LIMIT_BYTES = 5_000_000_000


def geometry(config: LineConfig) -> Iterator[Finding]:
    """The rules of docs/decisions/0003 with what the line has and needs. `load` refused what fails."""
    line, speed = config.line, config.line.belt_speed_mm_per_s
    way_mm = line.decision_position_mm - last_sensor_mm(line) - line.parcel_length_max_mm
    first_gate_mm = min(gate.position_mm for gate in line.gates)
    pitch_mm = speed * S_PER_H // config.rate_parcels_per_h
    rules = (
        (
            "time to decide",
            f"from the last sensor to the decision point the longest parcel takes "
            f"{way_mm * MS_PER_S // speed} ms; the evidence limit needs {line.evidence_limit_ms} ms.",
        ),
        (
            "gate",
            f"the first gate stands {first_gate_mm - line.decision_position_mm} mm behind the decision "
            f"point; its movement needs {gate_lead_mm(line)} mm.",
        ),
        (
            "pitch",
            f"{config.rate_parcels_per_h} parcels/h leave {pitch_mm} mm each; the longest parcel and the "
            f"least gap need {line.parcel_length_max_mm + gate_lead_mm(line)} mm.",
        ),
    )
    for name, sentence in rules:
        yield Finding("geometry", name, State.OK, sentence)


def clock(clock: Clock, synchronised: bool) -> Finding:
    """Whether the PC's UTC is kept."""
    seconds = clock.utc_ns() // NS_PER_S
    if synchronised:
        return Finding("clock", "this PC", State.OK, f"UTC is kept by the network ({seconds} s).")
    return Finding(
        "clock",
        "this PC",
        State.WARNING,
        "UTC is not synchronised: dates in records and the expiry of instructions may be wrong.",
    )


# --- directories ----------------------------------------------------------------------------------


def disks(config: LineConfig, clock: Clock, writes: int = P99_WRITES) -> Iterator[Finding]:
    """Each directory writable; the journal's with its time for a durable write."""
    paths = {
        "store": config.paths.state_dir,
        "evidence": config.evidence_dir,
        "journal": config.journal_dir,
    }
    for name, path in paths.items():
        yield _directory(name, path, clock, writes if name == "journal" else 1)


def _directory(name: str, path: Path, clock: Clock, writes: int) -> Finding:
    present = next(parent for parent in (path, *path.parents) if parent.exists())
    try:
        times_ns = _durable_writes(present, clock, writes)
        free_bytes = shutil.disk_usage(present).free
    except OSError as error:
        why = error.strerror or str(error)
        return Finding("disk", name, State.FAILED, f"{present} cannot be written: {why}.")
    there = f"{path} is writable" if present == path else f"{path} can be made in {present}"
    free = f"{free_bytes // 1_000_000_000} GB are free"
    if writes == 1:
        state = State.OK if free_bytes >= _FREE_LIMIT_BYTES else State.WARNING
        return Finding("disk", name, state, f"{there}; {free}.")
    state, speed = _judge_times(times_ns)
    return Finding("disk", name, state, f"{there}; {speed}; {free}.")


def _durable_writes(folder: Path, clock: Clock, writes: int) -> list[int]:
    """Nanoseconds of each append with fdatasync, at most so many and not for ever."""
    times_ns: list[int] = []
    end_ns = clock.monotonic_ns() + _WRITE_LIMIT_S * NS_PER_S
    with tempfile.TemporaryFile(dir=folder) as file:
        while len(times_ns) < writes and clock.monotonic_ns() < end_ns:
            start_ns = clock.monotonic_ns()
            os.write(file.fileno(), _BLOCK)
            os.fdatasync(file.fileno())
            times_ns.append(clock.monotonic_ns() - start_ns)
    return times_ns


def _judge_times(times_ns: list[int]) -> tuple[State, str]:
    ordered = sorted(times_ns)
    if len(ordered) < P99_WRITES:
        worst = _ms(ordered[-1])
        return State.WARNING, f"the slowest of only {len(ordered)} durable writes took {worst} ms"
    p99_ns = ordered[len(ordered) * 99 // 100]
    slow = p99_ns > SYNC_P99_LIMIT_MS * NS_PER_MS
    sentence = f"fdatasync p99 {_ms(p99_ns)} ms, worst {_ms(ordered[-1])} ms of {len(ordered)}"
    if slow:
        return (
            State.WARNING,
            f"{sentence}, over {SYNC_P99_LIMIT_MS} ms: parcels will be held as late",
        )
    return State.OK, sentence


def _ms(ns: int) -> str:
    us = ns // NS_PER_US
    return f"{us // 1_000}.{us % 1_000 // 100}"


# --- ports ----------------------------------------------------------------------------------------


def line_process_runs(config: LineConfig) -> bool:
    """A line process of this line answers on its socket on this PC."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(config.line_socket))
        except OSError:
            return False
    return True


def page_port(api: ApiConfig) -> Finding:
    """The status page's port is free. (An `api` of another line on this PC takes it rightly.)"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((api.host, api.port))
        except OSError as error:
            why = error.strerror or str(error)
            return Finding(
                "ports",
                "status page",
                State.FAILED,
                f"the status page cannot listen at {api.host}:{api.port}: {why}.",
            )
    sentence = f"{api.host}:{api.port} is free for the status page."
    return Finding("ports", "status page", State.OK, sentence)
