"""Bugs in the words on the wire: ring records, decision rows, echoes, headers, belt rows."""

from tests.mutants.planted import Mutant

CODEC = "plc/record_codec.py"
HEADER = "plc/header.py"
EXCHANGE = "plc/exchange.py"
SLOTS = "plc/decision_slots.py"
PLC_HOST = "sim/plc_host.py"

RECORD_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "R_SEQ_BEGIN",
        CODEC,
        "    words[m.R_SEQ_BEGIN : m.R_SEQ_BEGIN + 2] = u32_words(event.ring_seq)",
        "    words[m.R_SEQ_BEGIN + 1] = event.ring_seq & 0xFFFF",
        "sequences beyond 65,535 are never whole",
    ),
    Mutant(
        "R_SEQ_END",
        CODEC,
        "if u32_at(words, m.R_SEQ_BEGIN) != expected_seq or u32_at(words, m.R_SEQ_END) != expected_seq:",
        "if u32_at(words, m.R_SEQ_BEGIN) != expected_seq:",
        "a slot with an old tail is taken for whole",
    ),
    Mutant(
        "R_KIND",
        CODEC,
        "_DECODE_PAYLOAD.get(words[m.R_KIND])",
        "_DECODE_PAYLOAD.get(words[m.R_KIND] & 7)",
        "a lane eye reads as a gate, a default as an induction",
    ),
    Mutant(
        "R_SOURCE",
        CODEC,
        "words[m.R_SOURCE] = event.source",
        "words[m.R_SOURCE] = event.source & 1",
        "a lane's number is lost",
    ),
    Mutant(
        "R_TRACK_ID",
        CODEC,
        "        u32_at(words, m.R_TRACK_ID),\n        u32_at(words, m.R_ENCODER),",
        "        words[m.R_TRACK_ID + 1],\n        u32_at(words, m.R_ENCODER),",
        "track ids beyond 65,535 fall on another parcel",
    ),
    Mutant(
        "R_ENCODER",
        CODEC,
        "        u32_at(words, m.R_ENCODER),\n",
        "        words[m.R_ENCODER + 1],\n",
        "positions are wrong after 65 m of belt",
    ),
    Mutant(
        "R_PLC_TIME_US",
        CODEC,
        'int.from_bytes(words_bytes(words[m.R_PLC_TIME_US : m.R_PLC_TIME_US + 4]), "big")',
        'int.from_bytes(words_bytes(words[m.R_PLC_TIME_US + 2 : m.R_PLC_TIME_US + 4]), "big")',
        "PLC time wraps after 71 minutes and deadlines jump",
    ),
    Mutant(
        "R_CRC",
        CODEC,
        "    if crc16_modbus(words_bytes(words[: m.R_CRC])) != words[m.R_CRC]:\n"
        "        return None\n    head",
        "    head",
        "a torn payload becomes an event",
    ),
    Mutant(
        "R_PAYLOAD",
        CODEC,
        "events.Weighed(*head, u32_at(p, 0), i32_at(p, 2)",
        "events.Weighed(*head, p[1], i32_at(p, 2)",
        "weights beyond 65 g lose their high word",
    ),
    Mutant(
        "R_PAYLOAD",
        CODEC,
        "KIND_EYE: lambda h, p: events.EyePassed(*h, u32_at(p, 0), u32_at(p, 2)),",
        "KIND_EYE: lambda h, p: events.EyePassed(*h, u32_at(p, 2), u32_at(p, 0)),",
        "length and gap change places",
    ),
    Mutant(
        "R_PAYLOAD",
        CODEC,
        "events.Dimensioned(*h, p[0], p[1], p[2], p[3], bool(p[4] & 1))",
        "events.Dimensioned(*h, p[0], p[2], p[1], p[3], bool(p[4] & 1))",
        "width and height change places",
    ),
    Mutant(
        "R_PAYLOAD",
        CODEC,
        "[first, e.symbology << 8 | len(e.text), *text_words]",
        "[first, e.symbology << 8 | 28, *text_words]",
        "a code ends in zero bytes",
    ),
    Mutant(
        "R_PAYLOAD",
        CODEC,
        "events.LaneChanged(*h, bool(p[0]), bool(p[1]), p[2])",
        "events.LaneChanged(*h, bool(p[0]), bool(p[0]), p[2])",
        "a jam in a lane that has room goes unheard",
    ),
    Mutant(
        "negative weight",
        CODEC,
        "u32_at(p, 0), i32_at(p, 2), p[4]",
        "u32_at(p, 0), u32_at(p, 2), p[4]",
        "a scale that shows a little less than nothing when empty is taken for broken",
    ),
)

DECISION_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "D_BOOT_ID",
        PLC_HOST,
        "if decision.boot_id != plant.boot_id or session == 0 or decision.session != session:",
        "if session == 0 or decision.session != session:",
        "a lease of the PLC's earlier life is used",
    ),
    Mutant(
        "D_SESSION",
        PLC_HOST,
        "if decision.boot_id != plant.boot_id or session == 0 or decision.session != session:",
        "if decision.boot_id != plant.boot_id or session == 0:",
        "a lease of a dead host is used",
    ),
    Mutant(
        "D_TRACK_ID",
        CODEC,
        "        track_id=u32_at(words, m.D_TRACK_ID),\n        destination",
        "        track_id=words[m.D_TRACK_ID + 1],\n        destination",
        "the lease falls on another parcel",
    ),
    Mutant(
        "D_DESTINATION",
        CODEC,
        "        decision.destination,\n        decision.reason,",
        "        2,\n        decision.reason,",
        "every decision is a release",
    ),
    Mutant(
        "D_REASON",
        CODEC,
        "        reason=words[m.D_REASON],",
        "        reason=0,",
        "the PLC cannot show why it holds",
    ),
    Mutant(
        "D_DECISION_SEQ",
        CODEC,
        "if words[m.D_LAYOUT] != m.LAYOUT_VERSION or u32_at(words, m.D_DECISION_SEQ) == 0:",
        "if words[m.D_LAYOUT] != m.LAYOUT_VERSION:",
        "a zeroed row counts as a decision",
    ),
    Mutant(
        "D_LAYOUT",
        CODEC,
        "if words[m.D_LAYOUT] != m.LAYOUT_VERSION or u32_at(words, m.D_DECISION_SEQ) == 0:",
        "if u32_at(words, m.D_DECISION_SEQ) == 0:",
        "a row of another map is obeyed",
    ),
    Mutant(
        "D_CRC",
        CODEC,
        "    if crc16_modbus(words_bytes(words[: m.D_CRC])) != words[m.D_CRC]:\n"
        "        return None\n    if words[m.D_LAYOUT]",
        "    if words[m.D_LAYOUT]",
        "a torn row is obeyed",
    ),
    Mutant(
        "E_DECISION_SEQ",
        SLOTS,
        "    if echo is None or echo.decision_seq != decision.decision_seq:",
        "    if echo is None:",
        "the answer to the row's last decision passes for the answer to this one",
    ),
    Mutant(
        "E_TRACK_ID",
        SLOTS,
        "    if echo.track_id != decision.track_id and echo.result is not DecisionResult.BAD_CRC:\n"
        "        return None\n",
        "",
        "the answer about another parcel counts",
    ),
    Mutant(
        "E_RESULT",
        "controller/core/links.py",
        "    accepted = event.result is DecisionResult.ACCEPTED",
        "    accepted = True",
        "a refusal counts as a lease",
    ),
    Mutant(
        "T_TRACK_ID",
        CODEC,
        "[*u32_words(row.track_id), *u32_words(row.encoder_counts), row.length_mm, state]",
        "[0, row.track_id & 0xFFFF, *u32_words(row.encoder_counts), row.length_mm, state]",
        "the table names other parcels after 65,535",
    ),
    Mutant(
        "T_ENCODER",
        CODEC,
        "track_id, u32_at(words, m.T_ENCODER), words[m.T_LENGTH_MM]",
        "track_id, words[m.T_ENCODER + 1], words[m.T_LENGTH_MM]",
        "the table's positions are wrong after 65 m of belt",
    ),
    Mutant(
        "T_LENGTH_MM",
        CODEC,
        "words[m.T_LENGTH_MM], state >> 8",
        "words[m.T_LENGTH_MM] & 0xFF, state >> 8",
        "the table's lengths end at 255 mm",
    ),
    Mutant(
        "T_STATE_DESTINATION",
        CODEC,
        "state >> 8, state & 0xFF\n",
        "state & 0xFF, state >> 8\n",
        "state and destination of a row change places",
    ),
)

BLOCK_BUGS: tuple[Mutant, ...] = (
    Mutant(
        "C_HEARTBEAT",
        EXCHANGE,
        "(self._heartbeat + 1) & U16_MAX",
        "1",
        "our life sign stands still",
    ),
    Mutant(
        "C_COMMAND_BITS",
        EXCHANGE,
        "infeed * m.C_BIT_INFEED_PERMIT | belt * m.C_BIT_BELT_PERMIT",
        "belt * m.C_BIT_INFEED_PERMIT | belt * m.C_BIT_BELT_PERMIT",
        "parcels come in whenever the belt may run",
    ),
    Mutant(
        "C_ACK",
        EXCHANGE,
        "        delivered = ring_distance(self._ring.next_seq - 1, ring_seq) >= 0",
        "        delivered = True",
        "a record is acknowledged that never arrived",
    ),
    Mutant(
        "C_ACK_COMPLEMENT",
        "sim/plc_ring.py",
        "if ack ^ complement != 0xFFFF_FFFF or ack not in self.unacknowledged:",
        "if ack not in self.unacknowledged:",
        "a torn acknowledgement frees records that nobody has stored",
    ),
    Mutant(
        "C_SESSION",
        PLC_HOST,
        "        if self.session and session == self.session:\n            self._obey(words)",
        "        if self.session:\n            self._obey(words)",
        "the permits of a second host count",
    ),
    Mutant(
        "H_MAGIC",
        HEADER,
        "    if h[m.H_MAGIC] != m.MAGIC:\n",
        "    if h[m.H_MAGIC] == 0:\n",
        "any device that answers is taken for our PLC",
    ),
    Mutant(
        "H_HEARTBEAT",
        EXCHANGE,
        "        if header.heartbeat != self._plc_heartbeat:",
        "        if True:",
        "a PLC program that stands still looks alive",
    ),
    Mutant(
        "H_BOOT_ID",
        EXCHANGE,
        "        if header.boot_id != self._boot_id:\n            raise",
        "        if False:\n            raise",
        "a PLC restart behind a living connection goes unseen",
    ),
    Mutant(
        "H_HEAD_SEQ",
        HEADER,
        "    if not 0 <= ring_distance(head, ack) <= m.R_SLOTS:\n        return None\n",
        "",
        "a head torn between its two registers is believed",
    ),
    Mutant(
        "H_HEAD_COPY",
        HEADER,
        "H_HEAD_COPY",
        "H_HEAD_SEQ",
        "a torn head sends the host to slots that are not written",
    ),
    Mutant(
        "H_SLOTS",
        HEADER,
        "if (h[m.H_SLOTS], h[m.H_SLOT_REGISTERS]) != (m.R_SLOTS, m.R_SLOT_REGISTERS):",
        "if h[m.H_SLOT_REGISTERS] != m.R_SLOT_REGISTERS:",
        "a ring of another length is read",
    ),
    Mutant(
        "H_SLOT_REGISTERS",
        HEADER,
        "if (h[m.H_SLOTS], h[m.H_SLOT_REGISTERS]) != (m.R_SLOTS, m.R_SLOT_REGISTERS):",
        "if h[m.H_SLOTS] != m.R_SLOTS:",
        "slots of another size are read",
    ),
    Mutant(
        "H_ACCEPTED_ACK",
        EXCHANGE,
        "RingReader(header.boot_id, ring_step(header.accepted_ack))",
        "RingReader(header.boot_id, ring_step(header.head_seq))",
        "what happened while we were away is never read",
    ),
    Mutant(
        "H_OVERFLOW_COUNT",
        HEADER,
        "overflow_count=h[m.H_OVERFLOW_COUNT]",
        "overflow_count=0",
        "records that the PLC had no room for are not missed",
    ),
    Mutant(
        "H_STATE_BITS",
        HEADER,
        "state_bits=h[m.H_STATE_BITS]",
        "state_bits=h[m.H_STATE_BITS] & 0x3F",
        "a jam and the PLC's test mode go unseen",
    ),
    Mutant(
        "P_LAYOUT",
        HEADER,
        "    if p[m.P_LAYOUT] != m.LAYOUT_VERSION:",
        "    if p[m.P_LAYOUT] == 0:",
        "a PLC with another map is read as ours",
    ),
    Mutant(
        "P_U32",
        HEADER,
        "if probe == _PROBE_U32 and probe_float == m.PROBE_FLOAT_WORDS:",
        "if probe_float == m.PROBE_FLOAT_WORDS:",
        "a PLC that swaps words is read as ours",
    ),
    Mutant(
        "P_FLOAT",
        HEADER,
        "if probe == _PROBE_U32 and probe_float == m.PROBE_FLOAT_WORDS:",
        "if probe == _PROBE_U32:",
        "a PLC that orders floats otherwise is read as ours",
    ),
    Mutant(
        "P_LATCHED_SESSION_LOW",
        EXCHANGE,
        "        return words[m.P_ADDRESS + m.P_LATCHED_SESSION_LOW] == self.session & U16_MAX",
        "        return True",
        "the exchange opens before the PLC obeys us",
    ),
)

WIRE_BUGS: tuple[Mutant, ...] = (*RECORD_BUGS, *DECISION_BUGS, *BLOCK_BUGS)
