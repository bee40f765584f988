"""The audit export of real passes, and the stand-alone verifier against every way of changing one."""

import hashlib
import json
import subprocess
import sys
import zipfile
from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import wire
from controller.audit import verify_audit
from controller.audit.commands import DONE, NOT_DONE, register
from controller.audit.export import NotExported, export_files, find, write_zip
from controller.audit.verify_audit import Wrong
from controller.core import commands as c
from controller.core import events as e
from controller.core import vocabulary as v
from controller.journal.keys import signing_key
from controller.journal.reader import decode, read_directory
from sim.torture import shift as shift_module
from sim.torture.journalled import NEXT_DAY, Journalled
from sim.torture.shift import Shift

VERIFIER = Path(verify_audit.__file__)
PICTURE = b"parcelgate scan rows 1\n{}\nrows"


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shift over midnight of 30 parcels, and one more that is not signed yet."""
    state = tmp_path_factory.mktemp("state")
    line = Journalled(state / "journal" / "L1", key=signing_key(state / "keys"))
    line.begin()
    for number, turn in enumerate(Shift(line.core, 5, 30).turns()):
        line.keep(turn)
        if number == 300:
            line.begin(NEXT_DAY)
    line.begin(NEXT_DAY)
    for turn in Shift(line.core, 6, 2).turns():
        line.keep(turn)
        ends = [m for m in turn.commands if isinstance(m, c.RecordOutcome)]
        if ends:
            break
    line.durable()
    line.writer._committer._file.close()  # type: ignore[union-attr]
    return state


@pytest.fixture(scope="module")
def verdicts(state_dir: Path) -> list[c.CommitVerdict]:
    messages = map(decode, read_directory(state_dir / "journal" / "L1"))
    return [m for m in messages if isinstance(m, c.CommitVerdict)]


@pytest.fixture(scope="module")
def released(verdicts: list[c.CommitVerdict]) -> c.CommitVerdict:
    revoked = {verdict.pass_no for verdict in verdicts if verdict.revision}
    return next(
        verdict
        for verdict in verdicts[4:]
        if verdict.destination is v.Destination.RELEASE and verdict.pass_no not in revoked
    )


@pytest.fixture(scope="module")
def exported(state_dir: Path, released: c.CommitVerdict) -> dict[str, bytes]:
    return export_files(state_dir, "L1", find(state_dir, "L1", released.waybill, None))


def key_of(state_dir: Path) -> bytes:
    (path,) = (state_dir / "keys").glob("*.pub")
    return verify_audit.read_key(path.read_bytes())


def other_key() -> bytes:
    return Ed25519PrivateKey.from_private_bytes(bytes(32)).public_key().public_bytes_raw()


def remanifested(files: dict[str, bytes]) -> dict[str, bytes]:
    """As somebody hands it on who knows how manifest.json is made."""
    stated = json.loads(files["manifest.json"])
    given = {name: data for name, data in files.items() if name != "manifest.json"}
    made = verify_audit.manifest(stated["line"], stated["pass_no"], given)
    return {**given, "manifest.json": made}


# --- good exports -------------------------------------------------------------------------------


def test_a_release_is_accounted_for_in_both_languages(
    state_dir: Path, exported: dict[str, bytes], released: c.CommitVerdict
) -> None:
    told = verify_audit.verify(exported, key_of(state_dir))
    text = "\n".join(told)
    for words in (
        "Verdict: Release",
        "No reason against release",
        "判定：放行",
        "没有不予放行的理由",
    ):
        assert words in text
    assert released.waybill in text
    assert "Weight: measured" in text and " kg, tolerance 0.060 kg: agrees" in text
    assert "Sent to the PLC: Release" in text and "the PLC: accepted" in text
    assert "Ended: in the planned lane, lane 1" in text
    assert f"the raw picture {released.picture_sha256} is not in the export" in text
    rows = json.loads(exported["pass.json"])
    kinds = [wire.KINDS[row["kind"]] for row in rows]
    assert kinds[0] in (e.Inducted, c.OpenPass)
    assert {c.CommitVerdict, e.VerdictDurable, c.SendDecision, e.PictureFindings} <= set(kinds)


def test_every_pass_of_the_shift_can_be_exported_and_holds(
    state_dir: Path, verdicts: list[c.CommitVerdict]
) -> None:
    key = key_of(state_dir)
    seen = set()
    for pass_no in sorted({verdict.pass_no for verdict in verdicts})[:30]:
        files = export_files(state_dir, "L1", find(state_dir, "L1", "", pass_no))
        (text,) = verify_audit.verify(files, key)[-1:]
        seen |= {word for word in ("Revoked", "Reason: No code was read", "Hold") if word in text}
    assert seen == {"Revoked", "Reason: No code was read", "Hold"}


def test_the_raw_picture_goes_with_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = hashlib.sha256(PICTURE).hexdigest()
    real = shift_module._findings
    monkeypatch.setattr(
        shift_module, "_findings", lambda *about: replace(real(*about), picture_sha256=digest)
    )
    line = Journalled(tmp_path / "journal" / "L1", key=signing_key(tmp_path / "keys"))
    line.begin()
    line.keep_all(Shift(line.core, 9, 1).turns())
    assert line.writer.close()
    kept = tmp_path / "evidence" / "20260301" / f"{digest}.rows"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(PICTURE)
    files = export_files(tmp_path, "L1", find(tmp_path, "L1", "", 1))
    name = f"evidence/{digest}.rows"
    assert files[name] == PICTURE
    assert not any(told.startswith("Note") for told in verify_audit.verify(files, key_of(tmp_path)))
    swapped = remanifested({**files, name: PICTURE + b"."})
    with pytest.raises(Wrong, match="the picture is not the one that the verdict names"):
        verify_audit.verify(swapped, key_of(tmp_path))
    kept.write_bytes(PICTURE + b".")
    with pytest.raises(NotExported, match="the picture is not the one that the verdict names"):
        export_files(tmp_path, "L1", find(tmp_path, "L1", "", 1))


# --- changed exports ----------------------------------------------------------------------------


def test_any_changed_byte_of_any_file_is_found(state_dir: Path, exported: dict[str, bytes]) -> None:
    key = key_of(state_dir)
    for name, data in exported.items():
        step = max(1, len(data) // 40)
        for place in [*range(0, len(data), step), len(data) - 1]:
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(Wrong):
                verify_audit.verify({**exported, name: bytes(changed)}, key)


def test_a_change_with_a_fitting_manifest_is_found_too(
    state_dir: Path, exported: dict[str, bytes]
) -> None:
    key = key_of(state_dir)
    proven = exported.keys() - {"manifest.json", "verify_audit.py", "journal.pub"}
    for name in proven:
        data = exported[name]
        step = max(1, len(data) // 15)
        for place in [*range(0, len(data), step), len(data) - 2]:
            changed = bytearray(data)
            changed[place] ^= 1
            with pytest.raises(Wrong):
                verify_audit.verify(remanifested({**exported, name: bytes(changed)}), key)


def test_missing_strange_and_exchanged_files_are_found(
    state_dir: Path, exported: dict[str, bytes], verdicts: list[c.CommitVerdict]
) -> None:
    key = key_of(state_dir)
    for name in exported.keys() - {"verify_audit.py", "journal.pub"}:
        less = {n: data for n, data in exported.items() if n != name}
        with pytest.raises(Wrong):
            verify_audit.verify(less, key)
        with pytest.raises(Wrong):
            verify_audit.verify(remanifested(less) if name != "manifest.json" else less, key)
    more = {**exported, "evidence/letter.txt": b"Dear auditor"}
    for files in (more, remanifested(more)):
        with pytest.raises(Wrong, match=r"letter\.txt does not belong"):
            verify_audit.verify(files, key)
    other = export_files(state_dir, "L1", find(state_dir, "L1", "", verdicts[0].pass_no))
    for name in ("stretch.jsonl", "pass.json", "account.en.txt", "rules.toml"):
        if other[name] != exported[name]:
            with pytest.raises(Wrong):
                verify_audit.verify(remanifested({**exported, name: other[name]}), key)


def test_a_foreign_key_is_found(exported: dict[str, bytes]) -> None:
    with pytest.raises(Wrong, match="not signed with this public key"):
        verify_audit.verify(exported, other_key())


def test_a_record_left_out_or_made_up_is_found(
    state_dir: Path, exported: dict[str, bytes], released: c.CommitVerdict
) -> None:
    key = key_of(state_dir)
    lines = exported["stretch.jsonl"].splitlines(keepends=True)
    kinds = [json.loads(line)["kind"] for line in lines]
    at = kinds.index(verify_audit.VERDICT)
    forged = json.loads(lines[at])
    for change in (
        lines[:at] + lines[at + 1 :],
        [*lines[: at + 1], lines[at], *lines[at + 1 :]],
        [*lines[:at], lines[at + 1], lines[at], *lines[at + 2 :]],
        [*lines[:at], json.dumps({**forged, "body": "gA=="}).encode() + b"\n", *lines[at + 1 :]],
        lines[:-1],
        lines[1:],
        [],
    ):
        files = {**exported, "stretch.jsonl": b"".join(change)}
        with pytest.raises(Wrong):
            verify_audit.verify(remanifested(files), key)


def test_noise_is_wrong_and_never_a_crash(state_dir: Path, exported: dict[str, bytes]) -> None:
    key = key_of(state_dir)
    for noise in (b"", b"{}", b"[]", b"null\n", b"\xff\xfe", b'{"seq": 1}\n', b"9" * 5_000):
        for name in exported.keys() - {"verify_audit.py", "journal.pub"}:
            files = {**exported, name: noise}
            for each in (files, remanifested(files) if name != "manifest.json" else files):
                with pytest.raises(Wrong):
                    verify_audit.verify(each, key)


# --- the command line ---------------------------------------------------------------------------


def run(*words: object) -> int:
    parser = ArgumentParser()
    register(parser.add_subparsers(required=True))
    options = parser.parse_args(["export", "--audit", *(str(word) for word in words)])
    return int(options.run(options))


def check(*words: object) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-I", "-S", str(VERIFIER), *(str(word) for word in words)]
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_from_export_to_an_auditors_ok(
    state_dir: Path,
    released: c.CommitVerdict,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "export.zip"
    where = ("--state-dir", state_dir, "--line", "L1", "--out", out)
    assert run(*where, "--waybill", released.waybill, "--json") == DONE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["pass_no"], answer["destination"]) == (released.pass_no, "RELEASE")
    (key,) = (state_dir / "keys").glob("*.pub")
    good = check(out, key)
    assert good.returncode == 0, good.stdout + good.stderr
    assert good.stdout.startswith("OK: the export is whole")
    unpacked = tmp_path / "unpacked"
    with zipfile.ZipFile(out) as archive:
        archive.extractall(unpacked)
    assert (unpacked / "verify_audit.py").read_bytes() == VERIFIER.read_bytes()
    foreign = tmp_path / "foreign.pub"
    signing_key(tmp_path / "keys")
    (foreign,) = (tmp_path / "keys").glob("*.pub")
    bad = check(out, foreign)
    assert (bad.returncode, "not signed with this public key" in bad.stdout) == (1, True)
    assert check(out, tmp_path / "nothing").returncode == 2
    assert check(key, key).returncode == 1
    assert check(out, out).returncode == 1
    with pytest.raises(FileExistsError):
        run(*where, "--pass", released.pass_no)


def test_flips_in_the_zip_itself_are_found_or_change_nothing(
    state_dir: Path, exported: dict[str, bytes], tmp_path: Path
) -> None:
    whole, rotten = tmp_path / "whole.zip", tmp_path / "rotten.zip"
    write_zip(whole, exported)
    data, key = whole.read_bytes(), key_of(state_dir)
    for place in range(0, len(data), len(data) // 150):
        changed = bytearray(data)
        changed[place] ^= 4
        rotten.write_bytes(changed)
        try:
            files = verify_audit.read_export(str(rotten))
            verify_audit.verify(files, key)
        except Wrong:
            continue
        assert files == exported


def test_what_cannot_be_exported_is_said(
    state_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], verdicts: list[object]
) -> None:
    out = ("--out", tmp_path / "x.zip", "--state-dir", state_dir)
    unsigned = max(verdict.pass_no for verdict in verdicts)  # type: ignore[attr-defined]
    for words, sentence in (
        (("--line", "L1", "--waybill", "NOBODY"), "no verdict about waybill NOBODY"),
        (("--line", "L1", "--pass", 999), "no verdict about pass 999"),
        (("--line", "L9", "--pass", 1), "there is no journal of a line L9"),
        (("--line", "L1", "--pass", unsigned), f"pass {unsigned} "),
    ):
        assert run(*words, *out) == NOT_DONE
        assert sentence in capsys.readouterr().err
    assert not (tmp_path / "x.zip").exists()
