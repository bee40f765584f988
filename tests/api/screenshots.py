"""`python -m tests.api.screenshots FOLDER`: every page in both languages, in a real Chromium.

Real journal, records and list store of a synthetic day; the line's socket is served beside it.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from playwright.async_api import Browser, ViewportSize, async_playwright

from tests.api.live_line import in_trouble
from tests.api.serving import CHROMIUM, CHROMIUM_ARGUMENTS, Served, served
from tests.api.synthetic import make_day

SIZE = ViewportSize(width=1600, height=900)
PAGES = {
    "line": "/",
    "held": "/held",
    "held_weight": "/held?line=L1&pass=23",
    "held_undrawn": "/held?line=L1&pass=25",
    "held_lost": "/held?line=L1&pass=15",
    "parcels": "/parcels",
    "parcel": "/parcels/L1/13",
    "missing": "/parcels/L1/999",
}
LIVE_MS = 4_000


async def main(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        async with served(make_day(Path(scratch), count=40)) as site, async_playwright() as play:
            browser = await play.chromium.launch(
                executable_path=str(CHROMIUM), args=CHROMIUM_ARGUMENTS
            )
            for lang in ("zh", "en"):
                await _shoot(browser, site, folder, lang)
            await browser.close()


async def _shoot(browser: Browser, site: Served, folder: Path, lang: str) -> None:
    context = await browser.new_context(viewport=SIZE, locale="zh-CN" if lang == "zh" else "en-GB")
    page = await context.new_page()
    for name, path in PAGES.items():
        await page.goto(site.url + path)
        await page.wait_for_selector('#live[data-state="ok"]')
        if name == "line":
            await page.wait_for_timeout(LIVE_MS)
        await page.screenshot(path=folder / f"{name}_{lang}.png", full_page=name == "parcel")
    site.line.change = in_trouble
    await page.goto(site.url + "/")
    await page.wait_for_selector('#state[data-priority="1"]')
    await page.screenshot(path=folder / f"line_trouble_{lang}.png")
    site.line.change = lambda snapshot: snapshot
    await page.wait_for_selector('#state[data-priority="0"]')
    site.line.silent = True
    await page.wait_for_selector("#stale:not([hidden])")
    await page.wait_for_timeout(LIVE_MS)
    await page.screenshot(path=folder / f"line_stale_{lang}.png")
    site.line.silent = False
    await context.close()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/screenshots")))
