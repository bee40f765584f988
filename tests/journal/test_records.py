"""The journal's own kinds round-trip, and a journal of each schema stays readable."""

from pathlib import Path

import pytest

from controller import wire
from controller.journal.chain import Head
from controller.journal.keys import key_id, read_public_key
from controller.journal.reader import JournalReader, decode
from controller.journal.records import KINDS, StateSnapshot, decode_record, decode_state, sign
from controller.journal.replay import replay
from controller.journal.verify import verify
from tests.journal.story import KEY, LINE, TinyState, header, make_tiny

FIXTURES = Path(__file__).parent / "fixtures"


def samples() -> list[object]:
    return [
        header(b"\x80"),
        sign(KEY, LINE, Head(3, bytes(32)), True, bytes(32)),
        StateSnapshot(b"\x00\xff"),
    ]


def test_there_is_a_sample_of_every_kind() -> None:
    assert {type(sample) for sample in samples()} == set(KINDS.values())
    assert all(150 <= kind < 200 for kind in KINDS)
    assert not set(KINDS) & set(wire.KINDS)


@pytest.mark.parametrize("sample", samples(), ids=lambda sample: type(sample).__name__)
def test_a_record_comes_back_as_it_went_in(sample: object) -> None:
    kind = next(number for number, cls in KINDS.items() if cls is type(sample))
    assert decode_record(kind, wire.encode_body(sample)) == sample
    with pytest.raises(wire.WireError, match=f"kind {kind}"):
        decode_record(kind, b"\xc1")


def test_an_unknown_kind_and_a_foreign_state_are_refused() -> None:
    with pytest.raises(wire.WireError, match="unknown kind 199"):
        decode_record(199, b"\x80")
    with pytest.raises(wire.WireError, match="TinyState"):
        decode_state(b"\x81\xa6passes\xa1x", TinyState)


@pytest.mark.parametrize("schema", sorted(path.name for path in FIXTURES.iterdir()))
def test_a_journal_of_every_schema_is_readable_verifiable_and_replayable(schema: str) -> None:
    directory = FIXTURES / schema
    key = read_public_key(directory / "key.pub")
    report = verify(directory, {key_id(key): key})
    assert report.ok, report.first_bad
    assert report.closed
    (journal,) = directory.glob("*.journal")
    contents = [decode(record) for record in JournalReader(journal).each()]
    assert len(contents) == report.records > 50
    assert replay(directory, make_tiny).differences == 0
