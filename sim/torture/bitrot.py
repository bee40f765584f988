"""`torture bitrot`: one bit of a journal flips; who reads it must know, or read what was written.

A flip is *found* if `verify` reports it, *found by the head* if that takes a head kept elsewhere (the
log of a killed writer ends where a frame is damaged, which looks like a shorter history), *harmless* if
every reader still gets every record and every earlier pass as written (free space, unused header
bytes). Anything else is undetected, and a failure. A start on such files either names the file that it
set aside or takes the very state that was written. What remains: a flip in the last two commits of a log
is the same as a power cut in them (*starts that end earlier*), and is a failure anywhere else. A look-up,
which waits for no `verify`, finds each earlier pass as written, or the file refused: of a log that ends at
the flip it knows only after the start.
"""

from collections.abc import Iterable
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from struct import Struct

from controller.core.events import EarlierPass
from controller.journal.chain import Head
from controller.journal.day_file import journal_files
from controller.journal.earlier_passes import EarlierPasses
from controller.journal.reader import JournalReader, NotAJournal
from controller.journal.recovery import Recovered, recover
from controller.journal.verify import verify
from sim.torture.journalled import NEXT_DAY, PUBLIC, Journalled
from sim.torture.report import Report, scratch
from sim.torture.shift import Shift

# Enough passes that their index has more than one page.
PARCELS = 160
RECORDS_BEFORE_MIDNIGHT = 600
START_EVERY = 5

# https://www.sqlite.org/walformat.html: magic, version, page size, checkpoint number, salts, sums;
# page number, pages after a commit, salts, sums.
_LOG_HEADER = Struct(">4IQQ")
_FRAME_HEADER = Struct(">2IQQ")

Files = dict[str, bytes]
Passes = dict[str, tuple[EarlierPass, ...] | None]


@dataclass(frozen=True, slots=True)
class Original:
    """A journal as written: its files, what its readers read, what a start takes from it."""

    files: Files
    read: tuple[object, ...]
    passes: Passes
    head: Head
    start: Recovered


def bitrot(runs: int, seed: int) -> Report:
    """`runs` flipped bits, one at a time: half in closed files, half in those of a killed writer."""
    report = Report("bitrot", seed)
    for name in ("flips", "found", "found_by_head", "harmless", "undetected", "passes_forgotten"):
        report.count(name, 0)
    report.count("starts_that_end_earlier", 0)
    with scratch() as directory:
        for killed in (False, True):
            original = _written(directory / "written", seed, killed)
            report.count("records", original.head.journal_seq)
            chance = Random(f"bit rot {seed} {killed}")
            for run in range(runs // 2):
                _flip(report, original, directory / "rotten", chance, start=run % START_EVERY == 0)
            remove(directory / "written")
    return report


def _written(directory: Path, seed: int, killed: bool) -> Original:
    """A shift over midnight; `killed`: the files as they lie there while the writer runs."""
    line = Journalled(directory)
    line.begin()
    first_day = True
    for turn in Shift(line.core, seed, PARCELS).turns():
        line.keep(turn)
        line.durable()  # a commit each, so that one seed is one file
        if first_day and line.seq > RECORDS_BEFORE_MIDNIGHT:
            first_day = False
            line.begin(NEXT_DAY)
    files = snapshot(directory)
    line.writer.close()
    if not killed:
        files = snapshot(directory)
    remove(directory)
    restore(directory, files)
    head = verify(directory, PUBLIC).head
    read = _as_read(directory)
    passes = _looked_up(directory, _list_keys(directory))
    assert passes
    assert None not in passes.values()
    start = recover(directory, PUBLIC)
    return Original(files, read, passes, head, start)


def _flip(report: Report, original: Original, directory: Path, chance: Random, start: bool) -> None:
    name = _by_size(original.files, chance)
    content = bytearray(original.files[name])
    place = chance.randrange(len(content) * 8)
    content[place // 8] ^= 1 << place % 8
    restore(directory, {**original.files, name: bytes(content)})
    where = f"bit {place % 8} of byte {place // 8} of {name}"
    report.count("flips")
    ended_earlier = False
    if not verify(directory, PUBLIC).ok:
        report.count("found")
    elif not verify(directory, PUBLIC, original.head).ok:
        report.count("found_by_head")
        ended_earlier = True
    elif _as_read(directory) == original.read:
        report.count("harmless")
    else:
        report.count("undetected")
        report.fail(f"{where}: verified, and read differently")
    answers = {} if ended_earlier else _looked_up(directory, original.passes)
    for list_key in _forgotten(answers, original.passes):
        report.count("passes_forgotten")
        report.fail(f"{where}: a look-up was told other passes of {list_key} than those written")
    if start or ended_earlier:
        last = name.endswith("-wal") and place // 8 >= _last_commits_at(original.files[name])
        _start(report, original, directory, where, in_last_commits=last)
    remove(directory)


def _start(
    report: Report, original: Original, directory: Path, where: str, in_last_commits: bool
) -> None:
    found = recover(directory, PUBLIC)
    report.count("starts")
    wanted = original.start
    if found.set_aside:
        report.count("starts_that_set_a_file_aside")
        named = all(aside.why and aside.path.exists() for aside in found.set_aside)
        report.expect(named, f"{where}: set aside without a name")
    elif found.start.head.journal_seq < wanted.start.head.journal_seq:
        # The log of a killed writer ends at the flip, and nothing after it was begun when this was synced.
        # The PLC's own count of acknowledged records shows the gap at the first connection (core:
        # RECORDS_LOST), and so does a head kept elsewhere.
        report.count("starts_that_end_earlier")
        report.expect(
            in_last_commits, f"{where}: the start took a log that breaks off for the whole"
        )
        kept = verify(directory, PUBLIC, original.head)
        report.expect(not kept.ok, f"{where}: the start lost records that no head shows")
    else:
        same = (found.state, found.events, found.start) == (
            wanted.state,
            wanted.events,
            wanted.start,
        )
        report.expect(same, f"{where}: the start took another state and named nothing")


def _last_commits_at(log: bytes) -> int:
    """Where the last two commits of a log begin; the first frame, if it has no more."""
    _, _, page_bytes, _, salts, _ = _LOG_HEADER.unpack_from(log)
    step = _FRAME_HEADER.size + page_bytes
    ends = [
        at + step
        for at in range(_LOG_HEADER.size, len(log) - step + 1, step)
        if (frame := _FRAME_HEADER.unpack_from(log, at))[2] == salts and frame[1]
    ]
    return ends[-3] if len(ends) > 2 else _LOG_HEADER.size


def _as_read(directory: Path) -> tuple[object, ...]:
    """What every reader gets: records in order and one by one, earlier passes by their list."""
    read: list[object] = []
    try:
        for path in journal_files(directory):
            with closing(JournalReader(path)) as reader:
                records = list(reader.each())
                read.append(records)
                singly = [reader.last(upto_seq=record.journal_seq) for record in records]
                read.append(singly == records)
        read.append(_looked_up(directory, _list_keys(directory)))
    except NotAJournal as error:
        read.append(str(error))
    return tuple(read)


def _list_keys(directory: Path) -> set[str]:
    keys: set[str] = set()
    for path in journal_files(directory):
        with closing(JournalReader(path)) as reader:
            keys |= {row[0] for row in reader.select("SELECT list_key FROM passes")}
    return keys


def _looked_up(directory: Path, list_keys: Iterable[str]) -> Passes:
    """What the line's list reader is told of each list; None if a file is refused."""
    answers: Passes = {}
    with closing(EarlierPasses(directory)) as passes:
        for list_key in list_keys:
            answers[list_key] = None
            with suppress(NotAJournal):
                answers[list_key] = passes.of(list_key)
    return answers


def _forgotten(answers: Passes, written: Passes) -> list[str]:
    return [key for key, found in answers.items() if found not in (None, written[key])]


def snapshot(directory: Path) -> Files:
    """The journal's files, without the wal-index, which does not survive the process."""
    return {
        path.name: path.read_bytes()
        for path in directory.iterdir()
        if ".journal" in path.name and not path.name.endswith("-shm")
    }


def restore(directory: Path, files: Files) -> None:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_bytes(content)


def remove(directory: Path) -> None:
    for path in directory.iterdir():
        path.unlink()
    directory.rmdir()


def _by_size(files: Files, chance: Random) -> str:
    names = [name for name in files if files[name]]
    return chance.choices(names, [len(files[name]) for name in names])[0]
