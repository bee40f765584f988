import shutil
import zlib
from pathlib import Path

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.core.events import ListFacts
from controller.declared_lists import database, facts, settle
from controller.declared_lists.database import StoreError, StoreOwned
from controller.declared_lists.details import list_by_key
from controller.declared_lists.importing import import_sources
from controller.declared_lists.sources import Source
from controller.declared_lists.store import Store
from tests.declared_lists import ceb

KEY = "41019800D4/W1/COP1"
T1, T2, T3 = "20260115130000000", "20260115140000000", "20260115150000000"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "lists.db"


def read(path: Path, key: str = KEY) -> ListFacts:
    connection = database.open_for_reading(path)
    found = facts.facts_of_key(connection, key)
    connection.close()
    assert found is not None
    return found


def found(path: Path, *codes: str) -> list[str]:
    connection = database.open_for_reading(path)
    keys = [each.list_key for each in facts.facts_of_codes(connection, codes)]
    connection.close()
    return keys


def test_a_list_and_its_release(path: Path) -> None:
    with Store(path) as store:
        take = ceb.take(store, ceb.a_list(), ceb.a_receipt(120, T1), ceb.a_receipt(800, T2))
        assert [(each.lists, each.receipts) for each in take] == [(1, 0), (0, 1), (0, 1)]
        assert store.store_seq() == 3
    stored = read(path)
    assert (stored.status, stored.status_time) == (800, T2)
    assert stored.gross_weight_mg == 1_250_000
    assert [(row.gcode, row.qty_e5) for row in stored.goods] == [("3304990029", 200_000)]


def test_a_receipt_may_come_before_its_list(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_receipt(800, T1), ceb.a_list())
    assert read(path).status == 800


def test_an_old_receipt_never_overwrites_a_newer_one(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(500, T2), ceb.a_receipt(800, T1))
        before = store.store_seq()
        ceb.take(store, ceb.a_receipt(120, T1))
        assert store.store_seq() == before
    assert read(path).status == 500


def test_800_then_500_holds(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        ceb.take(store, ceb.a_receipt(500, T2))
    assert (read(path).status, read(path).status_time) == (500, T2)


def test_at_the_same_instant_the_more_restrictive_stands(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(500, T1), ceb.a_receipt(800, T1))
    assert read(path).status == 500


def test_importing_again_changes_nothing(path: Path) -> None:
    documents = (ceb.a_list(), ceb.a_receipt(800, T2), ceb.a_list(appType="3", copNo="COP9"))
    with Store(path) as store:
        ceb.take(store, *documents)
        seq, before = store.store_seq(), path_rows(path)
        ceb.take(store, *documents)
        ceb.take(store, *reversed(documents))
        assert store.store_seq() == seq
        assert path_rows(path) == before


def path_rows(path: Path) -> dict[str, int]:
    connection = database.open_for_reading(path)
    tables = ("messages", "lists", "goods", "revisions", "receipts", "changes")
    counts = {table: connection.execute(f"SELECT count(*) FROM {table}").get for table in tables}
    connection.close()
    return counts


def test_the_official_samples_twice(path: Path) -> None:
    if not ceb.SAMPLES.is_dir():
        pytest.skip("the official samples are not on this machine")
    documents = [file.read_bytes() for file in sorted(ceb.SAMPLES.glob("*.xml"))]
    with Store(path) as store:
        ceb.take(store, *documents)
        rows = path_rows(path)
        ceb.take(store, *documents)
    assert path_rows(path) == rows
    assert (rows["messages"], rows["lists"], rows["receipts"]) == (2, 2, 1)


def test_a_change_makes_a_revision_that_the_old_release_does_not_cover(path: Path) -> None:
    change = ceb.a_list(appType="2", appTime="20260115133000", grossWeight="9")
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1), change)
        changed = read(path)
        assert (changed.revision, changed.gross_weight_mg, changed.status) == (2, 9_000_000, 0)
        ceb.take(store, ceb.a_receipt(800, T2))
    assert (read(path).status, read(path).revision) == (800, 2)


def test_an_old_change_never_overwrites_a_newer_one(path: Path) -> None:
    newer = ceb.a_list(appType="2", appTime="20260115133000", grossWeight="9")
    with Store(path) as store:
        ceb.take(store, newer, ceb.a_list())
        seq = store.store_seq()
        ceb.take(store, ceb.a_list())
        assert store.store_seq() == seq == 1
    assert (read(path).revision, read(path).gross_weight_mg) == (1, 9_000_000)


def test_a_deleted_list_is_not_found_and_a_late_copy_does_not_revive_it(path: Path) -> None:
    delete = ceb.a_list(appType="3", appTime="20260115130000")
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T2), delete)
        assert found(path, "W1") == []
        assert (read(path).status, read(path).goods, read(path).revision) == (0, (), 2)
        ceb.take(store, ceb.a_list(), ceb.a_list(appTime="20260115130000", grossWeight="2"))
        assert found(path, "W1") == []
        ceb.take(store, ceb.a_list(appTime="20260115140000"))
    assert found(path, "W1") == [KEY]


def test_a_deletion_that_overtakes_its_list_still_deletes(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(appType="3", appTime="20260115130000"), ceb.a_list())
    assert found(path, "W1") == []


def test_two_lists_that_one_release_may_mean_are_both_held(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        assert read(path).status == 800
        ceb.take(store, ceb.a_list(logisticsNo="W2"))
        assert (read(path).status, read(path, "41019800D4/W2/COP1").status) == (0, 0)
        ceb.take(store, ceb.a_receipt(500, T2))
        assert (read(path).status, read(path, "41019800D4/W2/COP1").status) == (500, 500)
        ceb.take(store, ceb.a_list(logisticsNo="W2", appType="3", appTime="20260115150000"))
        ceb.take(store, ceb.a_receipt(800, T3))
    assert read(path).status == 800


def test_the_same_number_of_another_firm_says_nothing(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1, ebcCode="OTHER"))
        assert read(path).status == 0
        ceb.take(store, ceb.a_receipt(500, T2, ebcCode="OTHER"))
    assert read(path).status == 0


@pytest.mark.parametrize(
    ("fields", "receipt"),
    [
        ({"preNo": "B20260115000000001", "copNo": None}, {}),
        ({"invtNo": "46012026I000000001"}, {"invtNo": "46012026I000000001"}),
    ],
)
def test_receipts_join_by_what_customs_gave(
    path: Path, fields: dict[str, str | None], receipt: dict[str, str]
) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(**fields), ceb.a_receipt(800, T1, **receipt))
    key = "41019800D4/W1/" + (fields.get("copNo", "COP1") or "")
    assert read(path, key).status == 800


def test_a_waybill_number_of_last_year_is_another_parcels(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.a_list(appTime="20250101120000", copNo="OLD"), ceb.a_list())
        assert found(path, "W1", "W1", "") == [KEY]
        ceb.take(store, ceb.a_list(appTime="20250901120000", copNo="SUMMER"))
        assert len(found(path, "W1")) == 2
        ceb.take(store, ceb.a_list(appTime="20250101120000", logisticsCode="OTHER"))
    assert len(found(path, "W1")) == 3


def test_no_more_than_eight_lists_are_answered(path: Path) -> None:
    with Store(path) as store:
        ceb.take(store, ceb.lists(*[ceb.inventory(copNo=f"C{n}") for n in range(20)]))
    assert len(found(path, "W1")) == 8


STORY = [
    ceb.a_list(),
    ceb.a_list(appType="2", appTime="20260115133000", grossWeight="9"),
    ceb.a_list(appType="3", appTime="20260115134000"),
    ceb.a_list(appTime="20260115135000", grossWeight="3"),
    ceb.a_list(logisticsNo="W2", copNo="COP2"),
    ceb.a_receipt(800, T1),
    ceb.a_receipt(800, T3),
    ceb.a_receipt(500, T2),
    ceb.a_receipt(800, T2, copNo="COP2", preNo="B20260115000000002"),
    ceb.a_receipt(120, T2, copNo="COP2", preNo="B20260115000000002"),
    ceb.a_list(logisticsNo="W3", copNo="COP3"),
    ceb.a_list(logisticsNo="W3", copNo="COP3", appTime="20260115133000", grossWeight="9"),
    ceb.a_receipt(800, T1, copNo="COP3", preNo="B20260115000000003"),
]


@pytest.fixture(scope="module")
def settled_story(tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    return play(tmp_path_factory.mktemp("story"), list(range(len(STORY))))


def play(folder: Path, order: list[int]) -> list[tuple[object, ...]]:
    path = folder / "lists.db"
    with Store(path) as store:
        ceb.take(store, *[STORY[n] for n in order])
    connection = database.open_for_reading(path)
    rows = connection.execute(
        "SELECT list_key, deleted, gross_weight_mg, app_time, status, status_time FROM lists "
        "ORDER BY list_key"
    ).fetchall()
    connection.close()
    shutil.rmtree(folder)
    return list(rows)


@settings(max_examples=25, deadline=None)
@given(order=st.permutations(range(len(STORY))))
def test_what_stands_does_not_depend_on_the_order_of_arrival(
    order: list[int],
    settled_story: list[tuple[object, ...]],
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    assert play(tmp_path_factory.mktemp("order"), order) == settled_story


def test_messages_are_kept_whole_and_the_buyers_number_is_not(path: Path) -> None:
    data = ceb.a_list()
    with Store(path) as store:
        ceb.take(store, data)
    connection = database.open_for_reading(path)
    assert zlib.decompress(connection.execute("SELECT raw_zlib FROM messages").get) == data
    row = connection.execute("SELECT * FROM lists").fetchall()[0]
    connection.close()
    assert ceb.HEAD["buyerIdNumber"] not in [str(value) for value in row]
    assert "002X" in row
    assert path.stat().st_mode & 0o007 == 0


def test_there_is_one_writer(path: Path) -> None:
    with Store(path), pytest.raises(StoreOwned, match="another process is writing"):
        Store(path)
    with Store(path):
        pass


def test_a_full_quota_refuses_the_whole_batch_and_says_so(path: Path) -> None:
    with Store(path, pages_max=24) as store:
        ceb.take(store, ceb.a_list())
        many = ceb.lists(*[ceb.inventory(logisticsNo=f"X{n}", copNo=f"X{n}") for n in range(100)])
        sources = [Source("1", ceb.a_receipt(800, T1)), Source("2", many), Source("3", many)]
        with pytest.raises(StoreError, match="the disk is full"):
            import_sources(store, sources, ceb.NOON_2026_UTC_NS)
        assert read(path).status == 0
        ceb.take(store, ceb.a_receipt(500, T1))
    assert read(path).status == 500


def test_stores_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="there is no list store"):
        database.open_for_reading(tmp_path / "lists.db")
    (tmp_path / "text.db").write_text("not a database, but long enough to be read as one" * 40)
    for open_store in (Store, database.open_for_reading):
        with pytest.raises(StoreError, match="is not a list store"):
            open_store(tmp_path / "text.db")
    apsw.Connection(str(tmp_path / "other.db")).execute("CREATE TABLE t (a)")
    with pytest.raises(StoreError, match="is not a list store"):
        Store(tmp_path / "other.db")
    (tmp_path / "folder.db").mkdir()
    with pytest.raises(StoreError):
        Store(tmp_path / "folder.db")
    with pytest.raises(StoreError, match="may not be written"):
        Store(Path("/proc/lists.db"))


def test_a_store_of_another_schema_is_refused(path: Path) -> None:
    Store(path).close()
    apsw.Connection(str(path)).pragma("user_version", 99)
    with pytest.raises(StoreError, match="schema 99"):
        Store(path)
    with pytest.raises(StoreError, match="schema 99"):
        database.open_for_reading(path)


def test_a_store_that_may_only_be_read_refuses_a_batch(path: Path) -> None:
    Store(path).close()
    reading = database.open_for_reading(path)
    with pytest.raises(apsw.ReadOnlyError):
        reading.execute("DELETE FROM lists")
    reading.close()


def test_nothing_of_a_batch_that_breaks_off_is_kept(path: Path) -> None:
    with Store(path) as store:
        with pytest.raises(RuntimeError), store.batch():
            store.keep_message("CEB621", "x", b"x", 1)
            raise RuntimeError
        assert path_rows(path)["messages"] == 0


def test_durable_means_full_synchronous_wal(path: Path) -> None:
    with Store(path) as store:
        assert store._connection.pragma("synchronous") == 2
        assert store._connection.pragma("journal_mode") == "wal"


def test_a_crowd_under_one_number_releases_only_what_customs_own_number_names(path: Path) -> None:
    crowd = [
        ceb.lists(*[ceb.inventory(logisticsNo=f"X{n}") for n in range(start, start + 100)])
        for start in range(0, 300, 100)
    ]
    named = ceb.a_list(logisticsNo="Z", preNo="B20260115000000077")
    key = "41019800D4/Z/COP1"
    with Store(path) as store:
        ceb.take(store, *crowd, named, ceb.a_receipt(800, T1))
        details = list_by_key(path, "41019800D4/X0/COP1")
        assert details is not None
        assert details.status == 0
        ceb.take(store, ceb.a_receipt(800, T2, preNo="B20260115000000077"))
        assert read(path, key).status == 800
        ceb.take(store, ceb.a_receipt(500, T3, preNo="B20260115000000077"))
        assert read(path, key).status == 500


def test_the_indexes_are_used(path: Path) -> None:
    with Store(path) as store:
        for query in (settle._LISTS, settle._RECEIPTS):
            plan = store._connection.execute(f"EXPLAIN QUERY PLAN {query}", ("a", "b", "c"))
            steps = [str(row[3]) for row in plan]
            assert sum("USING INDEX" in step for step in steps) == 3
            assert not any("SCAN lists" in step or "SCAN receipts" in step for step in steps)
