"""Errors as RFC 9457 problem documents for /api, as a page in words for everything else."""

import logging
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException

from api.pages import problem_page
from controller.records.query import BadKey, RecordsUnavailable

log = logging.getLogger(__name__)


def register(app: FastAPI) -> None:
    """Every error leaves through here."""
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(RequestValidationError, _validation)
    app.add_exception_handler(RecordsUnavailable, _records_unavailable)
    app.add_exception_handler(BadKey, _bad_key)
    app.add_exception_handler(Exception, _bug)


def problem(status: int, detail: str, **more: Any) -> Response:
    """`application/problem+json`."""
    title = HTTPStatus(status).phrase
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, **more}
    return Response(
        msgspec.json.encode(body), status_code=status, media_type="application/problem+json"
    )


def _answer(request: Request, status: int, detail: str, **more: Any) -> Response:
    if request.url.path.startswith("/api/"):
        return problem(status, detail, **more)
    return problem_page(request, status, detail)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    answer = _answer(request, error.status_code, str(error.detail))
    answer.headers.update(error.headers or {})
    return answer


async def _validation(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        {"pointer": "/".join(str(part) for part in item["loc"]), "detail": item["msg"]}
        for item in error.errors()
    ]
    detail = "; ".join(f"{item['pointer']}: {item['detail']}" for item in errors)
    return _answer(request, 422, detail, errors=errors)


async def _records_unavailable(request: Request, error: Exception) -> Response:
    return _answer(request, 503, str(error))


async def _bad_key(request: Request, error: Exception) -> Response:
    return _answer(request, 400, str(error))


async def _bug(request: Request, error: Exception) -> Response:
    log.error("%s %s failed", request.method, request.url.path, exc_info=error)
    return _answer(request, 500, "the page has failed; its log says why")
