"""What is acknowledged can be read back, in order, decoded, over the border of a day."""

import os
import subprocess
import sys
import threading
from itertools import pairwise
from pathlib import Path

import pytest

from controller.core.commands import CommitVerdict
from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal import records
from controller.journal.chain import FIRST_START
from controller.journal.day_file import JournalBusy, journal_files, next_path
from controller.journal.earlier_passes import EarlierPasses
from controller.journal.reader import Follower, JournalReader, NotAJournal, decode, read_directory
from controller.journal.records import Checkpoint, FileHeader
from controller.journal.verify import verify
from tests.journal.story import DAY, LINE, PUBLIC, Line, parcel, recorded_day


def test_every_appended_record_is_acknowledged_and_read_back(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.run(range(1, 6))
    line.heard.durable(line.seq)
    found = list(read_directory(tmp_path))
    assert [record.journal_seq for record in found] == list(range(1, len(found) + 1))
    contents = [decode(record) for record in found]
    assert isinstance(contents[0], FileHeader)
    assert contents[0].line == LINE
    assert isinstance(contents[1], Checkpoint)
    assert [c for c in contents if c in parcel(3)] == parcel(3)
    assert sum(isinstance(c, CommitVerdict) for c in contents) == 5
    assert line.writer.close()


def test_an_event_and_its_commands_are_one_commit(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    before = line.seq + 1
    line.tell(parcel(1)[:4])
    line.heard.durable(line.seq)
    assert line.seq == before + 4 + 2
    assert line.seq in line.heard.durable_seqs
    assert line.seq - 1 not in line.heard.durable_seqs
    assert line.seq - 2 not in line.heard.durable_seqs
    line.writer.close()


def test_acknowledgements_come_from_the_writers_thread(tmp_path: Path) -> None:
    line = Line(tmp_path)
    threads: list[str] = []
    line.writer._committer._on_durable = lambda _: threads.append(threading.current_thread().name)
    line.begin()
    line.writer.close()
    assert set(threads) == {f"journal-{LINE}"}


def test_the_file_is_wal_and_synchronous_full(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.heard.durable(line.seq)
    file = line.writer._committer._file
    assert file is not None
    assert file._db.pragma("journal_mode") == "wal"
    assert file._db.pragma("synchronous") == 2
    line.writer.close()


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    line = Line(tmp_path)
    with pytest.raises(JournalBusy, match="another process"):
        Line(tmp_path)
    line.writer.close()
    Line(tmp_path, FIRST_START).writer.close()


def test_a_day_changes_with_a_parcel_in_flight(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin("20260301")
    line.run([1])
    line.tell(parcel(2)[:4])
    line.begin("20260302")
    line.tell(parcel(2)[4:])
    line.begin("20260302")
    line.run([3])
    assert line.writer.close()
    files = journal_files(tmp_path)
    assert [f.name for f in files] == ["20260301.journal", "20260302.journal", "20260302-2.journal"]
    assert not list(tmp_path.glob("*-wal"))
    for file, successor in pairwise(files):
        reader = JournalReader(file)
        last = reader.last()
        assert last is not None
        checkpoint = decode(last)
        assert isinstance(checkpoint, Checkpoint)
        assert checkpoint.final
        header = JournalReader(successor).header()
        assert (header.previous_seq, header.previous_head) == (last.journal_seq, last.hash)
    report = verify(tmp_path, PUBLIC)
    assert report.ok, report.first_bad
    assert report.closed
    assert report.records == len(list(read_directory(tmp_path)))
    passes = EarlierPasses(tmp_path)
    assert passes.of("list/WB00000002") == (EarlierPass(2, PassEnd.RELEASED),)


def test_a_day_never_goes_back(tmp_path: Path) -> None:
    (tmp_path / "20260302.journal").touch()
    assert next_path(tmp_path, "20260301").name == "20260302-2.journal"
    (tmp_path / "20260302-10.journal").touch()
    (tmp_path / "20260302-9.journal").touch()
    assert next_path(tmp_path, "20260302").name == "20260302-11.journal"
    assert next_path(tmp_path, "20260303").name == "20260303.journal"


def test_checkpoints_are_never_further_apart_than_promised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.journal.drafting.CHECKPOINT_EVERY", 25)
    line = Line(tmp_path)
    line.begin()
    line.run(range(1, 31))
    assert line.writer.close()
    seqs = [r.journal_seq for r in read_directory(tmp_path) if r.kind == records.CHECKPOINT]
    assert max(later - earlier for earlier, later in pairwise(seqs)) <= 25 + 3
    assert verify(tmp_path, PUBLIC).ok


def test_a_snapshot_is_asked_for_often_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("controller.journal.drafting.SNAPSHOT_EVERY", 25)
    line = Line(tmp_path)
    line.begin()
    for number in range(1, 31):
        line.run([number])
        if line.writer.snapshot_due:
            line.snapshot()
            assert not line.writer.snapshot_due
    assert line.writer.close()
    assert 30 * 8 // 40 <= sum(r.kind == records.STATE_SNAPSHOT for r in read_directory(tmp_path))


def test_earlier_passes_are_open_until_their_outcome(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.tell(parcel(1)[:4])
    line.heard.durable(line.seq)
    passes = EarlierPasses(tmp_path)
    assert passes.of("list/WB00000001") == (EarlierPass(1, PassEnd.OPEN),)
    line.tell(parcel(1)[4:])
    line.heard.durable(line.seq)
    assert passes.of("list/WB00000001") == (EarlierPass(1, PassEnd.RELEASED),)
    assert passes.of("list/unknown") == ()
    line.writer.close()
    passes.close()


def test_earlier_passes_look_back_only_so_many_days(tmp_path: Path) -> None:
    line = Line(tmp_path)
    for day in range(1, 5):
        line.begin(f"2026030{day}")
        line.run([day])
    line.writer.close()
    passes = EarlierPasses(tmp_path, days_back=2)
    assert passes.of("list/WB00000001") == ()
    assert passes.of("list/WB00000002") == (EarlierPass(2, PassEnd.RELEASED),)
    assert EarlierPasses(tmp_path / "nowhere").of("x") == ()


def test_a_follower_sees_everything_once_over_a_border(tmp_path: Path) -> None:
    follower = Follower(tmp_path / "later")
    assert follower.read() == []
    follower = Follower(tmp_path)
    line = Line(tmp_path)
    seen = []
    for day in ("20260301", "20260302"):
        line.begin(day)
        for number in range(1, 4):
            line.run([number])
            line.heard.durable(line.seq)
            while chunk := follower.read(limit=7):
                seen += chunk
            assert seen[-1].journal_seq >= line.seq
    line.writer.close()
    seen += follower.read()
    assert [r.journal_seq for r in seen] == list(range(1, len(seen) + 1))
    assert decode(seen[-1]).final
    follower.close()
    middle = len(seen) // 2
    assert list(read_directory(tmp_path, after_seq=middle)) == seen[middle:]


def test_a_polling_reader_does_not_stop_the_writer(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    reader = Follower(tmp_path)
    seen = 0
    for number in range(1, 200):
        line.run([number])
        seen += len(reader.read())
    assert line.writer.close()
    while chunk := reader.read():
        seen += len(chunk)
    assert seen == verify(tmp_path, PUBLIC).records
    assert not line.heard.failures


def test_a_foreign_file_is_named_in_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "20260301.journal").write_text("no journal, but long enough to be read as one" * 30)
    with pytest.raises(NotAJournal, match=r"20260301\.journal cannot be opened"):
        JournalReader(tmp_path / "20260301.journal")
    with pytest.raises(NotAJournal, match="cannot be opened"):
        JournalReader(tmp_path / "missing.journal")


def test_checking_a_closed_file_leaves_nothing_beside_it(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    before = sorted(tmp_path.iterdir())
    assert verify(path, PUBLIC).ok
    assert verify(tmp_path, PUBLIC).ok
    assert sorted(tmp_path.iterdir()) == before


_VERIFY = """
import sys
from pathlib import Path
from controller.journal.verify import verify
from tests.journal.story import PUBLIC
sys.exit(not verify(Path(sys.argv[1]), PUBLIC).ok)
"""
# Root may write anywhere; without these two it may no more than anybody else.
_AS_ANYBODY = ("setpriv", "--bounding-set=-dac_override,-dac_read_search")


def test_a_copy_is_readable_where_nothing_may_be_written(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    command = [sys.executable, "-c", _VERIFY, str(path)]
    if os.geteuid() == 0:
        command = [*_AS_ANYBODY, *command]
    tmp_path.chmod(0o555)
    try:
        root = Path(__file__).resolve().parents[2]
        assert subprocess.run(command, cwd=root, check=False).returncode == 0
    finally:
        tmp_path.chmod(0o755)


def test_a_record_of_the_tiny_core_stays_small(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.run(range(1, 201))
    line.writer.close()
    size = (tmp_path / f"{DAY}.journal").stat().st_size
    per_record = size / len(list(read_directory(tmp_path)))
    # Guards the file's own overhead; 6 kB a parcel is for a test with the real core to prove.
    assert per_record < 260
