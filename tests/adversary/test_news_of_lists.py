"""News of a list must reach the parcel that was released on what the list said before."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
