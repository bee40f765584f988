"""The raw frame as evidence: one file a picture, named by its own SHA-256, on the disk before the
findings that name it are sent.

The file judges alone: one line naming the format, one line of JSON, then the calibration's curves
and the samples as they came, so that a picture can be measured again years later. The digest covers
every byte of the file; nothing here ever changes or deletes one.
"""

import hashlib
import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from controller.core.units import NS_PER_S
from controller.wire import UNREADABLE
from vision.frame_assembly import ScanFrame
from vision.scan_rows import (
    COLUMNS_MAX,
    ENERGIES,
    ROWS_PER_FRAME_MAX,
    SAMPLE_BYTES,
    Calibration,
    Hello,
)

FORMAT_LINE = b"parcelgate scan rows 1\n"
SUFFIX = ".rows"


class EvidenceFault(ValueError):
    """This file is no evidence of ours, or not whole."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """A frame ready to be written: the parts of the file in order and the digest of all of them."""

    picture_sha256: str
    parts: tuple[bytes | memoryview, ...]


def evidence_of(frame: ScanFrame, calibration: Calibration | None) -> Evidence:
    """The bytes that will be the evidence of `frame` and their digest; writes nothing."""
    missing = np.flatnonzero(~frame.row_present).tolist()
    description = {
        "source": frame.source.source,
        "trigger_no": frame.trigger_no,
        "first_row_encoder_counts": frame.first_row_encoder_counts,
        "row_pitch_counts": frame.source.row_pitch_counts,
        "encoder_counts_per_m": frame.source.encoder_counts_per_m,
        "pixel_pitch_um": frame.source.pixel_pitch_um,
        "columns": frame.source.columns,
        "row_count": frame.row_count,
        "rows_missing": missing,
        "ended": frame.ended,
        "contradictory": frame.contradictory,
        "calibration_id": calibration.calibration_id if calibration else "",
        "calibration_taken_utc_ns": calibration.taken_utc_ns if calibration else 0,
        "curves": "dark high, dark low, air high, air low: big-endian u16, columns each",
        "samples": "little-endian u16, rows x (high, low) x columns",
    }
    text = json.dumps(description, sort_keys=True).encode() + b"\n"
    curves = _curves(calibration) if calibration else b""
    samples = frame.samples_as_sent().astype("<u2", copy=False)
    parts = (FORMAT_LINE, text, curves, samples.reshape(-1).view(np.uint8).data)
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return Evidence(digest.hexdigest(), parts)


def _curves(calibration: Calibration) -> bytes:
    return calibration.dark_high + calibration.dark_low + calibration.air_high + calibration.air_low


def day_directory(evidence_dir: Path, utc_ns: int) -> Path:
    """`<evidence_dir>/<YYYYMMDD>` by UTC."""
    return evidence_dir / datetime.fromtimestamp(utc_ns // NS_PER_S, UTC).strftime("%Y%m%d")


def write_evidence(directory: Path, evidence: Evidence) -> Path:
    """Write and sync; returns when file and name are on the disk. OSError if they are not.

    Written under its final name: a file cut short by a power loss does not have the digest it is
    named by, which says more than a leftover under another name.
    """
    if not directory.is_dir():
        directory.mkdir(parents=True, exist_ok=True)
        _sync_directory(directory.parent)
    path = directory / (evidence.picture_sha256 + SUFFIX)
    with path.open("wb", buffering=0) as file:
        for part in evidence.parts:
            _write_all(file.fileno(), part)
        os.fdatasync(file.fileno())
    _sync_directory(directory)
    return path


def _write_all(descriptor: int, part: bytes | memoryview) -> None:
    rest = memoryview(part)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


class _Description(msgspec.Struct):
    """The line of JSON, as far as it is read back."""

    source: int
    trigger_no: int
    first_row_encoder_counts: int
    row_pitch_counts: int
    encoder_counts_per_m: int
    pixel_pitch_um: int
    columns: Annotated[int, msgspec.Meta(ge=1, le=COLUMNS_MAX)]
    row_count: Annotated[int, msgspec.Meta(ge=0, le=ROWS_PER_FRAME_MAX)]
    rows_missing: list[Annotated[int, msgspec.Meta(ge=0)]]
    ended: bool
    contradictory: bool
    calibration_id: str
    calibration_taken_utc_ns: int


def read_evidence(path: Path) -> tuple[ScanFrame, Calibration | None]:
    """The frame and its calibration back from a file.

    EvidenceFault if a byte of it was changed, or if it was never one of ours.
    """
    data = path.read_bytes()
    if hashlib.sha256(data).hexdigest() != path.name.removesuffix(SUFFIX):
        raise EvidenceFault(f"{path.name}: the content does not have the digest it is named by")
    if not data.startswith(FORMAT_LINE):
        raise EvidenceFault(f"{path.name}: no evidence file of this format")
    text_end = data.find(b"\n", len(FORMAT_LINE)) + 1
    try:
        described = msgspec.json.decode(data[len(FORMAT_LINE) : text_end], type=_Description)
    except UNREADABLE as error:
        raise EvidenceFault(f"{path.name}: the description cannot be read: {error}") from error
    frame_at = text_end + (4 * SAMPLE_BYTES * described.columns if described.calibration_id else 0)
    samples_bytes = described.row_count * ENERGIES * SAMPLE_BYTES * described.columns
    rows_known = max(described.rows_missing, default=-1) < described.row_count
    if len(data) - frame_at != samples_bytes or not rows_known:
        raise EvidenceFault(f"{path.name}: the rows are not those that it describes")
    return _frame(described, data, frame_at), _calibration(described, data[text_end:frame_at])


def _frame(described: _Description, data: bytes, samples_at: int) -> ScanFrame:
    source = Hello(
        described.source,
        described.columns,
        described.pixel_pitch_um,
        described.row_pitch_counts,
        described.encoder_counts_per_m,
    )
    present = np.ones(described.row_count, np.bool_)
    present[described.rows_missing] = False
    samples: NDArray[np.uint16] = np.frombuffer(data, "<u2", offset=samples_at)
    return ScanFrame(
        source,
        described.trigger_no,
        described.first_row_encoder_counts,
        samples.reshape(described.row_count, ENERGIES, described.columns).transpose(0, 2, 1),
        present,
        described.ended,
        described.contradictory,
    )


def _calibration(described: _Description, curves: bytes) -> Calibration | None:
    if not described.calibration_id:
        return None
    size = SAMPLE_BYTES * described.columns
    parts = (curves[at : at + size] for at in range(0, 4 * size, size))
    return Calibration(described.calibration_id, described.calibration_taken_utc_ns, *parts)
