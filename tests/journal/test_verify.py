"""Every way of changing a journal is found, and named as far as a chain can tell."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import apsw
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import wire
from controller.journal import records as journal_records
from controller.journal.chain import Draft, Head, Record, seal
from controller.journal.diagnosis import Damage
from controller.journal.keys import key_id
from controller.journal.reader import JournalReader, NotAJournal, decode, read_directory
from controller.journal.verify import VerifyReport, verify
from tests.journal.story import KEY, LINE, PUBLIC, Line, recorded_day

AT = 40  # a record in the middle


def rewrite(path: Path, records: list[Record]) -> None:
    db = apsw.Connection(str(path))
    with db:
        db.execute("DELETE FROM records")
        db.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?)",
            [(r.journal_seq, r.at_ns, r.kind, r.body, r.hash) for r in records],
        )
    db.close()


def tampered(tmp_path: Path, change: Callable[[list[Record]], list[Record]]) -> VerifyReport:
    path = recorded_day(tmp_path)
    rewrite(path, change(JournalReader(path).after(0)))
    return verify(path, PUBLIC)


def renumbered(records: list[Record], by: int) -> list[Record]:
    return [replace(r, journal_seq=r.journal_seq + by) for r in records]


def at(records: list[Record]) -> int:
    return next(i for i, record in enumerate(records) if record.journal_seq == AT)


def found(report: VerifyReport) -> tuple[Damage, int]:
    assert not report.ok
    assert report.first_bad is not None
    return report.first_bad.damage, report.first_bad.journal_seq


def test_an_untouched_file_holds(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    report = verify(path, PUBLIC)
    assert report.ok
    assert report.first_bad is None
    assert report.closed
    assert report.unsigned_records == 0
    assert report.records == len(list(read_directory(tmp_path))) == report.head.journal_seq


@pytest.mark.parametrize("field", ["body", "at_ns", "kind", "hash"])
def test_an_edit_is_found(tmp_path: Path, field: str) -> None:
    def edit(records: list[Record]) -> list[Record]:
        i = at(records)
        old = records[i]
        new: dict[str, object] = {
            "body": old.body[:-1] + bytes([old.body[-1] ^ 1]),
            "at_ns": old.at_ns + 1,
            "kind": old.kind + 1,
            "hash": bytes(32),
        }
        records[i] = replace(old, **{field: new[field]})  # type: ignore[arg-type]
        return records

    assert found(tampered(tmp_path, edit)) == (Damage.EDITED, AT)


def test_an_edit_with_its_own_hash_made_good_is_found_at_the_next_record(tmp_path: Path) -> None:
    def edit(records: list[Record]) -> list[Record]:
        i = at(records)
        old = records[i]
        records[i] = seal(records[i - 1].head, [Draft(AT, old.at_ns + 1, old.kind, old.body)])[0]
        return records

    assert found(tampered(tmp_path, edit)) == (Damage.EDITED, AT + 1)


def test_a_deleted_record_leaves_a_hole(tmp_path: Path) -> None:
    report = tampered(tmp_path, lambda records: [r for r in records if r.journal_seq != AT])
    assert found(report) == (Damage.DELETED, AT + 1)


def test_a_deletion_hidden_by_renumbering_is_still_a_deletion(tmp_path: Path) -> None:
    def delete(records: list[Record]) -> list[Record]:
        i = at(records)
        return records[:i] + renumbered(records[i + 1 :], -1)

    assert found(tampered(tmp_path, delete)) == (Damage.DELETED, AT)


def test_an_insertion_is_found(tmp_path: Path) -> None:
    def insert(records: list[Record]) -> list[Record]:
        i = at(records)
        forged = replace(records[i], body=b"\x80", hash=bytes(32))
        return [*records[:i], forged, *renumbered(records[i:], 1)]

    assert found(tampered(tmp_path, insert)) == (Damage.INSERTED, AT)


def test_an_insertion_with_a_fitting_hash_is_found_at_the_next_record(tmp_path: Path) -> None:
    def insert(records: list[Record]) -> list[Record]:
        i = at(records)
        forged = seal(records[i - 1].head, [Draft(AT, 5, records[i].kind, records[i].body)])
        return [*records[:i], *forged, *renumbered(records[i:], 1)]

    damage, seq = found(tampered(tmp_path, insert))
    assert (damage, seq) == (Damage.INSERTED, AT + 1)


@pytest.mark.parametrize("distance", [1, 7])
def test_two_records_that_changed_places_are_found(tmp_path: Path, distance: int) -> None:
    def swap(records: list[Record]) -> list[Record]:
        i = at(records)
        one, two = records[i], records[i + distance]
        records[i] = replace(two, journal_seq=one.journal_seq)
        records[i + distance] = replace(one, journal_seq=two.journal_seq)
        return records

    assert found(tampered(tmp_path, swap)) == (Damage.REORDERED, AT)


def test_everything_from_a_record_on_rewritten_breaks_the_signature(tmp_path: Path) -> None:
    def forge(records: list[Record]) -> list[Record]:
        i = at(records)
        drafts = [Draft(r.journal_seq, r.at_ns, r.kind, r.body) for r in records[i:]]
        drafts[0] = drafts[0]._replace(at_ns=7)
        return [*records[:i], *seal(records[i - 1].head, drafts)]

    damage, seq = found(tampered(tmp_path, forge))
    assert damage is Damage.SIGNATURE
    assert seq > AT


def test_a_rewrite_signed_with_another_key_is_found(tmp_path: Path) -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(32))
    line = Line(tmp_path, key=other)
    line.begin()
    line.run([1])
    assert line.writer.close()
    damage, seq = found(verify(tmp_path, PUBLIC))
    assert (damage, seq) == (Damage.SIGNATURE, 2)
    assert verify(tmp_path, {key_id(other.public_key()): other.public_key()}).ok
    # the same under the name of the right key
    posing = {key_id(other.public_key()): KEY.public_key()}
    assert found(verify(tmp_path, posing)) == (Damage.SIGNATURE, 2)


def test_a_checkpoint_of_another_line_is_not_accepted(tmp_path: Path) -> None:
    checkpoint = journal_records.sign(KEY, LINE, Head(5, bytes(32)), False, b"")
    key = KEY.public_key()
    assert journal_records.signature_holds(key, LINE, checkpoint)
    assert not journal_records.signature_holds(key, "south", checkpoint)
    assert not journal_records.signature_holds(key, LINE, replace(checkpoint, final=True))
    assert not journal_records.signature_holds(key, LINE, replace(checkpoint, journal_seq=6))


def test_a_cut_tail_shows_as_an_open_file_and_against_a_kept_head(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    kept = verify(path, PUBLIC).head
    whole_parcels = 2 + 5 * 8
    rewrite(path, JournalReader(path).after(0)[:whole_parcels])
    db = apsw.Connection(str(path))
    db.execute("DELETE FROM passes WHERE journal_seq > ?", (whole_parcels,))
    db.close()
    report = verify(path, PUBLIC)
    assert not report.closed
    assert report.unsigned_records > 0
    assert found(verify(path, PUBLIC, kept)) == (Damage.CUT, report.head.journal_seq + 1)


def test_another_history_is_found_by_a_kept_head(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    assert verify(path, PUBLIC, verify(path, PUBLIC).head).ok
    assert found(verify(path, PUBLIC, Head(AT, bytes(32)))) == (Damage.EDITED, AT)


def two_days(directory: Path) -> list[Path]:
    line = Line(directory)
    for day in ("20260301", "20260302", "20260303"):
        line.begin(day)
        line.run([1, 2])
    assert line.writer.close()
    return [directory / f"2026030{n}.journal" for n in (1, 2, 3)]


def test_a_cut_file_is_found_by_its_successor(tmp_path: Path) -> None:
    first, *_ = two_days(tmp_path)
    assert verify(first, PUBLIC).ok
    records = JournalReader(first).after(0)
    rewrite(first, records[:-1])
    assert found(verify(first, PUBLIC)) == (Damage.CUT, records[-1].journal_seq)
    assert found(verify(tmp_path, PUBLIC)) == (Damage.CUT, records[-1].journal_seq)


def test_a_missing_file_is_found(tmp_path: Path) -> None:
    _, second, _ = two_days(tmp_path)
    start = JournalReader(second).after(0)[0].journal_seq
    second.unlink()
    assert found(verify(tmp_path, PUBLIC)) == (Damage.CUT, start)


def test_a_file_put_in_place_of_another_is_found(tmp_path: Path) -> None:
    first, second, _ = two_days(tmp_path)
    shutil.copy(first, second)
    assert found(verify(tmp_path, PUBLIC))[0] is Damage.CUT


def test_a_changed_header_is_found(tmp_path: Path) -> None:
    def edit(records: list[Record]) -> list[Record]:
        header = replace(decode(records[0]), software_version="9.9.9")
        return [replace(records[0], body=wire.encode_body(header)), *records[1:]]

    assert found(tampered(tmp_path, edit)) == (Damage.HEADER, 1)


def test_a_file_without_its_header_is_found(tmp_path: Path) -> None:
    assert found(tampered(tmp_path, lambda records: records[1:])) == (Damage.HEADER, 2)
    assert found(tampered(tmp_path / "empty", lambda records: [])) == (Damage.HEADER, 0)


def test_a_changed_index_is_found(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    db = apsw.Connection(str(path))
    db.execute("UPDATE passes SET end = 2 WHERE pass_no = 3")
    db.close()
    damage, _ = found(verify(path, PUBLIC))
    assert damage is Damage.INDEX


def test_a_dropped_index_or_foreign_columns_are_unreadable_not_a_crash(tmp_path: Path) -> None:
    path = recorded_day(tmp_path)
    db = apsw.Connection(str(path))
    db.execute("DROP TABLE passes")
    db.close()
    assert found(verify(path, PUBLIC))[0] is Damage.UNREADABLE
    db = apsw.Connection(str(path))
    db.execute("UPDATE records SET kind = -1 WHERE journal_seq = ?", (AT,))
    db.close()
    assert found(verify(path, PUBLIC)) == (Damage.EDITED, AT)


def test_a_flipped_byte_anywhere_is_found_or_harmless(tmp_path: Path) -> None:
    """SQLite has no checksums; free space and unused header bytes are all that may go unseen."""
    path = recorded_day(tmp_path, parcels=60)
    original = path.read_bytes()
    missed = 0
    flips = range(1_000, len(original), len(original) // 150)
    for place in flips:
        data = bytearray(original)
        data[place] ^= 0x10
        path.write_bytes(data)
        report = verify(path, PUBLIC)
        if report.ok:
            missed += 1
            assert list(read_directory(tmp_path))  # and still readable
    assert missed < len(flips) // 5


def test_a_file_that_is_being_written_holds(tmp_path: Path) -> None:
    line = Line(tmp_path)
    line.begin()
    for number in range(1, 30):
        line.run([number])
        report = verify(tmp_path, PUBLIC)
        assert report.ok, report.first_bad
    line.writer.close()


def test_a_head_kept_from_before_the_first_file_is_missed(tmp_path: Path) -> None:
    first, second, _ = two_days(tmp_path)
    inside = JournalReader(first).after(0)[10].head
    assert verify(tmp_path, PUBLIC, inside).ok
    border = verify(first, PUBLIC).head
    first.unlink()
    assert verify(tmp_path, PUBLIC, border).ok  # the next header names it: an old file was put away
    assert found(verify(tmp_path, PUBLIC, inside)) == (Damage.DELETED, inside.journal_seq)
    assert found(verify(second, PUBLIC, inside)) == (Damage.DELETED, inside.journal_seq)


def test_a_tree_that_hides_a_record_from_who_looks_it_up_is_found(tmp_path: Path) -> None:
    """Every record is there and fits, but a page above them leads past some."""
    path = recorded_day(tmp_path, parcels=60)
    content = bytearray(path.read_bytes())
    root = 4_096  # page 2, the root of the records
    assert content[root] == 5, "an interior page of a table"
    cell = root + int.from_bytes(content[root + 12 : root + 14], "big")
    content[cell + 4] += 5  # the highest number in the first page below
    path.write_bytes(content)
    assert len(list(read_directory(tmp_path))) == 484
    reader = JournalReader(path)
    with pytest.raises(NotAJournal):
        assert all(reader.after(n - 1, 1, n) for n in range(1, 485))
    reader.close()
    assert found(verify(path, PUBLIC))[0] is Damage.TREE
