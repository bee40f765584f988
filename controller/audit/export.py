"""Makes an audit export: everything needed to check, months later, why a parcel was let go or held.

It reads the journals, the public keys and the evidence, changes nothing, and hands out only what the
stand-alone verifier (verify_audit.py), which goes into the export, holds for true itself. The records of
the parcels beside it on the belt are in it too: each record's hash needs the whole of every record
before it (docs/decisions/0020).
"""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.audit import verify_audit
from controller.core.commands import CommitVerdict, OpenPass
from controller.core.events import Inducted, RulesActivated
from controller.journal import records
from controller.journal.chain import Record
from controller.journal.day_file import day_of, journal_directory, journal_files
from controller.journal.reader import SEQ_MAX, JournalReader, decode, read_directory
from controller.wire import KINDS

# A pass that has not ended within an hour of records has lost its end.
STRETCH_RECORDS_MAX = 200_000
DAYS_BACK = 7
_NUMBER_OF = {kind: number for number, kind in KINDS.items()}
_VERDICT, _OPEN_PASS = _NUMBER_OF[CommitVerdict], _NUMBER_OF[OpenPass]
_INDUCTED, _ACTIVATED = _NUMBER_OF[Inducted], _NUMBER_OF[RulesActivated]
# The same bytes for the same pass, whenever it is exported.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


class NotExported(Exception):
    """There is no such export; one sentence for the person who asked."""


@dataclass(frozen=True, slots=True)
class Found:
    """A pass by its verdict. `others` are earlier passes of the same waybill."""

    path: Path
    journal_seq: int
    verdict: CommitVerdict
    others: tuple[int, ...]


def find(state_dir: Path, line: str, waybill: str, pass_no: int | None) -> Found:
    """The newest pass of `waybill` (also by another code on the parcel), or pass `pass_no`. Earlier ones
    are looked for within DAYS_BACK days with files before it.

    NotExported if no verdict of the line is about it; NotAJournal if a file cannot be read.
    """
    directory = journal_directory(state_dir, line)
    if not directory.is_dir():
        raise NotExported(f"there is no journal of a line {line} in {state_dir}.")
    found: Found | None = None
    others: set[int] = set()
    days: set[str] = set()
    for path, record in _backwards(directory, _VERDICT):
        if found is not None:
            days.add(day_of(path))
            if len(days) > DAYS_BACK:
                break
        verdict = decode(record)
        assert isinstance(verdict, CommitVerdict)
        if verdict.pass_no == pass_no and verdict.revision == 0:
            return Found(path, record.journal_seq, verdict, ())
        if pass_no is None and waybill in (verdict.waybill, *verdict.codes):
            if verdict.revision == 0 and found is None:
                found = Found(path, record.journal_seq, verdict, ())
            others.add(verdict.pass_no)
    if found is None:
        asked = f"pass {pass_no}" if pass_no is not None else f"waybill {waybill}"
        raise NotExported(f"the journal of line {line} has no verdict about {asked}.")
    earlier = tuple(sorted(others - {found.verdict.pass_no}))
    return Found(found.path, found.journal_seq, found.verdict, earlier)


def export_files(state_dir: Path, line: str, found: Found) -> dict[str, bytes]:
    """Every file of the export by its name. NotExported says what stands against it."""
    directory = journal_directory(state_dir, line)
    opened_path, opened = _opening(directory, found)
    reader = JournalReader(opened_path)
    try:
        begin = reader.last(records.CHECKPOINT, upto_seq=opened.journal_seq)
        head = reader.after(-1, 2)
    finally:
        reader.close()
    if begin is None or len(head) < 2:
        raise NotExported(f"{opened_path.name} has no signed checkpoint before the pass.")
    stretch = _stretch(directory, begin, found.verdict.pass_no)
    files = {
        "header.jsonl": _lines(head),
        "stretch.jsonl": _lines(stretch),
        "rules.toml": _rules_text(directory, stretch, found.verdict.rules_id),
        "words.tsv": Path(verify_audit.__file__).with_name("words.tsv").read_bytes(),
        "verify_audit.py": Path(verify_audit.__file__).read_bytes(),
    }
    key_id = decode(stretch[-1]).key_id
    key_file = state_dir / "keys" / f"journal-{key_id}.pub"
    if not key_file.exists():
        raise NotExported(f"the public key {key_file} that checks the journal is missing.")
    files["journal.pub"] = key_file.read_bytes()
    files |= _evidence(state_dir, found.verdict.picture_sha256)
    return _finished(files, line, found.verdict.pass_no)


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    """The export as one file, whole or not at all. FileExistsError rather than another's export lost."""
    unnamed = path.with_name(f".{path.name}.new")
    with zipfile.ZipFile(unnamed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in sorted(files.items()):
            archive.writestr(zipfile.ZipInfo(name, _ZIP_TIME), data, zipfile.ZIP_DEFLATED)
    try:
        os.link(unnamed, path)
    finally:
        unnamed.unlink()


def _finished(files: dict[str, bytes], line: str, pass_no: int) -> dict[str, bytes]:
    """With what is made from the records; checked as the auditor will."""
    try:
        header = verify_audit.read_records(files["header.jsonl"], "header.jsonl")
        stretch = verify_audit.read_records(files["stretch.jsonl"], "stretch.jsonl")
        one = verify_audit.Pass(pass_no, stretch)
        whole = files | verify_audit.derived(files["words.tsv"], header, stretch, one)
        whole["manifest.json"] = verify_audit.manifest(line, pass_no, whole)
        verify_audit.verify(whole, verify_audit.read_key(files["journal.pub"]))
    except verify_audit.Wrong as error:
        raise NotExported(f"the journal does not prove the pass: {error}.") from error
    return whole


def _backwards(
    directory: Path, *kinds: int, upto_seq: int = SEQ_MAX
) -> Iterator[tuple[Path, Record]]:
    """Records of these kinds, newest first, with their files."""
    for path in reversed(journal_files(directory)):
        reader = JournalReader(path)
        try:
            upto = upto_seq
            while (record := reader.last(*kinds, upto_seq=upto)) is not None:
                yield path, record
                upto = record.journal_seq - 1
        finally:
            reader.close()


def _opening(directory: Path, found: Found) -> tuple[Path, Record]:
    """Where the pass begins: its OpenPass, or the induction in a journal that has none."""
    verdict = found.verdict
    for path, record in _backwards(directory, _OPEN_PASS, _INDUCTED, upto_seq=found.journal_seq):
        message = decode(record)
        if isinstance(message, OpenPass):
            if message.pass_no == verdict.pass_no:
                return path, record
        elif (message.boot_id, message.track_id) == (verdict.boot_id, verdict.track_id):
            return path, record
    raise NotExported(f"the journal does not have the beginning of pass {verdict.pass_no}.")


def _stretch(directory: Path, begin: Record, pass_no: int) -> list[Record]:
    """From `begin` to the first checkpoint after the end of the pass."""
    stretch: list[Record] = []
    ended = False
    for record in read_directory(directory, begin.journal_seq - 1):
        stretch.append(record)
        if record.kind == verify_audit.OUTCOME and decode(record).pass_no == pass_no:
            ended = True
        if ended and record.kind == records.CHECKPOINT:
            return stretch
        if len(stretch) > STRETCH_RECORDS_MAX:
            break
    if not ended:
        raise NotExported(f"pass {pass_no} has not ended: export it when the parcel has left.")
    raise NotExported(
        f"the end of pass {pass_no} is not signed yet. The line signs every 2,000 records and when it "
        "closes its file, which SIGHUP to the line process makes it do."
    )


def _rules_text(directory: Path, stretch: list[Record], rules_id: str) -> bytes:
    """The text whose digest the verdict names, from a rules change or from a file's header."""
    texts: list[str] = [decode(r).text for r in stretch if r.kind == _ACTIVATED]
    for path in reversed(journal_files(directory)):
        reader = JournalReader(path)
        try:
            texts.append(reader.header().rules_text)
        finally:
            reader.close()
        for text in texts:
            if hashlib.sha256(text.encode()).hexdigest() == rules_id:
                return text.encode()
        texts.clear()
    raise NotExported(f"no journal file has the text of the rules {rules_id}.")


def _evidence(state_dir: Path, picture_sha256: str) -> dict[str, bytes]:
    """The raw picture, if it is still kept."""
    if not picture_sha256:
        return {}
    name = f"{picture_sha256}.rows"
    kept = sorted((state_dir / "evidence").glob(f"*/{name}"))
    return {f"evidence/{name}": kept[0].read_bytes()} if kept else {}


def _lines(found: list[Record]) -> bytes:
    return b"".join(
        verify_audit.record_line(r.journal_seq, r.at_ns, r.kind, r.body, r.hash) for r in found
    )
