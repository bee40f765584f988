"""Opens the store's file for its one writer: the lock beside it, creation, the settings of SQLite."""

import fcntl
import os
import secrets
from contextlib import suppress
from pathlib import Path

import apsw

from controller.declared_lists import database
from controller.declared_lists.database import StoreError, StoreOwned
from controller.sqlite_log import log_breaks_off

# A reader's short SELECT is over by then, and who stops intake need not wait.
_FOLD_BUSY_MS = 50


def locked(path: Path) -> int:
    """An open file that holds the writer's lock; StoreOwned if another process does."""
    lock = path.with_name(path.name + ".lock")
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StoreError(f"the list store {path} may not be written: {error.strerror}") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StoreOwned(f"another process is writing the list store {path}") from error
    return descriptor


def opened(path: Path, pages_max: int) -> apsw.Connection:
    """A writing connection to the store at `path`, created if there is none. StoreError."""
    assert apsw.SQLITE_VERSION_NUMBER >= database.SQLITE_LEAST
    try:
        if log_breaks_off(path):
            raise StoreError(database.damaged(path))
        path.touch(0o640)
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(database.WRITER_BUSY_MS)
        is_new = not connection.execute("SELECT count(*) FROM sqlite_schema").get
        if not is_new:
            database.check_schema(connection, path)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "full")
        if pages_max:
            connection.pragma("max_page_count", pages_max)
        if is_new:
            _create(connection)
    except apsw.Error as error:
        raise StoreError(database.sentence_of(error, path)) from error
    except OSError as error:
        raise StoreError(f"the list store {path} may not be written: {error.strerror}") from error
    return connection


def closed(connection: apsw.Connection) -> None:
    """Close; the log is folded into the store if the disk and the readers let it.

    SQLite itself does so only when the last one closes, which is a reader that may not write.
    """
    with suppress(apsw.Error):
        connection.set_busy_timeout(_FOLD_BUSY_MS)
        connection.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    connection.close()


def _create(connection: apsw.Connection) -> None:
    with connection:
        connection.execute(database.DDL)
        salt = secrets.token_bytes(32)
        connection.execute("INSERT INTO meta VALUES ('salt', ?)", (salt,))
        connection.pragma("application_id", database.APPLICATION_ID)
        connection.pragma("user_version", database.SCHEMA)
