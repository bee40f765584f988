"""A disk that fails: never a false acknowledgement, one sentence, nothing lost, and a way back."""

import errno
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.journal import writer as writer_module
from controller.journal.ballast import Ballast
from controller.journal.chain import GENESIS, Draft
from controller.journal.committer import Committer, Group
from controller.journal.reader import read_directory
from controller.journal.verify import verify
from tests.journal.faulty_disk import NAME, FaultyDisk
from tests.journal.story import DAY, PUBLIC, Heard, Line


@pytest.fixture
def disk() -> Iterator[FaultyDisk]:
    faulty = FaultyDisk()
    yield faulty
    faulty.unregister()


def started(directory: Path) -> Line:
    line = Line(directory, vfs=NAME)
    line.begin()
    line.run([1])
    line.heard.durable(line.seq)
    return line


def assert_whole(directory: Path, last_seq: int) -> None:
    report = verify(directory, PUBLIC)
    assert report.ok, report.first_bad
    assert report.head.journal_seq >= last_seq


def test_a_full_disk_frees_the_ballast_and_writes_on_unacknowledged(
    tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = started(tmp_path)
    good = line.seq
    real_release = Ballast.release

    def release(ballast: Ballast) -> bool:
        disk.room_bytes = 1 << 20
        return real_release(ballast)

    monkeypatch.setattr(Ballast, "release", release)
    disk.room_bytes = 0
    line.run([2])
    line.heard.failed()
    assert "full" in line.heard.failures[0]
    assert not (tmp_path / "ballast").exists()
    line.run([3])
    held = line.seq
    assert line.heard.durable_seqs[-1] == good
    disk.room_bytes = None
    line.writer.reopen()
    line.heard.durable(held)
    assert (tmp_path / "ballast").stat().st_size == 8 << 20
    assert len(line.heard.failures) == 1
    line.run([4])
    line.heard.durable(line.seq)
    assert line.writer.close()
    assert_whole(tmp_path, line.seq)


def test_on_the_ballast_every_commit_lands_and_none_is_acknowledged(
    tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The committer alone, without its thread: every step is seen."""

    def release(_: Ballast) -> bool:
        disk.room_bytes = None
        return True

    monkeypatch.setattr(Ballast, "release", release)
    heard = Heard()
    committer = Committer(tmp_path, GENESIS, heard.on_durable, heard.on_failed, NAME)
    committer.commit((Group((Draft(1, 0, 1, b"header"),), opens_day=DAY),))
    assert heard.durable_seqs == [1]
    disk.room_bytes = 0
    for seq in (2, 3, 4):
        committer.commit((Group((Draft(seq, 0, 1, b"hold"),)),))
        assert heard.durable_seqs == [1]
        assert list(read_directory(tmp_path))[-1].journal_seq == seq
    assert len(heard.failures) == 1
    committer.reopen()
    assert heard.durable_seqs == [1, 4]
    committer.commit((Group((Draft(5, 0, 1, b"release"),)),))
    assert heard.durable_seqs == [1, 4, 5]
    committer.close()


def test_what_is_written_on_the_ballast_is_on_the_disk_before_anyone_comes(
    tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = started(tmp_path)

    def release(_: Ballast) -> bool:
        disk.room_bytes = None
        return True

    monkeypatch.setattr(Ballast, "release", release)
    disk.room_bytes = 0
    line.run([2])
    line.heard.failed()
    assert line.writer.close()
    assert line.heard.durable_seqs[-1] < line.seq
    assert list(read_directory(tmp_path))[-1].journal_seq > line.seq


def test_a_disk_that_stays_full_keeps_everything_until_there_is_room(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    line = started(tmp_path)
    disk.room_bytes = 0
    line.run(range(2, 6))
    line.heard.failed()
    line.writer.reopen()
    line.heard.failed(times=2)
    disk.room_bytes = None
    line.writer.reopen()
    line.heard.durable(line.seq)
    assert line.writer.close()
    assert_whole(tmp_path, line.seq)


@pytest.mark.parametrize("fault", ["sync", "write"])
def test_a_disk_error_is_never_acknowledged_and_reopen_finds_out(
    tmp_path: Path, disk: FaultyDisk, fault: str
) -> None:
    line = started(tmp_path)
    good = line.heard.durable_seqs[-1]
    if fault == "sync":
        disk.fail_syncs = 1
    else:
        disk.fail_writes = True
    line.run([2, 3])
    line.heard.failed()
    disk.fail_writes = False
    assert "cannot be written" in line.heard.failures[0]
    assert line.heard.durable_seqs[-1] == good
    line.run([4])
    line.writer.reopen()
    line.heard.durable(line.seq)
    assert len(line.heard.failures) == 1
    assert line.writer.close()
    assert_whole(tmp_path, line.seq)


def test_a_sync_that_failed_is_not_tried_again_before_anyone_came(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    """After a failed sync a second one may say well and mean nothing: the pages may be gone."""
    heard = Heard()
    committer = Committer(tmp_path, GENESIS, heard.on_durable, heard.on_failed, NAME)
    committer.commit((Group((Draft(1, 0, 1, b"header"),), opens_day=DAY),))
    disk.fail_syncs = 1
    committer.commit((Group((Draft(2, 0, 1, b"lease"),)),))
    assert committer.stuck
    assert (heard.durable_seqs, len(heard.failures)) == ([1], 1)
    committer.reopen()
    assert not committer.stuck
    assert heard.durable_seqs == [1, 2]
    committer.close()


@pytest.mark.parametrize("good_syncs", range(6))
def test_a_failure_at_the_change_of_day_is_made_good(
    tmp_path: Path, disk: FaultyDisk, good_syncs: int
) -> None:
    line = started(tmp_path)
    disk.good_syncs, disk.fail_syncs = good_syncs, 1_000
    line.begin("20260302")
    line.run([2])
    line.heard.failed()
    disk.good_syncs = disk.fail_syncs = 0
    line.writer.reopen()
    line.heard.durable(line.seq)
    assert line.writer.close()
    assert_whole(tmp_path, line.seq)


def test_closing_a_failed_journal_says_that_something_is_missing(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    line = started(tmp_path)
    disk.fail_writes = True
    line.run([2])
    line.heard.failed()
    assert not line.writer.close()
    disk.fail_writes = False
    assert_whole(tmp_path, 1)


def test_waiting_records_are_bounded(
    tmp_path: Path, disk: FaultyDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = started(tmp_path)
    monkeypatch.setattr(writer_module, "WAITING_BYTES_MAX", 50_000)
    disk.fail_writes = True
    line.run(range(2, 200))
    line.heard.failed(times=2)
    assert any("too long" in why for why in line.heard.failures)
    assert line.writer._batcher.waiting_bytes < 60_000
    disk.fail_writes = False
    line.writer.reopen()  # what was dropped is gone: no word makes it good
    line.heard.failed(times=3)
    assert "restart the line" in line.heard.failures[-1]
    assert not line.writer.close()


def test_records_that_vanished_below_an_acknowledgement_stop_the_journal(
    tmp_path: Path, disk: FaultyDisk
) -> None:
    line = started(tmp_path)
    disk.fail_writes = True
    line.run([2])
    line.heard.failed()
    disk.fail_writes = False
    file = line.writer._committer._file
    assert file is not None
    file._db.execute(
        "DELETE FROM records WHERE journal_seq = (SELECT max(journal_seq) FROM records)"
    )
    line.writer.reopen()
    line.heard.failed(times=2)
    assert "has lost records" in line.heard.failures[-1]
    line.writer.close()


_LIMITED = """
import resource, sys
from pathlib import Path
from tests.journal.story import Line
line = Line(Path(sys.argv[1]))
line.begin()
line.heard.durable(line.seq)
resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, resource.RLIM_INFINITY))
number = 0
while not line.heard.failures:
    number += 1
    line.run([number])
    if number % 20 == 0:
        line.heard._changed.acquire()
        line.heard._changed.wait_for(
            lambda: line.heard.failures or line.heard.durable_seqs[-1] >= line.seq, 20)
        line.heard._changed.release()
print(line.heard.durable_seqs[-1], line.heard.failures[0])
"""


def test_a_file_size_limit_of_the_machine_is_a_failure_like_any_other(tmp_path: Path) -> None:
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, str(tmp_path)],
        cwd=root,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(root)},
    )
    acked, sentence = done.stdout.split(" ", 1)
    assert "cannot be written" in sentence
    assert_whole(tmp_path, int(acked))


def test_ballast_refuses_where_there_is_no_room(tmp_path: Path) -> None:
    Ballast(tmp_path, 4_096).reserve()
    assert (tmp_path / "ballast").stat().st_blocks > 0
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
    try:
        with pytest.raises(OSError) as caught:  # noqa: PT011
            Ballast(tmp_path, 1 << 20).reserve()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert caught.value.errno == errno.EFBIG
    assert not (tmp_path / "ballast").exists()
