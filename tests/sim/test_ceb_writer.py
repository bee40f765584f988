"""The messages that the simulated customs side sends are what customs publishes."""

from pathlib import Path

import pytest
from lxml import etree

from sim.ceb_writer import Receipt, batches, cop_no, customs_time, write_lists, write_receipts
from sim.workload import make_workload

XSD = Path(__file__).resolve().parents[2].parent / "shared/customs/xsd-202205/import.xsd"
AT_UTC_NS = 1_767_582_245_123_000_000  # 2026-01-05 11:04:05.123 in China
NAMES = {"c": "http://www.chinaport.gov.cn/ceb"}

RUN = make_workload(300, 7, rate_parcels_per_h=5000, speed_mm_per_s=1000)


@pytest.fixture(scope="module")
def schema() -> etree.XMLSchema:
    if not XSD.exists():
        pytest.skip("the published schemas (../shared/customs) are not here")
    return etree.XMLSchema(etree.parse(XSD))


def test_lists_validate_against_the_published_schema(schema: etree.XMLSchema) -> None:
    written = 0
    for batch in batches(RUN.declarations):
        message = etree.fromstring(write_lists(batch, AT_UTC_NS))
        schema.assertValid(message)
        written += len(message.findall("c:Inventory", NAMES))
    assert written == len(RUN.declarations)


def test_receipts_validate_against_the_published_schema(schema: etree.XMLSchema) -> None:
    statuses = (100, 120, 300, 399, 500, 501, 700, 800, 899)
    receipts = [Receipt(RUN.declarations[0], status, AT_UTC_NS) for status in statuses]
    schema.assertValid(etree.fromstring(write_receipts(receipts)))


def test_the_fields_a_verdict_uses_are_the_declaration() -> None:
    declaration = RUN.declarations[5]
    message = etree.fromstring(write_lists([declaration], AT_UTC_NS))
    assert message.findtext(".//c:logisticsNo", namespaces=NAMES) == declaration.waybill
    gross_kg = message.findtext(".//c:grossWeight", namespaces=NAMES)
    assert gross_kg == f"{declaration.gross_weight_mg / 1e6:.5f}"
    receipt = etree.fromstring(write_receipts([Receipt(declaration, 800, AT_UTC_NS)]))
    assert receipt.findtext(".//c:copNo", namespaces=NAMES) == cop_no(declaration)
    assert receipt.findtext(".//c:returnStatus", namespaces=NAMES) == "800"
    assert receipt.findtext(".//c:returnTime", namespaces=NAMES) == "20260105110405123"


def test_every_list_has_its_own_numbers() -> None:
    numbers = [cop_no(declaration) for declaration in RUN.declarations]
    assert len(set(numbers)) == len(numbers)
    assert max(map(len, numbers)) <= 20


def test_a_message_holds_at_most_a_hundred_lists() -> None:
    with pytest.raises(ValueError, match="1 to 100 entries, not 101"):
        write_lists(RUN.declarations[:101], AT_UTC_NS)
    with pytest.raises(ValueError, match="not 0"):
        write_receipts([])


def test_time_is_written_in_china() -> None:
    assert customs_time(0) == "19700101080000000"
