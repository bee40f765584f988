"""Renders a template in the language of the request: what every page has in common."""

from collections.abc import Mapping
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from api import i18n
from api.priorities import state_priorities
from api.site import Site
from controller.core.units import NS_PER_S
from controller.records.model import Progress
from controller.records.query import RecordsUnavailable

LANG_COOKIE_S = 365 * 24 * 3_600
# Sign of life of the records process is 1 s; older than this, the records may be old.
RECORDS_SILENT_NS = 5 * NS_PER_S
RECORDS_BEHIND_MAX = 1_000  # journal records: some 30 parcels, half a minute of a full line

# What every page's scripts need to say; pages add their own groups.
_LIVE_WORDS = ("live.", "alarm.", "state.")


def render(
    request: Request,
    site: Site,
    words: i18n.Words,
    template: str,
    values: Mapping[str, Any],
    js_words: tuple[str, ...] = (),
    status: int = 200,
) -> Response:
    """The page, with the language remembered if the request chose one."""
    lines = list(site.lines)
    line = request.query_params.get("line", "")
    html = site.templates.get_template(template).render(
        t=words,
        path=request.url.path,
        query=request.query_params,
        static=f"/static/{site.static_digest}",
        lines=lines,
        live_line=line if line in site.lines else lines[0],
        words_json=words.starting_with((*_LIVE_WORDS, *js_words)),
        state_priorities=state_priorities(),
        **values,
    )
    response = HTMLResponse(html, status_code=status)
    response.headers["Content-Language"] = words.html_lang
    response.headers["Vary"] = "Cookie, Accept-Language"
    if request.query_params.get("lang") == words.lang:
        response.set_cookie(
            "lang", words.lang, max_age=LANG_COOKIE_S, httponly=True, samesite="strict"
        )
    return response


def fragment(site: Site, words: i18n.Words, template: str, values: Mapping[str, Any]) -> Response:
    """A part of a page, for a script that puts it in place."""
    return HTMLResponse(site.templates.get_template(template).render(t=words, **values))


def records_notice(site: Site, words: i18n.Words) -> str:
    """A sentence where the records are missing, silent or behind; empty where they are current."""
    try:
        progress = site.records.progress()
    except RecordsUnavailable as error:
        return words("records.unavailable", why=error)
    if not progress:
        return words("records.none")
    return _oldest(progress, site.clock.utc_ns(), words)


def _oldest(progress: tuple[Progress, ...], now_utc_ns: int, words: i18n.Words) -> str:
    silent_ns = now_utc_ns - min(item.written_utc_ns for item in progress)
    if silent_ns > RECORDS_SILENT_NS:
        return words("records.silent", seconds=f"{silent_ns // NS_PER_S:,}")
    behind = max(item.behind for item in progress)
    if behind > RECORDS_BEHIND_MAX:
        return words("records.behind", count=f"{behind:,}")
    return ""


def problem_page(request: Request, status: int, detail: str) -> Response:
    """An error in words; `detail` is the technical sentence below them."""
    site: Site = request.app.state.site
    lang = i18n.choose(
        request.query_params.get("lang"),
        request.cookies.get("lang"),
        request.headers.get("accept-language"),
    )
    known = str(status) if status in (404, 422, 503) else "other"
    words = site.words[lang]
    text = words(f"problem.{known}")
    values = {"problem_status": status, "problem_text": text, "problem_detail": detail}
    return render(request, site, words, "problem.html", values, status=status)
