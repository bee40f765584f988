"""The chain finds every single change; the batcher loses, splits and delays nothing."""

from dataclasses import dataclass, replace

from hypothesis import given
from hypothesis import strategies as st

from controller.journal.batcher import Batcher
from controller.journal.chain import GENESIS, Draft, Record, follows, link, seal

bodies = st.lists(st.binary(max_size=40), min_size=1, max_size=12)


def chain_of(contents: list[bytes]) -> list[Record]:
    drafts = [Draft(n + 1, 100 + n, n % 5, body) for n, body in enumerate(contents)]
    return list(seal(GENESIS, drafts))


def holds(records: list[Record]) -> bool:
    head = GENESIS
    for record in records:
        if not follows(head, record):
            return False
        head = record.head
    return True


@given(bodies)
def test_a_sealed_chain_holds(contents: list[bytes]) -> None:
    assert holds(chain_of(contents))


@given(bodies, st.data())
def test_any_single_change_is_found(contents: list[bytes], data: st.DataObject) -> None:
    records = chain_of(contents)
    index = data.draw(st.integers(0, len(records) - 1))
    old = records[index]
    changed = data.draw(
        st.one_of(
            st.integers(0, 2**62).map(lambda n: replace(old, journal_seq=n)),
            st.integers(-(2**62), 2**62).map(lambda n: replace(old, at_ns=n)),
            st.integers(0, 65_535).map(lambda n: replace(old, kind=n)),
            st.binary(max_size=40).map(lambda b: replace(old, body=b)),
            st.binary(min_size=32, max_size=32).map(lambda h: replace(old, hash=h)),
        ).filter(lambda record: record != old)
    )
    assert not holds([*records[:index], changed, *records[index + 1 :]])


@given(bodies.filter(lambda b: len(b) > 1), st.data())
def test_a_missing_or_moved_record_is_found(contents: list[bytes], data: st.DataObject) -> None:
    records = chain_of(contents)
    first, second = sorted(
        data.draw(st.sets(st.integers(0, len(records) - 1), min_size=2, max_size=2))
    )
    assert not holds([*records[:first], *records[first + 1 :]])
    records[first], records[second] = records[second], records[first]
    assert not holds(records)


@given(
    st.binary(max_size=8), st.binary(max_size=8), st.integers(0, 2**40), st.integers(0, 2**16 - 1)
)
def test_the_border_between_fields_is_part_of_the_hash(
    one: bytes, two: bytes, number: int, kind: int
) -> None:
    same = (number, kind, one) == (number, kind, two)
    hashes = {link(bytes(32), number, 0, kind, body) for body in (one, two)}
    assert (len(hashes) == 1) == same
    assert link(bytes(32), number, 0, kind, one) != link(bytes(32), number + 1, 0, kind, one)


def test_fields_that_cannot_be_stored_do_not_fit() -> None:
    (record,) = chain_of([b"x"])
    assert not holds([replace(record, kind=-1)])
    assert not holds([replace(record, kind=1 << 20)])


@dataclass(frozen=True)
class Piece:
    name: int
    record_count: int

    @property
    def byte_count(self) -> int:
        return 10


@given(
    st.lists(st.one_of(st.none(), st.integers(1, 15)), max_size=60),
)
def test_batches_keep_order_and_bound_and_leave_nothing(steps: list[int | None]) -> None:
    batcher: Batcher[Piece] = Batcher(records_max=10)
    added: list[Piece] = []
    taken: list[Piece] = []
    for step in steps:
        if step is None:
            batch = batcher.take()
            assert bool(batch) == (len(taken) < len(added))
            assert len(batch) == 1 or sum(piece.record_count for piece in batch) <= 10
            taken += batch
        else:
            added.append(Piece(len(added), step))
            batcher.add(added[-1])
        assert batcher.waiting_bytes == 10 * (len(added) - len(taken))
    while batch := batcher.take():
        taken += batch
    assert taken == added
