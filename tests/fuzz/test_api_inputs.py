"""Addresses, queries and headers as browsers, scripts and attackers send them: never a failure of ours."""

from collections.abc import Iterator
from urllib.parse import quote_from_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import build_app
from api.site import build_site
from tests.api.serving import config_of
from tests.api.synthetic import CountingClock, make_day
from tests.fuzz.looking import anything, looked_at

PATHS = """/ /held /held/queue /held/L1/3 /parcels /parcels/L1/3 /healthz /readyz /evidence/%s.png
/api/v1/lines /api/v1/lines/L1 /api/v1/lines/L1/geometry /api/v1/passes /api/v1/passes/L1/3
/api/v1/passes/L1/3/timeline /api/v1/reasons /api/v1/records /api/v1/openapi.json /static/x/y""".split()
PATH_BYTES = [path.replace("%s", "ab" * 32).encode() for path in PATHS]
# What an identifier, a number or a key could be instead.
WORDS = st.one_of(
    st.sampled_from(
        [
            "L1",
            "3",
            "0",
            "-1",
            "1" * 30,
            "9223372036854775808",
            "NO_READ",
            "true",
            "zh",
            "1-2",
            "١-٢",
            "-",
        ]
        + [
            "0" * 59 + "1-1",
            "9" * 29 + "-" + "9" * 29,
            "1e3",
            "%",
            "_",
            "'",
            '"',
            "<script>",
            "\0",
            "\n",
            "..",
            "../..",
        ]
        + ["W1", "a" * 101, "١٢", "\ud7ff", "\U0010ffff", "null", "NaN", " ", "+", "*", "C:\\"]
    ).map(lambda text: text.encode()),
    st.binary(max_size=20),
)
KEYS = st.sampled_from(
    "line pass code reason after limit held since_utc_s lang theme pass_no x".split()
)
QUERY = st.lists(st.tuples(KEYS, WORDS), max_size=4)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            "accept-language",
            "cookie",
            "accept",
            "if-none-match",
            "range",
            "last-event-id",
            "referer",
        ]
    ),
    st.one_of(
        st.sampled_from(["zh", "en;q=x", "lang=zz", "bytes=0-", "*/*;q=9", "a" * 300]),
        st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=20),
    ),
    max_size=2,
)


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """The application over a small day; an exception inside it fails the test."""
    day = make_day(tmp_path_factory.mktemp("day"))
    site = build_site([config_of(day.state_dir)], CountingClock())
    with TestClient(build_app(site), base_url="http://127.0.0.1") as client:
        yield client


def ask(
    client: TestClient, path: bytes, query: list[tuple[str, bytes]], headers: dict[str, str]
) -> None:
    asked = "&".join(f"{key}={quote_from_bytes(value)}" for key, value in query)
    address = f"http://127.0.0.1/{quote_from_bytes(path.lstrip(b'/'), safe='/')}?{asked}"
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = client.get(address, headers=encoded, follow_redirects=False)
    # 503 is the honest answer of a line that has not said anything yet.
    assert answer.status_code < 500 or answer.status_code == 503, answer.text
    if answer.status_code >= 400 and path.startswith(b"/api/"):
        assert answer.headers["content-type"].startswith("application/problem+json")


@looked_at(250)
@given(path=st.sampled_from(PATH_BYTES), query=QUERY, headers=HEADERS)
def test_any_query(
    client: TestClient, path: bytes, query: list[tuple[str, bytes]], headers: dict[str, str]
) -> None:
    ask(client, path, query, headers)


@looked_at(200)
@given(path=anything(PATH_BYTES), query=QUERY)
def test_any_path(client: TestClient, path: bytes, query: list[tuple[str, bytes]]) -> None:
    if b"/stream" not in path:  # that one has no end
        ask(client, path, query, {})


@looked_at(200)
@given(
    st.sampled_from(
        ["/held/%s/%s", "/parcels/%s/%s", "/api/v1/passes/%s/%s/timeline", "/evidence/%s.png%s"]
    ),
    WORDS,
    WORDS,
)
def test_any_identifier(client: TestClient, template: str, first: bytes, second: bytes) -> None:
    path = template % (quote_from_bytes(first, safe=""), quote_from_bytes(second, safe=""))
    answer = client.get(f"http://127.0.0.1{path}", follow_redirects=False)
    assert answer.status_code < 500, answer.text
