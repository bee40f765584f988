"""A simulated plant in virtual time under the real core, journalled: world, soft PLC, PLC codecs.

Only X-ray and list store are short-cut: each picture is as the truth would show it, each look-up is
answered at once from what was declared.
"""

from collections.abc import Iterable
from pathlib import Path

from controller.core import events as e
from controller.core.commands import Command, CommitVerdict, LookUp, SendDecision
from controller.core.line import LineController
from controller.core.state import first_state
from controller.core.units import NS_PER_MS, NS_PER_US
from controller.core.vocabulary import Destination, LookUpResult
from controller.journal.chain import FIRST_START
from controller.journal.records import SCHEMA, FileHeader, encode_state
from controller.journal.writer import JournalWriter
from plc import register_map as m
from plc.record_codec import encode_decision
from sim.parcels import SimParcel
from sim.workload import Workload
from tests.core import story
from tests.journal.real_day import SOFTWARE, UTC_NS, rules_id, rules_of
from tests.journal.story import DAY, KEY, Heard
from tests.sim.plc_rig import LINE, Rig

PICTURE_AFTER_MS = 550
SLACK_MS = 500


class SimDay:
    """One run of `workload` under the rules `text`, its journal in `directory`."""

    def __init__(self, workload: Workload, directory: Path, text: str) -> None:
        self.rig = Rig(workload.parcels, seed=workload.seed)
        self.parcels = {parcel.waybill: parcel for parcel in workload.parcels}
        declared = {each.waybill: each for each in workload.declarations}
        self._lists = {
            waybill: story.facts(
                waybill,
                status=each.statuses[-1] if each.statuses else 0,
                gross_weight_mg=each.gross_weight_mg,
                goods=(e.GoodsRow(each.goods.gcode, 0),),
            )
            for waybill, each in declared.items()
        }
        self._by_track: dict[int, SimParcel] = {}
        self._pictures: list[tuple[int, e.PictureFindings]] = []
        self._echoed: set[int] = set()
        heard = Heard()
        self.writer = JournalWriter(
            directory, LINE.name, KEY, FIRST_START, heard.on_durable, heard.on_failed
        )
        self.core = LineController(LINE, first_state(LINE, rules_id(text), rules_of(text)))
        state = encode_state(self.core.state)
        header = FileHeader(SCHEMA, SOFTWARE, LINE.name, LINE, rules_id(text), text, state, UTC_NS)
        self.writer.begin_file(self._at_ns, DAY, header)

    @property
    def _at_ns(self) -> int:
        return story.START_NS + self.rig.now_us * NS_PER_US

    def run(self) -> None:
        """From the start of the line until the last parcel has left."""
        rig, host = self.rig, self.rig.host
        rig.on_record = self._record
        self._tell(e.HostStarted(host.session, SOFTWARE))
        self._tell(e.ClockRead(UTC_NS, True))
        self._tell(e.VisionUp(LINE.xray_source))
        self._tell(e.PlcConnected(rig.plc.boot_id, host.session, 1, host.next_seq, 0, ()))
        while not rig.world.finished:
            self._scan()
        for _ in range(SLACK_MS // 10):
            self._scan()
        assert self.writer.close()

    def _scan(self) -> None:
        self.rig.scan()
        for seq in sorted(self.rig.echoes.keys() - self._echoed):
            self._echoed.add(seq)
            owner = next(
                (p for p in self.core.state.parcels.values() if p.decision_seq == seq), None
            )
            track_id = owner.track_id if owner else 0
            self._tell(e.DecisionEchoed(seq, track_id, self.rig.echoes[seq]))
        while self._pictures and self._pictures[0][0] <= self.rig.now_us:
            self._tell(self._pictures.pop(0)[1])
        deadline_ns = self.core.next_deadline_ns()
        if deadline_ns is not None and self._at_ns >= deadline_ns:
            self._tell(e.DeadlineReached())

    def _record(self, record: e.PlcRecord) -> None:
        if isinstance(record, e.Inducted):
            self._by_track[record.track_id] = self._at_induct()
        self._tell(record)
        if isinstance(record, e.Triggered) and record.track_id in self._by_track:
            due_us = self.rig.now_us + PICTURE_AFTER_MS * NS_PER_MS // NS_PER_US
            self._pictures.append((due_us, self._picture(record)))

    def _at_induct(self) -> SimParcel:
        """Of two that touch, the first."""
        placed = ((self.rig.world.position_mm(p.number), p) for p in self.parcels.values())
        return min(((abs(mm), p) for mm, p in placed if mm is not None), key=lambda pair: pair[0])[
            1
        ]

    def _picture(self, record: e.Triggered) -> e.PictureFindings:
        body = self._by_track[record.track_id]
        parcel = self.core.state.parcels[record.track_id]
        outline = parcel.entered_counts + LINE.xray_position_mm
        return e.PictureFindings(
            source=LINE.xray_source,
            trigger_no=record.trigger_no,
            first_row_encoder_counts=record.encoder_counts,
            row_pitch_counts=2,
            row_count=(max(parcel.length_counts, body.length_mm) + 120) // 2,
            rows_missing=0,
            outline_start_counts=outline % (1 << 32),
            length_mm=body.length_mm,
            width_mm=body.width_mm,
            outline_count=1,
            mean_attenuation_milli=400,
            max_attenuation_milli=900,
            metal_area_mm2=0,
            opaque_area_mm2=0,
            usable=True,
            calibration_id="cal",
            profile_version="",
            picture_sha256="",
        )

    def _tell(self, event: e.Event) -> None:
        commands = self.core.handle(self._at_ns, event)
        self.writer.append(self._at_ns, event, commands)
        self._obey(commands)

    def _obey(self, commands: Iterable[Command]) -> None:
        for command in commands:
            if isinstance(command, LookUp):
                found = tuple(self._lists[code] for code in command.codes if code in self._lists)
                answered = LookUpResult.ANSWERED
                self._tell(e.ListsAnswered(command.pass_no, command.purpose, answered, 1, found))
            elif isinstance(command, SendDecision):
                slot = command.decision_seq % m.D_SLOTS
                self.rig.host.waiting.append((slot, encode_decision(command)))
            elif isinstance(command, CommitVerdict) and command.destination is Destination.RELEASE:
                self._tell(e.VerdictDurable(command.pass_no))
