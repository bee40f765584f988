"""Every word of the vocabulary crosses a process border unharmed."""

import dataclasses
import typing
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller import wire
from controller.core import commands, events

MESSAGEPACK_INTEGERS = st.integers(min_value=-(2**63), max_value=2**64 - 1)
TEXTS = st.text(st.characters(codec="utf-8"), max_size=40)


def strategy_of(cls: Any) -> st.SearchStrategy[Any]:
    """Any value of a message type, its integers within what a frame can carry."""
    if isinstance(cls, type) and dataclasses.is_dataclass(cls):
        hints = typing.get_type_hints(cls)
        return st.builds(cls, **{name: strategy_of(hint) for name, hint in hints.items()})
    if typing.get_origin(cls) is tuple:
        arguments = typing.get_args(cls)
        if arguments[-1] is Ellipsis:
            return st.lists(strategy_of(arguments[0]), max_size=3).map(tuple)
        return st.tuples(*map(strategy_of, arguments))
    if typing.get_args(cls):  # a union
        return st.one_of([strategy_of(argument) for argument in typing.get_args(cls)])
    if cls is int:
        return MESSAGEPACK_INTEGERS
    if cls is str:
        return TEXTS
    return st.from_type(cls)


KINDS = pytest.mark.parametrize(
    "kind", sorted(wire.KINDS), ids=[wire.KINDS[kind].__name__ for kind in sorted(wire.KINDS)]
)


@KINDS
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_every_kind_survives_a_frame(kind: int, data: st.DataObject) -> None:
    message = data.draw(strategy_of(wire.KINDS[kind]))
    assert wire.FrameBuffer().feed(wire.encode_frame(message)) == [message]
    assert wire.decode_body(kind, wire.encode_body(message)) == message
    assert wire.kind_of(message) == kind


@KINDS
def test_every_kind_is_frozen_and_slotted(kind: int) -> None:
    cls = wire.KINDS[kind]
    assert cls.__dataclass_params__.frozen
    assert "__slots__" in vars(cls)


def test_every_event_and_every_command_has_a_number() -> None:
    numbered = set(wire.KINDS.values())
    assert set(typing.get_args(events.Event)) <= numbered
    assert set(typing.get_args(commands.Command)) <= numbered
    assert len(numbered) == len(wire.KINDS), "one number a class"
    for number, cls in wire.KINDS.items():
        assert wire.is_event(number) == (cls in typing.get_args(events.Event))
        assert wire.is_command(number) == (cls in typing.get_args(commands.Command))


@given(data=st.binary(max_size=200))
def test_noise_is_refused_and_nothing_else_happens(data: bytes) -> None:
    buffer = wire.FrameBuffer()
    try:
        messages = buffer.feed(data)
    except wire.WireError:
        return
    assert messages == []


def test_a_frame_arrives_in_pieces() -> None:
    frame = wire.encode_frame(wire.ListsImported(7))
    buffer = wire.FrameBuffer()
    arrived = [buffer.feed(frame[i : i + 1]) for i in range(len(frame))]
    assert arrived == [[]] * (len(frame) - 1) + [[wire.ListsImported(7)]]
