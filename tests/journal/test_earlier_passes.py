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

NUMBERS = range(1, 9)
STORED = {f"list/WB{number:08}" for number in NUMBERS}


def written(directory: Path) -> Path:
    line = Line(directory)
    line.begin()
    line.run(NUMBERS)
    line.writer.close()
    (path,) = journal_files(directory)
    return path


def answers(directory: Path) -> dict[str, tuple[EarlierPass, ...]]:
    passes = EarlierPasses(directory)
    try:
        return {list_key: passes.of(list_key) for list_key in sorted(STORED)}
    finally:
        passes.close()


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
                assert answers(tmp_path) == as_written, (at - page.start, bit)
            except NotAJournal as error:
                assert path.name in str(error)
                told += 1
    assert told > len(rows)


@pytest.mark.parametrize("table", ["passes", "passes_twin"])
def test_verify_names_a_rotten_key_in_either_index(tmp_path: Path, table: str) -> None:
    path = written(tmp_path)
    data, page = bytearray(path.read_bytes()), page_of(path, table)
    at = data.index(b"list/WB00000002", page.start, page.stop) + len(b"list/WB0000000")
    data[at] ^= 1  # ...3
    path.write_bytes(data)
    found = verify(tmp_path, PUBLIC).first_bad
    assert found is not None
    assert found.damage == "index"


def test_a_file_of_before_the_second_index_still_answers(tmp_path: Path) -> None:
    path = written(tmp_path / "new")
    (tmp_path / "old").mkdir()
    shutil.copy(path, tmp_path / "old")
    with apsw.Connection(str(tmp_path / "old" / path.name)) as db:
        db.execute("DROP INDEX passes_twin")
    assert answers(tmp_path / "old") == answers(tmp_path / "new")
    assert answers(tmp_path / "old")["list/WB00000002"] == (EarlierPass(2, PassEnd.RELEASED),)
    assert verify(tmp_path / "old", PUBLIC).ok
