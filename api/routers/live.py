"""What the line says now: JSON for machines, a stream of server-sent events for pages."""

from typing import Annotated

import msgspec
from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import Response, StreamingResponse

from api.frames import Frame
from api.site import LinePage, TheSite
from controller.core.settings import LineSettings

router = APIRouter(prefix="/api/v1", tags=["live"])


@router.get("/lines")
def lines(site: TheSite) -> list[str]:
    """The names of the lines of this site."""
    return list(site.lines)


@router.get("/lines/{line}", response_model=Frame)
def line_now(site: TheSite, line: str) -> Response:
    """The newest frame of the line, `age_ms` as of now. 503 until the line has said anything."""
    frame = _page(site, line).feed.frame
    if frame is None:
        raise HTTPException(503, f"line {line} has not said anything yet")
    return Response(msgspec.json.encode(frame), media_type="application/json")


@router.get("/lines/{line}/geometry", response_model=LineSettings)
def line_geometry(site: TheSite, line: str) -> Response:
    """Where everything stands along the belt, as configured."""
    settings = _page(site, line).settings
    return Response(msgspec.json.encode(settings), media_type="application/json")


@router.get("/stream", response_class=StreamingResponse)
async def stream(site: TheSite, line: Annotated[str, Query(max_length=100)]) -> Response:
    """Server-sent events of one line: `frame` (a Frame), and `age` twice a second while none comes."""
    feed = _page(site, line).feed
    return StreamingResponse(
        feed.hub.stream(feed.joining),
        media_type="text/event-stream",
        headers={"X-Accel-Buffering": "no"},
    )


def _page(site: TheSite, line: str) -> LinePage:
    page = site.lines.get(line)
    if page is None:
        raise HTTPException(404, f"there is no line {line[:40]!r} here")
    return page
