"""A log that breaks off where it was on the disk is told from one that a power cut tore.

The logs are SQLite's own, or built here after https://www.sqlite.org/walformat.html for the orders and page
sizes that this machine does not write.
"""

import os
import struct
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import apsw
import pytest

from controller.sqlite_log import breaks_off, log_breaks_off, log_of
from tests.journal.faulty_disk import NAME, FaultyDisk

HEADER_BYTES, FRAME_BYTES = 32, 24 + 4096
COMMITS = 12


@pytest.fixture
def database(tmp_path: Path) -> Iterator[apsw.Connection]:
    with closing(opened(tmp_path / "a.db")) as connection:
        yield connection


def opened(path: Path, vfs: str | None = None) -> apsw.Connection:
    connection = apsw.Connection(str(path), vfs=vfs)
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "full")
    connection.execute("CREATE TABLE t (a)")
    return connection


def put(connection: apsw.Connection, *sizes: int) -> None:
    """A commit each, of `size` bytes."""
    for size in sizes:
        connection.execute("INSERT INTO t VALUES (?)", (os.urandom(size),))


def read_log(path: Path) -> bytes:
    return log_of(path).read_bytes()


def flipped(log: bytes, bit: int) -> bytes:
    changed = bytearray(log)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def commit_ends(log: bytes) -> list[int]:
    places = range(HEADER_BYTES, len(log), FRAME_BYTES)
    return [at + FRAME_BYTES for at in places if any(log[at + 4 : at + 8])]


def test_a_log_cut_off_anywhere_is_a_power_cut(database: apsw.Connection, tmp_path: Path) -> None:
    put(database, *[900 * number for number in range(1, COMMITS)])
    log = read_log(tmp_path / "a.db")
    assert len(log) > 30 * FRAME_BYTES
    edges = [at + by for at in range(HEADER_BYTES, len(log), FRAME_BYTES) for by in (-1, 0, 1, 24)]
    assert not any(breaks_off(log[:at]) for at in (0, 1, HEADER_BYTES, *edges, len(log)))


def test_a_last_commit_of_which_some_sectors_landed_is_a_power_cut(
    database: apsw.Connection, tmp_path: Path
) -> None:
    put(database, *[9_000] * COMMITS)
    log, chance = read_log(tmp_path / "a.db"), Random("sectors")
    for _ in range(60):
        torn = bytearray(log)
        for at in range(commit_ends(log)[-2], len(log), 512):
            if chance.random() < 0.5:
                torn[at : at + 512] = bytes(len(torn[at : at + 512]))
        assert not breaks_off(bytes(torn))


def test_a_bit_that_rots_before_the_last_two_commits_is_told(
    database: apsw.Connection, tmp_path: Path
) -> None:
    put(database, *[9_000] * COMMITS)
    log, chance = read_log(tmp_path / "a.db"), Random("rot")
    proven = commit_ends(log)[-3] * 8
    header = range(HEADER_BYTES * 8)
    for bit in (*header, *(chance.randrange(proven) for _ in range(150))):
        assert breaks_off(flipped(log, bit)), bit
    assert not breaks_off(flipped(log, len(log) * 8 - 1)), "a power cut looks the same"


def test_frames_of_the_log_before_this_one_prove_nothing(
    database: apsw.Connection, tmp_path: Path
) -> None:
    """SQLite writes a log anew from its beginning; the rest of the old one lies behind it."""
    put(database, *[9_000] * COMMITS)
    database.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_RESTART)
    put(database, 9_000)
    log = read_log(tmp_path / "a.db")
    assert len(log) > 30 * FRAME_BYTES
    assert not breaks_off(log)
    assert not breaks_off(flipped(log, (HEADER_BYTES + 100) * 8)), (
        "one commit, perhaps never synced"
    )
    put(database, 9_000, 9_000, 9_000)
    assert breaks_off(flipped(read_log(tmp_path / "a.db"), (HEADER_BYTES + 100) * 8))


def test_what_commits_that_failed_left_behind_is_no_rot(tmp_path: Path) -> None:
    """Their frames carry the salts of the log, and the next commit is written over them, however short: a
    power cut that tears it must stop no line."""
    disk = FaultyDisk()
    try:
        with closing(opened(tmp_path / "a.db", NAME)) as connection:
            put(connection, 9_000)
            good = len(read_log(tmp_path / "a.db"))
            for size in (40_000, 20_000):
                disk.fail_syncs = 1
                with pytest.raises(apsw.IOError):
                    put(connection, size)
            log = read_log(tmp_path / "a.db")
    finally:
        disk.unregister()
    ends = commit_ends(log)
    assert len(log) - good > 10 * FRAME_BYTES
    assert len([end for end in ends if end > good]) == 2
    assert not breaks_off(log)
    assert not breaks_off(flipped(log, (good + 100) * 8))


def test_a_log_that_changes_while_it_is_read_has_a_writer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = a_log("<", 512, 6)
    readings = [flipped(log, 8 * 100), log]
    monkeypatch.setattr(Path, "read_bytes", lambda _: readings.pop(0))
    assert not log_breaks_off(tmp_path / "a.db")
    readings = [flipped(log, 8 * 100)] * 2
    assert log_breaks_off(tmp_path / "a.db")


def test_a_file_without_a_log_is_whole(tmp_path: Path) -> None:
    assert not log_breaks_off(tmp_path / "a.db")


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("page_bytes", [512, 4_096, 65_536])
def test_any_order_and_page_size(order: str, page_bytes: int) -> None:
    log = a_log(order, page_bytes, 5)
    assert not breaks_off(log)
    frame_bytes = 24 + page_bytes
    found = [breaks_off(flipped(log, (32 + n * frame_bytes + 300) * 8)) for n in range(5)]
    assert found == [True, True, True, True, False]


def a_log(order: str, page_bytes: int, commits: int) -> bytes:
    """A log of commits of one frame."""
    head = struct.pack(">4I8s", 0x377F0682 + (order == ">"), 3_007_000, page_bytes, 0, b"saltsalt")
    sums = summed(order, head, (0, 0))
    log = head + struct.pack(">2I", *sums)
    for number in range(1, commits + 1):
        frame, page = struct.pack(">2I", number, number), bytes([number]) * page_bytes
        sums = summed(order, frame + page, sums)
        log += frame + b"saltsalt" + struct.pack(">2I", *sums) + page
    return log


def summed(order: str, part: bytes, sums: tuple[int, int]) -> tuple[int, int]:
    s0, s1 = sums
    for x0, x1 in struct.iter_unpack(f"{order}2I", part):
        s0 = (s0 + x0 + s1) % (1 << 32)
        s1 = (s1 + x1 + s0) % (1 << 32)
    return s0, s1
