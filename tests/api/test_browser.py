"""The pages in a real Chromium: live, stale, back, both languages, keys, budgets, nothing abroad."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Request, async_playwright, expect

from api.site import STATIC
from tests.api.live_line import in_trouble
from tests.api.serving import CHROMIUM, CHROMIUM_ARGUMENTS, Served, served
from tests.api.synthetic import Day, make_day

pytestmark = [
    pytest.mark.live,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"no {CHROMIUM}: apt-get install chromium"),
]

# reference: 31 kB and 13 requests for a prototype; without pictures, not compressed.
PAGE_BYTES_MAX = 60_000
PAGE_REQUESTS_MAX = 15
DOM_NODES_MAX = 1_200
PAGES = ("/", "/held", "/parcels", "/parcels/L1/13")
LOADED_BYTES = """['navigation', 'resource'].flatMap(kind => performance.getEntriesByType(kind))
    .filter(e => !e.name.endsWith('.png')).map(e => e.encodedBodySize)"""
CUT_TEXTS = """[...document.querySelectorAll('.top *, .kpis *, .state *, .first-alarm *, .checks *, .side')]
    .filter(e => e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0
        && getComputedStyle(e).display !== 'inline').map(e => e.textContent)"""


@dataclass
class Browsing:
    page: Page
    site: Served
    troubles: list[str] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)

    async def open(self, path: str) -> None:
        await self.page.goto(self.site.url + path)
        await expect(self.page.locator("#live")).to_have_attribute("data-state", "ok")


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Day:
    return make_day(tmp_path_factory.mktemp("day"))


@asynccontextmanager
async def browsing(day: Day, lang: str = "en") -> AsyncIterator[Browsing]:
    async with served(day) as site, async_playwright() as play:
        chromium = await play.chromium.launch(
            executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS
        )
        context = await chromium.new_context(
            viewport={"width": 1600, "height": 900}, locale={"en": "en-GB", "zh": "zh-CN"}[lang]
        )
        page = await context.new_page()
        seen = Browsing(page, site)
        page.on("console", lambda m: seen.troubles.append(m.text) if m.type == "error" else None)
        page.on("pageerror", lambda error: seen.troubles.append(str(error)))
        page.on("request", lambda request: seen.requests.append(request))
        try:
            yield seen
        finally:
            await chromium.close()
        hosts = {urlsplit(request.url).hostname for request in seen.requests}
        assert hosts <= {"127.0.0.1"}
        assert seen.troubles == []


async def test_the_line_page_goes_live_and_the_parcels_move(day: Day) -> None:
    async with browsing(day) as b:
        await b.open("/")
        await expect(b.page.locator("#state-word")).to_have_text("Running")
        await expect(b.page.locator("#rows tr").first).to_be_visible()
        parcel = b.page.locator(".parcel").first
        before = await parcel.get_attribute("transform")
        await expect(parcel).not_to_have_attribute("transform", before or "")
        words = "Weight differs from the list"
        await expect(b.page.locator("#by-reason")).to_contain_text(words, timeout=20_000)


async def test_it_turns_stale_when_the_line_falls_silent_and_recovers(day: Day) -> None:
    async with browsing(day, "zh") as b:
        await b.open("/")
        await expect(b.page.locator("#stale")).to_be_hidden()
        b.site.line.silent = True
        await expect(b.page.locator("#stale")).to_contain_text("线体 L1 已")
        await expect(b.page.locator("#live")).to_have_text("数据中断")
        await expect(b.page.locator("body")).to_have_class(re.compile("is-stale"))
        frozen = await b.page.locator(".parcel").first.get_attribute("transform")
        await b.page.wait_for_function("performance.now() > 0")
        assert await b.page.locator(".parcel").first.get_attribute("transform") == frozen
        b.site.line.silent = False
        await expect(b.page.locator("#stale")).to_be_hidden()


async def test_a_restart_of_the_page_server_is_said_and_survived(day: Day) -> None:
    async with browsing(day) as b:
        await b.open("/held")
        await b.page.keyboard.press("ArrowDown")
        address = b.page.url
        await b.site.stop_page()
        await expect(b.page.locator("#stale")).to_contain_text("status server has not answered")
        await b.site.start_page()
        await expect(b.page.locator("#stale")).to_be_hidden()
        assert b.page.url == address  # nothing was reloaded, the same parcel is chosen
        b.troubles = [text for text in b.troubles if "ERR_" not in text]  # the cut itself


async def test_trouble_is_seen_in_words_shape_and_colour(day: Day) -> None:
    async with browsing(day) as b:
        b.site.line.change = in_trouble
        await b.open("/")
        await expect(b.page.locator("#state-word")).to_have_text("Aborted")
        await expect(b.page.locator("#state")).to_have_attribute("data-priority", "1")
        await expect(b.page.locator("#first-alarm")).to_contain_text("PLC link lost")
        await expect(b.page.locator("#health")).to_contain_text("its life sign stands still")
        await expect(b.page.locator("#lane-2")).to_contain_text("FULL")
        await expect(b.page.locator("#badges .badge")).to_have_text(["● 2", "◆ 2", "▼ 1"])
        await expect(b.page.locator("#late")).to_have_attribute("data-abnormal", "")
        await expect(b.page.locator("#belt-note")).to_contain_text("Belt stopped")


async def test_arrow_keys_walk_the_held_parcels_and_the_picture_is_there(day: Day) -> None:
    async with browsing(day) as b:
        await b.open("/held")
        chosen = b.page.locator('#queue a[aria-current="true"]')
        first = await chosen.inner_text()
        await b.page.keyboard.press("ArrowDown")
        await expect(chosen).not_to_have_text(first, use_inner_text=True)
        await b.page.keyboard.press("ArrowUp")
        await b.page.keyboard.press("ArrowUp")  # there is none above: it stays
        await expect(chosen).to_have_text(first, use_inner_text=True)
        await b.page.locator("#queue a", has_text="Metal that is not declared").click()
        await expect(b.page.locator("#detail")).to_contain_text("1,850 mm²")
        await expect(b.page).to_have_url(re.compile(r"pass=9$"))
        width = "document.querySelector('.xray').naturalWidth"
        await b.page.wait_for_function(f"{width} === 512")
        await b.page.reload()
        await expect(b.page.locator("#detail")).to_contain_text("1,850 mm²")


async def test_the_language_link_keeps_the_page_and_is_remembered(day: Day) -> None:
    async with browsing(day) as b:
        await b.open("/held?line=L1&pass=3")
        await b.page.get_by_role("link", name="中文").click()
        await expect(b.page.locator("html")).to_have_attribute("lang", "zh-CN")
        await expect(b.page.locator("#detail")).to_contain_text("重量与申报不符")
        await b.page.locator("nav a").first.click()
        await expect(b.page.locator("#state-word")).to_have_text("运行")


async def test_eight_tabs_share_one_stream(day: Day) -> None:
    """A browser allows six connections to a host; the seventh tab must not hang."""
    async with browsing(day) as b:
        await b.open("/")
        for _ in range(7):
            tab = await b.page.context.new_page()
            await tab.goto(b.site.url + "/parcels")
            await expect(tab.locator("#live")).to_have_attribute("data-state", "ok")
        health = await b.page.request.get(b.site.url + "/healthz")
        assert (await health.json())["clients"] == 1


async def test_pages_are_light(day: Day) -> None:
    """Each with an empty cache; pictures and the stream itself are not counted."""
    async with browsing(day) as b:
        worker = len((STATIC / "js" / "live-worker.js").read_bytes())
        browser = b.page.context.browser
        assert browser is not None
        for path in PAGES:
            page = await browser.new_page()
            await page.goto(b.site.url + path)
            await expect(page.locator("#live")).to_have_attribute("data-state", "ok")
            sizes = [worker, *await page.evaluate(LOADED_BYTES)]
            nodes = await page.evaluate("document.querySelectorAll('*').length")
            print(path, len(sizes), "requests", sum(sizes), "bytes", nodes, "nodes")
            assert len(sizes) <= PAGE_REQUESTS_MAX
            assert sum(sizes) <= PAGE_BYTES_MAX
            assert nodes <= DOM_NODES_MAX
            await page.close()


async def test_nothing_runs_over_the_edge_in_either_language(day: Day) -> None:
    """At 1600 x 900 no page scrolls sideways and no text is cut where a person must read it whole."""
    async with browsing(day) as b:
        b.site.line.change = in_trouble
        for path in PAGES:
            for lang in ("zh", "en"):
                await b.open(f"{path}?lang={lang}")
                wide = "document.documentElement.scrollWidth - innerWidth"
                assert await b.page.evaluate(wide) <= 0, (lang, path)
                assert await b.page.evaluate(CUT_TEXTS) == [], (lang, path)
