"""The store's file: schema, how it is opened, what its failures are called. Shared by both sides.

One writer (see `store`), any number of read-only readers. WAL with synchronous=FULL: what was
acknowledged is on the disk. Nothing chains the store: whoever opens it may be the first after a power cut,
and a log that breaks off would be an older store. Reading needs no XML library.
"""

from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import apsw

from controller.sqlite_log import log_breaks_off, log_of

SCHEMA = 1
APPLICATION_ID = 0x7067_6C31  # "pgl1"
# SQLite before this has the WAL-reset corruption bug (docs/decisions).
SQLITE_LEAST = 3_051_003
# A reader meets a lock only while the writer opens or recovers the file.
READER_BUSY_MS = 50
WRITER_BUSY_MS = 5_000

DDL = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE messages (
    message_id INTEGER PRIMARY KEY, sha256 BLOB NOT NULL UNIQUE, message_type TEXT NOT NULL,
    name TEXT NOT NULL, received_utc_ns INTEGER NOT NULL, raw_zlib BLOB NOT NULL
);
CREATE TABLE lists (
    list_id INTEGER PRIMARY KEY, list_key TEXT NOT NULL UNIQUE, waybill TEXT NOT NULL,
    revision INTEGER NOT NULL, deleted INTEGER NOT NULL, changed INTEGER NOT NULL,
    app_time TEXT NOT NULL, status INTEGER NOT NULL, status_time TEXT NOT NULL,
    message_id INTEGER NOT NULL, logistics_code TEXT NOT NULL, cop_no TEXT NOT NULL, pre_no TEXT NOT NULL,
    invt_no TEXT NOT NULL, ebp_code TEXT NOT NULL, ebc_code TEXT NOT NULL, agent_code TEXT NOT NULL,
    gross_weight_mg INTEGER NOT NULL, net_weight_mg INTEGER NOT NULL, pack_no INTEGER NOT NULL,
    order_no TEXT NOT NULL, logistics_name TEXT NOT NULL, ebp_name TEXT NOT NULL,
    ebc_name TEXT NOT NULL, agent_name TEXT NOT NULL, buyer_name TEXT NOT NULL,
    buyer_id_hmac BLOB NOT NULL, buyer_id_last4 TEXT NOT NULL, trade_mode TEXT NOT NULL,
    bill_no TEXT NOT NULL, country TEXT NOT NULL, currency TEXT NOT NULL,
    customs_code TEXT NOT NULL, port_code TEXT NOT NULL, decl_time TEXT NOT NULL
);
CREATE INDEX lists_waybill ON lists (waybill);
CREATE INDEX lists_cop_no ON lists (cop_no) WHERE cop_no IS NOT '';
CREATE INDEX lists_pre_no ON lists (pre_no) WHERE pre_no IS NOT '';
CREATE INDEX lists_invt_no ON lists (invt_no) WHERE invt_no IS NOT '';
CREATE VIEW live_lists AS SELECT * FROM lists WHERE NOT deleted;
CREATE TABLE goods (
    list_id INTEGER NOT NULL, position INTEGER NOT NULL, gnum INTEGER NOT NULL,
    item_no TEXT NOT NULL, item_name TEXT NOT NULL, gcode TEXT NOT NULL, gname TEXT NOT NULL,
    gmodel TEXT NOT NULL, bar_code TEXT NOT NULL, country TEXT NOT NULL, currency TEXT NOT NULL,
    qty_e5 INTEGER NOT NULL, unit TEXT NOT NULL, qty1_e5 INTEGER NOT NULL, unit1 TEXT NOT NULL,
    price_e5 INTEGER NOT NULL, total_price_e5 INTEGER NOT NULL, PRIMARY KEY (list_id, position)
) WITHOUT ROWID;
CREATE TABLE revisions (
    list_id INTEGER NOT NULL, content_sha256 BLOB NOT NULL, revision INTEGER NOT NULL,
    app_type INTEGER NOT NULL, app_time TEXT NOT NULL, message_id INTEGER NOT NULL,
    PRIMARY KEY (list_id, content_sha256)
) WITHOUT ROWID;
CREATE TABLE receipts (
    receipt_id INTEGER PRIMARY KEY, content_sha256 BLOB NOT NULL UNIQUE, cop_no TEXT NOT NULL,
    pre_no TEXT NOT NULL, invt_no TEXT NOT NULL, ebp_code TEXT NOT NULL, ebc_code TEXT NOT NULL,
    agent_code TEXT NOT NULL, customs_code TEXT NOT NULL, status INTEGER NOT NULL,
    return_time TEXT NOT NULL, info TEXT NOT NULL, message_id INTEGER NOT NULL
);
CREATE INDEX receipts_cop_no ON receipts (cop_no) WHERE cop_no IS NOT '';
CREATE INDEX receipts_pre_no ON receipts (pre_no) WHERE pre_no IS NOT '';
CREATE INDEX receipts_invt_no ON receipts (invt_no) WHERE invt_no IS NOT '';
CREATE TABLE changes (
    store_seq INTEGER PRIMARY KEY AUTOINCREMENT, list_id INTEGER NOT NULL
);
"""


class StoreError(Exception):
    """The store cannot be used; the only argument is one sentence for a person."""


class StoreOwned(StoreError):
    """Another process is the writer."""


def open_for_reading(path: Path) -> apsw.Connection:
    """A read-only connection. StoreError where there is no store that this software can read."""
    if not path.is_file():
        raise StoreError(f"there is no list store at {path}")
    try:
        _check_log(path)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        connection.set_busy_timeout(READER_BUSY_MS)
        connection.execute("PRAGMA query_only = 1")
        check_schema(connection, path)
    except apsw.Error as error:
        raise StoreError(sentence_of(error, path)) from error
    except OSError as error:
        raise StoreError(f"the list store {path} may not be read: {error.strerror}") from error
    return connection


def _check_log(path: Path) -> None:
    with suppress(FileNotFoundError):
        log = log_of(path).stat()
        if _log_breaks_off(path, log.st_ino, log.st_size, log.st_mtime_ns):
            raise StoreError(damaged(path))


def check_schema(connection: apsw.Connection, path: Path) -> None:
    """StoreError unless the file is a list store of this schema."""
    if connection.pragma("application_id") != APPLICATION_ID:
        raise StoreError(f"{path} is not a list store")
    schema = connection.pragma("user_version")
    if schema != SCHEMA:
        raise StoreError(f"{path} has store schema {schema}, this software reads {SCHEMA}")


def sentence_of(error: apsw.Error, path: Path) -> str:
    """What an SQLite failure means for a person."""
    match error:
        case apsw.FullError():
            return f"the disk is full or the quota used up: nothing was taken into {path}"
        case apsw.ReadOnlyError() | apsw.PermissionsError():
            return f"the list store {path} may not be written"
        case apsw.CantOpenError():
            return f"the list store {path} cannot be opened"
        case apsw.NotADBError():
            return f"{path} is not a list store"
        case apsw.CorruptError():
            return damaged(path)
        case apsw.BusyError() | apsw.LockedError():
            return f"the list store {path} is locked by another program"
        case apsw.IOError():
            return f"the disk under the list store {path} fails: {error}"
    return f"the list store {path} fails: {error}"


def damaged(path: Path) -> str:
    """What is said of a store that lost something."""
    return f"the list store {path} is damaged: restore it or import the messages again"


# A page of the console opens the store anew each time, and a reader that is refused asks again.
@lru_cache(maxsize=4)
def _log_breaks_off(path: Path, _inode: int, _size_bytes: int, _mtime_ns: int) -> bool:
    return log_breaks_off(path)


def store_seq(connection: apsw.Connection) -> int:
    """Number of the last change; 0 in an empty store."""
    return int(connection.execute("SELECT coalesce(max(store_seq), 0) FROM changes").get)
