"""The Ed25519 key that signs a journal's checkpoints, and the public keys that check them.

One signing key a machine, `keys/journal-signing.key`, readable by its owner only; beside it one
`journal-<key id>.pub` for each key ever used here, so that old files stay checkable after a change of
key. An auditor brings the public key from elsewhere: who can write here can also replace both.
"""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

SIGNING_KEY_NAME = "journal-signing.key"

PublicKeys = Mapping[str, Ed25519PublicKey]


class KeyRefused(ValueError):
    """A key file is unreadable, of another kind, or open to other users."""


def key_id(key: Ed25519PublicKey) -> str:
    """Name of a public key: the first 16 hex digits of the SHA-256 of its 32 bytes."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()[:16]


def signing_key(keys_directory: Path) -> Ed25519PrivateKey:
    """The machine's signing key, made at the first call together with its public file.

    KeyRefused if the file is no Ed25519 key or other users may read it.
    """
    path = keys_directory / SIGNING_KEY_NAME
    if not path.exists():
        _make_key(path)
    if path.stat().st_mode & 0o077:
        raise KeyRefused(f"{path} is open to other users; set its mode to 0600")
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except ValueError as error:
        raise KeyRefused(f"{path} is no private key: {error}") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused(f"{path} is no Ed25519 key")
    _write_public(keys_directory, key.public_key())
    return key


def read_public_key(path: Path) -> Ed25519PublicKey:
    """The public key in a PEM file. KeyRefused if it holds none."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (ValueError, OSError) as error:
        raise KeyRefused(f"{path} is no public key: {error}") from error
    if not isinstance(key, Ed25519PublicKey):
        raise KeyRefused(f"{path} is no Ed25519 key")
    return key


def public_keys(keys_directory: Path) -> PublicKeys:
    """Every public key of a keys directory by its id; empty where there is no such directory."""
    keys = (read_public_key(path) for path in sorted(keys_directory.glob("journal-*.pub")))
    return {key_id(key): key for key in keys}


def _make_key(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    _write_new(path, pem, 0o600)


def _write_public(keys_directory: Path, key: Ed25519PublicKey) -> None:
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    _write_new(keys_directory / f"journal-{key_id(key)}.pub", pem, 0o644)


def _write_new(path: Path, content: bytes, mode: int) -> None:
    """Write a file whole, unless it is there: two lines may start at once, and the first one wins."""
    if path.exists():
        return
    descriptor, name = tempfile.mkstemp(prefix=".", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, mode)
        with suppress(FileExistsError):
            os.link(name, path)
    finally:
        os.unlink(name)
