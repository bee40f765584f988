"""Opens the store's file for its one writer: the lock beside it, creation, the settings of SQLite."""

import fcntl
import os
import secrets
from pathlib import Path

import apsw

from controller.declared_lists import database
from controller.declared_lists.database import StoreError, StoreOwned


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


def _create(connection: apsw.Connection) -> None:
    with connection:
        connection.execute(database.DDL)
        salt = secrets.token_bytes(32)
        connection.execute("INSERT INTO meta VALUES ('salt', ?)", (salt,))
        connection.pragma("application_id", database.APPLICATION_ID)
        connection.pragma("user_version", database.SCHEMA)
