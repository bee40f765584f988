"""/api/v1: the same data as the pages, errors as problem documents."""

from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from api.app import build_app
from api.site import Site, build_site
from tests.api.live_line import as_of
from tests.api.serving import config_of
from tests.api.synthetic import CountingClock, Day, make_day
from tests.core.story import START_NS


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(tmp_path_factory.mktemp("day"))


@pytest.fixture(scope="module")
def site(day: Day) -> Site:
    return build_site([config_of(day.state_dir)], CountingClock())


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[TestClient]:
    with TestClient(build_app(site), base_url="http://127.0.0.1") as client:
        yield client


def test_pages_of_passes_join(client: TestClient) -> None:
    seen: list[int] = []
    query = "/api/v1/passes?limit=7"
    after = None
    while True:
        body = client.get(query + (f"&after={after}" if after else "")).json()
        seen += [item["pass_no"] for item in body["items"]]
        after = body["next"]
        if after is None:
            break
    assert seen == list(range(20, 0, -1))


def test_a_pass_has_names_units_and_proof(client: TestClient, day: Day) -> None:
    body = client.get("/api/v1/passes/L1/3").json()
    assert body["entered_utc"] == "2026-11-22T02:00:04.012Z"
    assert body["verdict"]["destination"] == "INSPECT"
    assert body["verdict"]["reasons"] == ["WEIGHT_DISAGREES"]
    weight = next(check for check in body["verdict"]["checks"] if check["kind"] == "WEIGHT")
    assert weight == {
        "kind": "WEIGHT",
        "result": "DISAGREE",
        "measured": 3_180_000,
        "expected": 2_000_000,
        "tolerance": 60_000,
    }
    assert body["picture_sha256"] == day.plans[2].digest
    assert body["outcome"]["lane"] == 2
    timeline = client.get("/api/v1/passes/L1/3/timeline").json()
    numbers = [entry["journal_seq"] for entry in timeline]
    assert body["verdict"]["journal_seq"] in numbers
    assert numbers == sorted(numbers)


def test_reasons_and_records(client: TestClient) -> None:
    assert client.get("/api/v1/reasons").json()["STATUS_INSPECT"] == 2
    held = client.get("/api/v1/passes?held=true&reason=NO_READ").json()["items"]
    assert [item["pass_no"] for item in held] == [7]
    (progress,) = client.get("/api/v1/records").json()
    assert (progress["line"], progress["behind"]) == ("L1", 0)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/api/v1/passes/L1/999", 404),
        ("/api/v1/passes/L1/0", 404),
        (f"/api/v1/passes/L1/{1 << 64}", 404),
        ("/api/v1/passes/L1/x", 422),
        ("/api/v1/passes?limit=0", 422),
        ("/api/v1/passes?limit=100000", 422),
        ("/api/v1/passes?reason=BECAUSE", 422),
        ("/api/v1/passes?after=nonsense", 400),
        ("/api/v1/stream?line=L9", 404),
        ("/api/v1/stream", 422),
        ("/api/v1/lines/L9", 404),
        ("/api/v1/nothing", 404),
    ],
)
def test_every_error_is_a_problem_document(client: TestClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    body = answer.json()
    assert body["status"] == status
    assert body["detail"]


def test_nothing_here_can_be_written(client: TestClient) -> None:
    operations = client.get("/api/v1/openapi.json").json()["paths"]
    assert {method for path in operations.values() for method in path} == {"get"}
    assert client.post("/api/v1/passes").status_code == 405


def test_the_line_now_and_readiness(client: TestClient, site: Site, day: Day) -> None:
    assert client.get("/healthz").json()["age_ms"] == {"L1": None}
    assert client.get("/api/v1/lines/L1").status_code == 503
    not_ready = client.get("/readyz")
    assert not_ready.status_code == 503
    assert not_ready.json()["wrong"] == ["line L1 has not said anything yet"]
    site.lines["L1"].feed.take(as_of(day.snapshots[30], START_NS))
    now = client.get("/api/v1/lines/L1").json()
    assert (now["line"], now["state"], now["age_ms"]) == ("L1", "EXECUTE", 0)
    assert client.get("/readyz").json() == {"status": "ready", "wrong": []}
    geometry = client.get("/api/v1/lines/L1/geometry").json()
    assert geometry["decision_position_mm"] == 3_600
    assert client.get("/api/v1/lines").json() == ["L1"]
