"""The stand-alone verifier's own parts against the real ones: words, msgpack, Ed25519."""

import hashlib
import sys
from pathlib import Path

import msgspec
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from controller import wire
from controller.audit import verify_audit
from controller.audit.verify_audit import Wrong
from controller.core import commands as c
from controller.core import events as e
from controller.core import vocabulary as v

VERIFIER = Path(verify_audit.__file__)
WORD_GROUPS = {
    "destination": v.Destination,
    "reason": v.Reason,
    "check": v.CheckKind,
    "check_result": v.CheckResult,
    "answer": v.DecisionResult,
    "outcome": v.OutcomeKind,
}


def test_the_words_are_those_of_the_vocabulary() -> None:
    table = VERIFIER.with_name("words.tsv").read_bytes()
    assert hashlib.sha256(table).hexdigest() == verify_audit.WORDS_SHA256
    for language in ("en", "zh"):
        words = verify_audit.Words(table, language)
        for group, members in WORD_GROUPS.items():
            for member in members:
                assert not words.of(group, int(member)).startswith(f"{group} ")
    numbers = {cls: number for number, cls in wire.KINDS.items()}
    assert verify_audit.INDUCTED == numbers[e.Inducted]
    assert verify_audit.ECHOED == numbers[e.DecisionEchoed]
    assert verify_audit.PICTURE == numbers[e.PictureFindings]
    assert verify_audit.LIST_CHANGED == numbers[e.ListChanged]
    assert verify_audit.DURABLE == numbers[e.VerdictDurable]
    assert verify_audit.VERDICT == numbers[c.CommitVerdict]
    assert verify_audit.DECISION == numbers[c.SendDecision]
    assert verify_audit.OUTCOME == numbers[c.RecordOutcome]
    assert verify_audit.OPEN_PASS == numbers[c.OpenPass]
    assert verify_audit.RELEASE == v.Destination.RELEASE


def test_it_needs_nothing_but_the_standard_library() -> None:
    source = VERIFIER.read_text()
    names = {
        line.split()[1] for line in source.splitlines() if line.startswith(("import ", "from "))
    }
    assert names - {"__future__"} <= sys.stdlib_module_names


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=20) | st.dictionaries(st.text(), inner, max_size=20),
    max_leaves=30,
)


@settings(deadline=None, max_examples=50)
@given(st.dictionaries(st.text(), VALUES))
def test_its_msgpack_is_msgpack(value: dict[str, object]) -> None:
    assert verify_audit.unpack(msgspec.msgpack.encode(value)) == value


@given(st.binary(max_size=200))
def test_its_msgpack_never_crashes(data: bytes) -> None:
    try:
        verify_audit.unpack(data)
    except Wrong:
        pass


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=300), st.integers(0, 8 * 64 - 1))
def test_its_ed25519_agrees_with_the_library(seed: bytes, text: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    public, signature = private.public_key(), bytearray(private.sign(text))
    raw = public.public_bytes_raw()
    assert verify_audit.signature_holds(raw, bytes(signature), text)
    signature[bit // 8] ^= 1 << bit % 8
    with pytest.raises(InvalidSignature):
        public.verify(bytes(signature), text)
    assert not verify_audit.signature_holds(raw, bytes(signature), text)


def test_rfc_8032_vectors_and_keys_that_are_none() -> None:
    key = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
    signature = bytes.fromhex(
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
        "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
    )
    assert verify_audit.signature_holds(key, signature, b"\x72")
    # the same signature with s + the group's order: malleability is refused
    larger = (
        int.from_bytes(signature[32:], "little") + 2**252 + (27742317777372353535851937790883648493)
    )
    forged = signature[:32] + larger.to_bytes(32, "little")
    assert not verify_audit.signature_holds(key, forged, b"\x72")
    for bad in (b"", b"\xff" * 32, bytes(31), (2**255 - 19).to_bytes(32, "little")):
        assert not verify_audit.signature_holds(bad, signature, b"\x72")
    for pem in (b"", b"x", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"):
        with pytest.raises(Wrong):
            verify_audit.read_key(pem)
