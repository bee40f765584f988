"""Bugs in the life of one parcel: states, identity, picture, weight."""

from tests.mutants.planted import Mutant

PARCEL = "controller/core/parcel.py"
DECIDING = "controller/core/deciding.py"
READINGS = "controller/core/readings.py"
LINKS = "controller/core/links.py"
LIST_NEWS = "controller/core/list_news.py"
VERDICT = "controller/core/verdict.py"
MATCHING = "controller/core/matching.py"
IDENTITY = "controller/core/identity.py"

STATE_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "control process killed",
        PARCEL,
        "    _S.DOUBTED: {\n        Step.REVOKE: _S.HELD,",
        "    _S.DOUBTED: {\n        Step.SEND: _S.SENT,\n        Step.REVOKE: _S.HELD,",
        "after a restart a release can be repeated",
    ),
    Mutant(
        "control process killed",
        LINKS,
        "        turn.raise_alarm(AlarmKind.HOST_RESTARTED)\n        unprove(turn)\n",
        "        turn.raise_alarm(AlarmKind.HOST_RESTARTED)\n",
        "after a restart pictures are believed to be in step",
    ),
    Mutant(
        "bad news after the verdict",
        PARCEL,
        "    _S.HELD: {Step.END: _S.GONE},",
        "    _S.HELD: {Step.SEND: _S.SENT, Step.END: _S.GONE},",
        "a held parcel can be released",
    ),
    Mutant(
        "bad news after the verdict",
        DECIDING,
        "    if sent or turn.state.plc_up:\n",
        "    if turn.state.plc_up and not sent:\n",
        "a release that is in the PLC is revoked on paper only",
    ),
)

IDENTITY_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "lost scan / no-read",
        VERDICT,
        "        reasons.add(Reason.NO_READ)",
        "        pass",
        "an unread parcel has no reason to be held",
    ),
    Mutant(
        "two barcodes on one parcel",
        VERDICT,
        "        if found > 1:\n            reasons.add(Reason.AMBIGUOUS)",
        "        if found > 2:\n            reasons.add(Reason.AMBIGUOUS)",
        "two labels pass as one",
    ),
    Mutant(
        "two barcodes on one parcel",
        VERDICT,
        "            found += _undeclared_waybills(parcel, rules)",
        "            pass",
        "an undeclared waybill hides behind a declared one",
    ),
    Mutant(
        "two barcodes on one parcel",
        VERDICT,
        "if code not in declared]",
        "if code in declared]",
        "the parcel's own waybill counts as somebody else's",
    ),
    Mutant(
        "two barcodes on one parcel",
        IDENTITY,
        "    return len(code) == len(form) and all(map(_fits, code, form))",
        "    return all(map(_fits, code, form))",
        "any code that begins like a waybill is one",
    ),
    Mutant(
        "two barcodes on one parcel",
        VERDICT,
        "    elif parcel.scanner_said_no_read or not codes_are_whole(parcel.code_parts):",
        "    elif parcel.scanner_said_no_read:",
        "a second label that was half read does not count",
    ),
    Mutant(
        "two barcodes on one parcel",
        READINGS,
        "    hold_at_once(turn, parcel, Reason.AMBIGUOUS)",
        "    pass",
        "another label that is read after the verdict changes nothing",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        VERDICT,
        "            reasons.add(Reason.NOT_DECLARED)",
        "            pass",
        "an undeclared parcel is released",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        VERDICT,
        "        if parcel.lists_result is LookUpResult.UNAVAILABLE or not parcel.flags:",
        "        if parcel.lists_result is None and not parcel.flags:",
        "no answer of the store counts as an answer",
    ),
    Mutant(
        "list missing / late / amended after the verdict",
        LIST_NEWS,
        "        parcel.lists = event.lists\n        parcel.lists_result",
        "        parcel.lists_result",
        "the verdict rests on the first look-up, not on what is durable now",
    ),
    Mutant(
        "duplicate waybill",
        VERDICT,
        "        if other.end is PassEnd.RELEASED:\n            return True",
        "        if other.end is PassEnd.RELEASED:\n            return False",
        "a copied label is released twice",
    ),
    Mutant(
        "duplicate waybill",
        "controller/core/labels.py",
        "        for each in (parcel, other) if parcel is not None else (other,):",
        "        for each in (parcel,) if parcel is not None else ():",
        "the first of two parcels with one label is released",
    ),
    Mutant(
        "duplicate waybill",
        "controller/core/labels.py",
        "        for each in (parcel, other) if parcel is not None else (other,):",
        "        for each in (other,):",
        "the second of two parcels with one label is released when the first has left",
    ),
    Mutant(
        "duplicate waybill",
        "controller/core/labels.py",
        "            revoke(turn, other, Reason.DUPLICATE)",
        "            pass",
        "a release stands though its twin was read after the verdict",
    ),
    Mutant(
        "duplicate waybill",
        "controller/journal/earlier_passes.py",
        '    return (label + "/", label + "0") if',
        '    return (list_key, list_key + "\\0") if',
        "a label released before an upgrade is unknown when it is declared anew under another copNo",
    ),
    Mutant(
        "missing / zero / negative / stuck weight",
        READINGS,
        "        revoke(turn, parcel, Reason.WEIGHT_NOT_VALID)",
        "        pass",
        "a second weight after the verdict changes nothing",
    ),
    Mutant(
        "neighbour's frame",
        READINGS,
        "    if picture.source != turn.settings.xray_source:\n        return\n",
        "",
        "another source's picture is joined to the X-ray's trigger",
    ),
    Mutant(
        "duplicate waybill",
        DECIDING,
        "    if len(parcel.lists) == 1 and _has_twin(turn, parcel):",
        "    if False:",
        "two labels of one list on the belt are both released",
    ),
    Mutant(
        "out-of-order / late scan",
        READINGS,
        "    if device_mm - window_mm <= travelled_mm <= device_mm + length_mm + window_mm:",
        "    if travelled_mm >= device_mm - window_mm:",
        "a neighbour's late reading is attached",
    ),
    Mutant(
        "out-of-order / late scan",
        IDENTITY,
        "        if code_no in contradicted or sorted(known) != list(range(part_count)):",
        "        if sorted(known) != list(range(part_count)):",
        "two readings of one code that contradict each other make a code",
    ),
)

PICTURE_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "neighbour's frame",
        READINGS,
        "        abs(mm_from_counts(apart, per_m)) <= PICTURE_PLACE_TOLERANCE_MM\n        and outline_fits",
        "        outline_fits",
        "a picture taken elsewhere on the belt is joined by number alone",
    ),
    Mutant(
        "neighbour's frame",
        READINGS,
        "        and outline_fits\n",
        "",
        "a picture whose outline is another parcel's is joined",
    ),
    Mutant(
        "stale frame",
        READINGS,
        "trigger and (trigger.source, trigger.trigger_no) == (picture.source, picture.trigger_no)",
        "trigger and trigger.source == picture.source",
        "any picture fits any parcel",
    ),
    Mutant(
        "duplicate event",
        READINGS,
        "        _link_broken(turn, picture.source)  # one trigger, two pictures\n        return\n",
        "        pass\n",
        "a second picture of one trigger takes the place of the first",
    ),
    Mutant(
        "half frame, black, saturated",
        MATCHING,
        "    if not _is_of_a_parcel(picture) or rows.result is not _AGREE:",
        "    if rows.result is not _AGREE:",
        "an unusable picture proves a parcel clean",
    ),
    Mutant(
        "half frame, black, saturated",
        MATCHING,
        "    if not _is_of_a_parcel(picture) or rows.result is not _AGREE:",
        "    if not _is_of_a_parcel(picture):",
        "a picture with holes proves a parcel clean",
    ),
    Mutant(
        "half frame, black, saturated",
        MATCHING,
        "    return picture.usable and picture.outline_count >= 1 and min(measured) >= 0",
        "    return picture.usable",
        "a picture of nothing proves a parcel clean",
    ),
    Mutant(
        "half frame, black, saturated",
        MATCHING,
        "    findings = [(rows, None), _unless_agreed(opaque, Reason.OPAQUE)]",
        "    findings = [(rows, None), (opaque, None)]",
        "what the rays do not pass through is taken for seen",
    ),
    Mutant(
        "half frame, black, saturated",
        READINGS,
        "        and scanned_mm >= parcel_length_mm(parcel, settings)\n",
        "",
        "a scan shorter than its parcel is a picture of it",
    ),
    Mutant(
        "vision worker crash / hang / OOM",
        MATCHING,
        "        return ((None, Reason.NO_PICTURE),)",
        "        return ()",
        "without a picture a parcel is released",
    ),
    Mutant(
        "vision worker crash / hang / OOM",
        LINKS,
        "    if source.ever_up and turn.state.tally.inducted:\n        unprove(turn)",
        "    pass",
        "after a restart pictures may be one parcel off",
    ),
    Mutant(
        "undeclared metal",
        MATCHING,
        "        findings.append(_unless_agreed(metal, Reason.UNDECLARED_METAL))",
        "        findings.append((metal, None))",
        "metal is shown and not held",
    ),
)

WEIGHT_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "missing / zero / negative / stuck weight",
        MATCHING,
        "        return _not_measurable(CheckKind.WEIGHT, expected=declared_mg), Reason.NO_WEIGHT",
        "        return _not_measurable(CheckKind.WEIGHT, expected=declared_mg), None",
        "an unweighed parcel is released",
    ),
    Mutant(
        "missing / zero / negative / stuck weight",
        READINGS,
        "            and not standing\n",
        "",
        "a scale that stands still weighs every parcel",
    ),
    Mutant(
        "missing / zero / negative / stuck weight",
        READINGS,
        "            and abs(record.zero_mg) <= zero_limit_mg\n",
        "",
        "a scale that does not return to zero is believed",
    ),
    Mutant(
        "missing / zero / negative / stuck weight",
        READINGS,
        "            and record.weight_mg > 0\n",
        "",
        "nothing on the scale is a weight",
    ),
    Mutant(
        "missing / zero / negative / stuck weight",
        READINGS,
        "        parcel.weight_valid = False  # two readings for one pass: which one is it?",
        "        pass",
        "of two weights of one parcel the first counts",
    ),
    Mutant(
        "weight against the list",
        MATCHING,
        "    return max(rules.weight_tolerance_mg, declared_mg * rules.weight_tolerance_permille // 1000)",
        "    return max(rules.weight_tolerance_mg, declared_mg * rules.weight_tolerance_permille // 100)",
        "the tolerance is ten times as wide",
    ),
    Mutant(
        "two parcels touching",
        MATCHING,
        "    single = outlines <= 1 and not too_long",
        "    single = outlines <= 2 and not too_long",
        "two parcels pass as one",
    ),
    Mutant(
        "two parcels touching",
        MATCHING,
        "    single = outlines <= 1 and not too_long",
        "    single = outlines <= 1",
        "two parcels seen as one outline pass as one",
    ),
)

PARCEL_BUGS: tuple[Mutant, ...] = (*STATE_BUGS, *IDENTITY_BUGS, *PICTURE_BUGS, *WEIGHT_BUGS)
