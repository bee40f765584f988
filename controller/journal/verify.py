"""Checks a whole journal: chain, signatures, numbers, header, file borders, index.

What the chain cannot show alone is checked against what stands beside it: a cut tail against the next
file's header or a head kept elsewhere, a complete rewrite against the public key. It reads only, a
short read at a time, and stops at the first bad place of each file.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from controller.core.commands import CommitVerdict, RecordOutcome
from controller.core.vocabulary import PassEnd
from controller.journal import records
from controller.journal.chain import GENESIS, Head, Record, fits, follows
from controller.journal.day_file import HAS_WAYBILLS, PASSES, PASSES_TWIN, journal_files
from controller.journal.diagnosis import Damage, Finding, name_damage
from controller.journal.keys import PublicKeys
from controller.journal.reader import JournalReader, NotAJournal, decode
from controller.wire import WireError

_PASSES_ALONE = f"SELECT waybill, list_key, pass_no, end FROM {PASSES}"
_TWIN_ALONE = f"SELECT waybill, list_key, pass_no, end FROM {PASSES_TWIN}"
# One statement, since the writer may commit between two.
_TWINS_DISAGREE = (
    f"SELECT list_key FROM ({_PASSES_ALONE} EXCEPT {_TWIN_ALONE}) UNION"
    f" SELECT list_key FROM ({_TWIN_ALONE} EXCEPT {_PASSES_ALONE}) LIMIT 1"
)


@dataclass(frozen=True, slots=True)
class VerifyReport:
    """`records` that were checked and hold; `ok` if all do; `first_bad` the first place if not.

    `unsigned_records` is the tail after the last checkpoint, `closed` whether the (last) file ends
    with its closing signature: an open tail is being written, was cut by a crash, or by someone.
    `head` is the last good record, to compare with what the centre holds.
    """

    records: int
    ok: bool
    first_bad: Finding | None
    unsigned_records: int
    closed: bool
    head: Head


class _Bad(Exception):
    """A place that does not hold."""

    def __init__(self, journal_seq: int, damage: Damage, why: str) -> None:
        super().__init__(why)
        self.journal_seq = journal_seq
        self.damage = damage
        self.why = why


def verify(path: Path, public_keys: PublicKeys, kept_head: Head | None = None) -> VerifyReport:
    """Check a file, or a line's directory with the borders between its files.

    `kept_head` is a head that was kept elsewhere: the chain must go through it.
    """
    if not path.is_dir():
        return _verify_files([path], _header_after(path), public_keys, kept_head)
    return _verify_files(journal_files(path), None, public_keys, kept_head)


def _verify_files(
    files: list[Path],
    successor: records.FileHeader | None,
    public_keys: PublicKeys,
    kept_head: Head | None,
) -> VerifyReport:
    walk = _Walk(public_keys, kept_head)
    first_bad: Finding | None = None
    for path in files:
        try:
            walk.file(path)
        except _Bad as bad:
            first_bad = Finding(path.name, bad.journal_seq, bad.damage, bad.why)
            break
        except NotAJournal as error:
            first_bad = Finding(path.name, 0, Damage.UNREADABLE, str(error))
            break
    if first_bad is None and files:
        first_bad = walk.ending(files[-1].name, successor)
    return VerifyReport(
        walk.records,
        first_bad is None,
        first_bad,
        walk.head.journal_seq - walk.signed_seq,
        walk.closed,
        walk.head,
    )


class _Walk:
    """Goes through records in order and remembers what the next one must agree with."""

    def __init__(self, public_keys: PublicKeys, kept_head: Head | None) -> None:
        self._public_keys = public_keys
        self._kept_head = kept_head
        self._line = ""
        self._header_hash = b""
        self._kept_met = False
        self._passes: dict[tuple[str, str, int], tuple[int, int]] = {}
        self.records = 0
        self.head = GENESIS
        self.signed_seq = 0
        self.closed = False

    def file(self, path: Path) -> None:
        """Check one file. _Bad at the first place that does not hold."""
        reader = JournalReader(path)
        try:
            self._passes.clear()
            for record in self._opened(reader):
                if not follows(self.head, record):
                    raise self._named(reader, record)
                self._accept(record)
            self._check_index(reader)
            self._check_tree(reader)
        finally:
            reader.close()

    def ending(self, file: str, successor: records.FileHeader | None) -> Finding | None:
        """What is known of the end: the next file's header, and the head kept elsewhere."""
        cut = self.head.journal_seq + 1
        if successor is not None and not _continues(successor, self.head):
            why = (
                f"the next file follows record {successor.previous_seq}, which is not the last here"
            )
            return Finding(file, cut, Damage.CUT, why)
        kept = self._kept_head
        if kept is None or self._kept_met:
            return None
        why = f"record {kept.journal_seq} was kept elsewhere and is missing here"
        if kept.journal_seq > self.head.journal_seq:
            return Finding(file, cut, Damage.CUT, why)
        return Finding(file, kept.journal_seq, Damage.DELETED, why)

    def _opened(self, reader: JournalReader) -> Iterator[Record]:
        """Check the header against the file before, then give the records after it."""
        first = reader.first()
        try:
            header = reader.header()
        except NotAJournal as error:
            raise _Bad(first.journal_seq if first else 0, Damage.HEADER, str(error)) from error
        assert first is not None
        before = _previous(header)
        in_directory = self.records > 0
        if header.schema != records.SCHEMA:
            raise _Bad(first.journal_seq, Damage.HEADER, f"schema {header.schema} is not known")
        if not fits(before.hash, first):
            raise _Bad(first.journal_seq, Damage.HEADER, "the file header was changed")
        if in_directory and header.set_aside:
            why = f"written after {', '.join(header.set_aside)} was set aside as corrupt"
            raise _Bad(first.journal_seq, Damage.SET_ASIDE, why)
        if in_directory and before != self.head:
            why = f"this file follows record {before.journal_seq}, the file before ends elsewhere"
            raise _Bad(self.head.journal_seq + 1, Damage.CUT, why)
        if first.journal_seq != before.journal_seq + 1 and not header.set_aside:
            raise _Bad(first.journal_seq, Damage.DELETED, "records before the header are missing")
        self._line, self._header_hash = header.line, first.hash
        self._kept_met = self._kept_met or before == self._kept_head
        self.signed_seq = max(self.signed_seq, before.journal_seq)
        self._accept(first)
        return reader.each(first.journal_seq)

    def _accept(self, record: Record) -> None:
        """The record fits the chain; check what it says."""
        previous, self.head = self.head, record.head
        self.records += 1
        self.closed = False
        kept = self._kept_head
        if kept and kept.journal_seq == record.journal_seq:
            self._kept_met = True
            if kept.hash != record.hash:
                why = "differs from the head kept elsewhere"
                raise _Bad(record.journal_seq, Damage.EDITED, why)
        try:
            content = decode(record)
        except WireError as error:
            raise _Bad(record.journal_seq, Damage.UNREADABLE, str(error)) from error
        if isinstance(content, records.Checkpoint):
            self._check_signature(record, content, previous)
        elif isinstance(content, CommitVerdict | RecordOutcome) and content.list_key:
            end = content.end if isinstance(content, RecordOutcome) else PassEnd.OPEN
            key = (content.waybill, content.list_key, content.pass_no)
            self._passes[key] = (int(end), record.journal_seq)

    def _check_signature(
        self, record: Record, checkpoint: records.Checkpoint, previous: Head
    ) -> None:
        key = self._public_keys.get(checkpoint.key_id)
        if key is None:
            why = f"signed with key {checkpoint.key_id}, whose public key is not at hand"
        elif previous != Head(checkpoint.journal_seq, checkpoint.head):
            why = "the checkpoint signs another record than the one before it"
        elif not checkpoint.is_of(self._header_hash):
            why = "the checkpoint was signed in a file with another header"
        elif not records.signature_holds(key, self._line, checkpoint):
            why = f"not signed by key {checkpoint.key_id}"
        else:
            self.signed_seq = record.journal_seq
            self.closed = checkpoint.final
            return
        raise _Bad(record.journal_seq, Damage.SIGNATURE, why)

    def _check_index(self, reader: JournalReader) -> None:
        by_waybill, told, waybill = bool(reader.select(HAS_WAYBILLS)), self._passes, "waybill"
        if not by_waybill:  # a file from before: no waybill in its index, and no twin that is asked
            told, waybill = {("", *key[1:]): stands for key, stands in told.items()}, "''"
        rows = reader.select(f"SELECT {waybill}, list_key, pass_no, end, journal_seq FROM {PASSES}")
        if any(tuple(map(type, row)) != (str, str, int, int, int) for row in rows):
            why = "the index of passes holds something that no writer of ours stores"
            raise _Bad(self.head.journal_seq, Damage.INDEX, why)
        found = {row[:3]: row[3:] for row in rows}
        # A file that is being written may have gained rows since its last record was read.
        known = {key: row for key, row in found.items() if row[1] <= self.head.journal_seq}
        for key in known.keys() | told.keys():
            if known.get(key) != told.get(key) and key not in found.keys() - known.keys():
                why = f"the index of passes disagrees with the records about {key[1]}"
                raise _Bad(self.head.journal_seq, Damage.INDEX, why)

        for (list_key,) in reader.select(_TWINS_DISAGREE) if by_waybill else ():
            why = f"the index of passes disagrees with its twin about {list_key}"
            raise _Bad(self.head.journal_seq, Damage.INDEX, why)

    def _check_tree(self, reader: JournalReader) -> None:
        """What leads to a record is not in the chain: a page above them that was changed hides some
        from who looks them up, though all are there for who reads them in order."""
        ((found,),) = reader.select("PRAGMA quick_check(1)")
        if found != "ok":
            raise _Bad(self.head.journal_seq, Damage.TREE, " ".join(str(found).split()))

    def _named(self, reader: JournalReader, bad: Record) -> _Bad:
        following = reader.after(bad.journal_seq, 2)
        damage, why = name_damage(self.head, bad, following, reader.each())
        return _Bad(bad.journal_seq, damage, why)


def _previous(header: records.FileHeader) -> Head:
    return Head(header.previous_seq, header.previous_head)


def _continues(successor: records.FileHeader, head: Head) -> bool:
    """Whether the next file goes on from `head`, or from a corrupt file after it."""
    corrupt_between = bool(successor.set_aside) and successor.previous_seq > head.journal_seq
    return corrupt_between or _previous(successor) == head


def _header_after(path: Path) -> records.FileHeader | None:
    """Header of the file after `path` in its directory, if there is one that can be read."""
    files = journal_files(path.parent) if path.parent.is_dir() else []
    later = files[files.index(path) + 1 :] if path in files else []
    if not later:
        return None
    try:
        reader = JournalReader(later[0])
    except NotAJournal:
        return None
    try:
        return reader.header()
    except NotAJournal:
        return None
    finally:
        reader.close()
