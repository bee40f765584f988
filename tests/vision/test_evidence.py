import hashlib
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.vision.synthetic import (
    STEEL,
    Box,
    assembled,
    calibration,
    field,
    frame,
    frame_packets,
    samples,
)
from vision.analysis import measure
from vision.calibration import flat_field
from vision.evidence import (
    EvidenceFault,
    day_directory,
    evidence_of,
    read_evidence,
    write_evidence,
)
from vision.frame_assembly import ScanFrame
from vision.view_picture import MISSING_ROW_BGR, view_picture, write_view

PARCEL = [Box(60, 100, 120, 160), Box(80, 150, 30, 40, STEEL)]
UTC_NS = 1_767_225_599_000_000_000  # 2025-12-31T23:59:59Z


def with_lost_rows() -> ScanFrame:
    packets = frame_packets(samples(PARCEL))
    return assembled(packets[:3] + packets[5:])


def test_a_file_measures_again_to_the_same_numbers(tmp_path: Path) -> None:
    """Years later, with nothing but the file: same frame, same calibration, same findings."""
    for picture in (frame(PARCEL), with_lost_rows()):
        evidence = evidence_of(picture, calibration())
        path = write_evidence(day_directory(tmp_path, UTC_NS), evidence)
        assert path == tmp_path / "20251231" / f"{evidence.picture_sha256}.rows"
        assert hashlib.sha256(path.read_bytes()).hexdigest() == evidence.picture_sha256
        again, packet = read_evidence(path)
        assert packet == calibration()
        assert np.array_equal(again.samples, picture.samples)
        assert again.rows_missing == picture.rows_missing
        assert measure(again, flat_field(packet), None) == measure(picture, field(), None)


def test_a_frame_without_rows_or_calibration_is_evidence_too(tmp_path: Path) -> None:
    picture = assembled(frame_packets(samples([], row_count=0)))
    again, packet = read_evidence(write_evidence(tmp_path, evidence_of(picture, None)))
    assert (again.row_count, again.trigger_no, packet) == (0, 7, None)


def test_the_digest_covers_what_the_picture_belongs_to() -> None:
    """The same pixels under another trigger or another calibration are other evidence."""
    wire = samples(PARCEL)
    digests = {
        evidence_of(
            assembled(frame_packets(wire, trigger_no)), calibration(calibration_id=name)
        ).picture_sha256
        for trigger_no in (7, 8)
        for name in ("cal-1", "cal-2")
    }
    assert len(digests) == 4


@pytest.mark.parametrize("at", [0, 40, 700, -1])
def test_a_changed_byte_is_found(tmp_path: Path, at: int) -> None:
    path = write_evidence(tmp_path, evidence_of(frame(PARCEL), calibration()))
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(EvidenceFault, match="digest"):
        read_evidence(path)


def test_a_file_of_another_format_is_refused_by_name(tmp_path: Path) -> None:
    other = b"not ours"
    path = tmp_path / f"{hashlib.sha256(other).hexdigest()}.rows"
    path.write_bytes(other)
    with pytest.raises(EvidenceFault, match="no evidence file"):
        read_evidence(path)


def test_a_place_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "20251231").write_text("a file where the directory should be")
    with pytest.raises(OSError, match="20251231"):
        write_evidence(day_directory(tmp_path, UTC_NS), evidence_of(frame(PARCEL), None))


def test_people_see_the_usual_colours(tmp_path: Path) -> None:
    boxes = [*PARCEL, Box(130, 110, 20, 20, (9.0, 15.0)), Box(130, 200, 20, 20, (1.0, 1.42))]
    write_view(tmp_path / "view.png", frame(boxes), field())
    picture = cv2.imread(str(tmp_path / "view.png"))
    assert picture is not None
    assert list(tmp_path.iterdir()) == [tmp_path / "view.png"]
    assert picture.shape == (round(260 * 2 / 1.5), 480, 3)  # square pixels

    def colour(row: int, column: int) -> tuple[int, int, int]:
        at = round(row * 2 / 1.5)
        blue, green, red = np.median(picture[at - 5 : at + 5, column - 5 : column + 5], axis=(0, 1))
        return int(blue), int(green), int(red)

    blue, green, red = colour(70, 120)
    assert red > green > blue  # organic: orange
    blue, green, red = colour(95, 170)
    assert blue > max(green, red)  # metal: blue
    blue, green, red = colour(140, 210)
    assert green > max(blue, red)  # between: green
    assert max(colour(140, 120)) < 60  # not penetrated: nearly black
    assert min(colour(20, 20)) > 245  # belt: white


def test_missing_rows_are_drawn_as_missing() -> None:
    picture = with_lost_rows()
    missing = ~picture.row_present
    drawn = view_picture(
        replace(picture, source=replace(picture.source, pixel_pitch_um=2000)), field()
    )
    assert (drawn[missing] == MISSING_ROW_BGR).all()
    neighbour = int(np.flatnonzero(missing)[0]) - 1
    assert drawn[neighbour, :80].min() > 235  # and do not stain what lies beside them
