"""Frames between processes: whatever arrives in whatever pieces is a message of ours or a WireError."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller import wire
from controller.wire import FrameBuffer, WireError, decode_body, decode_payload, encode_frame
from tests.fuzz.looking import CUTS, anything, looked_at, mutated, pieces
from tests.fuzz.specimens import MESSAGES

FRAMES = [encode_frame(message) for message in MESSAGES]
PAYLOADS = [frame[4:] for frame in FRAMES]
DEEP = [b"\x93\x01\x01" + opening * 5_000 for opening in (b"\x91", b"\x81")]


def test_every_kind_survives_the_way() -> None:
    assert [decode_payload(payload) for payload in PAYLOADS] == MESSAGES


@looked_at(500)
@given(anything(PAYLOADS))
def test_a_payload_is_a_message_or_refused(payload: bytes) -> None:
    try:
        message = decode_payload(payload)
    except WireError as error:
        assert str(error)
        return
    assert decode_payload(encode_frame(message)[4:]) == message


@looked_at(200)
@given(
    st.sampled_from([*wire.KINDS, 0, 150, 999]), anything([wire.encode_body(m) for m in MESSAGES])
)
def test_a_body_is_of_its_kind_or_refused(kind: int, body: bytes) -> None:
    try:
        message = decode_body(kind, body)
    except WireError:
        return
    assert isinstance(message, wire.KINDS[kind])


@pytest.mark.parametrize("payload", DEEP, ids=["lists", "maps"])
def test_endless_nesting_is_refused(payload: bytes) -> None:
    with pytest.raises(WireError):
        decode_payload(payload)


def received(parts: list[bytes]) -> tuple[list[Any], str]:
    """What a connection makes of these pieces: its messages, and why it was closed."""
    buffer, messages = FrameBuffer(), list[Any]()
    for part in parts:
        try:
            messages += buffer.feed(part)
        except WireError as error:
            return messages, str(error)
    return messages, ""


@looked_at(200)
@given(st.lists(st.sampled_from(FRAMES), max_size=5), CUTS)
def test_any_split_of_an_honest_stream_is_the_same_stream(
    frames: list[bytes], cuts: list[int]
) -> None:
    stream = b"".join(frames)
    assert received(pieces(stream, cuts)) == received([stream])
    assert len(received([stream])[0]) == len(frames)


@looked_at(300)
@given(st.lists(mutated(FRAMES), min_size=1, max_size=4), CUTS)
def test_a_broken_stream_ends_with_one_sentence(frames: list[bytes], cuts: list[int]) -> None:
    stream = b"".join(frames)
    messages, why = received(pieces(stream, cuts))
    whole, why_whole = received([stream])
    assert why == why_whole
    # What came in the same piece as the fault is lost with it, never anything else.
    assert len(whole) <= len(messages)
