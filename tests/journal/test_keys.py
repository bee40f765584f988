"""The signing key is made once, for its owner only."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from controller.journal.keys import (
    SIGNING_KEY_NAME,
    KeyRefused,
    key_id,
    public_keys,
    read_public_key,
    signing_key,
)


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    first = signing_key(keys)
    assert signing_key(keys).private_bytes_raw() == first.private_bytes_raw()
    assert stat.S_IMODE((keys / SIGNING_KEY_NAME).stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    known = public_keys(keys)
    assert list(known) == [key_id(first.public_key())]
    assert known[key_id(first.public_key())] == first.public_key()
    assert [path.name for path in keys.glob("*.pub")] == [f"journal-{next(iter(known))}.pub"]


def test_lines_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: signing_key(tmp_path / "keys"), range(4)))
    assert len({key.private_bytes_raw() for key in made}) == 1


def test_public_keys_of_earlier_signing_keys_stay(tmp_path: Path) -> None:
    old = signing_key(tmp_path)
    (tmp_path / SIGNING_KEY_NAME).unlink()
    new = signing_key(tmp_path)
    assert set(public_keys(tmp_path)) == {key_id(old.public_key()), key_id(new.public_key())}
    assert public_keys(tmp_path / "nowhere") == {}


def test_a_key_open_to_others_is_refused(tmp_path: Path) -> None:
    signing_key(tmp_path)
    (tmp_path / SIGNING_KEY_NAME).chmod(0o640)
    with pytest.raises(KeyRefused, match="set its mode to 0600"):
        signing_key(tmp_path)


def test_what_is_no_ed25519_key_is_refused(tmp_path: Path) -> None:
    path = tmp_path / SIGNING_KEY_NAME
    path.write_text("nonsense")
    path.chmod(0o600)
    with pytest.raises(KeyRefused, match="no private key"):
        signing_key(tmp_path)
    other = generate_private_key(SECP256R1())
    path.write_bytes(
        other.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(KeyRefused, match="no Ed25519 key"):
        signing_key(tmp_path)
    with pytest.raises(KeyRefused, match="no public key"):
        read_public_key(path)
