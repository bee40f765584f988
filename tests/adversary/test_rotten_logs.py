"""A bit that rots in a log of SQLite: what was acknowledged after it is not silently forgotten."""

import queue
from pathlib import Path

import apsw
import pytest

from controller.core.commands import LookUp
from controller.core.events import EarlierPass, ListChanged, ListsAnswered
from controller.core.vocabulary import LookUpPurpose, LookUpResult, PassEnd
from controller.declared_lists import database
from controller.declared_lists.database import StoreError
from controller.declared_lists.reader import StoreReader
from controller.declared_lists.store import Store
from controller.journal.earlier_passes import EarlierPasses
from controller.journal.recovery import recover
from controller.journal.verify import verify
from tests.declared_lists import ceb
from tests.journal.story import PUBLIC, Line, restored

KEY = "list/WB00000002"
RELEASED = (EarlierPass(2, PassEnd.RELEASED),)
IN_HEADER = 16
IN_AN_EARLY_FRAME = 32 + (24 + 4_096) + 24 + 100
PARCELS = range(1, 9)


def run_acknowledged(line: Line) -> None:
    """A commit each."""
    for number in PARCELS:
        line.run([number])
        line.heard.durable(line.seq)


def as_power_cut_leaves(directory: Path, left: Path) -> None:
    """What lies in `directory` now, without the index of the log, which does not outlive the machine."""
    left.mkdir(parents=True)
    for path in directory.iterdir():
        if path.is_file() and not path.name.endswith("-shm"):
            (left / path.name).write_bytes(path.read_bytes())


def rot(log: Path, at: int) -> None:
    data = bytearray(log.read_bytes())
    data[at] ^= 1
    log.write_bytes(data)


@pytest.mark.parametrize("at", [IN_HEADER, IN_AN_EARLY_FRAME])
def test_the_log_of_a_killed_writer_is_no_shorter_history(tmp_path: Path, at: int) -> None:
    """SQLite ends the log at the flip: the labels released after it would be free to be released again,
    and no alarm says so. The start sets the file aside, uses what is good in it, and goes on behind it."""
    live, left = tmp_path / "live", tmp_path / "left"
    live.mkdir()
    line = Line(live)
    line.begin()
    run_acknowledged(line)
    as_power_cut_leaves(live, left)
    line.writer.close()
    (log,) = left.glob("*-wal")
    rot(log, at)
    evidence = log.read_bytes()
    found = recover(left, PUBLIC)
    (aside,) = found.set_aside
    assert "its log is damaged" in aside.why
    assert found.start.head.journal_seq < line.seq < found.start.next_seq
    assert recover(left, PUBLIC).set_aside[0].path == aside.path, "a start killed here is made good"
    again = Line(left, found.start, restored(found))
    again.begin()
    assert again.writer.close()
    assert not recover(left, PUBLIC).set_aside
    assert aside.path.with_name(aside.path.name + "-wal").read_bytes() == evidence


def test_a_finished_day_does_not_rest_on_its_log(tmp_path: Path) -> None:
    """A list reader has the day's file open when midnight closes it, so that SQLite's own last close folds
    nothing: the end of the day would lie in the log for 190 days, and rot there unseen."""
    line = Line(tmp_path)
    line.begin("20260301")
    passes = EarlierPasses(tmp_path)
    run_acknowledged(line)
    assert passes.of(KEY) == RELEASED
    line.begin("20260302")
    line.heard.durable(line.seq)
    log = tmp_path / "20260301.journal-wal"
    assert not log.exists() or not log.stat().st_size
    assert passes.of(KEY) == RELEASED
    passes.close()
    assert line.writer.close()
    assert verify(tmp_path, PUBLIC).ok


def test_midnight_waits_for_no_reader_and_the_next_start_folds(tmp_path: Path) -> None:
    """A long read stands in the way of the fold when the day changes. The newest file of a killed writer
    is folded by the start, too, though somebody has it open."""
    live, left = tmp_path / "live", tmp_path / "left"
    live.mkdir()
    line = Line(live)
    line.begin("20260301")
    run_acknowledged(line)
    reading = apsw.Connection(str(live / "20260301.journal"), flags=apsw.SQLITE_OPEN_READONLY)
    rows = reading.execute("SELECT * FROM records")
    next(rows)
    line.begin("20260302")
    line.run([9])
    line.heard.durable(line.seq)
    as_power_cut_leaves(live, left)
    reading.close(force=True)
    assert line.writer.close()
    assert (left / "20260301.journal-wal").stat().st_size > 0
    passes = EarlierPasses(left)
    assert passes.of(KEY) == RELEASED
    assert not recover(left, PUBLIC).set_aside
    assert not any(log.stat().st_size for log in left.glob("*-wal"))
    assert passes.of(KEY) == RELEASED
    passes.close()


def test_an_older_file_whose_log_rots_is_told(tmp_path: Path) -> None:
    """No start reads an older day for its state; a look-up does, and would not know of its releases."""
    live, left = tmp_path / "live", tmp_path / "left"
    live.mkdir()
    line = Line(live)
    line.begin("20260301")
    run_acknowledged(line)
    as_power_cut_leaves(live, left)
    line.begin("20260302")
    line.heard.durable(line.seq)
    assert line.writer.close()
    (left / "20260302.journal").write_bytes((live / "20260302.journal").read_bytes())
    rot(left / "20260301.journal-wal", IN_AN_EARLY_FRAME)
    found = recover(left, PUBLIC)
    assert [aside.path.name for aside in found.set_aside] == ["20260301.journal.corrupt-1"]
    assert found.start.head.journal_seq >= line.seq, "the newest file is as good as ever"
    assert recover(left, PUBLIC).set_aside, "a start killed here is made good"
    again = Line(left, found.start, restored(found))
    again.begin("20260302")
    assert again.writer.close()
    assert not recover(left, PUBLIC).set_aside


def a_store_cut_off(directory: Path) -> Path:
    """Customs released W1 in the morning and detained it at noon; then the power goes."""
    (directory / "before").mkdir()
    path = directory / "before" / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, "20260115130000000"))
    with Store(path) as store:
        ceb.take(store, ceb.a_list(logisticsNo="W8", copNo="COP8"))
        ceb.take(store, ceb.a_receipt(501, "20260115140000000"))
        ceb.take(store, ceb.a_list(logisticsNo="W9", copNo="COP9"))
        as_power_cut_leaves(path.parent, directory / "after")
    return directory / "after" / "lists.db"


def answer_of(path: Path) -> ListsAnswered:
    delivered: queue.Queue[ListsAnswered | ListChanged] = queue.Queue()
    with StoreReader(path, delivered.put) as reader:
        reader.look_up(LookUp(7, LookUpPurpose.DECIDE, ("W1",)))
        answer = delivered.get(timeout=20)
    assert isinstance(answer, ListsAnswered)
    return answer


def test_a_detention_in_the_rotten_log_of_the_list_store_is_not_forgotten(tmp_path: Path) -> None:
    """SQLite would answer from the morning and the detained parcel be released: nothing chains the store,
    and nobody asks the sender again. Neither intake nor a reader, whoever comes first, takes it."""
    path = a_store_cut_off(tmp_path)
    log = path.with_name("lists.db-wal")
    rot(log, 32 + 24 + 100)
    assert answer_of(path).result is LookUpResult.UNAVAILABLE
    for open_store in (Store, database.open_for_reading):
        with pytest.raises(StoreError, match="is damaged: restore it or import the messages again"):
            open_store(path)
    assert log.stat().st_size > 0, "nothing was written over it"
    rot(log, 32 + 24 + 100)  # as if restored
    assert [each.status for each in answer_of(path).lists] == [501]
    Store(path).close()
    assert [each.status for each in answer_of(path).lists] == [501]


def test_the_list_store_does_not_rest_on_its_log_when_intake_stops(tmp_path: Path) -> None:
    """A line has the store open whenever intake stops, so that SQLite's own last close folds nothing."""
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list())
        reading = database.open_for_reading(path)
        assert database.store_seq(reading) > 0
    assert path.with_name("lists.db-wal").stat().st_size == 0
    reading.close()
