"""One connection of a source, from its HELLO on. Pure: packets in, calibrated frames out.

It holds what a connection has said so far: who the source is, its calibration, the frame in
progress. A new connection starts with nothing; a calibration is never carried over, because behind
a new connection may stand another machine.
"""

import logging
from dataclasses import dataclass

from vision.calibration import CalibrationRefused, FlatField, flat_field
from vision.frame_assembly import FrameAssembler, ScanFrame
from vision.scan_rows import Calibration, Heartbeat, Hello, Packet, SourceProtocolError

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class AcquiredFrame:
    """A frame and the calibration in force. `field` is None where that is absent or was refused."""

    frame: ScanFrame
    calibration: Calibration | None
    field: FlatField | None


class SourceSession:
    """`take` the packets of one connection in order; `close` the frame in progress on silence."""

    def __init__(self, source: int) -> None:
        self._source = source
        self._assembler: FrameAssembler | None = None
        self._calibration: Calibration | None = None
        self._field: FlatField | None = None

    @property
    def greeted(self) -> bool:
        """Whether HELLO came and names the source that was asked for."""
        return self._assembler is not None

    @property
    def receiving(self) -> bool:
        """Whether a frame is in progress."""
        return self._assembler is not None and self._assembler.receiving

    def take(self, packet: Packet) -> AcquiredFrame | None:
        """The frame that `packet` completes, if any. SourceProtocolError if it is out of place."""
        if isinstance(packet, Hello):
            self._greet(packet)
            return None
        if self._assembler is None:
            raise SourceProtocolError(f"{type(packet).__name__} before HELLO")
        if isinstance(packet, Heartbeat):
            return None
        if isinstance(packet, Calibration):
            self._calibrate(packet, self._assembler)
            return None
        return self._acquired(self._assembler.take(packet))

    def close(self) -> AcquiredFrame | None:
        """The frame in progress as it stands; None if there is none."""
        return self._acquired(self._assembler.close()) if self._assembler else None

    def _greet(self, hello: Hello) -> None:
        if self._assembler is not None:
            raise SourceProtocolError("a second HELLO on one connection")
        if hello.source != self._source:
            raise SourceProtocolError(f"this is source {hello.source}, not {self._source}")
        self._assembler = FrameAssembler(hello)

    def _calibrate(self, packet: Calibration, assembler: FrameAssembler) -> None:
        if assembler.receiving:
            raise SourceProtocolError("CALIBRATION inside a frame")
        columns = len(packet.dark_high) // 2
        if columns != assembler.source.columns:
            raise SourceProtocolError(
                f"a calibration of {columns} columns from a source of {assembler.source.columns}"
            )
        self._calibration = packet
        try:
            self._field = flat_field(packet)
        except CalibrationRefused as error:
            self._field = None
            log.error("Calibration %s is refused: %s.", packet.calibration_id, error)

    def _acquired(self, frame: ScanFrame | None) -> AcquiredFrame | None:
        return AcquiredFrame(frame, self._calibration, self._field) if frame else None
