"""A bit that rots under a look-up for earlier passes: told, or without effect; never a release forgotten."""

import shutil
from pathlib import Path

import apsw
import pytest

from controller.core.events import EarlierPass
from controller.core.vocabulary import PassEnd
from controller.journal.day_file import journal_files
from controller.journal.earlier_passes import EarlierPasses
from controller.journal.reader import NotAJournal
from controller.journal.verify import verify
from tests.journal.story import PUBLIC, Line

# The index of passes as it was written before waybills stood in it.
BY_LIST = """CREATE TABLE passes(
    list_key TEXT NOT NULL, pass_no INTEGER NOT NULL, end INTEGER NOT NULL, journal_seq INTEGER NOT NULL,
    PRIMARY KEY (list_key, pass_no)
) STRICT, WITHOUT ROWID"""
NUMBERS = range(1, 9)


def written(directory: Path) -> Path:
    line = Line(directory)
    line.begin()
    line.run(NUMBERS)
    line.writer.close()
    (path,) = journal_files(directory)
    return path


def answers(directory: Path, carrier: str = "list") -> dict[str, tuple[EarlierPass, ...]]:
    passes = EarlierPasses(directory)
    labels = [f"WB{number:08}" for number in NUMBERS]
    try:
        return {label: passes.of(f"{carrier}/{label}") for label in labels}
    finally:
        passes.close()


def damage_in(directory: Path) -> str:
    found = verify(directory, PUBLIC).first_bad
    assert found is not None
    return found.damage


def page_of(path: Path, table: str) -> range:
    """The bytes of the page in which all rows of a small table or index stand."""
    with apsw.Connection(str(path)) as db:
        (page,) = db.execute("SELECT rootpage FROM sqlite_schema WHERE name=?", (table,)).fetchone()
        (size,) = db.execute("PRAGMA page_size").fetchone()
    return range((page - 1) * size, page * size)


@pytest.mark.parametrize("table", ["passes", "passes_twin"])
def test_no_rotten_bit_makes_a_look_up_forget_a_pass(tmp_path: Path, table: str) -> None:
    path = written(tmp_path)
    as_written, whole = answers(tmp_path), path.read_bytes()
    page = page_of(path, table)
    rows = [at for at in page if whole[at]]  # headers, keys, numbers; the rest of the page is empty
    told = 0
    for at in rows:
        for bit in range(0, 8, 3):
            rotten = bytearray(whole)
            rotten[at] ^= 1 << bit
            path.write_bytes(rotten)
            try:
                assert answers(tmp_path, "other") == as_written, (at - page.start, bit)
            except NotAJournal as error:
                assert path.name in str(error)
                told += 1
    assert told > len(rows)


@pytest.mark.parametrize("key", [b"WB00000002", b"list/WB00000002"])
@pytest.mark.parametrize("table", ["passes", "passes_twin"])
def test_verify_names_a_rotten_key_in_either_index(tmp_path: Path, table: str, key: bytes) -> None:
    path = written(tmp_path)
    data, page = bytearray(path.read_bytes()), page_of(path, table)
    row = data.index(b"WB00000002list/WB00000002", page.start, page.stop)
    data[data.index(key, row) + len(key) - 1] ^= 1  # ...3
    path.write_bytes(data)
    assert damage_in(tmp_path) == "index"


def test_verify_names_a_waybill_that_was_changed_in_both(tmp_path: Path) -> None:
    path = written(tmp_path)
    with apsw.Connection(str(path)) as db:
        db.execute("UPDATE passes SET waybill = 'X' WHERE pass_no = 2")
    assert damage_in(tmp_path) == "index"


@pytest.mark.parametrize("twin", ["", "CREATE INDEX passes_twin ON passes(list_key, end)"])
def test_a_file_of_before_the_look_up_by_waybill_still_answers(tmp_path: Path, twin: str) -> None:
    path = written(tmp_path / "new")
    (tmp_path / "old").mkdir()
    shutil.copy(path, tmp_path / "old")
    with apsw.Connection(str(tmp_path / "old" / path.name)) as db:
        db.execute("ALTER TABLE passes RENAME TO by_waybill")
        db.execute(BY_LIST)
        db.execute("INSERT INTO passes SELECT list_key, pass_no, end, journal_seq FROM by_waybill")
        db.execute("DROP TABLE by_waybill")
        db.execute(twin)
    assert answers(tmp_path / "old") == answers(tmp_path / "new")
    assert answers(tmp_path / "old")["WB00000002"] == (EarlierPass(2, PassEnd.RELEASED),)
    assert verify(tmp_path / "old", PUBLIC).ok


def test_a_file_of_before_knows_its_labels_under_another_cop_no(tmp_path: Path) -> None:
    """It has no waybills; the same number under another carrier's code stays unknown (docs/limits.md)."""
    for path in (Path(__file__).parent / "real_core" / "schema-1").glob("*.journal"):
        shutil.copy(path, tmp_path)
    passes = EarlierPasses(tmp_path)
    assert passes.of("LC/YT000001/C1") == (EarlierPass(1, PassEnd.RELEASED),)
    assert passes.of("LC/YT000001/C2") == (EarlierPass(1, PassEnd.RELEASED),)
    passes.close()
