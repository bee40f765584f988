"""A recorded day gives the same commands again; one changed byte does not go unseen."""

from dataclasses import replace
from pathlib import Path

import pytest

from controller import wire
from controller.core.commands import Command, CommitVerdict
from controller.core.events import Event
from controller.journal.chain import Draft, Record, seal
from controller.journal.reader import JournalReader, NotAJournal, decode
from controller.journal.records import STATE_SNAPSHOT, FileHeader, decode_state
from controller.journal.replay import DIFFERENCES_KEPT, replay
from tests.journal.story import Line, TinyCore, TinyState, make_tiny, parcel, recorded_day
from tests.journal.test_verify import rewrite


def test_a_recorded_day_replays_without_a_difference(tmp_path: Path) -> None:
    path = recorded_day(tmp_path, parcels=20)
    report = replay(path, make_tiny)
    assert (report.events, report.verdicts, report.differences) == (100, 20, 0)
    assert report.software_versions == ("0.1.0",)


def test_each_file_replays_alone_with_parcels_in_flight(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin("20260301")
    line.run([1])
    line.tell(parcel(2)[:2])
    line.begin("20260302", version="0.2.0")
    line.tell(parcel(2)[2:])
    line.writer.close()
    second = replay(tmp_path / "20260302.journal", make_tiny)
    assert (second.events, second.verdicts, second.differences) == (3, 1, 0)
    both = replay(tmp_path, make_tiny)
    assert (both.events, both.verdicts, both.differences) == (10, 2, 0)
    assert both.software_versions == ("0.1.0", "0.2.0")


def with_record(path: Path, kind: int, change: object) -> int:
    """Change the first record of a kind, mend the chain, return its number."""
    records = JournalReader(path).after(0, 10_000)
    i = next(i for i, record in enumerate(records) if record.kind == kind)
    assert callable(change)
    drafts = [Draft(r.journal_seq, r.at_ns, r.kind, r.body) for r in records[i:]]
    drafts[0] = drafts[0]._replace(body=change(records[i]))
    rewrite(path, [*records[:i], *seal(records[i - 1].head, drafts)])
    return records[i].journal_seq


def test_one_altered_byte_of_a_command_is_a_difference(tmp_path: Path) -> None:
    def other_weight(record: Record) -> bytes:
        verdict = decode(record)
        assert isinstance(verdict, CommitVerdict)
        body = wire.encode_body(replace(verdict, weight_mg=verdict.weight_mg + 1))
        assert sum(a != b for a, b in zip(body, record.body, strict=True)) == 1
        return body

    path = recorded_day(tmp_path)
    changed = with_record(path, 102, other_weight)
    report = replay(path, make_tiny)
    assert report.differences == 1
    (difference,) = report.first_differences
    assert difference.journal_seq == changed - 1  # the event that caused it
    assert "weight_mg=2" in difference.recorded
    assert "weight_mg=1" in difference.replayed


def test_an_altered_event_changes_what_follows(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    with_record(
        path, 4, lambda r: wire.encode_body(replace(decode(r), weight_mg=decode(r).weight_mg + 1))
    )
    report = replay(path, make_tiny)
    assert report.differences == 1
    assert "RELEASE" in report.first_differences[0].replayed


def test_another_state_in_a_snapshot_is_a_difference(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    changed = with_record(
        path,
        STATE_SNAPSHOT,
        lambda r: r.body.replace(b"\xa6passes\x0a", b"\xa6passes\x0b"),
    )
    report = replay(path, make_tiny)
    assert report.differences == 1
    assert report.first_differences[0].journal_seq == changed


class Chatty(TinyCore):
    def handle(self, at_ns: int, event: Event) -> tuple[Command, ...]:
        commands = super().handle(at_ns, event)
        return (*commands, *commands)


class Mute(TinyCore):
    def handle(self, at_ns: int, event: Event) -> tuple[Command, ...]:
        super().handle(at_ns, event)
        return ()


@pytest.mark.parametrize("core", [Chatty, Mute])
def test_commands_too_many_or_too_few_are_differences(tmp_path: Path, core: type[TinyCore]) -> None:
    def make(header: FileHeader) -> TinyCore:
        return core(decode_state(header.state, TinyState))

    path = recorded_day(tmp_path, parcels=60)
    report = replay(path, make)
    assert report.differences == 60 * 3
    assert len(report.first_differences) == DIFFERENCES_KEPT
    assert report.verdicts == 60


def test_a_record_that_cannot_be_decoded_is_one_sentence(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    with_record(path, 4, lambda r: b"\x80")
    with pytest.raises(NotAJournal, match=r"20260301\.journal cannot be decoded"):
        replay(path, make_tiny)
