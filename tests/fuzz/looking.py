"""What to feed a decoder, and for how long.

`mutated` starts from bytes that are right, because noise alone never gets past the first check. In CI each
test looks at a fixed number of inputs; `python -m tests.fuzz MINUTES` looks on with new ones until the
time is up. A failure prints its input, the shortest one that fails, as bytes.
"""

import os
from collections.abc import Sequence
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

FACTOR = int(os.environ.get("PARCELGATE_FUZZ_FACTOR", "1"))
_PLACE = st.integers(0, 1 << 20)


def looked_at(examples: int, steps: int = 50) -> settings:
    """`examples` inputs in CI, more in a long run; `steps` bounds a state machine's."""
    return settings(
        max_examples=examples * FACTOR,
        stateful_step_count=steps,
        deadline=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )


@st.composite
def mutated(draw: st.DrawFn, samples: Sequence[bytes]) -> bytes:
    """One of `samples` with up to 6 changes: bits, bytes, pieces cut, doubled, or taken from another."""
    data = draw(st.sampled_from(samples))
    for verb, *arguments in draw(st.lists(_changes(samples), min_size=1, max_size=6)):
        data = verb(data, *arguments)
    return data


def anything(samples: Sequence[bytes]) -> st.SearchStrategy[bytes]:
    """Changed samples mostly, arbitrary bytes now and then."""
    return st.one_of(mutated(samples), mutated(samples), st.binary(max_size=300))


def pieces(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    """`data` cut at these places, as a stream may arrive."""
    places = sorted({cut % (len(data) + 1) for cut in cuts})
    borders = [0, *places, len(data)]
    return [data[a:b] for a, b in zip(borders, borders[1:], strict=False)]


CUTS = st.lists(_PLACE, max_size=8)


def _changes(samples: Sequence[bytes]) -> st.SearchStrategy[tuple[Any, ...]]:
    length = st.integers(1, 64)
    extreme = st.sampled_from([b"\0", b"\xff", b"\x7f\xff\xff\xff", b"\x80\0\0\0", b"\xff" * 8])
    put = st.one_of(st.binary(min_size=1, max_size=8), extreme)
    return st.one_of(
        st.tuples(st.just(_flip), _PLACE, st.integers(0, 7)),
        st.tuples(st.just(_overwrite), _PLACE, put),
        st.tuples(st.just(_insert), _PLACE, put),
        st.tuples(st.just(_delete), _PLACE, length),
        st.tuples(st.just(_double), _PLACE, length),
        st.tuples(st.just(_cut_off), _PLACE),
        st.tuples(st.just(_splice), _PLACE, st.sampled_from(samples), _PLACE, length),
    )


def _at(data: bytes, place: int) -> int:
    return place % (len(data) + 1)


def _flip(data: bytes, place: int, bit: int) -> bytes:
    at = _at(data, place)
    return _overwrite(data, at, bytes([data[at] ^ 1 << bit])) if at < len(data) else data


def _overwrite(data: bytes, place: int, put: bytes) -> bytes:
    at = _at(data, place)
    return data[:at] + put + data[at + len(put) :]


def _insert(data: bytes, place: int, put: bytes) -> bytes:
    at = _at(data, place)
    return data[:at] + put + data[at:]


def _delete(data: bytes, place: int, length: int) -> bytes:
    at = _at(data, place)
    return data[:at] + data[at + length :]


def _double(data: bytes, place: int, length: int) -> bytes:
    at = _at(data, place)
    return data[: at + length] + data[at:]


def _cut_off(data: bytes, place: int) -> bytes:
    return data[: _at(data, place)]


def _splice(data: bytes, place: int, other: bytes, start: int, length: int) -> bytes:
    begin = _at(other, start)
    return _overwrite(data, place, other[begin : begin + length])
