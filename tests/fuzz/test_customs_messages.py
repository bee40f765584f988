"""Customs messages, bare and in envelopes: a document, or one sentence about what is wrong."""

import base64

from hypothesis import given
from hypothesis import strategies as st

from controller.declared_lists.declared import Document, MessageError
from controller.declared_lists.messages import read_document
from controller.declared_lists.receipts import releases
from tests.declared_lists import ceb
from tests.fuzz.looking import anything, looked_at, mutated

PLAIN = [
    ceb.lists(ceb.inventory()),
    ceb.lists(ceb.inventory(), ceb.inventory(({}, {}), logisticsNo="W2", appType="3")),
    ceb.receipts({}),
    ceb.receipts({"returnStatus": "500"}, {"copNo": "COP2", "returnStatus": "-1"}),
]
ENVELOPES = (
    b'<DxpMsg xmlns="http://www.chinaport.gov.cn/dxp" ver="1.0"><TransInfo><MsgType>CEB</MsgType>'
    b"</TransInfo><Data>%s</Data></DxpMsg>",
    b'<DxpMsgSv xmlns="http://www.chinaport.gov.cn/dxp"><DxpMsg><Data>%s</Data></DxpMsg></DxpMsgSv>',
)
# Pieces that a parser trips over if it is let.
ALIEN = [
    b"<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    b"<![CDATA[]]>",
    b"<?xml-stylesheet?>",
    b"&#0;&#xFFFF;&#xD800;",
    b"\xed\xa0\x80",
    b"\xef\xbb\xbf",
    b" xmlns='urn:other'",
    "１２３".encode(),
    b"-0.00000",
    b"1e400",
    b"9" * 400,
    b"<a>" * 300,
]


def read(data: bytes) -> Document | None:
    """The document if it is one; whatever is wrong has one sentence."""
    try:
        document = read_document(data, "20271231000000")
    except MessageError as refused:
        assert refused.why and "\n" not in str(refused)
        return None
    assert all(error.why and "\n" not in str(error) for error in document.errors)
    return document


def told(document: Document | None) -> object:
    """What is understood, with errors as sentences: an exception equals only itself."""
    return document and (document.lists, document.receipts, list(map(str, document.errors)))


@looked_at(300)
@given(anything(PLAIN + ALIEN))
def test_a_changed_message(data: bytes) -> None:
    read(data)


@looked_at(300)
@given(st.sampled_from(PLAIN), st.sampled_from(ALIEN), st.integers(0, 1 << 16))
def test_a_message_with_something_alien_in_it(data: bytes, alien: bytes, place: int) -> None:
    at = place % len(data)
    read(data[:at] + alien + data[at:])


@looked_at(200)
@given(st.sampled_from(ENVELOPES), mutated(PLAIN))
def test_a_changed_message_in_an_envelope_is_the_same_as_without(
    envelope: bytes, inner: bytes
) -> None:
    assert told(read(envelope % base64.b64encode(inner))) == told(read(inner))


@looked_at(200)
@given(mutated([envelope % base64.b64encode(PLAIN[0]) for envelope in ENVELOPES]))
def test_a_changed_envelope(data: bytes) -> None:
    read(data)


@looked_at(300)
@given(mutated([ceb.a_receipt(800)]))
def test_a_changed_receipt_releases_only_if_nothing_is_wrong_with_it(data: bytes) -> None:
    document = read(data)
    if document is not None and document.errors:
        assert not any(releases(receipt.status) for receipt in document.receipts)
