import base64
import csv

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.declared_lists import facets
from controller.declared_lists.decimals import VALUE_E5_MAX, NumberError, e5_from_text
from controller.declared_lists.declared import AppType, MessageError
from controller.declared_lists.message_types import MESSAGE_TYPES
from controller.declared_lists.messages import read_document
from tests.declared_lists import ceb

needs_samples = pytest.mark.skipif(
    not ceb.SAMPLES.is_dir(), reason="the official samples are not on this machine"
)


@needs_samples
def test_every_official_import_sample_is_understood_or_named() -> None:
    files = sorted(ceb.SAMPLES.glob("*.xml"))
    assert len(files) == 16
    for file in files:
        document = read_document(file.read_bytes())
        number = file.stem[3:6]
        assert document.errors == ()
        if number == "621":
            assert len(document.lists) == 10
        elif number == "622":
            assert len(document.receipts) == 10
        else:
            assert document.other.startswith(f"CEB{number} {MESSAGE_TYPES[number][0]}")


@needs_samples
def test_every_official_export_sample_is_named() -> None:
    for file in sorted((ceb.SAMPLES.parent / "export").glob("*.xml")):
        assert read_document(file.read_bytes()).other.startswith(f"CEB{file.stem[3:6]} ")


@needs_samples
def test_an_official_list_in_integers() -> None:
    document = read_document((ceb.SAMPLES / "CEB621Message.xml").read_bytes())
    first = document.lists[0]
    assert (first.logistics_no, first.cop_no) == ("L201603081138007", "NBBH20160308005")
    assert (first.gross_weight_mg, first.net_weight_mg) == (4_000_000_000, 3_500_000_000)
    assert first.pack_no == 6000
    assert [(line.gcode, line.qty_e5, line.price_e5) for line in first.goods] == [
        ("8541401000", 10_000_000, 2_000_000),
        ("8541401000", 20_000_000, 6_000_000),
    ]
    assert "130681136250023332" not in repr(first)


@pytest.mark.skipif(not ceb.SHARED.is_dir(), reason="the field tables are not on this machine")
@pytest.mark.parametrize(
    ("element", "table"),
    [
        ("InventoryHead", facets.INVENTORY_HEAD),
        ("InventoryList", facets.INVENTORY_ROW),
        ("InventoryReturn", facets.INVENTORY_RETURN),
    ],
)
def test_the_field_tables_are_those_of_the_standard(
    element: str, table: tuple[facets.Facet, ...]
) -> None:
    path = ceb.SHARED / "customs" / "fields.csv"
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = [r for r in csv.DictReader(file) if (r["dir"], r["element"]) == ("进口", element)]
    ours = [(f.name, f.mandatory, f.kind, f.shortest, f.longest) for f in table]
    assert ours == [_facet_of(row) for row in rows]


def _facet_of(row: dict[str, str]) -> tuple[str, bool, facets.Kind, int, int]:
    kind = {"xs:decimal": facets.Kind.DECIMAL, "xs:int": facets.Kind.INTEGER}.get(
        row["base"], facets.Kind.TEXT
    )
    limits = dict(part.split("=") for part in row["facets"].split(";") if part)
    exact = int(limits.get("length", 0))
    longest = exact or int(limits.get("maxLength", 0))
    return row["field"], row["min"] == "1", kind, exact or 1, longest


def test_prefix_default_namespace_and_unknown_elements_are_all_the_same() -> None:
    plain = ceb.a_list()
    prefixed = (
        plain.replace(b"</", b"</ceb:")
        .replace(b"<", b"<ceb:")
        .replace(b"<ceb:/ceb:", b"</ceb:")
        .replace(b"<ceb:?", b"<?")
        .replace(b"xmlns=", b"xmlns:ceb=")
    )
    extra = plain.replace(
        b"<appType>", b"<sortlineId>SORTLINE01</sortlineId><x:y xmlns:x='urn:z'/><appType>"
    )
    assert read_document(plain) == read_document(prefixed) == read_document(extra)
    assert b"ceb:Inventory" in prefixed


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_envelope_is_opened(wrapped: bool) -> None:
    data = base64.encodebytes(ceb.a_list()).decode()
    dxp = 'xmlns="http://www.chinaport.gov.cn/dxp"'
    message = f'<DxpMsg {dxp} ver="1.0"><TransInfo/><Data>{data}</Data></DxpMsg>'
    if wrapped:
        message = f"<DxpMsgSv {dxp}><SvNo/>{message}</DxpMsgSv>"
    assert read_document(message.encode()) == read_document(ceb.a_list())


def test_a_bad_list_is_refused_alone_with_every_field_named() -> None:
    bad = ceb.inventory(
        rows=[{"qty": "1.000001"}, {"gcode": "33"}], ebpName=None, grossWeight="abc", copNo="x" * 21
    )
    document = read_document(ceb.lists(ceb.inventory(), bad, ceb.inventory(logisticsNo="W3")))
    assert [declared.logistics_no for declared in document.lists] == ["W1", "W3"]
    assert {error.message for error in document.errors} == {"CEB621 list 2 (W1)"}
    assert [(error.field, error.why) for error in document.errors] == [
        ("ebpName", "is missing"),
        ("copNo", "has 21 characters, the standard allows 1 to 20"),
        ("grossWeight", "'abc' is not a decimal number"),
        ("row 1 qty", "has 6 decimals, the standard allows 5"),
        ("row 2 gcode", "has 2 characters, the standard allows 10"),
    ]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"appType": "9"}, "appType"),
        ({"appTime": "20261315120000"}, "appTime"),
        ({"appTime": "tomorrow------"}, "appTime"),
        ({"grossWeight": "-1"}, "grossWeight"),
        ({"packNo": "1.5"}, "packNo"),
        ({"grossWeight": "9" * 19}, "grossWeight"),
    ],
)
def test_a_field_that_cannot_be_is_refused(fields: dict[str, str], field: str) -> None:
    document = read_document(ceb.a_list(**fields))
    assert document.lists == ()
    assert [error.field for error in document.errors] == [field]


def test_a_time_of_tomorrow_is_refused_because_it_would_shut_out_later_news() -> None:
    document = read_document(ceb.a_receipt(800), latest_time="20260115125959")
    assert document.receipts == ()
    assert document.errors[0].field == "returnTime"
    assert "ahead of this machine's clock" in document.errors[0].why


def test_a_field_that_stands_twice_is_refused() -> None:
    twice = b"<grossWeight>9</grossWeight><grossWeight>"
    document = read_document(ceb.a_list().replace(b"<grossWeight>", twice))
    assert document.lists == ()
    assert ("grossWeight", "stands twice") in [(e.field, e.why) for e in document.errors]


def test_a_deletion_needs_only_the_name_of_the_list() -> None:
    document = read_document(ceb.a_list(appType="3", buyerName=None, grossWeight="?"))
    assert document.lists[0].app_type is AppType.DELETE
    assert document.lists[0].goods == ()
    assert len(document.errors) == 2
    assert read_document(ceb.a_list(appType="3", logisticsNo=None)).lists == ()


@pytest.mark.parametrize(
    ("entry", "taken"),
    [
        ({"returnStatus": "500", "returnInfo": None}, 500),
        ({"returnStatus": "800", "returnInfo": None}, None),
        ({"returnStatus": "500", "returnTime": "20260115130000"}, 500),
        ({"returnStatus": "800", "returnTime": "20260115130000"}, None),
        ({"returnStatus": "查验"}, -1),
        ({"returnStatus": "500", "returnTime": "soon"}, None),
        ({"returnStatus": "-621004"}, -621004),
    ],
)
def test_a_receipt_that_breaks_the_standard_may_hold_and_never_releases(
    entry: dict[str, str | None], taken: int | None
) -> None:
    document = read_document(ceb.receipts(entry))
    assert [receipt.status for receipt in document.receipts] == ([] if taken is None else [taken])


@given(st.integers(0, VALUE_E5_MAX), st.integers(0, 3), st.integers(0, 4))
def test_decimals_are_exact_however_they_are_padded(
    value_e5: int, zeros_before: int, zeros_after: int
) -> None:
    whole, fraction = divmod(value_e5, 100_000)
    text = f"{'0' * zeros_before}{whole}.{fraction:05d}{'0' * zeros_after}"
    assert e5_from_text(text) == value_e5
    assert e5_from_text(f"+{text}") == value_e5


@given(st.text(max_size=30))
def test_any_text_is_a_decimal_or_a_number_error(text: str) -> None:
    try:
        value_e5 = e5_from_text(text)
    except NumberError:
        return
    assert 0 <= value_e5 <= VALUE_E5_MAX


@pytest.mark.parametrize("text", ["", ".", "1e3", "1,5", "٣", "0x10", "1 2", "--1", "1.2.3", "NaN"])
def test_no_decimal(text: str) -> None:
    with pytest.raises(NumberError):
        e5_from_text(text)


def test_a_message_error_says_where_and_why() -> None:
    assert str(MessageError("CEB621 list 2 (W1)", "qty", "is missing")) == (
        "CEB621 list 2 (W1): qty: is missing"
    )
