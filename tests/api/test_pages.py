"""Pages and JSON over a real day, without a line: what is recorded is shown."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from api.app import build_app
from api.site import build_site
from controller.records.query import Records
from tests.api.serving import config_of
from tests.api.synthetic import CountingClock, Day, make_day

HTML = {"accept-language": "en"}


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def client(day: Day) -> Iterator[TestClient]:
    yield from serve(day.state_dir)


def serve(state_dir: Path) -> Iterator[TestClient]:
    app = build_app(build_site([config_of(state_dir)], CountingClock()))
    with TestClient(app, base_url="http://127.0.0.1", raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[TestClient]:
    yield from serve(tmp_path)


PAGES = ["/", "/held", "/parcels", "/parcels/L1/13", "/held?line=L1&pass=3", "/parcels?code=YT"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize("lang", ["zh", "en"])
def test_every_page_is_whole_in_both_languages(client: TestClient, path: str, lang: str) -> None:
    sep = "&" if "?" in path else "?"
    answer = client.get(f"{path}{sep}lang={lang}")
    assert answer.status_code == 200
    assert f'<html lang="{"zh-CN" if lang == "zh" else "en"}">' in answer.text
    assert answer.text.rstrip().endswith("</html>")
    assert answer.text.count("<h1") == 1
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert not re.search(r"<script(?![^>]*(src=|application/json))", answer.text)
    assert not re.search(r"\sstyle=|\son[a-z]+=|https?://", answer.text)
    client.cookies.clear()


def test_the_language_is_remembered(client: TestClient) -> None:
    client.get("/?lang=en", headers={"accept-language": "zh"})
    assert "Held parcels" in client.get("/held", headers={"accept-language": "zh"}).text
    client.cookies.clear()


@pytest.mark.parametrize(
    ("pass_no", "sentences"),
    [
        (3, ["Weight differs from the list", "2.000 kg", "3.180 kg", "+1.180 kg +59.0 %", "± 0.060 kg"]),
        (9, ["Metal that is not declared", "1,850 mm²", "≤ 100 mm²"]),
        (11, ["Customs has ordered inspection", "500 inspection ordered"]),
        (15, ["Its codes name two parcels", "Evidence lost", "No list belongs to this parcel"]),
        (17, ["No X-ray picture", "No picture was taken"]),
        (13, ["The release was revoked"]),
    ],
)  # fmt: skip
def test_a_held_parcel_shows_why_with_both_values(
    client: TestClient, pass_no: int, sentences: list[str]
) -> None:
    text = client.get(f"/held/L1/{pass_no}", headers=HTML).text
    for sentence in sentences:
        assert sentence in text


def test_a_row_outside_its_tolerance_is_marked_by_more_than_colour(client: TestClient) -> None:
    text = client.get("/held/L1/3", headers=HTML).text
    (row,) = re.findall(r'<tr data-result="DISAGREE">.*?</tr>', text)
    assert "Weight" in row
    assert "◆ differs" in row


def test_the_declared_list_stands_beside_the_picture(client: TestClient, day: Day) -> None:
    text = client.get("/held?line=L1&pass=3", headers=HTML).text
    assert f"/evidence/{day.plans[2].digest}.png" in text
    for word in ("维生素片 120粒", "2106909090", "316.00 CNY", "海外优品贸易有限公司", "1.840 kg"):
        assert word in text
    assert "410105199001011234" not in text  # a person's number is nobody's business here


def test_one_parcel_names_what_proves_it(client: TestClient, day: Day) -> None:
    record = Records(day.state_dir).one("L1", 13)
    assert record is not None
    text = client.get("/parcels/L1/13", headers=HTML).text
    for number in (record.entered_seq, record.verdict_seq, record.revoked_seq, record.outcome_seq):
        assert f"<dd>{number}</dd>" in text
    for words in ("rules-1", day.plans[12].digest, "Verdict saved on disk", "Revoked: Hold"):
        assert words in text


def test_what_a_label_says_is_text_and_nothing_else(tmp_path: Path) -> None:
    hostile = "<img src=x onerror=alert(1)>"
    client = next(serve(make_day(tmp_path, count=1).state_dir))
    text = client.get("/parcels", params={"code": hostile}).text
    assert hostile not in text
    assert "&lt;img" in text


def test_without_records_every_page_says_so(empty: TestClient) -> None:
    for path in ("/", "/held", "/parcels"):
        answer = empty.get(path, headers=HTML)
        assert answer.status_code == 200
        assert "The records cannot be shown" in answer.text
    assert empty.get("/parcels/L1/1", headers=HTML).status_code == 503
    answer = empty.get("/api/v1/passes")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert "no records.db" in answer.json()["detail"]


def test_records_of_a_silent_process_are_called_old(day: Day) -> None:
    site = build_site([config_of(day.state_dir)], CountingClock())
    later = CountingClock(utc_ns=CountingClock().utc_ns() + 61 * 10**9)
    with TestClient(build_app(replace(site, clock=later)), base_url="http://localhost") as client:
        assert "silent for 61 s" in client.get("/held", headers=HTML).text


@pytest.mark.parametrize("path", ["/parcels/L1/999", "/parcels/L9/1", "/held/L1/999", "/nothing"])
def test_what_is_not_there_is_a_page_in_words(client: TestClient, path: str) -> None:
    answer = client.get(path, headers=HTML)
    assert answer.status_code == 404
    assert "There is no such page or parcel" in answer.text


def test_a_foreign_host_name_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"host": "evil.example"}).status_code == 400
