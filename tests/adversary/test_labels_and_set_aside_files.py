"""A label under another carrier's code, and what journal files that were set aside still know of labels."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from controller.core.commands import LookUp
from controller.core.events import EarlierPass, ListChanged, ListsAnswered
from controller.core.vocabulary import LookUpPurpose, LookUpResult, PassEnd
from controller.declared_lists.joins import list_key
from controller.declared_lists.reader import StoreReader
from controller.declared_lists.store import Store
from controller.journal.day_file import files_set_aside, journal_files
from controller.journal.earlier_passes import EarlierPasses, waybill_of
from controller.journal.reader import NotAJournal
from controller.journal.recovery import recover
from tests.adversary.test_rotten_logs import (
    IN_AN_EARLY_FRAME,
    as_power_cut_leaves,
    run_acknowledged,
)
from tests.adversary.test_rotten_logs import rot as rot_log
from tests.declared_lists import ceb
from tests.journal.story import PUBLIC, Line, parcel, restored

LABEL = "WB00000002"
KEY = f"list/{LABEL}"
UNDER_ANOTHER_CODE = f"41019800D5/{LABEL}/COP2"
HERE = (EarlierPass(2, PassEnd.RELEASED),)
ON_L2 = (EarlierPass(2, PassEnd.RELEASED, "L2"),)


def line_in(directory: Path) -> Line:
    directory.mkdir(parents=True)
    return Line(directory)


def releasing(directory: Path) -> Path:
    """A line that released eight labels, LABEL among them, and was stopped; its file."""
    line = line_in(directory)
    line.begin()
    line.run(range(1, 9))
    assert line.writer.close()
    (path,) = journal_files(directory)
    return path


@contextmanager
def asking(directory: Path) -> Iterator[EarlierPasses]:
    passes = EarlierPasses(directory, lines_dir=directory.parent)
    yield passes
    passes.close()


def rot(path: Path, *tables: str) -> None:
    """Spoil the first page of each of these tables and indexes."""
    data = bytearray(path.read_bytes())
    with apsw.Connection(str(path)) as db:
        for table in tables:
            found = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = ?", (table,))
            data[(found.get - 1) * db.pragma("page_size")] ^= 0xFF
    path.write_bytes(data)


def set_aside(directory: Path) -> Path:
    """What the start of that line does when it finds the damage; the file's new name."""
    (aside,) = recover(directory, PUBLIC).set_aside
    return aside.path


# --- the label under another carrier's code --------------------------------------------------------


def test_a_label_once_released_is_known_under_another_carrier_code(tmp_path: Path) -> None:
    """The carrier's code is a field of the sender's message; the box bears the waybill alone. Its list is
    deleted after the release and declared anew under another code, customs releases that, and the second
    box with the label leaves the line."""
    releasing(tmp_path / "journal" / "L1")
    path = tmp_path / "lists.db"
    anew = {"logisticsNo": LABEL, "logisticsCode": "41019800D5", "copNo": "COP2"}
    with Store(path) as store:
        ceb.take(store, ceb.a_list(**anew), ceb.a_receipt(800, "20260115160000000", copNo="COP2"))
    delivered: queue.Queue[ListsAnswered | ListChanged] = queue.Queue()
    with (
        asking(tmp_path / "journal" / "L1") as passes,
        StoreReader(path, delivered.put, passes.of) as reader,
    ):
        reader.look_up(LookUp(7, LookUpPurpose.DECIDE, (LABEL,)))
        answer = delivered.get(timeout=20)
    assert isinstance(answer, ListsAnswered)
    assert answer.result is LookUpResult.ANSWERED
    (listed,) = answer.lists
    assert (listed.list_key, listed.status) == (UNDER_ANOTHER_CODE, 800)
    assert listed.earlier_passes == HERE


def test_a_label_on_the_other_lines_belt_is_taken_under_whichever_carrier_code(
    tmp_path: Path,
) -> None:
    """Both lines looked it up before either verdict was on the disk, each under another list."""
    line_in(tmp_path / "L1").writer.close()
    other = line_in(tmp_path / "L2")
    other.begin()
    other.run([1])
    other.tell(parcel(2)[:4])
    other.heard.durable(other.seq)
    wanted = frozenset({UNDER_ANOTHER_CODE, "41019800D5/WB00000009/COP1"})
    with asking(tmp_path / "L1") as passes:
        assert passes.taken_elsewhere(wanted) == {UNDER_ANOTHER_CODE}
    other.writer.close()


@pytest.mark.parametrize("waybill", ["W/1", "W%1", "W%2F1", "W%252F", "/", "%", "", "W 1", "ä~運"])
def test_the_label_is_found_in_every_list_key(waybill: str) -> None:
    """A sender may put a slash into a waybill number; its label must not be free for that."""
    assert waybill_of(list_key("41019800/D4", waybill, "C/%2F")) == waybill


# --- files that were set aside ---------------------------------------------------------------------


def test_a_neighbours_file_set_aside_does_not_turn_its_releases_into_never_seen(
    tmp_path: Path,
) -> None:
    """One page of records in L2's newest file rots. Its start sets the file aside and stops L2's
    releases; L1 was not started, nobody gave it a word, and it goes on releasing."""
    path = releasing(tmp_path / "L2")
    line_in(tmp_path / "L1").writer.close()
    with asking(tmp_path / "L1") as passes:
        assert passes.of(KEY) == ON_L2
        rot(path, "records")
        set_aside(tmp_path / "L2")
        assert not journal_files(tmp_path / "L2")
        assert passes.of(KEY) == ON_L2
        assert passes.of(UNDER_ANOTHER_CODE) == ON_L2
        assert passes.taken_elsewhere(frozenset({KEY})) == {KEY}
        assert passes.of("list/WB00000099") == ()


def test_our_own_file_set_aside_still_knows_its_releases(tmp_path: Path) -> None:
    rot(releasing(tmp_path / "L1"), "records")
    set_aside(tmp_path / "L1")
    with asking(tmp_path / "L1") as passes:
        assert passes.of(KEY) == HERE


@pytest.mark.parametrize("spoiled", ["passes", "passes_twin", "all of it"])
def test_a_neighbours_file_set_aside_that_cannot_be_read_stops_look_ups(
    tmp_path: Path, spoiled: str
) -> None:
    """L2's supervisor gave L2 the word, not L1. Who moves the file away answers for what was in it."""
    path = releasing(tmp_path / "L2")
    line_in(tmp_path / "L1").writer.close()
    rot(path, "records", *() if spoiled == "all of it" else (spoiled,))
    if spoiled == "all of it":
        path.write_bytes(b"gone" * 2_000)
    aside = set_aside(tmp_path / "L2")
    with asking(tmp_path / "L1") as passes:
        with pytest.raises(NotAJournal, match=rf"line L2, to be moved away.*{aside.name}"):
            passes.of(KEY)
        with pytest.raises(NotAJournal, match=aside.name):
            passes.taken_elsewhere(frozenset({KEY}))
        aside.rename(tmp_path / aside.name)
        assert passes.of(KEY) == ()


def test_a_file_set_aside_whose_log_breaks_off_is_not_the_whole_of_it(tmp_path: Path) -> None:
    """SQLite reads it up to the damaged place of its log, and says nothing of the releases behind it."""
    line = line_in(tmp_path / "live")
    line.begin()
    run_acknowledged(line)
    as_power_cut_leaves(tmp_path / "live", tmp_path / "site" / "L2")
    line.writer.close()
    (log,) = (tmp_path / "site" / "L2").glob("*-wal")
    rot_log(log, IN_AN_EARLY_FRAME)
    aside = set_aside(tmp_path / "site" / "L2")
    line_in(tmp_path / "site" / "L1").writer.close()
    with asking(tmp_path / "site" / "L1") as passes, pytest.raises(NotAJournal, match=aside.name):
        passes.of(KEY)
    with asking(tmp_path / "site" / "L2") as passes:
        assert passes.of(KEY) == ()


@pytest.mark.parametrize("spoiled", ["passes", "all of it"])
def test_our_own_file_set_aside_that_cannot_be_read_stops_no_look_up(
    tmp_path: Path, spoiled: str
) -> None:
    """The line starts with releases stopped, and goes on at a supervisor's word alone."""
    path = releasing(tmp_path / "L1")
    rot(path, "records", "passes")
    if spoiled == "all of it":
        path.write_bytes(b"gone" * 2_000)
    set_aside(tmp_path / "L1")
    with asking(tmp_path / "L1") as passes:
        assert passes.of(KEY) == ()


def test_our_own_file_set_aside_is_not_ignored_for_want_of_a_descriptor(tmp_path: Path) -> None:
    """What it knows of releases is not lost, only not to be had now. A link to nothing stands for it."""
    line_in(tmp_path / "L1").writer.close()
    (tmp_path / "L1" / "20260301.journal.corrupt-1").symlink_to("nothing")
    with asking(tmp_path / "L1") as passes, pytest.raises(NotAJournal, match="cannot be opened"):
        passes.of(KEY)


def test_a_file_set_aside_ends_no_pass_and_a_good_one_ends_its(tmp_path: Path) -> None:
    """2 was on the belt at midnight, 3 when the file was set aside: 2's release stands in that file, 3's
    in the one after it."""
    line = line_in(tmp_path / "L1")
    line.begin("20260301")
    line.run([1])
    line.tell(parcel(2)[:4])
    line.begin("20260302")
    line.tell(parcel(2)[4:])
    line.tell(parcel(3)[:4])
    assert line.writer.close()
    newest = journal_files(tmp_path / "L1")[-1]
    with apsw.Connection(str(newest)) as db:  # a held pass that no chain vouches for
        db.execute("UPDATE passes SET end = ? WHERE pass_no = 2", (PassEnd.HELD,))
        last = db.execute("SELECT max(journal_seq) FROM records").get
        db.execute("UPDATE records SET at_ns = at_ns + 1 WHERE journal_seq = ?", (last,))
    found = recover(tmp_path / "L1", PUBLIC)
    assert [aside.path for aside in found.set_aside] == files_set_aside(tmp_path / "L1")
    after = Line(tmp_path / "L1", found.start, restored(found))
    after.begin("20260303")
    with asking(tmp_path / "L1") as passes:
        after.heard.durable(after.seq)
        assert passes.of(KEY) == (EarlierPass(2, PassEnd.OPEN),)
        assert passes.of("list/WB00000003") == (EarlierPass(3, PassEnd.OPEN),)
        after.tell(parcel(3)[4:])
        after.heard.durable(after.seq)
        assert passes.of("list/WB00000003") == (EarlierPass(3, PassEnd.RELEASED),)
    after.writer.close()


def test_files_set_aside_count_by_the_day_in_their_name(tmp_path: Path) -> None:
    """A file that was set aside a year ago stops no line: nobody asks one of that age."""
    rot(releasing(tmp_path / "L2"), "records", "passes")  # of 20260301
    set_aside(tmp_path / "L2")
    line = Line(tmp_path / "L2")
    for day in ("20260302", "20260303", "20260304"):
        line.begin(day)
    assert line.writer.close()
    line_in(tmp_path / "L1").writer.close()
    passes = EarlierPasses(tmp_path / "L1", days_back=3, lines_dir=tmp_path)
    with pytest.raises(NotAJournal):
        passes.of(KEY)
    passes.close()
    passes = EarlierPasses(tmp_path / "L1", days_back=2, lines_dir=tmp_path)
    assert passes.of(KEY) == ()
    passes.close()
