"""Packets of one source to whole frames. Pure: no socket, no clock, no thread.

A frame is what one trigger caused. It is closed by its FRAME_END, by the next FRAME_BEGIN or from
outside (silence, a lost connection); only the first proves that no row after the last is missing.
Rows never move between frames: a row of another trigger is counted and forgotten.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vision.scan_rows import (
    ENERGIES,
    ROWS_PER_FRAME_MAX,
    FrameBegin,
    FrameEnd,
    Hello,
    Rows,
    SourceProtocolError,
)

HIGH, LOW = 0, 1


@dataclass(frozen=True, slots=True, eq=False)
class ScanFrame:
    """One picture as it was scanned.

    `samples` is uint16, rows x columns x 2 (HIGH, LOW energy), 0 where a row is missing;
    `row_present` is bool, one a row. `ended` is false if no FRAME_END proved the row count,
    `contradictory` true if two packets disagreed about a row or about the count.
    """

    source: Hello
    trigger_no: int
    first_row_encoder_counts: int
    samples: NDArray[np.uint16]
    row_present: NDArray[np.bool_]
    ended: bool
    contradictory: bool

    @property
    def row_count(self) -> int:
        return len(self.row_present)

    @property
    def rows_missing(self) -> int:
        return int(np.count_nonzero(~self.row_present))

    def samples_as_sent(self) -> NDArray[np.uint16]:
        """The same samples in the order of the wire, rows x 2 x columns, contiguous."""
        return np.ascontiguousarray(self.samples.transpose(0, 2, 1))


class _OpenFrame:
    """The frame being received. The system zeroes `rows` lazily, so that its limit costs nothing."""

    def __init__(self, begin: FrameBegin, columns: int) -> None:
        self.begin = begin
        self.rows = np.zeros((ROWS_PER_FRAME_MAX, ENERGIES, columns), np.uint16)
        self.present = np.zeros(ROWS_PER_FRAME_MAX, np.bool_)
        self.contradictory = False
        self.rows_twice = 0

    def add(self, packet: Rows) -> None:
        span = slice(packet.first_row_no, packet.first_row_no + packet.row_count)
        sent = np.frombuffer(packet.samples, ">u2").reshape(packet.row_count, ENERGIES, -1)
        seen = self.present[span].copy()
        if seen.any():
            self.rows_twice += int(np.count_nonzero(seen))
            self.contradictory |= not np.array_equal(self.rows[span][seen], sent[seen])
        self.rows[span][~seen] = sent[~seen]
        self.present[span] = True

    def close(self, source: Hello, scanned_row_count: int | None) -> ScanFrame:
        received = np.flatnonzero(self.present)
        received_row_count = int(received[-1]) + 1 if len(received) else 0
        row_count = max(received_row_count, scanned_row_count or 0)
        over_count = scanned_row_count is not None and received_row_count > scanned_row_count
        return ScanFrame(
            source=source,
            trigger_no=self.begin.trigger_no,
            first_row_encoder_counts=self.begin.first_row_encoder_counts,
            samples=self.rows[:row_count].transpose(0, 2, 1),
            row_present=self.present[:row_count],
            ended=scanned_row_count is not None,
            contradictory=self.contradictory or over_count,
        )


class FrameAssembler:
    """Frames of one connection: `take` each packet in order of arrival, it may complete a frame.

    `foreign_packets` counts rows and ends of no open frame, `rows_twice` rows received again.
    """

    def __init__(self, source: Hello) -> None:
        self.source = source
        self.foreign_packets = 0
        self.rows_twice = 0
        self._open: _OpenFrame | None = None

    @property
    def receiving(self) -> bool:
        return self._open is not None

    def take(self, packet: FrameBegin | Rows | FrameEnd) -> ScanFrame | None:
        """The frame that `packet` completes, if any. SourceProtocolError on rows too wide or narrow."""
        if isinstance(packet, FrameBegin):
            unfinished = self.close()
            self._open = _OpenFrame(packet, self.source.columns)
            return unfinished
        if isinstance(packet, Rows) and packet.columns != self.source.columns:
            raise SourceProtocolError(
                f"rows of {packet.columns} columns from a source of {self.source.columns}"
            )
        if self._open is None or packet.trigger_no != self._open.begin.trigger_no:
            self.foreign_packets += 1
            return None
        if isinstance(packet, FrameEnd):
            return self._close(packet.row_count)
        self._open.add(packet)
        return None

    def close(self) -> ScanFrame | None:
        """The frame in progress as it stands, its row count unproven; None if there is none."""
        return self._close(None)

    def _close(self, scanned_row_count: int | None) -> ScanFrame | None:
        if self._open is None:
            return None
        frame = self._open.close(self.source, scanned_row_count)
        self.rows_twice += self._open.rows_twice
        self._open = None
        return frame
