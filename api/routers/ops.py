"""For those who watch the watchers: is the process alive, does it show the truth; and the pictures."""

import msgspec
from fastapi import APIRouter, HTTPException
from fastapi.responses import FileResponse, Response

from api.evidence import evidence_path
from api.site import TheSite
from controller.records.query import RecordsUnavailable

router = APIRouter(tags=["operations"])

# The line sends at 5 Hz; older than this the page is not live.
READY_AGE_MS = 1_000


@router.get("/healthz")
def healthz(site: TheSite) -> Response:
    """200 while the process answers; `age_ms` of each line's newest frame, null before the first."""
    ages = {name: page.feed.age_ms for name, page in site.lines.items()}
    clients = sum(page.feed.hub.clients for page in site.lines.values())
    body = {"status": "ok", "age_ms": ages, "clients": clients}
    return Response(msgspec.json.encode(body), media_type="application/json")


@router.get("/readyz")
def readyz(site: TheSite) -> Response:
    """200 if every line is live and the records can be read, else 503 with what is wrong."""
    wrong = []
    for name, page in site.lines.items():
        age_ms = page.feed.age_ms
        if age_ms is None:
            wrong.append(f"line {name} has not said anything yet")
        elif age_ms > READY_AGE_MS:
            wrong.append(f"line {name} last spoke {age_ms} ms ago")
    try:
        site.records.progress()
    except RecordsUnavailable as error:
        wrong.append(str(error))
    body = msgspec.json.encode({"status": "not ready" if wrong else "ready", "wrong": wrong})
    return Response(body, status_code=503 if wrong else 200, media_type="application/json")


@router.get("/evidence/{digest}.png", response_class=FileResponse)
def picture(site: TheSite, digest: str) -> FileResponse:
    """The X-ray picture made from the evidence of this SHA-256. 404: there is none, or it is lost."""
    path = evidence_path(site.evidence_dir, digest)
    if path is None:
        raise HTTPException(404, "there is no picture of this digest")
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    return FileResponse(path, media_type="image/png", headers=headers)
