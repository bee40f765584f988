import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from controller.core.commands import LookUp
from controller.core.events import EarlierPass, ListChanged, ListsAnswered
from controller.core.vocabulary import LookUpPurpose, LookUpResult, PassEnd
from controller.declared_lists.reader import QUESTIONS_MAX, StoreReader
from controller.declared_lists.store import Store
from tests.declared_lists import ceb

KEY = "41019800D4/W1/COP1"
T1, T2 = "20260115130000000", "20260115140000000"
ANSWER_S = 20.0  # only a hung reader needs as long

Delivered = queue.Queue[ListsAnswered | ListChanged]


def no_passes(_: str) -> tuple[EarlierPass, ...]:
    return ()


@contextmanager
def reading(
    path: Path, earlier_passes: Callable[[str], tuple[EarlierPass, ...]] = no_passes
) -> Iterator[tuple[StoreReader, Delivered]]:
    delivered: Delivered = queue.Queue()
    with StoreReader(path, delivered.put, earlier_passes) as reader:
        yield reader, delivered


def ask(reader: StoreReader, delivered: Delivered, *codes: str) -> ListsAnswered:
    reader.look_up(LookUp(7, LookUpPurpose.DECIDE, codes))
    answer = delivered.get(timeout=ANSWER_S)
    assert isinstance(answer, ListsAnswered)
    return answer


def next_change(delivered: Delivered) -> ListChanged:
    change = delivered.get(timeout=ANSWER_S)
    assert isinstance(change, ListChanged)
    return change


def test_a_look_up_finds_the_list_of_one_of_several_codes(tmp_path: Path) -> None:
    with Store(tmp_path / "lists.db") as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        with reading(tmp_path / "lists.db", lambda _: (EarlierPass(3, PassEnd.HELD),)) as (r, d):
            answer = ask(r, d, "6901234567892", "W1")
    assert (answer.pass_no, answer.purpose) == (7, LookUpPurpose.DECIDE)
    assert (answer.result, answer.store_seq) == (LookUpResult.ANSWERED, 2)
    (listed,) = answer.lists
    assert (listed.list_key, listed.waybill, listed.status) == (KEY, "W1", 800)
    assert listed.earlier_passes == (EarlierPass(3, PassEnd.HELD),)
    assert listed.open_instructions == ()


def test_not_declared_is_an_answer_and_no_store_is_none(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with reading(path) as (reader, delivered):
        answer = ask(reader, delivered, "W1")
        assert (answer.result, answer.lists) == (LookUpResult.UNAVAILABLE, ())
        assert "there is no list store" in reader.fault
        with Store(path) as store:
            answer = ask(reader, delivered, "W1")
            assert (answer.result, answer.lists) == (LookUpResult.ANSWERED, ())
            assert reader.fault == ""
            ceb.take(store, ceb.a_list())
            assert len(ask(reader, delivered, "W1").lists) == 1


def test_a_store_that_is_taken_away_or_replaced_is_not_answered_from(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list())
    with reading(path) as (reader, delivered):
        assert len(ask(reader, delivered, "W1").lists) == 1
        path.rename(tmp_path / "gone.db")
        assert ask(reader, delivered, "W1").result is LookUpResult.UNAVAILABLE
        Store(path).close()
        answer = ask(reader, delivered, "W1")
        assert (answer.result, answer.lists) == (LookUpResult.ANSWERED, ())
        for file in tmp_path.glob("lists.db*"):
            file.unlink()
        path.write_bytes(b"damaged" * 1_000)
        assert ask(reader, delivered, "W1").result is LookUpResult.UNAVAILABLE


def test_passes_that_cannot_be_read_make_lists_unavailable(tmp_path: Path) -> None:
    def broken(_: str) -> tuple[EarlierPass, ...]:
        raise ValueError("no journal")

    with Store(tmp_path / "lists.db") as store:
        ceb.take(store, ceb.a_list())
    with reading(tmp_path / "lists.db", broken) as (reader, delivered):
        assert ask(reader, delivered, "W1").result is LookUpResult.UNAVAILABLE
        assert ask(reader, delivered, "W2").result is LookUpResult.ANSWERED


def test_a_watched_list_is_delivered_when_customs_thinks_again(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store, reading(path) as (reader, delivered):
        ceb.take(store, ceb.a_list(), ceb.a_list(logisticsNo="W2", copNo="COP2"))
        ceb.take(store, ceb.a_receipt(800, T1))
        ask(reader, delivered, "W1")
        reader.watch(frozenset({KEY}))
        ceb.take(store, ceb.a_receipt(800, T1, copNo="COP2", preNo="B20260115000000002"))
        ceb.take(store, ceb.a_receipt(500, T2))
        change = next_change(delivered)
        assert (change.facts.list_key, change.facts.status) == (KEY, 500)
        assert change.store_seq == store.store_seq()
        ceb.take(store, ceb.a_list(appType="3", appTime="20260115150000"))
        reader.wake()
        change = next_change(delivered)
        assert (change.facts.status, change.facts.goods) == (0, ())
        assert delivered.empty()


def test_a_change_between_the_answer_and_the_watch_is_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store, reading(path) as (reader, delivered):
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        ask(reader, delivered, "W1")
        ceb.take(store, ceb.a_receipt(500, T2))
        ask(reader, delivered, "nothing")  # the reader has passed the change by now
        ask(reader, delivered, "nothing")
        reader.watch(frozenset({KEY}))
        assert next_change(delivered).facts.status == 500


def test_what_is_not_watched_any_more_is_not_delivered(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store, reading(path) as (reader, delivered):
        ceb.take(store, ceb.a_list())
        ask(reader, delivered, "W1")
        reader.watch(frozenset({KEY}))
        reader.watch(frozenset())
        ceb.take(store, ceb.a_receipt(800, T1))
        for _ in range(3):
            assert ask(reader, delivered, "nothing").lists == ()


def test_a_watched_list_of_a_store_that_was_replaced_is_withdrawn(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
    with reading(path) as (reader, delivered):
        assert ask(reader, delivered, "W1").lists[0].status == 800
        reader.watch(frozenset({KEY}))
        path.unlink()
        Store(path).close()
        assert next_change(delivered).facts.status == 0


def test_an_overrun_reader_answers_unavailable_at_once(tmp_path: Path) -> None:
    delivered: Delivered = queue.Queue()
    reader = StoreReader(tmp_path / "lists.db", delivered.put)  # its thread does not run yet
    for pass_no in range(QUESTIONS_MAX + 1):
        reader.look_up(LookUp(pass_no, LookUpPurpose.IDENTIFY, ("W1",)))
    answer = delivered.get(timeout=ANSWER_S)
    assert isinstance(answer, ListsAnswered)
    assert (answer.pass_no, answer.result) == (QUESTIONS_MAX, LookUpResult.UNAVAILABLE)
    reader.wake()
    reader.start()
    answered = [delivered.get(timeout=ANSWER_S) for _ in range(QUESTIONS_MAX)]
    assert [each.pass_no for each in answered if isinstance(each, ListsAnswered)] == [
        *range(QUESTIONS_MAX)
    ]
    reader.close()


def test_reader_and_writer_at_once_see_whole_messages_only(tmp_path: Path) -> None:
    """Two lists are always written in one message, so that an answer holds both or neither."""
    path = tmp_path / "lists.db"
    rounds = 60

    def write(store: Store) -> None:
        for n in range(rounds):
            time = f"2026011512{n:02d}00"
            pair = [
                ceb.inventory(copNo=cop, appType="2", appTime=time, grossWeight=str(n))
                for cop in ("A", "B")
            ]
            ceb.take(store, ceb.lists(*pair))

    with Store(path) as store, reading(path) as (reader, delivered):
        write(store)
        writer = threading.Thread(target=write, args=(store,))
        writer.start()
        seen: list[int] = []
        while writer.is_alive() or not seen:
            answer = ask(reader, delivered, "W1")
            assert answer.result is LookUpResult.ANSWERED
            weights = {listed.gross_weight_mg for listed in answer.lists}
            assert len(answer.lists) == 2
            assert len(weights) == 1
            seen.append(answer.store_seq)
        writer.join()
    assert seen == sorted(seen)


@pytest.mark.parametrize("module", ["reader", "details", "facts", "database", "hand_over"])
def test_the_read_side_never_loads_xml(module: str) -> None:
    code = (
        f"import sys, controller.declared_lists.{module}; "
        "sys.exit(any(name in sys.modules for name in ('lxml', 'numpy', 'fastapi', 'cv2')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
