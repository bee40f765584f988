"""A start takes the last verified state, and sets aside what does not hold without losing the rest."""

from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.journal.chain import FIRST_START
from controller.journal.day_file import JournalBusy, journal_files
from controller.journal.keys import PublicKeys
from controller.journal.reader import JournalReader, read_directory
from controller.journal.recovery import SEQ_STEP_AFTER_LOSS, recover
from controller.journal.verify import verify
from tests.journal.story import DAY, PUBLIC, Line, parcel, recorded_day, restored


def change(path: Path, sql: str) -> None:
    db = apsw.Connection(str(path))
    db.execute(sql)
    db.close()


def test_a_line_that_never_ran_starts_at_the_beginning(tmp_path: Path) -> None:
    found = recover(tmp_path / "new", PUBLIC)
    assert (found.header, found.state, found.events, found.day) == (None, b"", (), "")
    assert found.start == FIRST_START


def test_the_state_comes_from_the_header_and_every_event_after_it(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.run([1])
    line.tell(parcel(2)[:3])
    line.writer.close()
    found = recover(tmp_path, PUBLIC)
    assert found.day == DAY
    assert [event for _, event in found.events] == parcel(1) + parcel(2)[:3]
    assert restored(found).state == line.core.state
    assert found.start.next_seq == found.start.head.journal_seq + 1
    again = Line(tmp_path, found.start, restored(found))
    again.begin()
    again.tell(parcel(2)[3:])
    assert again.writer.close()
    assert verify(tmp_path, PUBLIC).ok


def test_the_last_snapshot_makes_the_replay_short(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.run(range(1, 40))
    line.snapshot()
    line.run([40])
    line.writer.close()
    found = recover(tmp_path, PUBLIC)
    assert [event for _, event in found.events] == parcel(40)
    assert restored(found).state == line.core.state


@pytest.mark.parametrize("keys", [PUBLIC, {}], ids=["signed", "key unknown"])
def test_a_snapshot_after_the_last_checkpoint_is_used(tmp_path: Path, keys: PublicKeys) -> None:
    line = Line(tmp_path)
    line.begin()
    line.run([1])
    line.snapshot()
    line.run([2])
    line.heard.durable(line.seq)
    line.writer._held.close()  # as a dead process would
    found = recover(tmp_path, keys)
    assert [event for _, event in found.events] == parcel(2)
    assert not found.set_aside
    line.writer.close()


def test_recovery_is_refused_beside_a_writer(tmp_path: Path) -> None:
    line = Line(tmp_path)
    with pytest.raises(JournalBusy):
        recover(tmp_path, PUBLIC)
    line.writer.close()


def test_damage_ends_the_good_part_and_the_chain_goes_on_from_there(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    records = list(read_directory(tmp_path))
    bad = records[-10]
    change(path, f"UPDATE records SET body = x'80' WHERE journal_seq = {bad.journal_seq}")
    found = recover(tmp_path, PUBLIC)
    (aside,) = found.set_aside
    assert aside.path.name == f"{DAY}.journal.corrupt-1"
    assert aside.path.exists()
    assert f"record {bad.journal_seq} does not fit" in aside.why
    assert found.start.head == records[-11].head
    assert found.start.next_seq == records[-11].journal_seq + SEQ_STEP_AFTER_LOSS
    assert found.events[-1][0] <= bad.at_ns
    line = Line(tmp_path, found.start, restored(found))
    line.begin()
    assert line.writer.close()
    (path,) = journal_files(tmp_path)
    assert path.name == f"{DAY}-2.journal"  # who follows by name sees that it is another file
    assert JournalReader(path).header().set_aside == (aside.path.name,)
    assert verify(path, PUBLIC).ok
    assert recover(tmp_path, PUBLIC).set_aside == ()


def test_damage_between_checkpoint_and_snapshot_uses_an_older_state(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    line.run([1, 2])
    line.snapshot()
    snapshot = line.seq
    line.run([3])
    line.heard.durable(line.seq)
    line.writer._held.close()  # as a dead process would
    path = tmp_path / f"{DAY}.journal"
    change(path, f"UPDATE records SET at_ns = 5 WHERE journal_seq = {snapshot - 1}")
    found = recover(tmp_path, PUBLIC)
    assert found.start.head.journal_seq == snapshot - 2
    assert [event for _, event in found.events] == parcel(1) + parcel(2)
    assert len(found.set_aside) == 1
    line.writer.close()


def test_a_checkpoint_that_our_key_did_not_sign_vouches_for_nothing(tmp_path: Path) -> None:
    """Behind a checkpoint of ours only the rest is read at a start; behind any other, everything."""
    line = Line(tmp_path)
    line.begin()
    line.run(range(1, 6))
    line.snapshot()
    line.run([6])
    line.writer.close()
    (path,) = journal_files(tmp_path)
    change(path, "UPDATE records SET body = x'80' WHERE journal_seq = 5")
    assert not recover(tmp_path, PUBLIC).set_aside
    stranger = Ed25519PrivateKey.generate().public_key()
    found = recover(tmp_path, dict.fromkeys(PUBLIC, stranger))
    assert found.start.head.journal_seq == 4
    assert [aside.why for aside in found.set_aside] == [
        f"{path.name}: record 5 does not fit the chain"
    ]


def test_a_file_that_is_no_database_falls_back_to_the_one_before(tmp_path: Path) -> None:
    recorded_day(tmp_path)
    end = list(read_directory(tmp_path))[-1]
    later = tmp_path / "20260302.journal"
    later.write_bytes(b"\0" * 9_000)
    found = recover(tmp_path, PUBLIC)
    assert [aside.path.name for aside in found.set_aside] == ["20260302.journal.corrupt-1"]
    assert found.day == "20260302"
    assert found.start.head == end.head
    assert found.start.next_seq == end.journal_seq + SEQ_STEP_AFTER_LOSS
    assert found.header is not None


@pytest.mark.parametrize("damage", ["at_ns = at_ns + 1", "body = x'00'", "kind = 1"])
def test_numbers_are_given_once_though_the_word_on_a_file_set_aside_is_damaged(
    tmp_path: Path, damage: str
) -> None:
    """Two files in a row with a damaged header: the second one's was the only word on the first."""
    recorded_day(tmp_path)
    started: list[int] = []
    for _ in range(4):
        found = recover(tmp_path, PUBLIC)
        state = restored(found)
        line = Line(tmp_path, found.start, state)
        line.begin()
        assert line.writer.close()
        started.append(found.start.next_seq)
        newest = journal_files(tmp_path)[-1]
        change(newest, f"UPDATE records SET {damage} WHERE journal_seq = {found.start.next_seq}")
    first = started[0]
    assert started[1:] == [first - 1 + SEQ_STEP_AFTER_LOSS * n for n in (1, 2, 3)]


def test_a_damaged_page_costs_only_what_lies_behind_it(tmp_path: Path) -> None:
    path = recorded_day(tmp_path, parcels=300)
    records = list(read_directory(tmp_path))
    data = bytearray(path.read_bytes())
    middle = data.index(records[len(records) // 2].hash) // 4096 * 4096
    data[middle : middle + 4096] = b"\xff" * 4096
    path.write_bytes(data)
    found = recover(tmp_path, PUBLIC)
    assert len(found.set_aside) == 1
    kept = found.start.head.journal_seq
    assert found.start.head == records[kept - 1].head
    assert kept > len(records) // 4


def test_an_unfinished_new_file_is_no_file(tmp_path: Path) -> None:
    recorded_day(tmp_path)
    (tmp_path / "20260302.journal.new").write_bytes(b"half")
    found = recover(tmp_path, PUBLIC)
    assert found.day == DAY
    line = Line(tmp_path, found.start)
    line.begin("20260302")
    assert line.writer.close()
    assert verify(tmp_path, PUBLIC).ok
    assert not list(tmp_path.glob("*.new*"))
