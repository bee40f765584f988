"""What a sender of lists could do to have content released that customs never saw."""

from pathlib import Path

import pytest

from controller.core.commands import LookUp
from controller.core.events import ListFacts
from controller.core.vocabulary import LookUpPurpose
from controller.declared_lists import database, facts
from controller.declared_lists.store import Store
from tests.declared_lists import ceb

RELEASED = ceb.a_receipt(800, "20260115130000000")


def found(path: Path, waybill: str) -> tuple[ListFacts, ...]:
    connection = database.open_for_reading(path)
    try:
        return facts.facts_of_codes(connection, LookUp(1, LookUpPurpose.DECIDE, (waybill,)).codes)
    finally:
        connection.close()


def test_the_receipt_of_a_deleted_list_releases_no_list_put_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "lists.db"
    with Store(path) as store:
        ceb.take(store, ceb.a_list(), RELEASED)
        ceb.take(store, ceb.a_list(appType="3", appTime="20260115140000"))
        ceb.take(store, ceb.a_list(logisticsNo="W2", grossWeight="9"))
    (listed,) = found(path, "W2")
    assert listed.status == 0


@pytest.mark.parametrize("change_last", [True, False])
def test_two_contents_of_one_moment_are_released_by_nothing(
    tmp_path: Path, change_last: bool
) -> None:
    """A change dated back to the second of the list it changes: which of the two did customs see?"""
    path = tmp_path / "lists.db"
    contents = [ceb.a_list(), ceb.a_list(appType="2", grossWeight="9")]
    with Store(path) as store:
        for content in contents if change_last else reversed(contents):
            ceb.take(store, content)
        ceb.take(store, RELEASED)
        assert found(path, "W1")[0].status == 0
        ceb.take(store, ceb.a_receipt(500, "20260115133000000"))
        assert found(path, "W1")[0].status == 500  # bad news counts all the same
        ceb.take(store, ceb.a_list(appType="2", appTime="20260115150000"))
        ceb.take(store, ceb.a_receipt(800, "20260115160000000"))
    assert found(path, "W1")[0].status == 800
