#!/usr/bin/env python3
"""Checks a parcelgate audit export without parcelgate: python3 verify_audit.py EXPORT.zip KEY.pub

KEY.pub is the line's public key, which you have from elsewhere, not from the export. One file, nothing
but the standard library (Python 3.8 or newer), no network, so that it can be read whole and run on any
machine in ten years. Prints OK and the account of the parcel, or what is wrong. Exit code 0, 1, or 2
where the question cannot be asked.

What is proven. `stretch.jsonl` holds every record of the line's journal between two signed checkpoints,
the parcel's whole pass among them. Each record's hash covers the one before it, and the later checkpoint
signs the last of them: nothing in between was changed, added, left out or moved after it was signed.
`header.jsonl` is the journal file's first record and the checkpoint that signs it; every checkpoint of
the stretch names, under its signature, the header of the file it was written in, and it is this one (or,
after midnight, one in the stretch). The rules are those whose digest the verdict names, the picture (if
it was kept) is the one whose digest it names. Everything else in the export is made again from these
records and compared byte for byte.

What is not: that the key was used by nobody but the line. A head of the journal that was kept elsewhere
at the time tells that; its number and hash can be looked up in `stretch.jsonl`. Nor, in a journal whose
checkpoints name no header (an old one; a note says so), that `header.jsonl` is of this very file: it is
one that the line signed earlier, and times, software and settings in the account are as it says.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import lzma
import struct
import sys
import zipfile
import zlib
from datetime import datetime, timezone
from typing import Any

FORMAT = "parcelgate audit 1"
WORDS_SHA256 = "0384fe0a07465cace52860c1fb6984c4b658e7f87c0d19bdc044d94138664000"
MEMBER_BYTES_MAX = 256 << 20
DEPTH_MAX = 32
HEADER, CHECKPOINT = 150, 151
INDUCTED, LANE_SEEN, ECHOED, PICTURE, LIST_CHANGED, DURABLE, ACTIVATED = 1, 8, 34, 42, 51, 61, 66
VERDICT, DECISION, OUTCOME, OPEN_PASS = 102, 103, 105, 109
RELEASE = 2
_LINK = struct.Struct(">32sQqHI")
_KEY_PREFIX = bytes.fromhex("302a300506032b6570032100")


class Wrong(Exception):
    """What is wrong with the export, in one sentence."""


class Record:
    """One journal record; `message` is its body, a map of field names."""

    def __init__(self, seq: int, at_ns: int, kind: int, body: bytes, digest: bytes) -> None:
        self.seq, self.at_ns, self.kind, self.body, self.hash = seq, at_ns, kind, body, digest
        self.message: dict[str, Any] = unpack(body)


# --- msgpack (the bodies) -----------------------------------------------------------------------


def unpack(data: bytes) -> dict[str, Any]:
    """The map in a record's body. Wrong if it is none, or not whole."""
    try:
        value, end = _value(data, 0, 0)
    except (IndexError, struct.error, UnicodeDecodeError, TypeError) as error:
        raise Wrong(f"a record's body is no msgpack: {error}") from error
    if end != len(data) or not isinstance(value, dict):
        raise Wrong("a record's body is no msgpack map")
    return value


_CONSTANTS = {0xC0: None, 0xC2: False, 0xC3: True}
_NUMBERS = {0xCA + n: f">{letter}" for n, letter in enumerate("fdBHIQbhiq")}
_BYTES, _TEXTS = {0xC4, 0xC5, 0xC6}, {*range(0xA0, 0xC0), 0xD9, 0xDA, 0xDB}
_LISTS, _MAPS = {*range(0x90, 0xA0), 0xDC, 0xDD}, {*range(0x80, 0x90), 0xDE, 0xDF}
_SIZES = dict.fromkeys((0xC4, 0xD9), ">B")
_SIZES.update(dict.fromkeys((0xC5, 0xDA, 0xDC, 0xDE), ">H"))
_SIZES.update(dict.fromkeys((0xC6, 0xDB, 0xDD, 0xDF), ">I"))


def _value(data: bytes, at: int, depth: int) -> tuple[Any, int]:
    """The value at `at`, and where the next one is."""
    tag, at = data[at], at + 1
    if tag < 0x80 or tag >= 0xE0:
        return tag - 256 * (tag >> 7), at
    if tag in _CONSTANTS:
        return _CONSTANTS[tag], at
    if tag in _NUMBERS:
        return struct.unpack_from(_NUMBERS[tag], data, at)[0], at + struct.calcsize(_NUMBERS[tag])
    size = tag & (0x1F if tag in _TEXTS else 0x0F)
    if tag in _SIZES:
        size, at = struct.unpack_from(_SIZES[tag], data, at)[0], at + struct.calcsize(_SIZES[tag])
    if tag in _BYTES | _TEXTS and at + size <= len(data):
        piece = data[at : at + size]
        return piece if tag in _BYTES else piece.decode(), at + size
    if tag not in _LISTS | _MAPS or depth > DEPTH_MAX:
        raise IndexError(f"{tag:#x} at byte {at}")
    items = []
    for _ in range(size * (2 if tag in _MAPS else 1)):
        item, at = _value(data, at, depth + 1)
        items.append(item)
    return dict(zip(items[::2], items[1::2])) if tag in _MAPS else items, at


# --- Ed25519 (RFC 8032; slow and plain, for a handful of signatures) ------------------------------

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)


def _add(p: Any, q: Any) -> Any:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % _P, (p[1] + p[0]) * (q[1] + q[0]) % _P
    c, d = 2 * p[3] * q[3] * _D % _P, 2 * p[2] * q[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return (e * f % _P, g * h % _P, f * g % _P, e * h % _P)


def _times(scalar: int, point: Any) -> Any:
    total = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            total = _add(total, point)
        point, scalar = _add(point, point), scalar >> 1
    return total


def _point(data: bytes) -> Any:
    """The point in 32 bytes; None if there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & ((1 << 255) - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return (x, y, 1, x * y % _P)


_BASE = _point((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, "little"))


def signature_holds(key: bytes, signature: bytes, text: bytes) -> bool:
    """Whether the Ed25519 `signature` (64 bytes) of `text` was made with the private half of `key`."""
    if len(key) != 32 or len(signature) != 64:
        return False
    a, r = _point(key), _point(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:32] + key + text).digest()
    left, right = _times(s, _BASE), _add(r, _times(int.from_bytes(digest, "little") % _ORDER, a))
    same_x = (left[0] * right[2] - right[0] * left[2]) % _P == 0
    same_y = (left[1] * right[2] - right[1] * left[2]) % _P == 0
    return bool(same_x and same_y)


def read_key(pem: bytes) -> bytes:
    """The 32 bytes of a public key file (PEM, as parcelgate writes it). Wrong if it is none."""
    lines = [line.strip() for line in pem.splitlines() if line.strip()]
    try:
        der = base64.b64decode(b"".join(lines[1:-1]), validate=True)
    except ValueError as error:
        raise Wrong(f"the public key file is no PEM: {error}") from error
    if not lines or lines[0] != b"-----BEGIN PUBLIC KEY-----" or der[:12] != _KEY_PREFIX:
        raise Wrong("the public key file holds no Ed25519 public key")
    return der[12:]


# --- the chain ----------------------------------------------------------------------------------


def read_records(text: bytes, name: str) -> list[Record]:
    """The records of a `.jsonl` file. Wrong if a line is none."""
    records = []
    for number, line in enumerate(text.splitlines(), 1):
        try:
            row = json.loads(line)
            body, digest = base64.b64decode(row["body"]), bytes.fromhex(row["hash"])
            records.append(
                Record(int(row["seq"]), int(row["at_ns"]), int(row["kind"]), body, digest)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise Wrong(f"{name}, line {number} is no record: {error!r}") from error
    if b"".join(record_line(r.seq, r.at_ns, r.kind, r.body, r.hash) for r in records) != text:
        raise Wrong(f"{name} is not written as an export is")
    return records


def record_line(seq: int, at_ns: int, kind: int, body: bytes, digest: bytes) -> bytes:
    """One line of a `.jsonl` file, the only way in which it is written."""
    row = {"seq": seq, "at_ns": at_ns, "kind": kind, "hash": digest.hex()}
    return json.dumps({**row, "body": base64.b64encode(body).decode()}).encode() + b"\n"


def check_chain(records: list[Record], key: bytes, line: str, name: str) -> None:
    """Every link and every signature; the last record must be a checkpoint. Wrong at the first fault."""
    if len(records) < 2 or records[-1].kind != CHECKPOINT:
        raise Wrong(f"{name} does not end with a signed checkpoint")
    first = records[0]
    if first.kind not in (CHECKPOINT, HEADER):
        raise Wrong(f"{name} does not begin with a checkpoint or a file header")
    names = (
        ("journal_seq", "head") if first.kind == CHECKPOINT else ("previous_seq", "previous_head")
    )
    seq, digest = (first.message.get(field) for field in names)
    if not isinstance(seq, int) or not isinstance(digest, bytes):
        raise Wrong(f"{name}: record {first.seq} does not say what is before it")
    for record in records:
        gap = record.kind == HEADER and record.message.get("set_aside") and record.seq > seq
        if record.seq != seq + 1 and not gap:
            raise Wrong(f"{name}: record {record.seq} follows {seq}, something is missing or added")
        try:
            fields = _LINK.pack(digest, record.seq, record.at_ns, record.kind, len(record.body))
        except (struct.error, TypeError) as error:
            raise Wrong(f"{name}: record {record.seq} is none: {error}") from error
        if hashlib.sha256(fields + record.body).digest() != record.hash:
            raise Wrong(f"{name}: record {record.seq} or the one before it was changed")
        _check_own(record, seq, digest, key, line, name)
        seq, digest = record.seq, record.hash


def _check_own(record: Record, seq: int, digest: bytes, key: bytes, line: str, name: str) -> None:
    """What headers and checkpoints say of the record before them, and the signature."""
    said = record.message
    if record.kind == HEADER:
        if (said["previous_seq"], said["previous_head"], said["line"]) != (seq, digest, line):
            raise Wrong(f"{name}: the file header {record.seq} follows another record or line")
    if record.kind != CHECKPOINT:
        return
    if (said.get("journal_seq"), said.get("head")) != (seq, digest):
        raise Wrong(f"{name}: the checkpoint {record.seq} signs another record")
    text, header = line.encode(), _header_named(record)
    fields = struct.pack(">I?Q", len(text), said["final"], seq)
    version = b"2" if header else b"1"
    signed = b"parcelgate journal checkpoint %b\n" % version + fields + text + digest + header
    if not signature_holds(key, said["signature"], signed):
        raise Wrong(f"{name}: the checkpoint {record.seq} is not signed with this public key")


def _header_named(checkpoint: Record) -> bytes:
    """The hash of the header of its file, as the checkpoint says; empty in an old journal."""
    named = checkpoint.message.get("file_header", b"")
    return named if isinstance(named, bytes) else b"?"


def check_header(header: Record, stretch: list[Record]) -> list[str]:
    """That each checkpoint was signed in the file of the last header before it. What to note if not."""
    of_file, named = header.hash, True
    for record in stretch:
        if record.kind == HEADER:
            of_file = record.hash
        elif record.kind == CHECKPOINT:
            if _header_named(record) not in (b"", of_file):
                raise Wrong(f"the checkpoint {record.seq} was signed in a file with another header")
            named = named and _header_named(record) != b""
    told = (
        "Note: an old journal: its checkpoints do not name the file header that times are told by."
    )
    return [] if named else [told]


# --- the pass -----------------------------------------------------------------------------------


class Pass:
    """The records of one pass, found among all of the stretch."""

    def __init__(self, pass_no: int, stretch: list[Record]) -> None:
        self.pass_no = pass_no
        named = [r for r in stretch if r.kind in (OPEN_PASS, VERDICT) and self._is_it(r)]
        if not named:
            raise Wrong(f"stretch.jsonl has no pass {pass_no}")
        self.boot_id, self.track_id = named[0].message["boot_id"], named[0].message["track_id"]
        self.verdicts = [r for r in named if r.kind == VERDICT]
        self._lists = {r.message["list_key"] for r in self.verdicts} - {""}
        own = [r for r in stretch if self._about(r)]
        self._triggers = [
            (r.message["source"], r.message["trigger_no"])
            for r in own
            if r.kind < 100 and "trigger_no" in r.message
        ]
        self.records = [r for r in stretch if self._about(r) or self._beside(r)]

    def of_kind(self, kind: int) -> list[Record]:
        return [record for record in self.records if record.kind == kind]

    def _is_it(self, record: Record) -> bool:
        return bool(record.message.get("pass_no") == self.pass_no)

    def _about(self, record: Record) -> bool:
        """By the pass's number, else by the PLC's tracking id in the same boot."""
        said = record.message
        if "pass_no" in said:
            return self._is_it(record)
        same_boot = said.get("boot_id", self.boot_id) == self.boot_id
        return bool(same_boot and said.get("track_id") == self.track_id)

    def _beside(self, record: Record) -> bool:
        """Its picture by the trigger's number; news of its list."""
        said = record.message
        if record.kind == PICTURE:
            return (said["source"], said["trigger_no"]) in self._triggers
        return record.kind == LIST_CHANGED and said["facts"]["list_key"] in self._lists

    def check(self) -> None:
        """That the pass is whole, and that a release went out only after its record was durable."""
        if not (self.of_kind(OPEN_PASS) or self.of_kind(INDUCTED)):
            raise Wrong(f"pass {self.pass_no} does not begin in stretch.jsonl")
        if not self.verdicts or not self.of_kind(OUTCOME):
            raise Wrong(f"pass {self.pass_no} has no verdict or no end in stretch.jsonl")
        durable = [record.seq for record in self.of_kind(DURABLE)]
        for sent in self.of_kind(DECISION):
            if sent.message["destination"] != RELEASE:
                continue
            if not (durable and self.verdicts[0].seq < min(durable) < sent.seq):
                raise Wrong(f"the release {sent.seq} was sent before its verdict was durable")


def pass_file(one: Pass) -> bytes:
    """`pass.json`: the pass's records as anybody can read them."""
    rows = [
        {"seq": r.seq, "at_ns": r.at_ns, "kind": r.kind, "message": _plain(r.message)}
        for r in one.records
    ]
    return json.dumps(rows, ensure_ascii=False, indent=1).encode() + b"\n"


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, dict):
        return {str(name): _plain(item) for name, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


# --- the account --------------------------------------------------------------------------------


class Words:
    """`words.tsv` in one language: group, number or name, English, Chinese."""

    def __init__(self, table: bytes, language: str) -> None:
        column = ("en", "zh").index(language) + 2
        rows = (line.split("\t") for line in table.decode().splitlines())
        self._words = {(row[0], row[1]): row[column] for row in rows}

    def of(self, group: str, name: object) -> str:
        return self._words.get((group, str(name)), f"{group} {name}")

    def say(self, name: str, *values: object) -> str:
        return self.of("text", name).format(*values)


def account(words: Words, header: list[Record], stretch: list[Record], one: Pass) -> bytes:
    """`account.en.txt` and `account.zh.txt`: why this parcel went where it went, record by record."""
    first, starts = header[0].message, [header[0]] + [r for r in stretch if r.kind == HEADER]
    entered = one.records[0]
    lines = [words.say("title", first["line"], one.pass_no)]
    lines.append(words.say("entered", _utc(starts, entered), entered.seq))
    for record in one.verdicts:
        said = record.message
        name, where = "revoked" if said["revision"] else "verdict", said["destination"]
        when = _utc(starts, record)
        lines.append(words.say(name, words.of("destination", where), when, record.seq))
        lines += _why(words, said)
    for sent in one.of_kind(DECISION):
        echoes = [r.message for r in one.of_kind(ECHOED)]
        number, where = sent.message["decision_seq"], sent.message["destination"]
        answers = [words.of("answer", m["result"]) for m in echoes if m["decision_seq"] == number]
        answer = answers[-1] if answers else words.say("no_answer")
        lines.append(words.say("sent", words.of("destination", where), sent.seq, answer))
    lines += [words.say("durable", durable.seq) for durable in one.of_kind(DURABLE)]
    for record in one.of_kind(OUTCOME):
        kind, lane = words.of("outcome", record.message["kind"]), record.message["lane"]
        lines.append(words.say("outcome", kind, lane, _utc(starts, record), record.seq))
    lines.append(words.say("software", first["software_version"]))
    counts = (len(stretch), len(one.records))
    lines.append(words.say("proof", stretch[0].seq, stretch[-1].seq, *counts))
    return ("\n".join(lines) + "\n").encode()


def _why(words: Words, said: dict[str, Any]) -> list[str]:
    """A verdict's reasons, list, checks, rules and picture."""
    lines = [words.say("reason", words.of("reason", reason)) for reason in said["reasons"]]
    if not lines:
        lines.append(words.say("no_reason"))
    if said["list_key"]:
        fields = ("waybill", "list_key", "list_revision", "list_status")
        lines.append(words.say("list", *(said[field] for field in fields)))
    for each in said["checks"]:
        values = (_measure(each, field) for field in ("measured", "expected", "tolerance"))
        result = words.of("check_result", each["result"])
        lines.append(words.say("check", words.of("check", each["kind"]), *values, result))
    lines.append(words.say("rules", said["rules_id"]))
    picture = said["picture_sha256"]
    lines.append(words.say("picture" if picture else "no_picture", picture))
    return lines


def _utc(starts: list[Record], record: Record) -> str:
    """By the label of the file header before it, in the same clock. A label, not a proof."""
    start = [each for each in starts if each.seq <= record.seq][-1]
    seconds = (start.message["utc_ns"] + record.at_ns - start.at_ns) // 10**9
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M:%S UTC")


def _measure(check: dict[str, Any], field: str) -> str:
    """Weights (kind 3) are mg, lengths mm, areas mm2, the rest plain numbers; -1 is none."""
    value = check[field]
    if value < 0:
        return "-"
    if check["kind"] == 3:
        return f"{value // 10**6}.{value // 10**3 % 1000:03} kg"
    unit = {4: " mm", 5: " mm", 6: " mm", 7: " mm2", 10: " mm2"}.get(check["kind"], "")
    return f"{value}{unit}"


# --- the export ---------------------------------------------------------------------------------


def manifest(line: str, pass_no: int, files: dict[str, bytes]) -> bytes:
    """`manifest.json`, made of nothing but the other files."""
    listed = {
        name: {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        for name, data in sorted(files.items())
    }
    content = {"format": FORMAT, "line": line, "pass_no": pass_no, "files": listed}
    return json.dumps(content, ensure_ascii=False, indent=1).encode() + b"\n"


def derived(
    words: bytes, header: list[Record], stretch: list[Record], one: Pass
) -> dict[str, bytes]:
    """Every file that is made from the records."""
    texts = {
        f"account.{language}.txt": account(Words(words, language), header, stretch, one)
        for language in ("en", "zh")
    }
    return {"pass.json": pass_file(one), **texts}


def verify(files: dict[str, bytes], key: bytes) -> list[str]:
    """What to tell about a good export. Wrong if it is none."""
    line, pass_no, given = _listed(files)
    if hashlib.sha256(given["words.tsv"]).hexdigest() != WORDS_SHA256:
        raise Wrong("words.tsv is not this verifier's: is the export of another version?")
    header = read_records(given["header.jsonl"], "header.jsonl")
    stretch = read_records(given["stretch.jsonl"], "stretch.jsonl")
    check_chain(header, key, line, "header.jsonl")
    check_chain(stretch, key, line, "stretch.jsonl")
    if header[0].kind != HEADER or header[0].seq >= stretch[1].seq or stretch[0].kind != CHECKPOINT:
        raise Wrong("header.jsonl is not of the file that stretch.jsonl comes from")
    aged = check_header(header[0], stretch)
    try:
        one = Pass(pass_no, stretch)
        one.check()
        made = derived(given["words.tsv"], header, stretch, one)
        notes = _check_beside(given, one)
    except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
        raise Wrong(
            f"the records are not of a version that this verifier knows: {error!r}"
        ) from error
    for name, data in made.items():
        if given.get(name) != data:
            raise Wrong(f"{name} does not say what the records say")
    return [*aged, *notes, given["account.zh.txt"].decode(), given["account.en.txt"].decode()]


def _listed(files: dict[str, bytes]) -> tuple[str, int, dict[str, bytes]]:
    """Line, pass and the other files, once they are what `manifest.json` lists."""
    stated = _manifest_of(files)
    given = {name: data for name, data in files.items() if name != "manifest.json"}
    for name, entry in stated["files"].items():
        if name not in given:
            raise Wrong(f"{name} is missing")
        if hashlib.sha256(given[name]).hexdigest() != entry["sha256"]:
            raise Wrong(f"{name} was changed: it has not the digest of manifest.json")
    if extra := sorted(given.keys() - stated["files"].keys()):
        raise Wrong(f"{extra[0]} does not belong to the export")
    if manifest(stated["line"], stated["pass_no"], given) != files["manifest.json"]:
        raise Wrong("manifest.json was changed")
    return stated["line"], stated["pass_no"], given


def _manifest_of(files: dict[str, bytes]) -> dict[str, Any]:
    try:
        stated = json.loads(files["manifest.json"])
        fits = stated["format"] == FORMAT and isinstance(stated["line"], str)
        fits = fits and isinstance(stated["pass_no"], int)
        fits = fits and {"header.jsonl", "stretch.jsonl", "words.tsv"} <= stated["files"].keys()
        fits = fits and all(isinstance(e["sha256"], str) for e in stated["files"].values())
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Wrong(
            f"manifest.json is missing, was changed, or is no manifest: {error!r}"
        ) from error
    if not fits:
        raise Wrong("manifest.json was changed, or is of a format that this verifier does not know")
    return dict(stated)


def _check_beside(given: dict[str, bytes], one: Pass) -> list[str]:
    """Rules, picture, and whatever else lies in the export."""
    verdict, notes = one.verdicts[0].message, []
    if hashlib.sha256(given.get("rules.toml", b"")).hexdigest() != verdict["rules_id"]:
        raise Wrong("rules.toml is not the rules that the verdict names")
    picture = f"evidence/{verdict['picture_sha256']}.rows"
    if picture in given:
        if hashlib.sha256(given[picture]).hexdigest() != verdict["picture_sha256"]:
            raise Wrong("the picture is not the one that the verdict names")
    elif verdict["picture_sha256"]:
        notes.append(f"Note: the raw picture {verdict['picture_sha256']} is not in the export.")
    known = {"header.jsonl", "stretch.jsonl", "words.tsv", "pass.json", "rules.toml", picture}
    known |= {"account.en.txt", "account.zh.txt", "verify_audit.py", "journal.pub"}
    if strange := sorted(given.keys() - known):
        raise Wrong(f"{strange[0]} does not belong to an export")
    with open(__file__, "rb") as own:
        if given.get("verify_audit.py") not in (None, own.read()):
            notes.append(
                "Note: the export brings another verify_audit.py than the one that ran here."
            )
    return notes


def read_export(path: str) -> dict[str, bytes]:
    """The files of the zip. Wrong if it cannot be read whole, OSError if it is not there."""
    with open(path, "rb") as file:
        try:
            with zipfile.ZipFile(file) as archive:
                members = archive.infolist()
                if len({m.filename for m in members}) != len(members):
                    raise Wrong("the export has two files of one name")
                if sum(m.file_size for m in members) > MEMBER_BYTES_MAX:
                    raise Wrong("the export is too large to be one")
                return {m.filename: archive.read(m) for m in members}
        except (zipfile.BadZipFile, zlib.error, struct.error, OSError) as error:
            raise Wrong(f"the export was changed: {error}") from error
        except (EOFError, RuntimeError, ValueError, NotImplementedError, lzma.LZMAError) as error:
            raise Wrong(f"the export was changed: {error!r}") from error


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Check a parcelgate audit export.")
    parser.add_argument("export", help="the zip file")
    parser.add_argument("public_key", help="the line's public key (PEM), from elsewhere")
    options = parser.parse_args()
    try:
        with open(options.public_key, "rb") as file:
            key = read_key(file.read())
        told = verify(read_export(options.export), key)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return 2
    except Wrong as error:
        print(f"WRONG: {error}")
        return 1
    print("OK: the export is whole and signed with this key.\n")
    print("\n".join(told))
    return 0


if __name__ == "__main__":
    sys.exit(main())
