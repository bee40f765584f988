"""Evidence files after a bad disk or a forger: the picture as it was taken, or EvidenceFault."""

import hashlib
import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.looking import anything, looked_at
from tests.fuzz.test_scan_packets import CALIBRATION, STORY
from vision.evidence import FORMAT_LINE, SUFFIX, EvidenceFault, evidence_of, read_evidence
from vision.frame_assembly import ScanFrame
from vision.source_session import SourceSession


def scanned() -> ScanFrame:
    session = SourceSession(4)
    (acquired,) = [frame for packet in STORY if (frame := session.take(packet))]
    return acquired.frame


FRAME = scanned()
FILES = [b"".join(evidence_of(FRAME, calibration).parts) for calibration in (CALIBRATION, None)]
TEXTS = [b"{}", b"[]", b"null", b"1e999", b'{"columns": -1}', b'{"a":' * 5_000, b"\xff"]


def read(data: bytes, name: str) -> ScanFrame | None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / (name + SUFFIX)
        path.write_bytes(data)
        try:
            return read_evidence(path)[0]
        except EvidenceFault as fault:
            assert path.name in str(fault)
            return None


@looked_at(100)
@given(anything(FILES), st.sampled_from(FILES))
def test_a_changed_file_is_never_believed(data: bytes, right: bytes) -> None:
    frame = read(data, hashlib.sha256(right).hexdigest())
    assert (frame is None) == (data != right)
    assert frame is None or np.array_equal(frame.samples, FRAME.samples)


@looked_at(300)
@given(anything(FILES))
def test_a_forged_file_with_its_own_digest_is_read_or_refused(data: bytes) -> None:
    frame = read(data, hashlib.sha256(data).hexdigest())
    assert frame is None or len(frame.samples) == frame.row_count


@looked_at(60)
@given(st.sampled_from(TEXTS), st.binary(max_size=40))
def test_a_forged_description(text: bytes, rest: bytes) -> None:
    data = FORMAT_LINE + text + b"\n" + rest
    assert read(data, hashlib.sha256(data).hexdigest()) is None
