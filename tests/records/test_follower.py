"""The follower on real journals: everything once, whatever interrupts it."""

import asyncio
import logging
from pathlib import Path

import apsw
import pytest

from controller.core import events as e
from controller.core.vocabulary import DecisionResult, Destination, OutcomeKind, Reason
from controller.records import follower as following
from controller.records import schema
from controller.records.follower import Follower, run_records
from controller.records.query import Records
from tests.api.synthetic import (
    START_UTC_NS,
    CountingClock,
    follow_all,
    journal,
    make_day,
    run_story,
    write_journal,
)
from tests.core.story import MS

TABLES = ("passes", "pass_codes", "pass_reasons", "triggers", "timeline")


def dump(state_dir: Path) -> dict[str, list[object]]:
    """Every derived row, without the row numbers of the passes' table that nobody sees."""
    db = apsw.Connection(str(schema.records_path(state_dir)), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
    finally:
        db.close()


def test_a_pass_holds_verdict_answer_and_outcome(tmp_path: Path) -> None:
    day = make_day(tmp_path)
    records = Records(tmp_path)
    clean = records.one("L1", 1)
    assert clean is not None
    assert (clean.destination, clean.reasons, clean.held) == (Destination.RELEASE, (), False)
    assert clean.answer is DecisionResult.ACCEPTED
    assert clean.outcome is not None
    assert (clean.outcome.kind, clean.outcome.lane) == (OutcomeKind.IN_PLANNED_LANE, 1)
    assert clean.verdict is not None
    assert clean.verdict.picture_sha256 == day.plans[0].digest
    assert clean.entered_utc_ns == START_UTC_NS + day.plans[0].at_ms * MS + 12 * MS
    assert clean.entered_seq < clean.verdict_seq < clean.outcome_seq


def test_a_revocation_stands_beside_the_verdict(tmp_path: Path) -> None:
    make_day(tmp_path)
    record = Records(tmp_path).one("L1", 13)
    assert record is not None
    assert record.verdict is not None
    assert record.verdict.destination is Destination.RELEASE
    assert record.revocation is not None
    assert record.reasons == (Reason.STATUS_INSPECT,)
    assert record.held
    assert record.revoked_seq > record.verdict_seq


def test_what_came_after_the_verdict_is_noted(tmp_path: Path) -> None:
    make_day(tmp_path)
    record = Records(tmp_path).one("L1", 19)
    assert record is not None
    assert [note.kind for note in record.notes] == ["answer", "default_taken"]
    assert record.held


@pytest.mark.parametrize("slice_records", [3, 20, 100])
def test_any_interruption_leads_to_the_same_rows(
    tmp_path: Path, slice_records: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_day(tmp_path, count=13)
    whole = dump(tmp_path)
    schema.records_path(tmp_path).unlink()
    monkeypatch.setattr(following, "SLICE_RECORDS", slice_records)
    applied = 1
    while applied:
        db = schema.open_for_writing(schema.records_path(tmp_path))
        process = Follower(db, tmp_path, CountingClock())  # as after a kill: nothing is remembered
        applied = process.catch_up()
        process.close()
        db.close()
    assert dump(tmp_path) == whole


def test_a_failed_commit_leaves_nothing_and_is_repeated(tmp_path: Path) -> None:
    make_day(tmp_path)
    whole = dump(tmp_path)
    schema.records_path(tmp_path).unlink()
    db = schema.open_for_writing(schema.records_path(tmp_path))
    db.set_commit_hook(lambda: True)
    process = Follower(db, tmp_path, CountingClock())
    with pytest.raises(apsw.ConstraintError):
        process.catch_up()
    process.close()
    db.close()
    assert not any(dump(tmp_path).values())
    follow_all(tmp_path)
    assert dump(tmp_path) == whole


def test_it_follows_while_the_journal_is_written(tmp_path: Path) -> None:
    line, _ = run_story(6)
    whole_dir, live_dir = tmp_path / "whole", tmp_path / "live"
    write_journal(whole_dir, line)
    follow_all(whole_dir)
    db = schema.open_for_writing(schema.records_path(live_dir))
    process = Follower(db, live_dir, CountingClock())
    assert process.catch_up() == 0  # no journal yet
    with journal(live_dir) as writer:
        for at_ns, event, commands in line.log:
            writer.append(at_ns, event, commands)
            process.catch_up()
    while process.catch_up():
        pass
    process.close()
    db.close()
    assert dump(live_dir) == dump(whole_dir)


def test_following_twice_adds_nothing(tmp_path: Path) -> None:
    make_day(tmp_path)
    before = dump(tmp_path)
    assert follow_all(tmp_path) == 0
    assert dump(tmp_path) == before


def test_another_journal_in_its_place_is_followed_from_its_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_day(tmp_path, count=8)
    other, _ = run_story(3)
    for path in (tmp_path / "journal" / "L1").iterdir():
        path.unlink()
    (tmp_path / "journal" / "L1").rmdir()
    write_journal(tmp_path, other)
    with caplog.at_level(logging.WARNING):
        follow_all(tmp_path)
    assert "built anew" in caplog.text
    assert len(Records(tmp_path).passes().items) == 3


@pytest.mark.parametrize("damage", [b"this is no database, " * 400, None])
def test_a_damaged_or_older_file_is_built_anew(tmp_path: Path, damage: bytes | None) -> None:
    make_day(tmp_path, count=4)
    whole = dump(tmp_path)
    path = schema.records_path(tmp_path)
    if damage is None:
        db = apsw.Connection(str(path))
        db.pragma("user_version", schema.VERSION + 1)
        db.close()
    else:
        for suffix in ("-wal", "-shm"):
            path.with_name(path.name + suffix).unlink(missing_ok=True)
        path.write_bytes(damage)
    follow_all(tmp_path)
    assert dump(tmp_path) == whole


def test_a_journal_that_cannot_be_read_is_named_once_and_the_others_go_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    make_day(tmp_path, count=3, follow=False)
    broken = tmp_path / "journal" / "A0"
    broken.mkdir()
    (broken / "20261122.journal").write_bytes(b"nonsense" * 1_000)
    db = schema.open_for_writing(schema.records_path(tmp_path))
    process = Follower(db, tmp_path, CountingClock())
    with caplog.at_level(logging.WARNING):
        for _ in range(4):
            process.catch_up()
    process.close()
    db.close()
    assert len([r for r in caplog.records if "A0" in r.getMessage()]) == 1
    assert len(Records(tmp_path).passes().items) == 3


def test_rows_from_before_the_clock_was_read_are_dated_then(tmp_path: Path) -> None:
    line, _ = run_story(1)
    log = [entry for entry in line.log if not isinstance(entry[1], e.ClockRead)]
    with journal(tmp_path) as writer:
        for at_ns, event, commands in log:
            writer.append(at_ns, event, commands)
        last_ns = log[-1][0]
        writer.append(last_ns + 5, e.ClockRead(START_UTC_NS, True), ())
    follow_all(tmp_path)
    records = Records(tmp_path)
    record = records.one("L1", 1)
    assert record is not None
    assert record.entered_utc_ns == START_UTC_NS - (last_ns + 5 - record.entered_at_ns)
    assert all(entry.utc_ns for entry in records.timeline(record))


def test_it_says_how_far_behind_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_day(tmp_path, count=4, follow=False)
    monkeypatch.setattr(following, "SLICE_RECORDS", 10)
    db = schema.open_for_writing(schema.records_path(tmp_path))
    process = Follower(db, tmp_path, CountingClock())
    process.catch_up()
    (progress,) = Records(tmp_path).progress()
    assert progress.behind == progress.head_seq - 10 > 0
    while process.catch_up():
        pass
    process.close()
    db.close()
    (progress,) = Records(tmp_path).progress()
    assert progress.behind == 0


async def test_the_process_is_ready_when_level_and_stops_when_told(tmp_path: Path) -> None:
    make_day(tmp_path, count=3, follow=False)
    ready = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        process = tasks.create_task(run_records(tmp_path, ready.set, CountingClock()))
        await asyncio.wait_for(ready.wait(), 10)
        assert len(Records(tmp_path).passes().items) == 3
        process.cancel()
