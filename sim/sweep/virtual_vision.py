"""X-ray source and vision worker in virtual time: findings from the true bodies, and everything that
can happen to a picture on its way.

The source scans by encoder: a standing belt sends no rows. The worker takes its time, and dies or hangs.
`content` is the truth that the invariants ask for: which parcels a picture really shows.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from random import Random
from typing import Final

from controller.core.events import PictureFindings, VisionDown, VisionUp
from controller.core.settings import LineSettings
from controller.core.units import NS_PER_MS, counts_from_mm, u32_sum
from sim.belt import NM_PER_MM
from sim.contents import metal_area_mm2
from sim.parcels import SimParcel
from sim.plc_io import TriggerPulse
from sim.sweep.agenda import Agenda

LEAD_MM = TAIL_MM = 60
ROW_PITCH_COUNTS: Final = 2
ANALYSIS_NS_MIN, ANALYSIS_NS_MAX = 15 * NS_PER_MS, 40 * NS_PER_MS
MEASURE_ERROR_MM: Final = 3
SATURATED_MM2: Final = 60_000
OLD_TRIGGERS: Final = 40


class PictureFault(Enum):
    """What happens to one picture."""

    LOST = "lost"
    HALF = "half"
    BLACK = "black"
    SATURATED = "saturated"
    OLD_COUNTER = "the last picture again, with its own counter"
    NEW_COUNTER = "the last picture again, with this one's counter"
    EARLIER = "the trigger number of the picture before"
    LATER = "the trigger number of the picture after"
    TWICE = "sent twice"
    OLD_SLOT = "an answer for a parcel long gone"


_FROZEN: Final = (PictureFault.OLD_COUNTER, PictureFault.NEW_COUNTER)
Deliver = Callable[[PictureFindings | VisionUp | VisionDown], None]


@dataclass(frozen=True, slots=True)
class _Scan:
    """A trigger whose rows are under way until the belt has travelled `until_nm`."""

    until_nm: int
    boot_id: int
    pulse: TriggerPulse
    parcels: tuple[SimParcel, ...]

    @property
    def key(self) -> tuple[int, int]:
        return self.boot_id, self.pulse.trigger_no


class VirtualVision:
    """`trigger` and `follow` are the plant's side; `deliver` is the host's. `faulty` is the next
    pictures' faults; `on_fault` is called when one really changed a picture."""

    def __init__(
        self, settings: LineSettings, agenda: Agenda, rng: Random, deliver: Deliver
    ) -> None:
        self._settings = settings
        self._agenda = agenda
        self._rng = rng
        self._deliver = deliver
        self._scans: deque[_Scan] = deque()
        self._last: PictureFindings | None = None
        self._hung_until_ns = 0
        self.up = False
        self.faulty: deque[tuple[PictureFault, Callable[[], None]]] = deque()
        self.on_silence: Callable[[], None] = lambda: None
        self.content: dict[str, tuple[int, ...]] = {}
        # by PLC boot and trigger number
        self.last_row_ns: dict[tuple[int, int], int] = {}
        self.rows_lost: dict[tuple[int, int], int] = {}

    # --- the plant's side -------------------------------------------------------------------------

    def trigger(
        self, boot_id: int, pulse: TriggerPulse, parcels: Sequence[SimParcel], travel_nm: int
    ) -> None:
        """The PLC triggered; `parcels` is the true body, `travel_nm` the belt's travel now."""
        body_mm = _length_mm(parcels)
        until_nm = travel_nm + (LEAD_MM + body_mm + TAIL_MM) * NM_PER_MM
        self._scans.append(_Scan(until_nm, boot_id, pulse, tuple(parcels)))

    def follow(self, travel_nm: int) -> None:
        """The belt has come to `travel_nm`."""
        while self._scans and self._scans[0].until_nm <= travel_nm:
            self._scanned(self._scans.popleft())

    def _scanned(self, scan: _Scan) -> None:
        if not scan.parcels:
            return
        self.last_row_ns[scan.key] = self._agenda.now_ns
        if not self.up:
            self.on_silence()
            self.last_row_ns[scan.key] = -1
            return
        findings = self._analysed(scan)
        self.content[findings.picture_sha256] = tuple(p.number for p in scan.parcels)
        sent = [findings]
        frozen = False
        if self.faulty:
            fault, happened = self.faulty.popleft()
            happened()
            sent = self._spoilt(fault, scan.key, findings)
            frozen = fault in _FROZEN
        if sent and not frozen:
            self._last = findings
        at_ns = max(self._agenda.now_ns, self._hung_until_ns)
        if at_ns > self._agenda.now_ns:
            self.on_silence()
        at_ns += self._rng.randrange(ANALYSIS_NS_MIN, ANALYSIS_NS_MAX)
        for each in sent:
            self._agenda.at(at_ns, lambda each=each: self._send(each))  # type: ignore[misc]

    def _analysed(self, scan: _Scan) -> PictureFindings:
        pulse, parcels = scan.pulse, scan.parcels
        length_mm = _length_mm(parcels)
        error = self._rng.randint
        per_m = self._settings.encoder_counts_per_m
        rows = counts_from_mm(LEAD_MM + length_mm + TAIL_MM, per_m) // ROW_PITCH_COUNTS
        shown_mm = error(-MEASURE_ERROR_MM, MEASURE_ERROR_MM)
        return PictureFindings(
            source=pulse.source,
            trigger_no=pulse.trigger_no,
            first_row_encoder_counts=pulse.counts,
            row_pitch_counts=ROW_PITCH_COUNTS,
            row_count=rows,
            rows_missing=0,
            outline_start_counts=u32_sum(pulse.counts, counts_from_mm(LEAD_MM, per_m) + shown_mm),
            length_mm=length_mm + shown_mm,
            width_mm=max(p.width_mm for p in parcels) + error(-MEASURE_ERROR_MM, MEASURE_ERROR_MM),
            outline_count=1,
            mean_attenuation_milli=400,
            max_attenuation_milli=900,
            metal_area_mm2=sum(metal_area_mm2(p.contents) for p in parcels),
            opaque_area_mm2=0,
            usable=True,
            calibration_id="sim",
            profile_version="",
            picture_sha256=f"{self._rng.getrandbits(256):064x}",
        )

    # --- what can happen to it --------------------------------------------------------------------

    def _spoilt(
        self, fault: PictureFault, key: tuple[int, int], true: PictureFindings
    ) -> list[PictureFindings]:
        missing = self._rng.randint(1, true.row_count // 2)
        blank = replace(true, outline_count=0, length_mm=0, width_mm=0, usable=False)
        last = self._last or blank
        match fault:
            case PictureFault.LOST:
                self.last_row_ns[key] = -1
                return []
            case PictureFault.HALF:
                self.rows_lost[key] = missing
                return [replace(true, rows_missing=missing, usable=False)]
            case PictureFault.BLACK:
                return [blank]
            case PictureFault.SATURATED:
                return [replace(true, opaque_area_mm2=SATURATED_MM2)]
            case PictureFault.OLD_COUNTER:
                self.last_row_ns[key] = -1
                return [last]
            case PictureFault.NEW_COUNTER:
                # The worker compares with the frame before, so that it can say so.
                frozen = replace(last, usable=False, picture_sha256=true.picture_sha256)
                counter = (true.trigger_no, true.first_row_encoder_counts)
                return [replace(frozen, trigger_no=counter[0], first_row_encoder_counts=counter[1])]
            case PictureFault.EARLIER | PictureFault.LATER:
                step = -1 if fault is PictureFault.EARLIER else 1
                return [replace(true, trigger_no=u32_sum(true.trigger_no, step))]
            case PictureFault.TWICE:
                return [true, true]
            case PictureFault.OLD_SLOT:
                return [replace(true, trigger_no=u32_sum(true.trigger_no, -OLD_TRIGGERS)), true]

    def start(self) -> None:
        """The worker is connected and its source delivers."""
        self.up = True
        self._deliver(VisionUp(self._settings.xray_source))

    def crash(self) -> None:
        """The worker is gone: what it had is lost."""
        self.up = False
        self._deliver(VisionDown(self._settings.xray_source, source_silent=False))

    def hang_until(self, at_ns: int) -> None:
        """The worker answers nothing before `at_ns`; then all that it kept."""
        self._hung_until_ns = at_ns

    def _send(self, findings: PictureFindings) -> None:
        if self.up:
            self._deliver(findings)


def _length_mm(parcels: Sequence[SimParcel]) -> int:
    return sum(p.length_mm for p in parcels) + sum(p.gap_before_mm for p in parcels[1:])
