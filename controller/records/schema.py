"""The tables of `records.db`: what people read, derived from the journals and from nothing else.

The file may be deleted at any time and is then built anew. It must never be the only place of a
fact. A pass keeps its verdict, revocation and outcome as the journal's own bodies; the columns beside
them exist to search and sort. Times are UTC nanoseconds, 0 while the line had not read a clock.
"""

import logging
from pathlib import Path

import apsw

log = logging.getLogger(__name__)

VERSION = 1

_TABLES = """
CREATE TABLE follow (
    line TEXT PRIMARY KEY,
    journal_seq INTEGER NOT NULL,     -- last record applied
    hash BLOB NOT NULL,               -- its link of the chain: proves the rows are of this journal
    at_ns INTEGER NOT NULL,
    head_seq INTEGER NOT NULL,        -- newest record seen in the journal
    written_utc_ns INTEGER NOT NULL,  -- sign of life of the records process
    boot_id INTEGER NOT NULL,
    started_seq INTEGER NOT NULL,     -- last HostStarted
    utc_offset_ns INTEGER             -- utc - at_ns since then, NULL before the first ClockRead
) WITHOUT ROWID;

CREATE TABLE passes (
    id INTEGER PRIMARY KEY,
    line TEXT NOT NULL,
    boot_id INTEGER NOT NULL,
    track_id INTEGER NOT NULL,
    pass_no INTEGER,
    entered_seq INTEGER NOT NULL,
    entered_at_ns INTEGER NOT NULL,
    entered_utc_ns INTEGER NOT NULL,
    verdict_seq INTEGER,
    decided_utc_ns INTEGER NOT NULL DEFAULT 0,
    destination INTEGER,
    waybill TEXT NOT NULL DEFAULT '',
    list_key TEXT NOT NULL DEFAULT '',
    picture_sha256 TEXT NOT NULL DEFAULT '',
    verdict BLOB,
    revoked_seq INTEGER,
    revoked_utc_ns INTEGER NOT NULL DEFAULT 0,
    revocation BLOB,
    outcome_seq INTEGER,
    outcome_utc_ns INTEGER NOT NULL DEFAULT 0,
    outcome BLOB,
    decision_seq INTEGER,
    answer INTEGER,
    held INTEGER NOT NULL DEFAULT 0,
    notes TEXT NOT NULL DEFAULT '[]'
);
CREATE UNIQUE INDEX passes_track ON passes (line, boot_id, track_id);
CREATE INDEX passes_no ON passes (line, pass_no) WHERE pass_no IS NOT NULL;
CREATE INDEX passes_time ON passes (entered_utc_ns, id);
CREATE INDEX passes_held ON passes (entered_utc_ns, id) WHERE held = 1;
CREATE INDEX passes_decision ON passes (line, decision_seq) WHERE decision_seq IS NOT NULL;
CREATE INDEX passes_undated ON passes (line, entered_seq) WHERE entered_utc_ns = 0;

CREATE TABLE pass_codes (
    code TEXT NOT NULL, pass_id INTEGER NOT NULL, PRIMARY KEY (code, pass_id)
) WITHOUT ROWID;
CREATE TABLE pass_reasons (
    reason INTEGER NOT NULL, pass_id INTEGER NOT NULL, PRIMARY KEY (reason, pass_id)
) WITHOUT ROWID;
CREATE TABLE triggers (
    line TEXT NOT NULL, source INTEGER NOT NULL, trigger_no INTEGER NOT NULL,
    boot_id INTEGER NOT NULL, track_id INTEGER NOT NULL,
    PRIMARY KEY (line, source, trigger_no)
) WITHOUT ROWID;

-- track_id 0 and pass_no 0: the record concerns no one parcel; list_key only for ListChanged
CREATE TABLE timeline (
    line TEXT NOT NULL,
    journal_seq INTEGER NOT NULL,
    at_ns INTEGER NOT NULL,
    utc_ns INTEGER NOT NULL,
    boot_id INTEGER NOT NULL,
    track_id INTEGER NOT NULL,
    pass_no INTEGER NOT NULL,
    list_key TEXT NOT NULL,
    kind INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (line, journal_seq)
) WITHOUT ROWID;
CREATE INDEX timeline_track ON timeline (line, boot_id, track_id) WHERE track_id > 0;
CREATE INDEX timeline_pass ON timeline (line, pass_no) WHERE pass_no > 0;
CREATE INDEX timeline_list ON timeline (line, list_key) WHERE list_key > '';
CREATE INDEX timeline_undated ON timeline (line, journal_seq) WHERE utc_ns = 0;
"""


def records_path(state_dir: Path) -> Path:
    return state_dir / "records.db"


def open_for_writing(path: Path) -> apsw.Connection:
    """The database of this schema version; anything else in its place is thrown away and rebuilt.

    Raises apsw.Error or OSError only where the folder itself cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        db = _opened(path)
        found = db.pragma("user_version")
    except (apsw.NotADBError, apsw.CorruptError) as error:
        log.warning("%s is damaged (%s): it is built anew from the journals", path.name, error)
        found = -1
    if found not in (0, VERSION):
        _remove(path)
        db = _opened(path)
        found = 0
    if found == 0:
        with db:
            for name in ("follow", "passes", "pass_codes", "pass_reasons", "triggers", "timeline"):
                db.execute(f"DROP TABLE IF EXISTS {name}")
            db.execute(_TABLES)
            db.pragma("user_version", VERSION)
    return db


def forget_line(db: apsw.Connection, line: str) -> None:
    """Drop everything of one line, so that it is built anew. The caller owns the transaction."""
    for table, column in (("pass_codes", "pass_id"), ("pass_reasons", "pass_id")):
        db.execute(
            f"DELETE FROM {table} WHERE {column} IN (SELECT id FROM passes WHERE line=?)", (line,)
        )
    for table in ("passes", "triggers", "timeline", "follow"):
        db.execute(f"DELETE FROM {table} WHERE line=?", (line,))


def _opened(path: Path) -> apsw.Connection:
    db = apsw.Connection(str(path))
    db.set_busy_timeout(5_000)  # readers never block a WAL writer; a check-pointing reader may
    db.pragma("journal_mode", "wal")
    # A power cut may lose the newest rows, never the file's order: they are followed again.
    db.pragma("synchronous", "normal")
    return db


def _remove(path: Path) -> None:
    for suffix in ("", "-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
