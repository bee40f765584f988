"""News of a list must reach the parcel that was released on what the list said before."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from controller.core.commands import LookUp
from controller.core.events import EarlierPass, ListChanged, ListsAnswered
from controller.core.vocabulary import LookUpPurpose, PassEnd
from controller.declared_lists.reader import StoreReader
from controller.declared_lists.store import Store
from tests.declared_lists import ceb

KEY = "41019800D4/W1/COP1"
T1, T2 = "20260115130000000", "20260115140000000"
ANSWER_S = 20.0  # only a hung reader needs as long

Delivered = queue.Queue[ListsAnswered | ListChanged]


def until_answered(delivered: Delivered) -> list[ListsAnswered | ListChanged]:
    got = [delivered.get(timeout=ANSWER_S)]
    while not isinstance(got[-1], ListsAnswered):
        got.append(delivered.get(timeout=ANSWER_S))
    return got


def test_a_look_up_for_another_parcel_does_not_swallow_the_news(tmp_path: Path) -> None:
    """The second parcel bears a copy of the label; the change falls between the two look-ups."""
    path = tmp_path / "lists.db"
    delivered: Delivered = queue.Queue()
    with Store(path) as store, StoreReader(path, delivered.put) as reader:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        until_answered(delivered)
        ceb.take(store, ceb.a_receipt(500, T2))
        reader.look_up(LookUp(2, LookUpPurpose.IDENTIFY, ("W1",)))
        changed, answered = until_answered(delivered)
    assert isinstance(changed, ListChanged)
    assert (changed.facts.list_key, changed.facts.status) == (KEY, 500)
    assert isinstance(answered, ListsAnswered)


class Elsewhere:
    """Another line's journal as the reader asks for it."""

    def __init__(self) -> None:
        self.taken = False

    def of(self, list_key: str) -> tuple[EarlierPass, ...]:
        return (EarlierPass(4, PassEnd.OPEN, "L2"),) if self.taken else ()

    def taken_elsewhere(self, list_keys: frozenset[str]) -> frozenset[str]:
        return list_keys if self.taken else frozenset()


@contextmanager
def reading(path: Path, delivered: Delivered, elsewhere: Elsewhere) -> Iterator[StoreReader]:
    reader = StoreReader(path, delivered.put, elsewhere.of, elsewhere.taken_elsewhere)
    with reader:
        yield reader


def test_a_label_that_turns_up_on_another_line_is_news_once(tmp_path: Path) -> None:
    """Both lines looked it up before either verdict was on the disk."""
    path, delivered, elsewhere = tmp_path / "lists.db", Delivered(), Elsewhere()
    with Store(path) as store, reading(path, delivered, elsewhere) as reader:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        until_answered(delivered)
        reader.watch(frozenset({KEY}))
        elsewhere.taken = True
        told = delivered.get(timeout=ANSWER_S)
        assert isinstance(told, ListChanged)
        assert told.facts.earlier_passes == (EarlierPass(4, PassEnd.OPEN, "L2"),)
        reader.look_up(LookUp(2, LookUpPurpose.IDENTIFY, ("nothing",)))
        assert len(until_answered(delivered)) == 1


def copy_onto(path: Path, source_path: Path) -> None:
    """As `sqlite3 path ".restore source_path"`: the file stays, its content goes back."""
    with apsw.Connection(str(source_path)) as source, apsw.Connection(str(path)) as target:
        with target.backup("main", source, "main") as copy:
            copy.step()


@pytest.mark.parametrize("later", [0, 5, 20], ids=["below", "at", "past"])
def test_a_detention_after_a_restore_in_place_is_news(tmp_path: Path, later: int) -> None:
    """Change numbers go back, and may have caught up when the reader looks again: deaf until then, it
    would let the detained parcel in front of the gate keep its release."""
    path, kept = tmp_path / "lists.db", tmp_path / "kept.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
    copy_onto(kept, path)
    with Store(path) as store:
        for number in range(6):
            ceb.take(store, ceb.a_list(logisticsNo=f"A{number}", copNo=f"A{number}"))
    delivered: Delivered = queue.Queue()
    reader = StoreReader(path, delivered.put)  # not started: it polls when we say so
    delivered.put(reader._found(LookUp(7, LookUpPurpose.DECIDE, ("W1",))))
    until_answered(delivered)
    reader.watch(frozenset({KEY}))
    reader._look()
    copy_onto(path, kept)
    with Store(path) as store:
        ceb.take(store, ceb.a_receipt(501, T2))
        for number in range(later):
            ceb.take(store, ceb.a_list(logisticsNo=f"B{number}", copNo=f"B{number}"))
    reader._look()
    told = delivered.get_nowait()
    assert isinstance(told, ListChanged)
    assert (told.facts.list_key, told.facts.status) == (KEY, 501)
    reader._look()
    assert delivered.empty()
    reader._disconnect()


def test_a_twin_on_another_line_is_news_while_the_store_fails(tmp_path: Path) -> None:
    """The list store is away for an hour; the releases that rest on it stand, and so do the twin's."""
    path, delivered, elsewhere = tmp_path / "lists.db", Delivered(), Elsewhere()
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
    with reading(path, delivered, elsewhere) as reader:
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        until_answered(delivered)
        reader.watch(frozenset({KEY}))
        path.rename(tmp_path / "away.db")
        reader.look_up(LookUp(2, LookUpPurpose.DECIDE, ("W1",)))
        until_answered(delivered)
        assert "no list store" in reader.fault
        elsewhere.taken = True
        told = delivered.get(timeout=ANSWER_S)
        assert isinstance(told, ListChanged)
        assert (told.facts.status, told.facts.earlier_passes[0].line) == (800, "L2")
        reader.look_up(LookUp(3, LookUpPurpose.DECIDE, ("W1",)))
        assert len(until_answered(delivered)) == 1  # said once
        assert "no list store" in reader.fault
