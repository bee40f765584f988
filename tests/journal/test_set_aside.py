"""A corrupt file is set aside whole, named by the next header, and never forgotten in between."""

import shutil
from pathlib import Path

import apsw

from controller.journal.day_file import journal_files
from controller.journal.reader import Follower, JournalReader
from controller.journal.recovery import SEQ_STEP_AFTER_LOSS, Recovered, recover
from controller.journal.verify import verify
from tests.journal.story import DAY, PUBLIC, Line, recorded_day, restored

AT = 120  # after the last state, which is all that a start reads


def damage(path: Path, keep_log: bool = False) -> None:
    db = apsw.Connection(str(path))
    db.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, int(keep_log))
    db.execute("UPDATE records SET at_ns = at_ns + 1 WHERE journal_seq = ?", (AT,))
    db.close()


def names(found: Recovered) -> list[str]:
    return [aside.path.name for aside in found.set_aside]


def test_a_start_killed_after_setting_aside_is_made_good_by_the_next(tmp_path: Path) -> None:
    damage(recorded_day(tmp_path))
    first = recover(tmp_path, PUBLIC)
    assert names(first) == [f"{DAY}.journal.corrupt-1"]
    second = recover(tmp_path, PUBLIC)  # the first start died before it wrote a header
    assert names(second) == names(first)
    assert second.start == first.start
    assert (second.state, second.events, second.day) == (first.state, first.events, first.day)
    assert second.start.next_seq == AT - 1 + SEQ_STEP_AFTER_LOSS
    line = Line(tmp_path, second.start, restored(second))
    line.begin()
    line.run([500])
    assert line.writer.close()
    third = recover(tmp_path, PUBLIC)
    assert names(third) == []
    (path,) = journal_files(tmp_path)
    assert JournalReader(path).header().set_aside == (f"{DAY}.journal.corrupt-1",)
    assert verify(path, PUBLIC).ok


def test_a_file_that_was_set_aside_in_vain_still_gives_its_numbers_to_nobody(
    tmp_path: Path,
) -> None:
    """Its successor, which named it, is itself unreadable: both count, each with a step."""
    damage(recorded_day(tmp_path))
    found = recover(tmp_path, PUBLIC)
    line = Line(tmp_path, found.start, restored(found))
    line.begin()
    line.run([500])
    assert line.writer.close()
    last_seq = line.seq
    (successor,) = journal_files(tmp_path)
    successor.write_bytes(b"gone" * 2_000)
    again = recover(tmp_path, PUBLIC)
    assert names(again) == [f"{DAY}-2.journal.corrupt-1", f"{DAY}.journal.corrupt-1"]
    assert again.start.next_seq == AT - 1 + 2 * SEQ_STEP_AFTER_LOSS > last_seq
    assert (again.state, again.events) == (found.state, found.events)


def test_the_log_of_a_killed_writer_goes_with_its_file(tmp_path: Path) -> None:
    live, left = tmp_path / "live", tmp_path / "left"
    line = Line(live)
    line.begin()
    line.run(range(1, 30))
    line.heard.durable(line.seq)
    shutil.copytree(live, left)
    line.writer.close()
    path = left / f"{DAY}.journal"
    log = path.with_name(path.name + "-wal")
    assert log.stat().st_size > 0
    damage(path, keep_log=True)
    reader = JournalReader(path, live=True)  # the records process keeps the log from being folded
    found = recover(left, PUBLIC)
    aside = left / f"{DAY}.journal.corrupt-1"
    assert names(found) == [aside.name]
    assert aside.with_name(aside.name + "-wal").exists()
    assert not log.exists()
    assert not path.exists()
    reader.close()


def test_a_log_that_lies_about_never_becomes_that_of_a_new_file(tmp_path: Path) -> None:
    """As a start leaves it that was killed between the new name of a file and that of its log."""
    live, left = tmp_path / "live", tmp_path / "left"
    line = Line(live)
    line.begin()
    line.run(range(1, 30))
    line.heard.durable(line.seq)
    left.mkdir()
    shutil.copy(live / f"{DAY}.journal-wal", left)
    line.writer.close()
    fresh = Line(left)
    fresh.begin()
    fresh.run([1])
    fresh.heard.durable(fresh.seq)
    report = verify(left, PUBLIC)
    assert report.ok, report.first_bad
    assert report.head.journal_seq == fresh.seq
    assert fresh.writer.close()
    assert verify(left, PUBLIC).closed


def test_who_follows_the_files_goes_on_after_one_was_set_aside(tmp_path: Path) -> None:
    recorded_day(tmp_path)
    follower = Follower(tmp_path)
    while follower.read():
        pass
    damage(tmp_path / f"{DAY}.journal")
    found = recover(tmp_path, PUBLIC)
    line = Line(tmp_path, found.start, restored(found))
    line.begin()
    assert line.writer.close()
    assert follower.read()[0].journal_seq == found.start.next_seq
    follower.close()
