"""What somebody with write access can do to a journal, for `torture tamper`.

Each attack changes the files of one line's directory as well as an attacker could: with care the index
of passes is made to fit, hashes are recomputed, checkpoints signed anew with whatever key there is.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from random import Random

import apsw
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.core.commands import CommitVerdict, RecordOutcome
from controller.core.vocabulary import Destination, PassEnd
from controller.journal import records as journal_records
from controller.journal.chain import GENESIS, Draft, Record, seal
from controller.journal.day_file import journal_files
from controller.journal.keys import key_id
from controller.journal.reader import JournalReader, decode
from controller.wire import encode_body
from sim.torture.journalled import KEY

OTHER_KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
OUR_KEY_ID = key_id(KEY.public_key())
_OWN_KINDS = tuple(journal_records.KINDS)

Records = list[Record]
Change = Callable[[Records, Random], Records]


@dataclass(frozen=True, slots=True)
class Material:
    """The directory to attack, and what the attacker has: an older copy of it, another line's files."""

    directory: Path
    older: dict[str, bytes]
    others: dict[str, bytes]
    chance: Random

    @property
    def files(self) -> list[Path]:
        return journal_files(self.directory)


@dataclass(frozen=True, slots=True)
class Attack:
    """`needs_head`: what it leaves is whole in itself. `head_of_first`: the head kept elsewhere is of
    the first file, not the last."""

    name: str
    change: Callable[[Material], None]
    needs_head: bool = False
    head_of_first: bool = False


# --- tools --------------------------------------------------------------------------------------


def read(path: Path) -> Records:
    """Every record of a file."""
    reader = JournalReader(path)
    try:
        return list(reader.each())
    finally:
        reader.close()


def write(path: Path, content: Records) -> None:
    """Put these records into the file, and an index that fits them."""
    db = apsw.Connection(str(path))
    with db:
        db.execute("DELETE FROM records")
        db.execute("DELETE FROM passes")
        rows = [(r.journal_seq, r.at_ns, r.kind, r.body, r.hash) for r in content]
        db.executemany("INSERT INTO records VALUES (?, ?, ?, ?, ?)", rows)
        db.executemany("INSERT OR REPLACE INTO passes VALUES (?, ?, ?, ?, ?)", _index_of(content))
    db.close()


def _index_of(content: Records) -> list[tuple[str, str, int, int, int]]:
    rows = []
    for record in content:
        try:
            message = decode(record)
        except ValueError:
            continue
        if isinstance(message, CommitVerdict | RecordOutcome) and message.list_key:
            end = message.end if isinstance(message, RecordOutcome) else PassEnd.OPEN
            key = (message.waybill, message.list_key, message.pass_no)
            rows.append((*key, int(end), record.journal_seq))
    return rows


def rewrite_history(
    directory: Path, changed: dict[Path, Records], key: Ed25519PrivateKey, named: str
) -> None:
    """Chain every record of the line anew, numbers included, and sign every checkpoint with `key`, under
    its own name or that of another."""
    head, line, of_file = GENESIS, "", b""
    for path in journal_files(directory):
        written: Records = []
        for record in changed.get(path) or read(path):
            body: bytes = record.body
            message = decode(record)
            if isinstance(message, journal_records.FileHeader):
                line = message.line
                link = {"previous_seq": head.journal_seq, "previous_head": head.hash}
                body = encode_body(replace(message, **link))  # type: ignore[arg-type]
            elif isinstance(message, journal_records.Checkpoint):
                signed = journal_records.sign(key, line, head, message.final, of_file)
                body = encode_body(replace(signed, key_id=named or signed.key_id))
            draft = Draft(head.journal_seq + 1, record.at_ns, record.kind, body)
            written += seal(head, [draft])
            head = written[-1].head
            of_file = written[0].hash
        write(path, written)


def renumbered(content: Records, by: int) -> Records:
    return [replace(record, journal_seq=record.journal_seq + by) for record in content]


def rechained(content: Records, first: int) -> Records:
    """The same from index `first` on, with fitting numbers and hashes; checkpoints stay as they are."""
    head = content[first - 1].head
    drafts = [
        Draft(head.journal_seq + 1 + n, r.at_ns, r.kind, r.body)
        for n, r in enumerate(content[first:])
    ]
    return [*content[:first], *seal(head, drafts)]


def _middle(content: Records, chance: Random) -> int:
    """Index of an event or command with others around it."""
    places = [i for i, r in enumerate(content[:-8]) if i > 2 and r.kind not in _OWN_KINDS]
    return chance.choice(places)


# --- changes of one file's records --------------------------------------------------------------


def edit_body(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    body = bytearray(content[i].body)
    place = chance.randrange(len(body) * 8)
    body[place // 8] ^= 1 << place % 8
    content[i] = replace(content[i], body=bytes(body))
    return content


def edit_field(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    old = content[i]
    content[i] = chance.choice(
        (
            replace(old, at_ns=old.at_ns + 1),
            replace(old, kind=old.kind + 1),
            replace(old, hash=chance.randbytes(32)),
        )
    )
    return content


def _whitewash(content: Records, chance: Random) -> int:
    """Turn a held parcel's verdict into a release; its index."""
    held = [
        i
        for i, record in enumerate(content)
        if isinstance(verdict := decode(record), CommitVerdict)
        and verdict.destination is not Destination.RELEASE
    ]
    i = chance.choice(held)
    verdict = replace(decode(content[i]), destination=Destination.RELEASE, reasons=())
    content[i] = replace(content[i], body=encode_body(verdict))
    return i


def edit_verdict(content: Records, chance: Random) -> Records:
    i = _whitewash(content, chance)
    return [*rechained(content[: i + 1], i), *content[i + 1 :]]


def edit_verdict_and_chain(content: Records, chance: Random) -> Records:
    return rechained(content, _whitewash(content, chance))


def delete(content: Records, chance: Random) -> Records:
    del content[_middle(content, chance)]
    return content


def delete_and_renumber(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    return content[:i] + renumbered(content[i + 1 :], -1)


def delete_and_chain(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    return rechained(content[:i] + content[i + 1 :], i)


def insert_and_renumber(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    return [*content[: i + 1], *renumbered(content[i:], 1)]


def insert_and_chain(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    return rechained([*content[: i + 1], *content[i:]], i + 1)


def swap(content: Records, chance: Random, distance: int) -> Records:
    i = _middle(content, chance)
    one, two = content[i], content[i + distance]
    content[i] = replace(two, journal_seq=one.journal_seq)
    content[i + distance] = replace(one, journal_seq=two.journal_seq)
    return content


def swap_and_chain(content: Records, chance: Random) -> Records:
    i = _middle(content, chance)
    content[i], content[i + 1] = content[i + 1], content[i]
    return rechained(content, i)


def edit_header(content: Records, chance: Random) -> Records:
    header = replace(decode(content[0]), rules_text="weight_tolerance_mg = 9_000_000\n")
    content[0] = replace(content[0], body=encode_body(header))
    return content


def drop_header(content: Records, chance: Random) -> Records:
    return content[1:]


def cut(content: Records, chance: Random) -> Records:
    return content[: chance.randrange(3, len(content) - 1)]


# --- changes of the directory -------------------------------------------------------------------


def in_file(change: Change, *, which: int | None = None) -> Callable[[Material], None]:
    """`change` applied to the records of one file (a drawn one without `which`)."""

    def attack(material: Material) -> None:
        files = material.files
        path = material.chance.choice(files) if which is None else files[which]
        write(path, change(read(path), material.chance))

    return attack


def rewrite(key: Ed25519PrivateKey, material: Material, named: str = "") -> None:
    """A held parcel becomes a released one, and the whole line's history is made to fit."""
    path = material.chance.choice(material.files)
    content = read(path)
    _whitewash(content, material.chance)
    rewrite_history(material.directory, {path: content}, key, named)


def drop_file(which: int, material: Material) -> None:
    material.files[which].unlink()


def set_aside(material: Material) -> None:
    """As if a start had found the file corrupt."""
    path = material.files[1]
    path.rename(path.with_name(path.name + ".corrupt-1"))


def roll_back_all(material: Material) -> None:
    for path in material.files:
        path.unlink()
    for name, content in material.older.items():
        (material.directory / name).write_bytes(content)


def roll_back_first(material: Material) -> None:
    """The first file as it was before it was closed."""
    write(material.files[0], read(material.files[0])[:-1])


def swap_files(material: Material) -> None:
    one, two, _ = material.files
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def copy_as_next(material: Material) -> None:
    last = material.files[-1]
    last.with_name(last.name.replace(".journal", "-2.journal")).write_bytes(last.read_bytes())


def splice_file(material: Material) -> None:
    path = material.chance.choice(material.files)
    path.write_bytes(material.others[path.name])


def splice_all(material: Material) -> None:
    for path in material.files:
        path.write_bytes(material.others[path.name])


def splice_records(material: Material, kinds: tuple[int, ...] = ()) -> None:
    """Records of another line, under our numbers; with `kinds` only those (its checkpoints)."""
    path = material.files[1]
    foreign_path = path.with_name("foreign")
    foreign_path.write_bytes(material.others[path.name])
    ours, theirs = read(path), read(foreign_path)
    foreign_path.unlink()
    places = range(3, min(len(ours), len(theirs)) - 8)
    if kinds:
        at = next(i for i, r in enumerate(ours) if r.kind in kinds)
        taken = next(r for r in theirs if r.kind in kinds)
        ours[at] = replace(taken, journal_seq=ours[at].journal_seq)
    else:
        at = material.chance.choice(places)
        for i in range(at, at + 4):
            ours[i] = replace(theirs[i], journal_seq=ours[i].journal_seq)
    write(path, ours)


def change_index(material: Material, statement: str) -> None:
    db = apsw.Connection(str(material.chance.choice(material.files)))
    db.execute(statement)
    db.close()


_ONE_PASS = "(list_key, pass_no) IN (SELECT list_key, pass_no FROM passes LIMIT 1)"

ATTACKS = (
    Attack("edit a body", in_file(edit_body)),
    Attack("edit time, kind or hash", in_file(edit_field)),
    Attack("turn a hold into a release", in_file(edit_verdict)),
    Attack("turn a hold into a release and chain on", in_file(edit_verdict_and_chain)),
    Attack("delete a record", in_file(delete)),
    Attack("delete a record and renumber", in_file(delete_and_renumber)),
    Attack("delete a record and chain on", in_file(delete_and_chain)),
    Attack("insert a record and renumber", in_file(insert_and_renumber)),
    Attack("insert a record and chain on", in_file(insert_and_chain)),
    Attack("swap neighbours", in_file(partial(swap, distance=1))),
    Attack("swap distant records", in_file(partial(swap, distance=7))),
    Attack("swap neighbours and chain on", in_file(swap_and_chain)),
    Attack("edit the header", in_file(edit_header)),
    Attack("drop the header", in_file(drop_header)),
    Attack("cut an earlier file", in_file(cut, which=0)),
    Attack("cut the last file", in_file(cut, which=-1), needs_head=True),
    Attack("drop the last file", partial(drop_file, -1), needs_head=True),
    Attack("drop a file between", partial(drop_file, 1)),
    Attack("drop the first file", partial(drop_file, 0), needs_head=True, head_of_first=True),
    Attack("set a good file aside", set_aside),
    Attack("roll everything back to an older copy", roll_back_all, needs_head=True),
    Attack("roll the first file back", roll_back_first),
    Attack("swap two files", swap_files),
    Attack("add a copy of the last file", copy_as_next),
    Attack("splice in another line's file", splice_file),
    Attack("splice in all of another line's files", splice_all, needs_head=True),
    Attack("splice in another line's records", splice_records),
    Attack(
        "splice in another line's checkpoint",
        partial(splice_records, kinds=(journal_records.CHECKPOINT,)),
    ),
    Attack("rewrite and sign with another key", partial(rewrite, OTHER_KEY)),
    Attack("rewrite and pose as our key", partial(rewrite, OTHER_KEY, named=OUR_KEY_ID)),
    Attack("rewrite and sign with the stolen key", partial(rewrite, KEY), needs_head=True),
    Attack(
        "change how a pass ended",
        partial(change_index, statement=f"UPDATE passes SET end = end % 5 + 1 WHERE {_ONE_PASS}"),
    ),
    Attack(
        "forget a pass",
        partial(change_index, statement=f"DELETE FROM passes WHERE {_ONE_PASS}"),
    ),
    Attack(
        "invent a pass",
        partial(change_index, statement="INSERT INTO passes VALUES ('X', 'LC/X/C1', 1, 3, 5)"),
    ),
)
