"""The status page's process: FastAPI behind uvicorn, fed by the lines' sockets. Read-only.

It holds no PLC, writes no journal and parses no XML; if it dies nothing on the line changes.
"""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from socket import socket

import uvicorn
from fastapi import FastAPI
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from api import problems
from api.headers import SecurityHeaders
from api.routers import live, ops, pages, passes
from api.site import STATIC, Site, build_site
from controller.clock import SystemClock
from controller.config import LineConfig

log = logging.getLogger(__name__)

STOP_WITHIN_S = 2
EVERY_ADDRESS = ("0.0.0.0", "::")


class ImmutableFiles(StaticFiles):
    """Files whose address holds the digest of their content: never asked for twice."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response


def build_app(site: Site, host: str = "127.0.0.1") -> FastAPI:
    """The application over `site`; its lifespan runs the feeds."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with asyncio.TaskGroup() as tasks:
            feeds = [tasks.create_task(page.feed.run()) for page in site.lines.values()]
            yield
            for feed in feeds:
                feed.cancel()

    # FastAPI's own documentation pages load scripts from a CDN; the OpenAPI document is ours.
    app = FastAPI(
        title="parcelgate",
        version="1",
        openapi_url="/api/v1/openapi.json",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.site = site
    problems.register(app)
    # Read-only and without login: another site's script must not read it through a rebound name.
    if host not in EVERY_ADDRESS:
        allowed = sorted({host, "127.0.0.1", "localhost", "[::1]"})
        app.add_middleware(TrustedHostMiddleware, allowed_hosts=allowed, www_redirect=False)
    app.add_middleware(SecurityHeaders)
    app.mount(f"/static/{site.static_digest}", ImmutableFiles(directory=STATIC), name="static")
    for router in (live.router, passes.router, ops.router, pages.router):
        app.include_router(router)
    return app


class _Server(uvicorn.Server):
    """uvicorn that says when it listens, and ends the streams when it is to stop."""

    def __init__(self, config: uvicorn.Config, site: Site, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._site = site
        self._ready = ready

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """SIGINT and SIGTERM stop in order, and that is the end of them (uvicorn raises them again)."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and not self.should_exit:
            self._ready()

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        for page in self._site.lines.values():
            page.feed.hub.close()
        await super().shutdown(sockets)


async def run_api(
    config: LineConfig, ready: Callable[[], None], other_lines: Sequence[LineConfig] = ()
) -> None:
    """The process: until SIGINT, SIGTERM or cancellation. `ready` is called once the page answers.

    The address is `config.api`; `other_lines` share its state directory. SystemExit, after one
    logged sentence, if the port is taken.
    """
    site = build_site([config, *other_lines], SystemClock())
    app = build_app(site, config.api.host)
    server = _Server(
        uvicorn.Config(
            app,
            host=config.api.host,
            port=config.api.port,
            workers=1,
            timeout_graceful_shutdown=STOP_WITHIN_S,
            access_log=False,
            log_config=None,
            server_header=False,
            lifespan="on",
        ),
        site,
        ready,
    )
    log.info("status page: http://%s:%d/", config.api.host, config.api.port)
    async with asyncio.TaskGroup() as tasks:
        serving = tasks.create_task(server.serve())
        try:
            await asyncio.shield(serving)
        except asyncio.CancelledError:
            server.should_exit = True  # in order: streams end, sockets close, feeds stop
            await serving
            raise
