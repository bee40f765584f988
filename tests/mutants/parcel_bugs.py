"""Bugs in the life of one parcel: lease, durability, identity, picture, weight."""

from tests.mutants.planted import Mutant

PARCEL = "controller/core/parcel.py"
DECIDING = "controller/core/deciding.py"
READINGS = "controller/core/readings.py"
LINKS = "controller/core/links.py"
VERDICT = "controller/core/verdict.py"
MATCHING = "controller/core/matching.py"
IDENTITY = "controller/core/identity.py"
DISPATCH = "controller/runtime/dispatch.py"

PARCEL_BUGS: tuple[Mutant, ...] = (
    # --- lease, durability, revocation -----------------------------------------------------------
    Mutant(
        "slow disk",
        DISPATCH,
        "                self._verdicts.append((journal_seq, command.pass_no))",
        "                self._verdicts.append((0, command.pass_no))",
        "a release goes before its record is on the disk",
    ),
    Mutant(
        "slow disk",
        DECIDING,
        "    ParcelState.DECIDING,\n    ParcelState.COMMITTING,\n    ParcelState.UNSENT,\n)",
        "    ParcelState.DECIDING,\n    ParcelState.UNSENT,\n)",
        "a release waits for the disk past its deadline and is sent late",
    ),
    Mutant(
        "PLC link lost",
        DECIDING,
        "if turn.state.plc_up and not late and turn.step(parcel, Step.SEND):",
        "if not late and turn.step(parcel, Step.SEND):",
        "a release is given to a dead link and believed to be under way",
    ),
    Mutant(
        "slow PLC answers",
        DECIDING,
        "if turn.state.plc_up and not late and turn.step(parcel, Step.SEND):",
        "if turn.state.plc_up and turn.step(parcel, Step.SEND):",
        "a late release is sent",
    ),
    Mutant(
        "control process killed",
        PARCEL,
        "    _S.DOUBTED: {\n        Step.REVOKE: _S.HELD,",
        "    _S.DOUBTED: {\n        Step.SEND: _S.SENT,\n        Step.REVOKE: _S.HELD,",
        "after a restart a release can be repeated",
    ),
    Mutant(
        "late bad news",
        LINKS,
        "            revoke(turn, parcel, *reasons)\n\n\ndef verdict_durable",
        "            pass\n\n\ndef verdict_durable",
        "customs' late inspection order does not stop the parcel",
    ),
    Mutant(
        "late bad news",
        PARCEL,
        "    _S.HELD: {Step.END: _S.GONE},",
        "    _S.HELD: {Step.SEND: _S.SENT, Step.END: _S.GONE},",
        "a held parcel can be released",
    ),
    # --- identity ----------------------------------------------------------------------------------
    Mutant(
        "lost scan / no-read",
        VERDICT,
        "        reasons.add(Reason.NO_READ)",
        "        pass",
        "an unread parcel has no reason to be held",
    ),
    Mutant(
        "two codes on one parcel",
        VERDICT,
        "        elif found > 1:\n            reasons.add(Reason.AMBIGUOUS)",
        "        elif found > 2:\n            reasons.add(Reason.AMBIGUOUS)",
        "two labels pass as one",
    ),
    Mutant(
        "list missing",
        VERDICT,
        "            reasons.add(Reason.NOT_DECLARED)",
        "            pass",
        "an undeclared parcel is released",
    ),
    Mutant(
        "list missing",
        VERDICT,
        "        if parcel.lists_result is LookUpResult.UNAVAILABLE or not parcel.flags:",
        "        if parcel.lists_result is None and not parcel.flags:",
        "no answer of the store counts as an answer",
    ),
    Mutant(
        "duplicate waybill",
        VERDICT,
        "        if other.end is PassEnd.RELEASED:\n            return True",
        "        if other.end is PassEnd.RELEASED:\n            return False",
        "a copied label is released twice",
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
    # --- picture -----------------------------------------------------------------------------------
    Mutant(
        "neighbour's frame",
        READINGS,
        "        abs(mm_from_counts(apart, per_m)) <= PICTURE_PLACE_TOLERANCE_MM\n        and outline_fits",
        "        outline_fits",
        "a picture taken elsewhere on the belt is joined by number alone",
    ),
    Mutant(
        "stale frame",
        READINGS,
        "trigger and (trigger.source, trigger.trigger_no) == (picture.source, picture.trigger_no)",
        "trigger and trigger.source == picture.source",
        "any picture fits any parcel",
    ),
    Mutant(
        "half frame, black",
        MATCHING,
        "    if not picture.usable or rows.result is not _AGREE:",
        "    if rows.result is not _AGREE:",
        "an unusable picture proves a parcel clean",
    ),
    Mutant(
        "rows missing",
        MATCHING,
        "    if not picture.usable or rows.result is not _AGREE:",
        "    if not picture.usable:",
        "a picture with holes proves a parcel clean",
    ),
    Mutant(
        "vision worker crash",
        MATCHING,
        "        return ((None, Reason.NO_PICTURE),)",
        "        return ()",
        "without a picture a parcel is released",
    ),
    Mutant(
        "vision worker restart",
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
    # --- weight and size -----------------------------------------------------------------------------
    Mutant(
        "missing weight",
        MATCHING,
        "        return _not_measurable(CheckKind.WEIGHT, expected=declared_mg), Reason.NO_WEIGHT",
        "        return _not_measurable(CheckKind.WEIGHT, expected=declared_mg), None",
        "an unweighed parcel is released",
    ),
    Mutant(
        "stuck weight",
        READINGS,
        "            and not standing\n",
        "",
        "a scale that stands still weighs every parcel",
    ),
    Mutant(
        "zero drift",
        READINGS,
        "            and abs(record.zero_mg) <= zero_limit_mg\n",
        "",
        "a scale that does not return to zero is believed",
    ),
    Mutant(
        "weight off",
        MATCHING,
        "    return max(rules.weight_tolerance_mg, declared_mg * rules.weight_tolerance_permille // 1000)",
        "    return max(rules.weight_tolerance_mg, declared_mg * rules.weight_tolerance_permille // 100)",
        "the tolerance is ten times as wide",
    ),
    Mutant(
        "touching",
        MATCHING,
        "    single = outlines <= 1 and not too_long",
        "    single = outlines <= 2 and not too_long",
        "two parcels pass as one",
    ),
)
