"""A file header tells when the parcel came, by which software and settings: it must be of this very file.

Who holds a release of tonight to have been last week's has last week's header, and the line signed it.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from controller.audit import verify_audit
from controller.audit.export import export_files, find
from controller.audit.verify_audit import Wrong
from controller.journal.chain import Head, link
from controller.journal.day_file import journal_files
from controller.journal.diagnosis import Damage
from controller.journal.keys import key_id, read_public_key, signing_key
from controller.journal.reader import JournalReader, decode
from controller.journal.records import sign, signature_holds
from controller.journal.recovery import recover
from controller.journal.verify import verify
from controller.wire import encode_body
from sim.torture import journalled
from sim.torture.journalled import NEXT_DAY, Journalled
from sim.torture.shift import Shift
from tests.audit.test_export import key_of, remanifested
from tests.journal.story import KEY, LINE, PUBLIC, recorded_day

OLD_JOURNAL = Path(__file__).parents[1] / "journal" / "real_core" / "schema-1"
WEEK_NS = 7 * 86_400 * 10**9


def with_header(files: dict[str, bytes], lines: bytes, pass_no: int) -> dict[str, bytes]:
    """The export with another header, and everything that is made from it made to fit."""
    header = verify_audit.read_records(lines, "h")
    stretch = verify_audit.read_records(files["stretch.jsonl"], "s")
    one = verify_audit.Pass(pass_no, stretch)
    made = verify_audit.derived(files["words.tsv"], header, stretch, one)
    return remanifested({**files, "header.jsonl": lines, **made})


@pytest.fixture
def week(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A line that stood for a week between its first file (passes 1 to 6) and its second."""
    line = Journalled(tmp_path / "journal" / "L1", key=signing_key(tmp_path / "keys"))
    line.begin()
    line.keep_all(list(Shift(line.core, 5, 6).turns()))
    monkeypatch.setattr(journalled, "UTC_NS", journalled.UTC_NS + WEEK_NS)
    line.begin(NEXT_DAY)
    line.keep_all(Shift(line.core, 6, 6).turns())
    assert line.writer.close()
    return tmp_path


def test_the_header_of_another_file_does_not_tell_the_time_of_this_pass(week: Path) -> None:
    old = export_files(week, "L1", find(week, "L1", "", 1))
    new = export_files(week, "L1", find(week, "L1", "", 9))
    verify_audit.verify(new, key_of(week))
    forged = with_header(new, old["header.jsonl"], 9)
    assert b"2026-03-08" in new["account.en.txt"]
    assert b"2026-03-08" not in forged["account.en.txt"]
    with pytest.raises(Wrong, match="signed in a file with another header"):
        verify_audit.verify(forged, key_of(week))


def test_the_right_header_behind_the_other_one_does_not_help(week: Path) -> None:
    """All of last week's file, chained and signed, up to tonight's header; the first one tells the time."""
    first, second = journal_files(week / "journal" / "L1")
    whole = [*JournalReader(first).each(), *JournalReader(second).after(-1, 2)]
    lines = b"".join(
        verify_audit.record_line(r.journal_seq, r.at_ns, r.kind, r.body, r.hash) for r in whole
    )
    new = export_files(week, "L1", find(week, "L1", "", 9))
    with pytest.raises(Wrong, match="signed in a file with another header"):
        verify_audit.verify(with_header(new, lines, 9), key_of(week))


def test_a_pass_over_midnight_is_proven_by_both_headers(tmp_path: Path) -> None:
    line = Journalled(tmp_path / "journal" / "L1", key=signing_key(tmp_path / "keys"))
    line.begin()
    turns = list(Shift(line.core, 5, 6).turns())
    for number, turn in enumerate(turns):
        line.keep(turn)
        if number == len(turns) // 2:
            line.begin(NEXT_DAY)
    assert line.writer.close()
    over_midnight = 0
    for pass_no in range(1, 7):
        files = export_files(tmp_path, "L1", find(tmp_path, "L1", "", pass_no))
        assert not any(
            "old journal" in said for said in verify_audit.verify(files, key_of(tmp_path))
        )
        stretch = verify_audit.read_records(files["stretch.jsonl"], "s")
        over_midnight += verify_audit.HEADER in [record.kind for record in stretch]
    assert over_midnight


def test_a_journal_of_before_is_proven_still_and_the_auditor_is_told(tmp_path: Path) -> None:
    shutil.copytree(OLD_JOURNAL, tmp_path / "journal" / "L1")
    key_file = tmp_path / "journal" / "L1" / "key.pub"
    (tmp_path / "keys").mkdir()
    key_file.rename(tmp_path / "keys" / f"journal-{key_id(read_public_key(key_file))}.pub")
    files = export_files(tmp_path, "L1", find(tmp_path, "L1", "", 2))
    note, *_ = verify_audit.verify(files, key_of(tmp_path))
    assert note.startswith("Note: an old journal")


def test_a_header_cannot_be_taken_off_a_signature_nor_put_to_one() -> None:
    """An old checkpoint would serve beside any header."""
    head, of_file = Head(5, bytes(32)), bytes(range(32))
    named, unnamed = (sign(KEY, "L1", head, False, name) for name in (of_file, b""))
    key = KEY.public_key()
    assert signature_holds(key, "L1", named)
    assert signature_holds(key, "L1", unnamed)
    for forged in (
        replace(named, file_header=b""),
        replace(named, file_header=bytes(32)),
        replace(unnamed, file_header=of_file),
    ):
        assert not signature_holds(key, "L1", forged)


def test_a_start_does_not_take_settings_from_an_exchanged_header(tmp_path: Path) -> None:
    """The state comes from a later record, so that nothing else chains this start to the header."""
    path = recorded_day(tmp_path)
    (first,) = JournalReader(path).after(-1, 1)
    header = decode(first)
    other = replace(header.settings, belt_end_mm=header.settings.belt_end_mm + 1)
    body = encode_body(replace(header, settings=other))
    digest = link(header.previous_head, first.journal_seq, first.at_ns, first.kind, body)
    with apsw.Connection(str(path)) as db:
        db.execute("UPDATE records SET body = ?, hash = ? WHERE kind = 150", (body, digest))
    (aside,) = recover(tmp_path, PUBLIC).set_aside
    assert "does not fit the chain" in aside.why


def test_verify_finds_a_checkpoint_that_was_signed_under_another_header(tmp_path: Path) -> None:
    """Chain and signature are good: only the header's name is of another file."""
    path = recorded_day(tmp_path)
    assert verify(path, PUBLIC).ok
    content = JournalReader(path).after(0)
    last, head = content[-1], content[-2].head
    body = encode_body(sign(KEY, LINE, head, True, content[5].hash))
    digest = link(head.hash, last.journal_seq, last.at_ns, last.kind, body)
    with apsw.Connection(str(path)) as db:
        where = (body, digest, last.journal_seq)
        db.execute("UPDATE records SET body = ?, hash = ? WHERE journal_seq = ?", where)
    bad = verify(path, PUBLIC).first_bad
    assert bad is not None
    assert (bad.damage, bad.journal_seq) == (Damage.SIGNATURE, last.journal_seq)
