"""A small line with a tiny deterministic core, and its journal, for the journal's tests."""

import threading
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.core.commands import Command, CommitVerdict, RecordOutcome, SetPermits
from controller.core.events import CodeRead, Event, EyePassed, Inducted, LaneSeen, Weighed
from controller.core.settings import Eye, Gate, Lane, LineSettings
from controller.core.vocabulary import Destination, OutcomeKind, PassEnd, Reason
from controller.journal.chain import FIRST_START, Start
from controller.journal.keys import PublicKeys, key_id
from controller.journal.records import SCHEMA, FileHeader, decode_state, encode_state
from controller.journal.recovery import Recovered
from controller.journal.writer import JournalWriter

LINE = "north"
DAY = "20260301"
KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PUBLIC: PublicKeys = {key_id(KEY.public_key()): KEY.public_key()}
SETTINGS = LineSettings(
    name=LINE,
    belt_speed_mm_per_s=1_000,
    encoder_counts_per_m=1_000,
    eyes=(Eye(1, 0), Eye(2, 3_600)),
    gates=(Gate(1, 4_200),),
    lanes=(Lane(1, 1, "left", (Destination.RELEASE,)), Lane(2, 0, "", (Destination.HOLD,))),
    scanner_position_mm=300,
    scale_position_mm=900,
    dimensioner_position_mm=900,
    xray_position_mm=1_800,
    decision_position_mm=3_600,
    belt_end_mm=6_000,
)
WAIT_S = 20


@dataclass(slots=True)
class TinyState:
    passes: int = 0
    codes: dict[int, str] = field(default_factory=dict)


class TinyCore:
    """Releases every parcel with an even weight; deterministic, and with parcels in flight."""

    def __init__(self, state: TinyState | None = None) -> None:
        self.state = state or TinyState()

    def handle(self, at_ns: int, event: Event) -> tuple[Command, ...]:
        state = self.state
        if isinstance(event, CodeRead):
            state.codes[event.track_id] = event.text
        elif isinstance(event, Weighed):
            state.passes += 1
            released = event.weight_mg % 2 == 0
            code = state.codes[event.track_id]
            verdict = _verdict(state.passes, event.track_id, code, released, at_ns)
            return (verdict, SetPermits(infeed=True, belt=True))
        elif isinstance(event, LaneSeen):
            code = state.codes.pop(event.track_id)
            return (
                RecordOutcome(
                    event.track_id,
                    event.track_id,
                    code,
                    f"list/{code}",
                    Destination.RELEASE,
                    OutcomeKind.IN_PLANNED_LANE,
                    event.source,
                    PassEnd.RELEASED,
                ),
            )
        return ()


def _verdict(pass_no: int, track_id: int, code: str, released: bool, at_ns: int) -> CommitVerdict:
    return CommitVerdict(
        pass_no=pass_no,
        track_id=track_id,
        boot_id=7,
        revision=0,
        destination=Destination.RELEASE if released else Destination.HOLD,
        reasons=() if released else (Reason.WEIGHT_DISAGREES,),
        checks=(),
        codes=(code,),
        list_key=f"list/{code}",
        waybill=code,
        list_revision=1,
        list_status=800,
        store_seq=10,
        rules_id="r",
        weight_mg=1,
        length_mm=2,
        width_mm=3,
        height_mm=4,
        trigger_no=5,
        picture_sha256="",
        entered_at_ns=at_ns,
    )


def parcel(number: int) -> list[Event]:
    """The events of one parcel; its pass number is its track id, if all before it had theirs."""
    ring = [
        (7, number * 10 + n, 1, number, number * 1_000 + n, number * 1_000_000) for n in range(5)
    ]
    return [
        Inducted(*ring[0], gap_before_counts=400),
        CodeRead(*ring[1], code_no=0, part_no=0, part_count=1, symbology=1, text=f"WB{number:08}"),
        EyePassed(*ring[2], length_counts=300, gap_before_counts=400),
        Weighed(*ring[3], 500_000 + number, 0, number & 0xFFFF, stable=True, over_range=False),
        LaneSeen(*ring[4]),
    ]


def header(state: bytes, version: str = "0.1.0") -> FileHeader:
    return FileHeader(
        SCHEMA, version, LINE, SETTINGS, "r", "[rules]\n", state, 1_772_323_200_000_000_000
    )


def make_tiny(header: FileHeader) -> TinyCore:
    return TinyCore(decode_state(header.state, TinyState))


def restored(found: Recovered) -> TinyCore:
    """The core as a start takes it from the journal."""
    core = TinyCore(decode_state(found.state, TinyState)) if found.state else TinyCore()
    for at_ns, event in found.events:
        core.handle(at_ns, event)
    return core


class Heard:
    """What the writer's thread called back; `durable` and `failed` wait for it."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.durable_seqs: list[int] = []
        self.failures: list[str] = []

    def on_durable(self, journal_seq: int) -> None:
        with self._changed:
            self.durable_seqs.append(journal_seq)
            self._changed.notify_all()

    def on_failed(self, why: str) -> None:
        with self._changed:
            self.failures.append(why)
            self._changed.notify_all()

    def durable(self, journal_seq: int) -> None:
        with self._changed:
            came = self._changed.wait_for(
                lambda: bool(self.durable_seqs) and self.durable_seqs[-1] >= journal_seq, WAIT_S
            )
        assert came, (journal_seq, self.durable_seqs[-1:], self.failures)

    def failed(self, times: int = 1) -> None:
        with self._changed:
            assert self._changed.wait_for(lambda: len(self.failures) >= times, WAIT_S)


class Line:
    """A tiny core that journals like the line process does."""

    def __init__(
        self,
        directory: Path,
        start: Start = FIRST_START,
        core: TinyCore | None = None,
        key: Ed25519PrivateKey = KEY,
        vfs: str | None = None,
    ) -> None:
        self.heard = Heard()
        self.core = core or TinyCore()
        self.at_ns = 1_000
        self.seq = 0
        self.writer = JournalWriter(
            directory, LINE, key, start, self.heard.on_durable, self.heard.on_failed, vfs
        )

    def begin(self, day: str = DAY, version: str = "0.1.0") -> None:
        self.seq = self.writer.begin_file(
            self.at_ns, day, header(encode_state(self.core.state), version)
        )

    def tell(self, events: Iterable[Event]) -> None:
        for event in events:
            self.at_ns += 1_000
            self.seq = self.writer.append(self.at_ns, event, self.core.handle(self.at_ns, event))

    def snapshot(self) -> None:
        self.seq = self.writer.append_snapshot(self.at_ns, encode_state(self.core.state))

    def run(self, numbers: Iterable[int]) -> None:
        for number in numbers:
            self.tell(parcel(number))


def recorded_day(directory: Path, parcels: int = 20) -> Path:
    """A closed file of some parcels with a snapshot in the middle; its path."""
    line = Line(directory)
    line.begin()
    line.run(range(1, parcels // 2 + 1))
    line.snapshot()
    line.run(range(parcels // 2 + 1, parcels + 1))
    assert line.writer.close()
    return directory / f"{DAY}.journal"
