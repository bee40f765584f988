import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.vision.synthetic import HELLO, assembled, calibration, frame_packets, samples
from vision.frame_assembly import HIGH, LOW, FrameAssembler
from vision.scan_rows import FrameBegin, FrameEnd, Heartbeat, Hello, Rows, SourceProtocolError
from vision.source_session import SourceSession

NARROW = Hello(4, 3, 1500, 2, 1000)


def row(trigger_no: int, row_no: int, value: int = 0) -> Rows:
    """One row of 3 columns that says its own number."""
    wire = np.full((1, 2, 3), value or row_no + 1, ">u2")
    return Rows(trigger_no, row_no, 1, 3, wire.tobytes())


@given(
    received=st.lists(st.integers(0, 30), max_size=60),
    scanned=st.integers(0, 40),
    ended=st.booleans(),
)
def test_any_order_any_loss_any_repeat(received: list[int], scanned: int, ended: bool) -> None:
    assembler = FrameAssembler(NARROW)
    assert assembler.take(FrameBegin(7, 100)) is None
    for row_no in received:
        assert assembler.take(row(7, row_no)) is None
    frame = assembler.take(FrameEnd(7, scanned)) if ended else assembler.close()
    assert frame is not None
    highest = max(received, default=-1) + 1
    assert frame.row_count == (max(scanned, highest) if ended else highest)
    assert frame.rows_missing == frame.row_count - len(set(received))
    assert frame.ended is ended
    assert frame.contradictory is (ended and highest > scanned)
    assert assembler.rows_twice == len(received) - len(set(received))
    for row_no in range(frame.row_count):
        expected = row_no + 1 if row_no in received else 0
        assert (frame.samples[row_no] == expected).all()


def test_energies_and_columns_land_where_they_belong() -> None:
    wire = np.arange(20 * 2 * 480, dtype=np.uint16).reshape(20, 2, 480)
    frame = assembled(frame_packets(wire))
    assert frame.samples.shape == (20, 480, 2)
    assert np.array_equal(frame.samples[..., HIGH], wire[:, 0])
    assert np.array_equal(frame.samples[..., LOW], wire[:, 1])
    assert np.array_equal(frame.samples_as_sent(), wire)


def test_the_next_begin_closes_a_frame_without_end() -> None:
    assembler = FrameAssembler(NARROW)
    assembler.take(FrameBegin(7, 100))
    assembler.take(row(7, 0))
    frame = assembler.take(FrameBegin(8, 900))
    assert frame is not None
    assert (frame.trigger_no, frame.row_count, frame.ended) == (7, 1, False)
    last = assembler.take(FrameEnd(8, 0))
    assert last is not None
    assert (last.trigger_no, last.row_count, last.ended) == (8, 0, True)


def test_rows_never_move_between_triggers() -> None:
    assembler = FrameAssembler(NARROW)
    assembler.take(row(6, 0))  # no frame open
    assembler.take(FrameBegin(7, 100))
    assembler.take(row(6, 5))
    assembler.take(FrameEnd(6, 6))
    assembler.take(row(7, 0))
    frame = assembler.take(FrameEnd(7, 1))
    assert frame is not None
    assert (frame.row_count, frame.rows_missing) == (1, 0)
    assert assembler.take(row(7, 1)) is None  # after its end
    assert assembler.foreign_packets == 4


def test_a_row_sent_twice_differently_is_said() -> None:
    assembler = FrameAssembler(NARROW)
    assembler.take(FrameBegin(7, 100))
    assembler.take(row(7, 0, value=11))
    assembler.take(row(7, 0, value=12))
    frame = assembler.take(FrameEnd(7, 1))
    assert frame is not None
    assert frame.contradictory
    assert (frame.samples == 11).all()


def test_rows_of_another_width_break_the_connection() -> None:
    assembler = FrameAssembler(HELLO)
    assembler.take(FrameBegin(7, 0))
    with pytest.raises(SourceProtocolError, match="3 columns from a source of 480"):
        assembler.take(row(7, 0))


def test_nothing_is_believed_before_hello() -> None:
    for packet in (Heartbeat(), FrameBegin(1, 1), calibration()):
        with pytest.raises(SourceProtocolError, match="before HELLO"):
            SourceSession(4).take(packet)


def test_a_session_keeps_to_its_source_and_its_calibration() -> None:
    with pytest.raises(SourceProtocolError, match="source 4, not 9"):
        SourceSession(9).take(HELLO)
    session = SourceSession(4)
    session.take(HELLO)
    with pytest.raises(SourceProtocolError, match="second HELLO"):
        session.take(HELLO)
    with pytest.raises(SourceProtocolError, match="40 columns"):
        session.take(calibration(40))
    session.take(calibration())
    session.take(FrameBegin(1, 1))
    with pytest.raises(SourceProtocolError, match="inside a frame"):
        session.take(calibration())


def test_a_refused_calibration_leaves_frames_without_one() -> None:
    session = SourceSession(4)
    session.take(HELLO)
    session.take(calibration())
    dark_only = calibration()
    session.take(
        type(dark_only)(
            "bad", 0, dark_only.dark_high, dark_only.dark_low, *[dark_only.dark_high] * 2
        )
    )
    for packet in frame_packets(samples([], row_count=20)):
        acquired = session.take(packet)
    assert acquired is not None
    assert acquired.field is None
    assert acquired.calibration is not None
    assert acquired.calibration.calibration_id == "bad"
