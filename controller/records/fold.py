"""Applies the journal records of one line to the tables, one after the other.

The caller owns the transaction and stores the position in the same one, so that nothing is applied
twice. A record that cannot be read is the journal's matter (`verify`); here it is logged and passed
over, because people must see the other parcels.
"""

import json
import logging
from collections.abc import Callable
from typing import Any

import apsw

from controller import wire
from controller.core import commands, events
from controller.core.vocabulary import DecisionResult, Destination, PassEnd

log = logging.getLogger(__name__)

# Records that concern every parcel on the belt; shown in the timeline of each.
LINE_WIDE = (
    events.BeltChanged,
    events.ZoneOpened,
    events.PlcConnected,
    events.PlcLost,
    events.RingGap,
    events.VisionUp,
    events.VisionDown,
    events.HostStarted,
    events.JournalFailed,
    events.JournalRecovered,
    commands.EnterLineState,
)


class Fold:
    """State of following one line: position, PLC boot, clock offset. All of it is in `follow`."""

    def __init__(self, db: apsw.Connection, line: str) -> None:
        self._db = db
        self.line = line
        row = db.execute(
            "SELECT journal_seq, hash, at_ns, boot_id, started_seq, utc_offset_ns"
            " FROM follow WHERE line=?",
            (line,),
        ).fetchone()
        if row is None:
            row = (0, b"", 0, 0, 0, None)
        self.journal_seq: int = row[0]
        self.hash: bytes = row[1]
        self._at_ns: int = row[2]
        self._boot_id: int = row[3]
        self._started_seq: int = row[4]
        self._utc_offset_ns: int | None = row[5]
        self._apply: dict[type[Any], Callable[[Any], None]] = {
            events.HostStarted: self._host_started,
            events.ClockRead: self._clock_read,
            events.PlcConnected: self._plc_connected,
            events.Inducted: self._entered,
            events.ExtraSeen: self._entered,
            events.Triggered: self._triggered,
            events.CodeRead: self._code_read,
            events.DefaultTaken: self._default_taken,
            events.DecisionEchoed: self._echoed,
            commands.OpenPass: self._opened,
            commands.CommitVerdict: self._verdict,
            commands.SendDecision: self._decision_sent,
            commands.RecordOutcome: self._outcome,
            commands.RaiseAlarm: self._alarm,
        }

    def apply(self, journal_seq: int, at_ns: int, kind: int, body: bytes, chain: bytes) -> None:
        """Fold one record in; `journal_seq` must rise. `chain` is the record's hash."""
        assert journal_seq > self.journal_seq, (journal_seq, self.journal_seq)
        self.journal_seq, self._at_ns, self.hash = journal_seq, at_ns, chain
        if not (wire.is_event(kind) or wire.is_command(kind)):
            return
        try:
            message = wire.decode_body(kind, body)
        except wire.WireError as error:
            log.warning("line %s record %d cannot be read: %s", self.line, journal_seq, error)
            return
        step = self._apply.get(type(message))
        if step is not None:
            step(message)
        self._keep_in_timeline(message, kind, body)

    def store_position(self, head_seq: int, written_utc_ns: int) -> None:
        """Write the `follow` row; in the transaction of the records applied."""
        self._db.execute(
            "INSERT OR REPLACE INTO follow (line, journal_seq, hash, at_ns, head_seq,"
            " written_utc_ns, boot_id, started_seq, utc_offset_ns) VALUES (?,?,?,?,?,?,?,?,?)",
            (
                self.line,
                self.journal_seq,
                self.hash,
                self._at_ns,
                max(head_seq, self.journal_seq),
                written_utc_ns,
                self._boot_id,
                self._started_seq,
                self._utc_offset_ns,
            ),
        )

    # --- the line ---------------------------------------------------------------------------------

    def _utc_ns(self, at_ns: int) -> int:
        return 0 if self._utc_offset_ns is None else at_ns + self._utc_offset_ns

    def _host_started(self, _: events.HostStarted) -> None:
        self._started_seq = self.journal_seq
        self._utc_offset_ns = None  # the machine may have been restarted: at_ns began anew

    def _clock_read(self, event: events.ClockRead) -> None:
        first = self._utc_offset_ns is None
        self._utc_offset_ns = event.utc_ns - self._at_ns
        if not first:
            return
        since = (self._utc_offset_ns, self.line, self._started_seq)
        self._db.execute(
            "UPDATE passes SET entered_utc_ns = entered_at_ns + ?"
            " WHERE line=? AND entered_seq >= ? AND entered_utc_ns = 0",
            since,
        )
        self._db.execute(
            "UPDATE timeline SET utc_ns = at_ns + ?"
            " WHERE line=? AND journal_seq >= ? AND utc_ns = 0",
            since,
        )

    def _plc_connected(self, event: events.PlcConnected) -> None:
        self._boot_id = event.boot_id

    # --- one pass ---------------------------------------------------------------------------------

    def _entered(self, event: events.PlcRecord) -> None:
        self._boot_id = event.boot_id
        self._pass_id(event.boot_id, event.track_id)

    def _triggered(self, event: events.Triggered) -> None:
        self._db.execute(
            "INSERT OR REPLACE INTO triggers VALUES (?,?,?,?,?)",
            (self.line, event.source, event.trigger_no, event.boot_id, event.track_id),
        )

    def _code_read(self, event: events.CodeRead) -> None:
        if event.track_id and event.part_count == 1:
            self._findable_by(event.text, self._pass_id(event.boot_id, event.track_id))

    def _opened(self, command: commands.OpenPass) -> None:
        pass_id = self._pass_id(command.boot_id, command.track_id, command.pass_no)
        self._db.execute("UPDATE passes SET pass_no=? WHERE id=?", (command.pass_no, pass_id))

    def _verdict(self, command: commands.CommitVerdict) -> None:
        pass_id = self._pass_id(command.boot_id, command.track_id, command.pass_no)
        body, utc_ns = wire.encode_body(command), self._utc_ns(self._at_ns)
        if command.revision == 0:
            self._db.execute(
                "UPDATE passes SET verdict_seq=?, decided_utc_ns=?, verdict=? WHERE id=?",
                (self.journal_seq, utc_ns, body, pass_id),
            )
        else:
            self._db.execute(
                "UPDATE passes SET revoked_seq=?, revoked_utc_ns=?, revocation=? WHERE id=?",
                (self.journal_seq, utc_ns, body, pass_id),
            )
        held = command.destination is not Destination.RELEASE
        self._db.execute(
            "UPDATE passes SET pass_no=?, destination=?, waybill=?, list_key=?, picture_sha256=?,"
            " held=? WHERE id=?",
            (
                command.pass_no,
                command.destination,
                command.waybill,
                command.list_key,
                command.picture_sha256,
                held,
                pass_id,
            ),
        )
        for code in {*command.codes, command.waybill}:
            self._findable_by(code, pass_id)
        self._db.execute("DELETE FROM pass_reasons WHERE pass_id=?", (pass_id,))
        for reason in set(command.reasons):
            self._db.execute("INSERT INTO pass_reasons VALUES (?,?)", (reason, pass_id))

    def _decision_sent(self, command: commands.SendDecision) -> None:
        self._db.execute(
            "UPDATE passes SET decision_seq=?, answer=NULL WHERE id=?",
            (command.decision_seq, self._pass_id(command.boot_id, command.track_id)),
        )

    def _echoed(self, event: events.DecisionEchoed) -> None:
        self._db.execute(
            "UPDATE passes SET answer=? WHERE line=? AND decision_seq=?",
            (event.result, self.line, event.decision_seq),
        )
        if event.result is DecisionResult.ACCEPTED:
            return
        row = self._db.execute(
            "SELECT id FROM passes WHERE line=? AND decision_seq=?",
            (self.line, event.decision_seq),
        ).fetchone()
        if row:
            self._note(row[0], "answer", event.result)

    def _default_taken(self, event: events.DefaultTaken) -> None:
        if event.track_id:
            pass_id = self._pass_id(event.boot_id, event.track_id)
            self._note(pass_id, "default_taken", event.cause)

    def _outcome(self, command: commands.RecordOutcome) -> None:
        row = self._db.execute(
            "SELECT id FROM passes WHERE line=? AND pass_no=?", (self.line, command.pass_no)
        ).fetchone()
        pass_id = row[0] if row else self._pass_id(self._boot_id, command.track_id, command.pass_no)
        self._db.execute(
            "UPDATE passes SET outcome_seq=?, outcome_utc_ns=?, outcome=?, pass_no=?,"
            " held = held OR ? WHERE id=?",
            (
                self.journal_seq,
                self._utc_ns(self._at_ns),
                wire.encode_body(command),
                command.pass_no,
                command.end is not PassEnd.RELEASED,
                pass_id,
            ),
        )

    def _alarm(self, command: commands.RaiseAlarm) -> None:
        row = self._db.execute(
            "SELECT id FROM passes WHERE line=? AND pass_no=?", (self.line, command.pass_no)
        ).fetchone()
        if row:
            self._note(row[0], "alarm", command.kind)

    # --- rows -------------------------------------------------------------------------------------

    def _pass_id(self, boot_id: int, track_id: int, pass_no: int | None = None) -> int:
        """The row of this pass, made on its first mention."""
        key = (self.line, boot_id, track_id)
        found = self._db.execute(
            "SELECT id FROM passes WHERE line=? AND boot_id=? AND track_id=?", key
        ).fetchone()
        if found:
            return int(found[0])
        self._db.execute(
            "INSERT INTO passes (line, boot_id, track_id, pass_no, entered_seq, entered_at_ns,"
            " entered_utc_ns) VALUES (?,?,?,?,?,?,?)",
            (*key, pass_no, self.journal_seq, self._at_ns, self._utc_ns(self._at_ns)),
        )
        return self._db.last_insert_rowid()

    def _findable_by(self, code: str, pass_id: int) -> None:
        if code:
            self._db.execute(
                "INSERT OR IGNORE INTO pass_codes VALUES (?,?)", (code.upper(), pass_id)
            )

    def _note(self, pass_id: int, kind: str, number: int) -> None:
        note = json.dumps([self.journal_seq, kind, int(number)])
        self._db.execute(
            "UPDATE passes SET notes = json_insert(notes, '$[#]', json(?)) WHERE id=?",
            (note, pass_id),
        )

    def _keep_in_timeline(self, message: Any, kind: int, body: bytes) -> None:
        boot_id = getattr(message, "boot_id", self._boot_id)
        track_id = getattr(message, "track_id", 0)
        list_key = ""
        if isinstance(message, events.PictureFindings):
            boot_id, track_id = self._triggered_by(message)
        elif isinstance(message, events.ListChanged):
            list_key = message.facts.list_key
        pass_no = getattr(message, "pass_no", 0)
        if not (track_id or pass_no or list_key or isinstance(message, LINE_WIDE)):
            return
        at_ns = self._at_ns
        self._db.execute(
            "INSERT INTO timeline VALUES (?,?,?,?,?,?,?,?,?,?)",
            (
                self.line,
                self.journal_seq,
                at_ns,
                self._utc_ns(at_ns),
                boot_id,
                track_id,
                pass_no,
                list_key,
                kind,
                body,
            ),
        )

    def _triggered_by(self, findings: events.PictureFindings) -> tuple[int, int]:
        row = self._db.execute(
            "SELECT boot_id, track_id FROM triggers WHERE line=? AND source=? AND trigger_no=?",
            (self.line, findings.source, findings.trigger_no),
        ).fetchone()
        return row or (self._boot_id, 0)
