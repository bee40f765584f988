"""A parcel with all its evidence in hand, for judging it without a line around it.

Each part is what a clean parcel of 2 kg and 300 x 200 mm would show; a test names only what differs.
"""

from dataclasses import replace

from controller.core.commands import Check
from controller.core.events import CodeRead, Dimensioned, PictureFindings, Weighed
from controller.core.parcel import Parcel
from controller.core.vocabulary import CheckKind, CheckResult, LookUpResult
from tests.core.story import BOOT, facts

AGREE, DISAGREE, UNKNOWN = CheckResult.AGREE, CheckResult.DISAGREE, CheckResult.NOT_MEASURABLE


def code(text: str, code_no: int = 1, part_no: int = 0, part_count: int = 1) -> CodeRead:
    return CodeRead(BOOT, 1, 1, 1, 350, 350_000, code_no, part_no, part_count, 0, text)


def weighed(weight_mg: int = 2_000_000) -> Weighed:
    return Weighed(BOOT, 2, 2, 1, 1050, 1_050_000, weight_mg, 0, 1, True, False)


def dimensioned(length_mm: int = 300, width_mm: int = 200, measurable: bool = True) -> Dimensioned:
    return Dimensioned(BOOT, 3, 3, 1, 1210, 1_210_000, length_mm, width_mm, 150, 1, measurable)


def picture(**changes: object) -> PictureFindings:
    honest = PictureFindings(
        source=4,
        trigger_no=1,
        first_row_encoder_counts=1740,
        row_pitch_counts=2,
        row_count=210,
        rows_missing=0,
        outline_start_counts=1800,
        length_mm=300,
        width_mm=200,
        outline_count=1,
        mean_attenuation_milli=400,
        max_attenuation_milli=900,
        metal_area_mm2=0,
        opaque_area_mm2=0,
        usable=True,
        calibration_id="cal",
        profile_version="",
        picture_sha256="ab" * 32,
    )
    return replace(honest, **changes)  # type: ignore[arg-type]


def parcel(**changes: object) -> Parcel:
    """Read, weighed, measured, seen, and declared by the one list of `story.facts`."""
    clean = Parcel(
        pass_no=7,
        track_id=1,
        boot_id=BOOT,
        rules_id="rules-1",
        entered_at_ns=0,
        entered_counts=0,
        gap_before_counts=-1,
        length_counts=300,
        code_parts=(code("W1"),),
        weight=weighed(),
        weight_valid=True,
        dimensions=dimensioned(),
        picture=picture(),
        picture_placed=True,
        lists=(facts(),),
        lists_result=LookUpResult.ANSWERED,
    )
    return replace(clean, **changes)  # type: ignore[arg-type]


def check(
    kind: CheckKind, result: CheckResult, measured: int, expected: int, tolerance: int = 0
) -> Check:
    return Check(kind, result, measured, expected, tolerance)
