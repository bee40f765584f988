"""Pictures are found by digest and by nothing else."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from api.app import build_app
from api.evidence import evidence_path
from api.site import build_site
from tests.api.serving import config_of
from tests.api.synthetic import CountingClock

DIGEST = "ab" * 32


@pytest.fixture
def evidence(tmp_path: Path) -> Path:
    day = tmp_path / "evidence" / "20261122"
    day.mkdir(parents=True)
    (day / f"{DIGEST}.png").write_bytes(b"\x89PNG picture")
    (day / f"{DIGEST}.rows").write_bytes(b"raw rows")
    (tmp_path / "secret.png").write_bytes(b"not for you")
    return tmp_path / "evidence"


def test_a_picture_is_found_in_whatever_day_it_lies(evidence: Path) -> None:
    assert evidence_path(evidence, DIGEST) == evidence / "20261122" / f"{DIGEST}.png"
    assert evidence_path(evidence, "cd" * 32) is None
    assert evidence_path(evidence / "missing", DIGEST) is None


@given(st.text(max_size=80))
def test_no_other_text_ever_names_a_file(text: str) -> None:
    found = evidence_path(Path("/"), text)
    assert found is None


def test_links_that_lead_out_are_not_followed(evidence: Path) -> None:
    os.symlink(evidence.parent / "secret.png", evidence / "20261122" / f"{'cd' * 32}.png")
    os.symlink(evidence / "20261122", evidence / "20261123")
    assert evidence_path(evidence, "cd" * 32) is None
    assert evidence_path(evidence, DIGEST) == evidence / "20261122" / f"{DIGEST}.png"


@pytest.mark.parametrize(
    "path",
    [
        "/evidence/../secret.png",
        "/evidence/..%2fsecret.png",
        "/evidence/..%2f..%2fsecret.png",
        "/evidence/%2e%2e/secret.png",
        f"/evidence/{DIGEST}.rows",
        f"/evidence/{DIGEST.upper()}.png",
        f"/evidence/20261122%2f{DIGEST}.png",
        f"/evidence/{DIGEST}%00.png",
        f"/evidence/{'cd' * 32}.png",
        "/static/../app.py",
        "/static/..%2fapp.py",
        "/static/%2e%2e/%2e%2e/app.py",
    ],
)
def test_over_http_nothing_but_the_picture_is_served(evidence: Path, path: str) -> None:
    site = build_site([config_of(evidence.parent)], CountingClock())
    client = TestClient(build_app(site), base_url="http://127.0.0.1")
    good = client.get(f"/evidence/{DIGEST}.png")
    assert (good.status_code, good.headers["content-type"]) == (200, "image/png")
    assert "immutable" in good.headers["cache-control"]
    answer = client.get(path.replace("/static/", f"/static/{site.static_digest}/"))
    assert answer.status_code == 404
    assert b"not for you" not in answer.content
