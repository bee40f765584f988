"""Bugs on the wire and in the journal: fields of the ring record and the decision row, torn reads."""

from tests.mutants.planted import Mutant

CODEC = "plc/record_codec.py"
CHAIN = "controller/journal/chain.py"

WIRE_BUGS: tuple[Mutant, ...] = (
    # --- fields of the ring record ---------------------------------------------------------------
    Mutant(
        "record seq_begin",
        CODEC,
        "    words[m.R_SEQ_BEGIN : m.R_SEQ_BEGIN + 2] = u32_words(event.ring_seq)",
        "    words[m.R_SEQ_BEGIN + 1] = event.ring_seq & 0xFFFF",
        "sequences beyond 65,535 are never whole",
    ),
    Mutant(
        "record seq_end",
        CODEC,
        "if u32_at(words, m.R_SEQ_BEGIN) != expected_seq or u32_at(words, m.R_SEQ_END) != expected_seq:",
        "if u32_at(words, m.R_SEQ_BEGIN) != expected_seq:",
        "a slot with an old tail is taken for whole",
    ),
    Mutant(
        "record crc",
        CODEC,
        "    if crc16_modbus(words_bytes(words[: m.R_CRC])) != words[m.R_CRC]:\n"
        "        return None\n    head",
        "    head",
        "a torn payload becomes an event",
    ),
    Mutant(
        "record source",
        CODEC,
        "words[m.R_SOURCE] = event.source",
        "words[m.R_SOURCE] = event.source & 1",
        "a lane's number is lost",
    ),
    Mutant(
        "record track_id",
        CODEC,
        "        u32_at(words, m.R_TRACK_ID),\n        u32_at(words, m.R_ENCODER),",
        "        words[m.R_TRACK_ID + 1],\n        u32_at(words, m.R_ENCODER),",
        "track ids beyond 65,535 fall on another parcel",
    ),
    Mutant(
        "record encoder",
        CODEC,
        "        u32_at(words, m.R_ENCODER),\n",
        "        words[m.R_ENCODER + 1],\n",
        "positions are wrong after 65 m of belt",
    ),
    Mutant(
        "record plc_time",
        CODEC,
        'int.from_bytes(words_bytes(words[m.R_PLC_TIME_US : m.R_PLC_TIME_US + 4]), "big")',
        'int.from_bytes(words_bytes(words[m.R_PLC_TIME_US + 2 : m.R_PLC_TIME_US + 4]), "big")',
        "PLC time wraps after 71 minutes and deadlines jump",
    ),
    Mutant(
        "record payload",
        CODEC,
        "events.Weighed(*head, u32_at(p, 0), i32_at(p, 2)",
        "events.Weighed(*head, p[1], i32_at(p, 2)",
        "weights beyond 65 g lose their high word",
    ),
    # --- fields of the decision row --------------------------------------------------------------
    Mutant(
        "decision boot id",
        "sim/plc_host.py",
        "if decision.boot_id != plant.boot_id or session == 0 or decision.session != session:",
        "if session == 0 or decision.session != session:",
        "a lease of the PLC's earlier life is used",
    ),
    Mutant(
        "decision session",
        "sim/plc_host.py",
        "if decision.boot_id != plant.boot_id or session == 0 or decision.session != session:",
        "if decision.boot_id != plant.boot_id or session == 0:",
        "a lease of a dead host is used",
    ),
    Mutant(
        "decision track_id",
        CODEC,
        "        track_id=u32_at(words, m.D_TRACK_ID),\n        destination",
        "        track_id=words[m.D_TRACK_ID + 1],\n        destination",
        "the lease falls on another parcel",
    ),
    Mutant(
        "decision destination",
        CODEC,
        "        decision.destination,\n        decision.reason,",
        "        2,\n        decision.reason,",
        "every decision is a release",
    ),
    Mutant(
        "decision seq",
        CODEC,
        "if words[m.D_LAYOUT] != m.LAYOUT_VERSION or u32_at(words, m.D_DECISION_SEQ) == 0:",
        "if words[m.D_LAYOUT] != m.LAYOUT_VERSION:",
        "a zeroed row counts as a decision",
    ),
    Mutant(
        "decision layout",
        CODEC,
        "if words[m.D_LAYOUT] != m.LAYOUT_VERSION or u32_at(words, m.D_DECISION_SEQ) == 0:",
        "if u32_at(words, m.D_DECISION_SEQ) == 0:",
        "a row of another map is obeyed",
    ),
    Mutant(
        "decision crc",
        CODEC,
        "    if crc16_modbus(words_bytes(words[: m.D_CRC])) != words[m.D_CRC]:\n"
        "        return None\n    if words[m.D_LAYOUT]",
        "    if words[m.D_LAYOUT]",
        "a torn row is obeyed",
    ),
    # --- journal -----------------------------------------------------------------------------------------
    Mutant(
        "tampering",
        CHAIN,
        "    return wanted == record.hash",
        "    return True",
        "a changed record passes",
    ),
    # --- link ---------------------------------------------------------------------------------------------
    Mutant(
        "torn read",
        "plc/header.py",
        "H_HEAD_COPY",
        "H_HEAD_SEQ",
        "a torn head sends the host to slots that are not written",
    ),
)
