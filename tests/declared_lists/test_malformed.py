"""Everything that may arrive instead of a message: one clear sentence, never another exception."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.declared_lists.declared import MessageError
from controller.declared_lists.limits import DOCUMENT_BYTES_MAX, ERRORS_PER_DOCUMENT_MAX
from controller.declared_lists.messages import read_document
from tests.declared_lists import ceb

DXP = 'xmlns="http://www.chinaport.gov.cn/dxp"'
BOMB = b"""<?xml version="1.0"?><!DOCTYPE b [<!ENTITY a "aaaaaaaaaa">
<!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]>
<CEB621Message xmlns="http://www.chinaport.gov.cn/ceb">&c;</CEB621Message>"""
OUTSIDE = b"""<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>"""
DEEP = b"<x>" * 200 + b"</x>" * 200
ROOT = b'<CEB621Message xmlns="http://www.chinaport.gov.cn/ceb">'


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is empty"),
        (b"  \n", "is empty"),
        (b"hello", "is not well-formed XML"),
        (ceb.a_list()[:-30], "is not well-formed XML"),
        (b"\x00\x01\x02", "is not well-formed XML"),
        (b"\xff\xfe<\x00a\x00", "is not UTF-8"),
        (BOMB, "carries a DOCTYPE"),
        (OUTSIDE, "carries a DOCTYPE"),
        (DEEP, "nested deeper"),
        (b"<x>" * 5_000, "is not well-formed XML"),
        (b"<x>&e;</x>", "is not well-formed XML"),
        (b"<a/>", "no namespace"),
        (b'<CEB621Message xmlns="urn:foreign"/>', "namespace urn:foreign, the standard's is"),
        (ROOT.replace(b"621", b"999") + b"</CEB999Message>", "is no message of the standard"),
        (ROOT.replace(b"CEB621", b"Your") + b"</YourMessage>", "is no message of the standard"),
        (ROOT + b"</CEB621Message>", "stands 0 times"),
        (ceb.lists(*[ceb.inventory()] * 101), "stands 101 times"),
        (b" " * (DOCUMENT_BYTES_MAX + 1), "the limit is"),
        (f"<DxpMsg {DXP}><Data>%%%</Data></DxpMsg>".encode(), "is not base64"),
        (f"<DxpMsg {DXP}></DxpMsg>".encode(), "Data: is missing"),
        (f"<DxpMsg {DXP}><Data/><Data/></DxpMsg>".encode(), "stands 2 times"),
        (f"<DxpRep {DXP}/>".encode(), "is no envelope"),
    ],
    ids=lambda value: value[:24] if isinstance(value, str) else "",
)
def test_refused_with_one_sentence(data: bytes, sentence: str) -> None:
    with pytest.raises(MessageError) as caught:
        read_document(data)
    assert sentence in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "encoding", ["GBK", "GB18030", "UTF-16", "ISO-8859-1", "UTF-7", "nonsense"]
)
def test_a_declared_encoding_other_than_utf8_is_refused(encoding: str) -> None:
    data = ceb.a_list().replace(b'encoding="UTF-8"', f'encoding="{encoding}"'.encode())
    with pytest.raises(MessageError, match="declares encoding"):
        read_document(data)


def test_bytes_in_another_encoding_than_declared_are_refused() -> None:
    with pytest.raises(MessageError, match="is not UTF-8 at byte"):
        read_document(ceb.a_list().decode().encode("gbk"))


def test_an_envelope_in_an_envelope_is_refused() -> None:
    inner = f"<DxpMsg {DXP}><Data>AAAA</Data></DxpMsg>".encode()
    outer = f"<DxpMsg {DXP}><Data>{base64.b64encode(inner).decode()}</Data></DxpMsg>"
    with pytest.raises(MessageError, match="envelope inside an envelope"):
        read_document(outer.encode())


def test_a_bomb_in_an_envelope_is_refused() -> None:
    outer = f"<DxpMsg {DXP}><Data>{base64.b64encode(BOMB).decode()}</Data></DxpMsg>"
    with pytest.raises(MessageError, match="DOCTYPE"):
        read_document(outer.encode())


def test_too_many_rows_refuse_that_list_alone() -> None:
    crowded = ceb.inventory(rows=[{}] * 100)
    document = read_document(ceb.lists(crowded, ceb.inventory(logisticsNo="W2", rows=[{}] * 99)))
    assert [len(declared.goods) for declared in document.lists] == [99]
    assert document.errors[0].why == "stands 100 times, the standard allows 1 to 99"


def test_a_list_without_head_or_rows_is_refused_alone() -> None:
    empty = "<Inventory></Inventory>"
    document = read_document(ceb.lists(empty, ceb.inventory(rows=[]), ceb.inventory()))
    assert len(document.lists) == 1
    assert "InventoryHead" in [error.field for error in document.errors]


def test_errors_are_bounded() -> None:
    document = read_document(ceb.lists(*["<Inventory></Inventory>"] * 100))
    assert len(document.errors) == ERRORS_PER_DOCUMENT_MAX + 1
    assert "more errors" in document.errors[-1].why


def _lists_sample() -> bytes:
    sample = ceb.SAMPLES / "CEB621Message.xml"
    return sample.read_bytes() if sample.is_file() else ceb.lists(ceb.inventory(), ceb.inventory())


MUTATION = st.tuples(st.floats(0, 1, exclude_max=True), st.binary(max_size=4), st.integers(0, 9))


@settings(max_examples=300, deadline=None)
@given(
    data=st.sampled_from([ceb.lists(ceb.inventory()), ceb.receipts({}), _lists_sample()[:9_000]]),
    mutations=st.lists(MUTATION, min_size=1, max_size=8),
)
def test_mutated_bytes_give_a_document_or_a_message_error(
    data: bytes, mutations: list[tuple[float, bytes, int]]
) -> None:
    for place, put, cut in mutations:
        at = int(place * len(data))
        data = data[:at] + put + data[at + cut :]
    try:
        errors = read_document(data).errors
    except MessageError as refused:
        errors = (refused,)
    assert all(error.why and "\n" not in str(error) for error in errors)


@settings(max_examples=200, deadline=None)
@given(field=st.sampled_from(sorted(ceb.HEAD)), text=st.text(max_size=120))
def test_any_text_in_any_field_is_taken_or_named(field: str, text: str) -> None:
    try:
        document = read_document(ceb.a_list(**{field: text}))
    except (MessageError, UnicodeEncodeError):  # a lone surrogate or a control character
        return
    assert len(document.lists) == 1 or document.errors
