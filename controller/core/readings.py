"""Readings find their parcel: the PLC names the track id, the encoder must agree.

A reading outside its device's window is not attached and makes the parcel unproven, because then
either the track id or the encoder is wrong.
"""

from dataclasses import replace
from typing import Final

from controller.core.commands import LookUp, TellVision
from controller.core.deciding import REVOCABLE, advance, hold_at_once, revoke
from controller.core.events import (
    CodeRead,
    Dimensioned,
    PictureFindings,
    PlcRecord,
    Triggered,
    Weighed,
)
from controller.core.identity import complete_codes, shown_codes
from controller.core.labels import flag_remembered, flag_twins, remember_labels
from controller.core.matching import parcel_length_mm
from controller.core.parcel import Parcel, ParcelState
from controller.core.turn import Turn
from controller.core.units import mm_from_counts, u32_difference
from controller.core.vocabulary import AlarmKind, LookUpPurpose, Reason

# A label side holds a handful of codes; more is a scanner gone wild.
CODE_PARTS_MAX: Final = 32
# Findings may overtake their trigger record only while the PLC link is catching up.
EARLY_PICTURES_MAX: Final = 8
# Encoder against outline: eye latch 2 mm, row pitch 2 mm, penumbra of the outline.
PICTURE_PLACE_TOLERANCE_MM: Final = 25
AGREEING_TO_PROVE: Final = 2


def _in_place(turn: Turn, parcel: Parcel, record: PlcRecord, device_mm: int) -> bool:
    """The parcel covered the device (leading edge to trailing edge, with the window) at the record."""
    travelled_mm = turn.state.belt.travelled_mm(record.encoder_counts, parcel.entered_counts)
    length_mm = parcel_length_mm(parcel, turn.settings)
    if length_mm < 0:
        length_mm = turn.settings.parcel_length_max_mm
    window_mm = turn.settings.attach_window_mm
    if device_mm - window_mm <= travelled_mm <= device_mm + length_mm + window_mm:
        return True
    hold_at_once(turn, parcel, Reason.UNKNOWN_PARCEL)
    return False


def code_read(turn: Turn, parcel: Parcel, record: CodeRead) -> None:
    # Out of its place it holds the parcel for good. Its label is on the belt all the same: a copy of it
    # must find it here.
    _in_place(turn, parcel, record, turn.settings.scanner_position_mm)
    if record.part_count == 0:
        parcel.scanner_said_no_read = True
    elif not _is_known_part(parcel, record):
        if len(parcel.code_parts) < CODE_PARTS_MAX:
            parcel.code_parts = (*parcel.code_parts, record)
        else:
            parcel.flag(Reason.AMBIGUOUS)
    codes = complete_codes(parcel.code_parts)
    shown = shown_codes(parcel.code_parts)
    flag_twins(turn, parcel, shown)
    flag_remembered(turn, parcel, shown, record.encoder_counts)
    if codes and not parcel.identify_asked and parcel.state is ParcelState.TRACKED:
        parcel.identify_asked = True
        turn.emit(LookUp(parcel.pass_no, LookUpPurpose.IDENTIFY, codes))
    elif parcel.state is not ParcelState.TRACKED:
        _late_code(turn, parcel)
    advance(turn, parcel)


def after_the_end(turn: Turn, record: PlcRecord) -> None:
    """Told of a body that is in its lane, or lost: nothing changes for it and no pass begins. But its
    scale has counted, and its code is a code that another body may show."""
    turn.raise_alarm(AlarmKind.RECORD_AFTER_END, record.source)
    of_nobody(turn, record)


def of_nobody(turn: Turn, record: PlcRecord) -> None:
    """A reading of no parcel on the belt (id 0, or one that has ended): the scale has counted all the
    same, and the code is one that a parcel on the belt may show."""
    if isinstance(record, Weighed):
        turn.state.scale_measurement_no = record.measurement_no
    elif isinstance(record, CodeRead) and record.part_count:
        turn.state.loose_parts = [*turn.state.loose_parts, record][-CODE_PARTS_MAX:]
        codes = shown_codes(_parts_of_one_code(turn, record))
        flag_twins(turn, None, codes)
        remember_labels(turn, codes, record.encoder_counts)


def _parts_of_one_code(turn: Turn, record: CodeRead) -> tuple[CodeRead, ...]:
    """The latest of each; other codes may come in between."""
    latest = {
        part.part_no: part
        for part in turn.state.loose_parts
        if (part.track_id, part.code_no) == (record.track_id, record.code_no)
    }
    return tuple(latest.values())


def _is_known_part(parcel: Parcel, record: CodeRead) -> bool:
    return any(
        (part.code_no, part.part_no, part.part_count, part.text)
        == (record.code_no, record.part_no, record.part_count, record.text)
        for part in parcel.code_parts
    )


def _late_code(turn: Turn, parcel: Parcel) -> None:
    """A code after the look-up that the verdict rests on: the identity is no longer what was judged."""
    hold_at_once(turn, parcel, Reason.AMBIGUOUS)


def weighed(turn: Turn, parcel: Parcel, record: Weighed) -> None:
    standing = record.measurement_no == turn.state.scale_measurement_no
    turn.state.scale_measurement_no = record.measurement_no
    if not _in_place(turn, parcel, record, turn.settings.scale_position_mm):
        return
    zero_limit_mg = turn.rules_of(parcel).scale_zero_mg_max
    if parcel.weight is None:
        parcel.weight = record
        parcel.weight_valid = (
            record.stable
            and not record.over_range
            and record.weight_mg > 0
            and abs(record.zero_mg) <= zero_limit_mg
            and not standing
        )
    else:
        parcel.weight_valid = False  # two readings for one pass: which one is it?
        revoke(turn, parcel, Reason.WEIGHT_NOT_VALID)
    if standing or abs(record.zero_mg) > zero_limit_mg:
        turn.raise_alarm(AlarmKind.SCALE_FAULT, record.source)
    else:
        turn.clear_alarm(AlarmKind.SCALE_FAULT, record.source)
    advance(turn, parcel)


def dimensioned(turn: Turn, parcel: Parcel, record: Dimensioned) -> None:
    if not _in_place(turn, parcel, record, turn.settings.dimensioner_position_mm):
        return
    if parcel.dimensions is None:
        parcel.dimensions = record
    else:  # two readings for one pass: which one is it?
        parcel.dimensions = replace(parcel.dimensions, measurable=False)
        revoke(turn, parcel, Reason.NO_DIMENSIONS)
    advance(turn, parcel)


def triggered(turn: Turn, parcel: Parcel, record: Triggered) -> None:
    """The link between track id and picture: told to vision, joined when the findings come."""
    if record.source != turn.settings.xray_source:
        return
    if not _in_place(turn, parcel, record, turn.settings.xray_position_mm):
        return
    if parcel.trigger is not None:
        _link_broken(turn, record.source)  # one parcel, two triggers
        return
    parcel.trigger = record
    height_mm = parcel.dimensions.height_mm if parcel.dimensions else -1
    length_mm = parcel_length_mm(parcel, turn.settings)
    turn.emit(TellVision(record.source, parcel.track_id, record.trigger_no, length_mm, height_mm))
    early = turn.state.early_pictures
    for picture in [p for p in early if p.trigger_no == record.trigger_no]:
        early.remove(picture)
        _join(turn, parcel, picture)
    advance(turn, parcel)


def picture_found(turn: Turn, picture: PictureFindings) -> None:
    """Findings find their parcel by trigger number; the encoder and the length must then agree."""
    if picture.source != turn.settings.xray_source:
        return
    for parcel in turn.state.parcels.values():
        trigger = parcel.trigger
        if trigger and (trigger.source, trigger.trigger_no) == (picture.source, picture.trigger_no):
            _join(turn, parcel, picture)
            advance(turn, parcel)
            return
    turn.state.early_pictures.append(picture)
    del turn.state.early_pictures[:-EARLY_PICTURES_MAX]


def _join(turn: Turn, parcel: Parcel, picture: PictureFindings) -> None:
    if parcel.picture is not None:
        _link_broken(turn, picture.source)  # one trigger, two pictures
        return
    parcel.picture = picture
    parcel.picture_placed = _placed(turn, parcel, picture)
    if parcel.picture_placed:
        _forget_overtaken(turn, picture)
        _link_held(turn)
    else:
        _link_broken(turn, picture.source)


def _forget_overtaken(turn: Turn, picture: PictureFindings) -> None:
    """Pictures come in the order of their scans: one that waits for its trigger and was scanned before
    this one waits for nothing. After a PLC restart its number would meet a stranger's."""
    scanned = picture.first_row_encoder_counts
    turn.state.early_pictures = [
        early
        for early in turn.state.early_pictures
        if u32_difference(early.first_row_encoder_counts, scanned) > 0
    ]


def _placed(turn: Turn, parcel: Parcel, picture: PictureFindings) -> bool:
    """Trigger, encoder and row count of the picture belong to this parcel."""
    settings, trigger = turn.settings, parcel.trigger
    if trigger is None:
        return False
    apart = u32_difference(picture.first_row_encoder_counts, trigger.encoder_counts)
    start = u32_difference(picture.outline_start_counts, parcel.entered_counts)
    per_m = settings.encoder_counts_per_m
    start_error_mm = mm_from_counts(start, per_m) - settings.xray_position_mm
    scanned_mm = mm_from_counts(picture.row_count * picture.row_pitch_counts, per_m)
    # A picture without any outline cannot be placed by it; it is then judged unusable, not foreign.
    outline_fits = picture.outline_count == 0 or abs(start_error_mm) <= PICTURE_PLACE_TOLERANCE_MM
    return (
        abs(mm_from_counts(apart, per_m)) <= PICTURE_PLACE_TOLERANCE_MM
        and outline_fits
        and scanned_mm >= parcel_length_mm(parcel, settings)
    )


def _link_held(turn: Turn) -> None:
    source = turn.state.xray
    source.agreeing += 1
    if not source.proven and source.agreeing >= AGREEING_TO_PROVE:
        source.proven = True
        turn.clear_alarm(AlarmKind.ASSOCIATION_BROKEN, turn.settings.xray_source)


def _link_broken(turn: Turn, source_number: int) -> None:
    """Hold every parcel of this source before its gate; one that is already diverting is an alert."""
    unprove(turn)
    turn.raise_alarm(AlarmKind.ASSOCIATION_BROKEN, source_number)
    for parcel in list(turn.state.parcels.values()):
        if parcel.trigger is None:
            continue
        if parcel.state in (ParcelState.TRACKED, ParcelState.DECIDING):
            parcel.flag(Reason.ASSOCIATION_UNPROVEN)
        elif parcel.state in REVOCABLE or parcel.state is ParcelState.DIVERTING:
            revoke(turn, parcel, Reason.ASSOCIATION_UNPROVEN)


def unprove(turn: Turn) -> None:
    """After a restart of either side, too: two agreeing parcels prove the source again."""
    turn.state.xray.proven = False
    turn.state.xray.agreeing = 0
