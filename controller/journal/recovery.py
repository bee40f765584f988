"""What a starting line process takes from the journals before it: state, events after it, head.

Nothing is used that was not verified: the newest file from its last signed checkpoint or from its last
state, whichever is earlier. A file that does not hold is set aside under another name, never deleted,
and what is good in it is still used. The chain goes on from the last good record. A start may be killed
at any moment of this: a file set aside counts until the header of a later file names it.
"""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Protocol

from controller.core.events import Event
from controller.journal import records
from controller.journal.chain import GENESIS, Head, Record, Start, fits, follows
from controller.journal.day_file import (
    day_of,
    files_set_aside,
    fold,
    journal_files,
    locked,
    name_before,
    order_of,
    pin,
)
from controller.journal.keys import PublicKeys
from controller.journal.reader import (
    READ_RECORDS_MAX,
    SEQ_MAX,
    JournalReader,
    NotAJournal,
    decode,
)
from controller.sqlite_log import log_breaks_off
from controller.wire import WireError, is_event

# Numbers of a corrupt file may be known elsewhere (the centre's key is line and number) and unreadable
# here. A day at full rate has 5 million records.
SEQ_STEP_AFTER_LOSS = 100_000_000
_STATE_KINDS = (records.FILE_HEADER, records.STATE_SNAPSHOT)

_Events = tuple[tuple[int, Event], ...]
UsablePart = tuple[records.FileHeader, Head, bytes, _Events, str]


class RecordSource(Protocol):
    """One file as recovery reads it: a `JournalReader`, or the simulator's disk."""

    @property
    def path(self) -> PurePath: ...

    def header(self) -> records.FileHeader:
        """NotAJournal if the file does not begin with one."""

    def first(self) -> Record | None: ...

    def last(self, *kinds: int, upto_seq: int = SEQ_MAX) -> Record | None:
        """The last record, or the last of these kinds, numbered `upto_seq` or below."""

    def each(
        self, after_seq: int = 0, upto_seq: int = SEQ_MAX, chunk_records: int = READ_RECORDS_MAX
    ) -> Iterator[Record]:
        """Every record numbered above `after_seq` up to `upto_seq`."""


@dataclass(frozen=True, slots=True)
class SetAside:
    """A corrupt file: its new name, and one sentence about what was found."""

    path: Path
    why: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """Everything a start needs.

    `header` is that of the file the state comes from, None if there is no usable journal; `state` the
    core's last recorded state, `events` the (at_ns, event) pairs after it, `start` what JournalWriter
    wants, `day` the day of the newest file ("" without one), `set_aside` to be raised as an alarm.
    """

    header: records.FileHeader | None
    state: bytes
    events: _Events
    start: Start
    day: str
    set_aside: tuple[SetAside, ...]


def recover(directory: Path, public_keys: PublicKeys) -> Recovered:
    """Read the newest journal of a line. JournalBusy if a writer is at work in `directory`, OSError if
    nothing can be written there.

    A checkpoint counts only if one of `public_keys` (keys.public_keys) signed it; else the whole file
    is verified.
    """
    with locked(directory):
        candidates = _candidates(directory)
        day = max((day_of(name_before(path)) for path in candidates), default="")
        set_aside: list[SetAside] = []
        for number, path in enumerate(candidates):
            try:
                lost = _lost_in_log(path)
                if path == name_before(path) and not lost:
                    pin(path)
                usable = _usable_part(path, public_keys)
            except (NotAJournal, WireError) as error:
                set_aside.append(_set_aside(path, str(error)))
                continue
            header, head, state, events, problem = usable
            problem = lost or problem
            if problem or path != name_before(path):
                set_aside.append(_set_aside(path, problem or "set aside before this start"))
            set_aside += _fold_older(candidates[number + 1 :])
            start = start_after(head, set_aside)
            return Recovered(header, state, events, start, day, tuple(set_aside))
        start = start_after(GENESIS, set_aside)
        return Recovered(None, b"", (), start, day, tuple(set_aside))


def _candidates(directory: Path) -> list[Path]:
    """Every journal file, newest first, and those set aside that no header names yet."""
    files = journal_files(directory)
    if aside := files_set_aside(directory):
        named = {name for path in files for name in _names_in_header(path)}
        files += [path for path in aside if path.name not in named]
    return sorted(files, key=lambda path: order_of(name_before(path)), reverse=True)


def _lost_in_log(path: Path) -> str:
    """One sentence if commits that were acknowledged stand in the file's log where SQLite does not look."""
    if not log_breaks_off(path):
        return ""
    return f"{path.name}: its log is damaged, and commits stand behind the damaged place"


def _fold_older(paths: list[Path]) -> list[SetAside]:
    """Let no older file rest on its log: nothing but a look-up reads it, and would take less for all."""
    set_aside: list[SetAside] = []
    for path in paths:
        before = "" if path == name_before(path) else "set aside before this start"
        if why := before or _lost_in_log(path):
            set_aside.append(_set_aside(path, why))
        else:
            fold(path)
    return set_aside


def _names_in_header(path: Path) -> tuple[str, ...]:
    try:
        reader = JournalReader(path)
    except NotAJournal:
        return ()
    try:
        return names_in_header(reader)
    finally:
        reader.close()


def names_in_header(reader: RecordSource) -> tuple[str, ...]:
    """The files set aside that this file speaks of; none if its header is not as it was written."""
    try:
        header, first = reader.header(), reader.first()
    except NotAJournal:
        return ()
    whole = first is not None and fits(header.previous_head, first)
    return header.set_aside if whole else ()


def start_after(head: Head, set_aside: list[SetAside]) -> Start:
    """Where the chain goes on after the last good record and the files that were set aside."""
    # Each of them may have begun a step after the one before it.
    step = SEQ_STEP_AFTER_LOSS * len(set_aside) if set_aside else 1
    names = tuple(aside.path.name for aside in reversed(set_aside))
    return Start(head, head.journal_seq + step, names)


def _usable_part(path: Path, public_keys: PublicKeys) -> UsablePart:
    reader = JournalReader(path)
    try:
        return usable_part(reader, public_keys)
    finally:
        reader.close()


def usable_part(reader: RecordSource, public_keys: PublicKeys) -> UsablePart:
    """Header, last good head, state and events after it; and what ends the good part, if anything."""
    header = reader.header()
    head, problem = _verified_end(reader, header, public_keys), ""
    if head is None:
        head, problem = _good_head(reader, header)
    return header, head, *_state_and_events(reader, head), problem


def _verified_end(
    reader: RecordSource, header: records.FileHeader, public_keys: PublicKeys
) -> Head | None:
    """The file's last record, if all that this start uses is chained to a signed checkpoint."""
    try:
        first, state = reader.first(), reader.last(*_STATE_KINDS)
        anchor = _signed_head(reader, header, public_keys)
        if first is None or state is None or anchor is None:
            return None
        if not fits(header.previous_head, first):
            return None
        at_anchor = reader.last(upto_seq=anchor.journal_seq)
        if at_anchor is None or at_anchor.head != anchor:
            return None
        after_seq = min(state.journal_seq - 1, anchor.journal_seq)
        before = reader.last(upto_seq=after_seq)
        head = before.head if before else Head(after_seq, header.previous_head)
        head, problem = _walk(head, reader.each(after_seq))
    except (NotAJournal, WireError):
        return None
    return None if problem else head


def _signed_head(
    reader: RecordSource, header: records.FileHeader, public_keys: PublicKeys
) -> Head | None:
    """What the last checkpoint signed; None without one, or if none of the keys signed it in this file."""
    first, record = reader.first(), reader.last(records.CHECKPOINT)
    if first is None or record is None:
        return None
    checkpoint = decode(record)
    key = public_keys.get(checkpoint.key_id)
    if key is None or not records.signature_holds(key, header.line, checkpoint):
        return None
    return Head(checkpoint.journal_seq, checkpoint.head) if checkpoint.is_of(first.hash) else None


def _good_head(reader: RecordSource, header: records.FileHeader) -> tuple[Head, str]:
    """The last record that the chain from the header holds, and what is wrong with the next."""
    first = reader.first()
    previous = Head(header.previous_seq, header.previous_head)
    assert first is not None
    if not fits(previous.hash, first):
        raise NotAJournal(f"{reader.path.name}: the file header was changed")
    # One at a time, since a damaged page makes its whole read fail.
    head, problem = _walk(first.head, reader.each(first.journal_seq, chunk_records=1))
    return head, problem and f"{reader.path.name}: {problem}"


def _walk(head: Head, found: Iterator[Record]) -> tuple[Head, str]:
    try:
        for record in found:
            if not follows(head, record):
                return head, f"record {record.journal_seq} does not fit the chain"
            head = record.head
    except NotAJournal as error:
        return head, str(error)
    return head, ""


def _state_and_events(reader: RecordSource, head: Head) -> tuple[bytes, _Events]:
    """The last state up to `head`, and the events after it.

    Looked at once more as they are read: a damaged file may answer two questions in two ways.
    """
    state = reader.last(*_STATE_KINDS, upto_seq=head.journal_seq)
    assert state is not None, "the header holds a state"
    later = list(reader.each(state.journal_seq, head.journal_seq))
    if _walk(state.head, iter(later)) != (head, ""):
        raise NotAJournal(f"{reader.path.name} gives other records when it is read again")
    events = tuple((record.at_ns, decode(record)) for record in later if is_event(record.kind))
    return decode(state).state, events


def _set_aside(path: Path, why: str) -> SetAside:
    """Give the file and its log another name. Killed in between, the next start finds the pair under
    the old name or under the new one, never one without the other."""
    if path != name_before(path):
        return SetAside(path, why)
    number = 1
    while (aside := path.with_name(f"{path.name}.corrupt-{number}")).exists():
        number += 1
    log, log_aside = path.with_name(path.name + "-wal"), aside.with_name(aside.name + "-wal")
    log_aside.unlink(missing_ok=True)
    with suppress(FileNotFoundError):
        os.link(log, log_aside)
    path.rename(aside)
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    return SetAside(aside, why)
