"""A state directory as a day's work leaves it: real core, real journal, real list store, records.

Nothing here is a stand-in for a part of parcelgate; only the PLC's and the customs' words are
invented. `live_line.py` serves the same core's frames on a real line socket.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from controller.core import events as e
from controller.core.snapshot import LineSnapshot
from controller.core.vocabulary import DecisionResult, DefaultCause
from controller.declared_lists.declared import AppType, DeclaredList, GoodsLine, Receipt
from controller.declared_lists.store import Store
from controller.journal.chain import FIRST_START
from controller.journal.keys import signing_key
from controller.journal.records import SCHEMA, FileHeader, encode_state
from controller.journal.writer import JournalWriter
from controller.records import schema
from controller.records.follower import Follower
from tests.core.story import MS, SETTINGS, START_NS, Line, facts

START_UTC_NS = 1_795_312_800_000_000_000  # 2026-11-22 10:00 China time
DAY = "20261122"
PITCH_MS = 1_000
GOODS = (
    ("奶粉 900g", "罐装婴儿配方奶粉", "1901101000", 3, 29_700),
    ("面霜 50ml", "保湿面霜", "3304990039", 2, 21_500),
    ("运动鞋", "合成革面", "6404110000", 1, 48_900),
    ("维生素片 120粒", "膳食补充剂", "2106909090", 2, 15_800),
    ("陶瓷杯", "釉下彩 350ml", "6912001000", 4, 9_900),
)


@dataclass(frozen=True)
class Plan:
    """One parcel of the day: what is done to it, in words of the story."""

    track_id: int
    kind: str

    @property
    def waybill(self) -> str:
        return f"YT{self.track_id:010d}"

    @property
    def list_key(self) -> str:
        return f"LC/{self.waybill}/C{self.waybill}"

    @property
    def at_ms(self) -> int:
        return 1_000 + self.track_id * PITCH_MS

    @property
    def digest(self) -> str:
        return f"{self.track_id:064x}"


KINDS = (
    "clean", "clean", "weight", "clean", "not_declared", "clean", "no_read", "clean", "metal",
    "clean", "inspect", "clean", "late_bad_news", "clean", "two_labels", "clean", "no_picture",
    "clean", "refused", "clean",
)  # fmt: skip


def plans(count: int) -> list[Plan]:
    return [Plan(number, KINDS[(number - 1) % len(KINDS)]) for number in range(1, count + 1)]


def schedule(line: Line, plan: Plan) -> Iterator[tuple[int, Callable[[], object]]]:
    """What happens to one parcel, by the time at which it happens."""
    at, track = plan.at_ms, plan.track_id
    status = 500 if plan.kind == "inspect" else 800
    known = facts(plan.waybill, list_key=plan.list_key, status=status)
    if plan.kind not in ("not_declared",):
        line.lists[plan.waybill] = (known,)
    yield at + 12, partial(line.record, at, e.Inducted, 1, track, 0xFFFF_FFFF)
    yield (
        at + 312,
        partial(line.record, at + 300, e.EyePassed, 1, track, 300, 0xFFFF_FFFF, counts=at),
    )
    yield at + 362, partial(_scan, line, plan)
    weight = 3_180_000 if plan.kind == "weight" else 2_000_000
    yield at + 1_062, partial(line.weigh, at, track, weight)
    yield at + 1_222, partial(line.measure, at, track)
    yield at + 1_752, partial(line.trigger, at, track, track)
    if plan.kind != "no_picture":
        metal = 1_850 if plan.kind == "metal" else 0
        yield at + 2_250, partial(_picture, line, plan, metal)
    yield at + 3_100, partial(_deadline, line, at + 3_100)
    yield at + 3_110, partial(_durable, line, plan)
    if plan.kind == "late_bad_news":
        news = e.ListChanged(900, replace(known, status=500, revision=1))
        yield at + 3_400, partial(line.tell, at + 3_400, news)
    if plan.kind == "refused":
        default = partial(line.record, at + 3_700, e.DefaultTaken, 1, track, DefaultCause.GAP)
        yield at + 3_712, default
    yield at + 5_612, partial(_leave, line, plan)


def _scan(line: Line, plan: Plan) -> None:
    if plan.kind == "no_read":
        line.record(plan.at_ms + 350, e.CodeRead, 1, plan.track_id, 0, 0, 0, 0, "")
        return
    asked = line.scan(plan.at_ms, plan.track_id, plan.waybill)
    line.answer(plan.at_ms + 366, asked)
    if plan.kind == "two_labels":
        other = f"ZZ{plan.track_id:010d}"
        line.lists[other] = (facts(other),)
        line.scan(plan.at_ms, plan.track_id, other, code_no=2)


def _picture(line: Line, plan: Plan, metal_mm2: int) -> None:
    asked = line.picture(
        plan.at_ms, plan.track_id, picture_sha256=plan.digest, metal_area_mm2=metal_mm2
    )
    line.answer(plan.at_ms + 2_256, asked)


def _deadline(line: Line, at_ms: int) -> None:
    line.answer(at_ms + 1, line.tell(at_ms, e.DeadlineReached()))


def _durable(line: Line, plan: Plan) -> None:
    parcel = line.core.state.parcels.get(plan.track_id)
    if parcel is None or parcel.verdict is None:
        return
    if not parcel.verdict.reasons:
        line.durable(plan.at_ms + 3_110, plan.track_id)
    if parcel.decision_seq:
        answer = DecisionResult.LATE if plan.kind == "refused" else DecisionResult.ACCEPTED
        line.echo(plan.at_ms + 3_130, plan.track_id, answer)


def _leave(line: Line, plan: Plan) -> None:
    parcel = line.core.state.parcels.get(plan.track_id)
    if parcel is None:
        return
    verdict = parcel.verdict
    lane = 5
    if verdict is not None and plan.kind not in ("refused", "late_bad_news"):
        lanes = {to: lane.number for lane in SETTINGS.lanes for to in lane.destinations}
        lane = lanes.get(verdict.destination, 5)
    line.record(plan.at_ms + 5_600, e.LaneSeen, lane, plan.track_id)


def run_story(count: int) -> tuple[Line, list[LineSnapshot]]:
    """The core's day, and a snapshot of every 200 ms of it."""
    line = Line()
    line.tell(0, e.ClockRead(START_UTC_NS, True))
    for lane in SETTINGS.lanes:
        line.record(1, e.LaneChanged, lane.number, 0, False, False, 24 - lane.number)
    steps = [step for plan in plans(count) for step in schedule(line, plan)]
    snapshots: list[LineSnapshot] = []
    due_ms = 1_000
    for at_ms, do in sorted(steps, key=lambda step: step[0]):
        while due_ms <= at_ms:
            snapshots.append(line.core.snapshot(START_NS + due_ms * MS))
            due_ms += 200
        do()
    return line, snapshots


@dataclass(frozen=True)
class Day:
    """A finished state directory and the frames a page would have seen."""

    state_dir: Path
    snapshots: list[LineSnapshot]
    plans: list[Plan]


def make_day(state_dir: Path, count: int = 20, follow: bool = True) -> Day:
    """Journal, list store, pictures and records of `count` parcels."""
    line, snapshots = run_story(count)
    write_journal(state_dir, line)
    write_lists(state_dir / "lists.db", plans(count))
    write_pictures(state_dir / "evidence" / DAY, plans(count))
    if follow:
        follow_all(state_dir)
    return Day(state_dir, snapshots, plans(count))


def write_journal(state_dir: Path, line: Line, until: int | None = None) -> None:
    """The story's events and commands as the line process journals them."""
    with journal(state_dir) as writer:
        for at_ns, event, commands in line.log[:until]:
            writer.append(at_ns, event, commands)


@contextmanager
def journal(state_dir: Path, line: str = "L1") -> Iterator[JournalWriter]:
    directory = state_dir / "journal" / line
    directory.mkdir(parents=True)
    failures: list[str] = []
    key = signing_key(state_dir / "keys")
    writer = JournalWriter(directory, line, key, FIRST_START, lambda _: None, failures.append)
    state = encode_state(Line().core.state)
    header = FileHeader(SCHEMA, "test", line, SETTINGS, "rules-1", "[rules]\n", state, START_UTC_NS)
    writer.begin_file(0, DAY, header)
    try:
        yield writer
    finally:
        assert writer.close()
        assert not failures


class CountingClock:
    """A clock that stands; tests move it."""

    def __init__(self, now_ns: int = START_NS, utc_ns: int = START_UTC_NS) -> None:
        self.now_ns, self.wall_ns = now_ns, utc_ns

    def monotonic_ns(self) -> int:
        return self.now_ns

    def utc_ns(self) -> int:
        return self.wall_ns


def follow_all(state_dir: Path) -> int:
    """Bring records.db level with the journals; the number of records applied."""
    db = schema.open_for_writing(schema.records_path(state_dir))
    follower = Follower(db, state_dir, CountingClock())
    applied = 0
    try:
        while step := follower.catch_up():
            applied += step
    finally:
        follower.close()
        db.close()
    return applied


def write_lists(path: Path, day: list[Plan]) -> None:
    """The declared lists of the day and their receipts, in the real store."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with Store(path) as store, store.batch():
        message_id = store.keep_message("CEB621Message", "lists.xml", b"<x/>", START_UTC_NS)
        for plan in day:
            if plan.kind == "not_declared":
                continue
            store.put_list(_declared(plan), message_id)
            for status, minute in ((120, 10), (800, 25)):
                store.put_receipt(_receipt(plan, status, minute), message_id)
            if plan.kind in ("inspect", "late_bad_news"):
                store.put_receipt(_receipt(plan, 500, 40), message_id)


def _goods(number: int, name: str, model: str, code: str, qty: int, price: int) -> GoodsLine:
    qty_e5, total_e5 = qty * 100_000, price * qty * 1_000
    return GoodsLine(
        number, "", name, code, name, model, "", "116", "142", qty_e5, "007", 0, "", price * 1_000, total_e5
    )  # fmt: skip


def _declared(plan: Plan) -> DeclaredList:
    rows = [GOODS[(plan.track_id + n) % len(GOODS)] for n in range(1 + plan.track_id % 3)]
    goods = tuple(_goods(number, *row) for number, row in enumerate(rows, 1))
    return DeclaredList(
        app_type=AppType.NEW, app_time="20261122091500", app_status="2", order_no="O1",
        ebp_code="46019600A1", ebp_name="跨境优选平台", ebc_code="46019600B2",
        ebc_name="海外优品贸易有限公司", logistics_no=plan.waybill, logistics_code="LC",
        logistics_name="中原国际速递有限公司", cop_no=f"C{plan.waybill}", pre_no="", invt_no="",
        decl_time="20261122", customs_code="4601", port_code="4601", buyer_name="王丽",
        buyer_id_number="410105199001011234", agent_code="46019800C3",
        agent_name="郑州跨境报关服务有限公司", trade_mode="9610", bill_no="78412345675",
        country="116", currency="142", pack_no=1, gross_weight_mg=2_000_000,
        net_weight_mg=1_840_000, goods=goods,
    )  # fmt: skip


def _receipt(plan: Plan, status: int, minute: int) -> Receipt:
    time = f"2026112209{minute:02d}00000"
    info = {120: "入库成功", 800: "放行", 500: "布控查验"}[status]
    return Receipt(
        "4601", "46019600A1", "46019600B2", "46019800C3", f"C{plan.waybill}", "", "",
        status, time, info,
    )  # fmt: skip


def write_pictures(directory: Path, day: list[Plan]) -> None:
    """Evidence of every parcel that was X-rayed; of one it is lost, of one the view was not drawn."""
    import cv2

    directory.mkdir(parents=True)
    for plan in day:
        if plan.kind not in ("no_picture", "two_labels"):
            (directory / f"{plan.digest}.rows").write_bytes(b"rows")
        if plan.kind not in ("no_picture", "two_labels", "not_declared"):
            cv2.imwrite(str(directory / f"{plan.digest}.png"), _xray(plan))


def _xray(plan: Plan) -> Any:
    """A parcel with organic things, and a metal one where the plan says so; belt is white."""
    import cv2

    rng = np.random.default_rng(plan.track_id)
    picture: Any = np.full((420, 512, 3), 255, np.float32)
    cv2.rectangle(picture, (120, 70), (390, 350), (225, 238, 252), -1)
    cv2.rectangle(picture, (120, 70), (390, 350), (190, 215, 245), 3)
    for _ in range(5):
        centre = tuple(int(v) for v in rng.integers((180, 130), (330, 290)))
        axes = tuple(int(v) for v in rng.integers(20, 62, 2))
        layer = picture.copy()
        cv2.ellipse(layer, centre, axes, int(rng.integers(0, 180)), 0, 360, (90, 165, 240), -1)
        picture = cv2.addWeighted(layer, 0.45, picture, 0.55, 0)
    if plan.kind == "metal":
        cv2.rectangle(picture, (230, 180), (330, 215), (150, 60, 20), -1)
    return picture.astype(np.uint8)
