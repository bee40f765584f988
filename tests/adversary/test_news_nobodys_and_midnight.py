"""News of a list after its release, readings of nobody, a label read twice, and lines around midnight."""

import queue
from dataclasses import replace
from pathlib import Path

import pytest

from controller.core import events as e
from controller.core.commands import LookUp
from controller.core.events import ListChanged, ListsAnswered
from controller.core.parcel import ParcelState
from controller.core.settings import MetalLimit, Rules
from controller.core.vocabulary import (
    Destination,
    LineCause,
    LookUpPurpose,
    LookUpResult,
)
from controller.declared_lists.reader import StoreReader
from controller.declared_lists.store import Store
from controller.journal.earlier_passes import EarlierPasses
from tests.adversary.test_two_lines import line_in
from tests.core.story import BOOT, Line, facts, sent_in
from tests.declared_lists import ceb
from tests.journal.story import parcel

U32_MAX = 0xFFFF_FFFF
HOLD_LANE = 5
KEY = "41019800D4/W1/COP1"
T1, T2 = "20260115130000000", "20260115140000000"
LONG = "YT" + "0123456789" * 4  # two parts of a record


Delivered = queue.Queue[ListsAnswered | ListChanged]


def until_unanswered(reader: StoreReader, delivered: Delivered) -> list[ListChanged]:
    """Look up until the reader cannot; the news heard meanwhile."""
    heard = []
    reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
    while True:
        told = delivered.get(timeout=5)
        if isinstance(told, ListChanged):
            heard.append(told)
        elif told.result is LookUpResult.UNAVAILABLE:
            return heard
        else:
            reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))


@pytest.mark.parametrize("for_good", [False, True])
def test_news_that_fell_on_an_unreadable_journal_is_told(tmp_path: Path, for_good: bool) -> None:
    """Another line's newest file is damaged; customs takes a release back before that line's start sets
    the file aside and a person moves it away (or never does)."""
    path = tmp_path / "lists.db"
    ours, other = tmp_path / "journal" / "L1", tmp_path / "journal" / "L2"
    ours.mkdir(parents=True)
    other.mkdir()
    damaged = other / "20260115.journal"
    passes = EarlierPasses(ours, lines_dir=tmp_path / "journal")
    delivered: queue.Queue[ListsAnswered | ListChanged] = queue.Queue()
    reader = StoreReader(path, delivered.put, passes.of, passes.taken_elsewhere)
    with Store(path) as store, reader:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        assert delivered.get(timeout=5).lists[0].status == 800  # type: ignore[union-attr]
        reader.watch(frozenset({KEY}))
        damaged.write_bytes(b"damaged" * 1_000)
        assert not until_unanswered(reader, delivered)
        ceb.take(store, ceb.a_receipt(500, T2))
        # between two answers the reader has looked at the changes
        heard = [news for _ in range(3) for news in until_unanswered(reader, delivered)]
        if not for_good:
            damaged.rename(tmp_path / "20260115.journal.corrupt-1")
        while not heard:
            told = delivered.get(timeout=5)
            heard += [told] if isinstance(told, ListChanged) else []
    assert heard[0].facts.status == 500


def test_a_scale_that_stood_since_nobodys_reading_releases_nothing() -> None:
    """The last answer again and again, counter included; the first of them came late and was nobody's."""
    line = Line()
    line.record(5_000, e.Weighed, 2, 0, 2_000_000, 0, 9, True, False)
    line.measurement_no = 8
    assert line.until_verdict(6_000, 2).destination is not Destination.RELEASE


def test_a_late_code_in_two_parts_is_a_code_too() -> None:
    line = Line()
    line.record(100, e.Inducted, 1, 1, U32_MAX)
    line.record(450, e.CodeRead, 1, 1, 0, 0, 0, 0, "")
    line.record(4_500, e.LaneSeen, HOLD_LANE, 1)
    first, second = LONG[:28], LONG[28:]
    line.lists[LONG] = (facts(LONG),)
    line.induct(2_000, 2)
    line.record(2_350, e.CodeRead, 1, 2, 1, 0, 2, 0, first)
    asked = line.record(2_351, e.CodeRead, 1, 2, 1, 1, 2, 0, second)
    line.answer(2_370, asked)
    line.weigh(2_000, 2)
    line.measure(2_000, 2)
    line.trigger(2_000, 2, 2)
    line.answer(4_255, line.picture(2_000, 2))
    line.durable(4_260, 2)
    line.echo(4_280, 2)
    assert line.core.state.parcels[2].state is ParcelState.LEASED
    told = line.record(4_700, e.CodeRead, 1, 1, 1, 0, 2, 0, first)
    told += line.record(4_701, e.CodeRead, 1, 1, 1, 1, 2, 0, second)
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]


def test_a_code_of_a_body_whose_entry_was_lost_is_a_label_on_the_belt() -> None:
    """Its induct was acknowledged by an earlier life whose journal is gone; it is held, whatever it is.
    The body behind it bears a copy of its label."""
    line = Line()
    line.ring_seq += 1
    line.tell(300, e.RingGap(BOOT, 0, line.ring_seq + 1))
    line.scan(0, 1, "W1")  # 350 mm behind induct: over the scanner
    assert line.until_verdict(1_000, 2).destination is not Destination.RELEASE


def test_a_label_that_the_scanner_could_not_read_has_no_code() -> None:
    """It says that it read nothing, and then there is a code: one of the two is another body's."""
    line = Line()
    line.lists["W1"] = (facts("W1"),)
    line.induct(0, 1)
    line.record(340, e.CodeRead, 1, 1, 0, 0, 0, 0, "")
    line.answer(370, line.scan(0, 1, "W1"))
    line.weigh(0, 1)
    line.measure(0, 1)
    line.trigger(0, 1, 1)
    asked = line.picture(0, 1)
    line.answer(2_255, asked)
    verdict = line.core.state.parcels[1].verdict
    assert verdict is not None
    assert verdict.destination is not Destination.RELEASE


def test_a_label_taken_on_another_line_just_before_midnight_is_found_after_it(
    tmp_path: Path,
) -> None:
    """Both looked it up before either verdict was on the disk; the other's day changes before we look."""
    ours, other = line_in(tmp_path / "L1"), line_in(tmp_path / "L2")
    ours.begin("20260301")
    other.begin("20260301")
    passes = EarlierPasses(tmp_path / "L1", lines_dir=tmp_path)
    wanted = frozenset({"list/WB00000002"})
    assert passes.taken_elsewhere(wanted) == frozenset()
    other.run([1])
    other.tell(parcel(2)[:4])
    other.heard.durable(other.seq)
    other.begin("20260302")
    other.heard.durable(other.seq)
    found = passes.taken_elsewhere(wanted)
    for line in (ours, other):
        line.writer.close()
    passes.close()
    assert found == wanted


def test_bodies_whose_lane_record_was_lost_do_not_stop_the_line_for_good() -> None:
    """Twice a dozen bodies went to the hold lane while their records were lost; since then the belt has
    run many times its length. The hold lane has room for twenty, and is empty."""
    line = Line()
    for first in (1, 101):
        for n in range(12):
            line.induct(first * 1_000 + 500 * n, first + n)
        line.ring_seq += 12
        gap = e.RingGap(BOOT, line.ring_seq - 12, line.ring_seq + 1)
        line.tell(first * 1_000 + 20_000, gap)
    line.record(300_000, e.LaneChanged, HOLD_LANE, 0, False, False, 20)
    line.induct(301_000, 500)
    assert line.core.state.cause is not LineCause.HOLD_LANE_FULL


def test_a_second_list_for_a_label_that_was_released_is_news(tmp_path: Path) -> None:
    """Had it come before the look-up, the parcel were ambiguous. It comes while the lease can be taken
    back."""
    path = tmp_path / "lists.db"
    delivered: queue.Queue[ListsAnswered | ListChanged] = queue.Queue()
    with Store(path) as store, StoreReader(path, delivered.put) as reader:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        assert len(delivered.get(timeout=5).lists) == 1  # type: ignore[union-attr]
        reader.watch(frozenset({KEY}))
        ceb.take(store, ceb.a_list(copNo="COP2"))
        told = delivered.get(timeout=1)
        reader.look_up(LookUp(2, LookUpPurpose.IDENTIFY, ("W1",)))
        assert len(delivered.get(timeout=5).lists) == 2  # type: ignore[union-attr]
    assert isinstance(told, ListChanged)


def test_a_second_list_that_came_before_the_first_was_watched_is_news(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    delivered: Delivered = queue.Queue()
    with Store(path) as store, StoreReader(path, delivered.put) as reader:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        assert len(delivered.get(timeout=5).lists) == 1  # type: ignore[union-attr]
        ceb.take(store, ceb.a_list(copNo="COP2"))
        for _ in range(2):  # between two answers the reader has looked at the changes
            reader.look_up(LookUp(2, LookUpPurpose.IDENTIFY, ("W9",)))
            delivered.get(timeout=5)
        reader.watch(frozenset({KEY}))
        told = delivered.get(timeout=5)
    assert isinstance(told, ListChanged)
    assert told.facts.list_key != KEY


def test_a_second_list_takes_the_lease_back() -> None:
    line = Line()
    line.lease(0, 1)
    told = line.tell(2_700, ListChanged(5, facts(list_key="LC/W1/C2")))
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]
    verdict = line.core.state.parcels[1].verdict
    assert verdict is not None and verdict.list_key == facts().list_key


@pytest.mark.parametrize(
    "amended",
    [
        facts(revision=2, gross_weight_mg=5_000_000),
        facts(revision=2, gross_weight_mg=-1),
    ],
)
def test_an_amended_list_that_the_parcel_does_not_fit_takes_the_lease_back(
    amended: e.ListFacts,
) -> None:
    """The change was declared before the receipt and came in after it: customs has released this content,
    and the parcel on the belt is of another weight."""
    line = Line()
    line.lease(0, 1)
    told = line.tell(2_700, e.ListChanged(5, amended))
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]


def test_goods_that_may_show_no_metal_take_the_lease_back() -> None:
    rules = replace(Rules(), metal_limits=(MetalLimit("1901", 500),))
    line = Line()
    line.tell(0, e.RulesActivated("rules-2", "", rules, "test"))
    line.lists["W1"] = (facts(),)
    line.until_picture(0, 1)
    line.answer(2_255, line.picture(0, 1, metal_area_mm2=400))
    line.durable(2_260, 1)
    line.echo(2_280, 1)
    assert line.core.state.parcels[1].state is ParcelState.LEASED
    other = facts(revision=2, goods=(e.GoodsRow("3304990029", 200_000),))
    told = line.tell(2_700, e.ListChanged(5, other))
    assert [sent.destination for sent in sent_in(told)] == [Destination.HOLD]


def test_a_change_that_comes_in_after_its_receipt_is_one_change_and_released(
    tmp_path: Path,
) -> None:
    """What the two tests above are told, from the store: holds as it is."""
    path = tmp_path / "lists.db"
    delivered: queue.Queue[ListsAnswered | ListChanged] = queue.Queue()
    with Store(path) as store, StoreReader(path, delivered.put) as reader:
        ceb.take(store, ceb.a_list(), ceb.a_receipt(800, T1))
        reader.look_up(LookUp(1, LookUpPurpose.DECIDE, ("W1",)))
        delivered.get(timeout=5)
        reader.watch(frozenset({KEY}))
        changed = {"appType": "2", "appTime": "20260115123000", "grossWeight": "5.00"}
        ceb.take(store, ceb.a_list(**changed))
        told = delivered.get(timeout=5)
    assert isinstance(told, ListChanged)
    assert (told.facts.status, told.facts.gross_weight_mg) == (800, 5_000_000)
