# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's Chromium, driven by Playwright, with a camera and microphone made of files."""

import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from playwright.async_api import Browser, BrowserContext, Page, async_playwright

HERE = Path(__file__).parent
FOREIGN_HOST = "phone.example"
"""Resolves to this machine inside the browser; not loopback, so plain http there is an insecure origin."""

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-ui-for-media-stream",
    f"--host-resolver-rules=MAP {FOREIGN_HOST} 127.0.0.1",
]
# Tones and echo cancellers do not get on: tests that measure sound switch the processing off.
_RAW_SOUND = """
if (!localStorage.getItem("callagent.devices")) {
  const raw = { echoCancellation: false, noiseSuppression: false };
  localStorage.setItem("callagent.devices", JSON.stringify(raw));
}
"""


def chromium_path() -> str | None:
    """Where the browser is; None when it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


@dataclass
class PageLog:
    """What went wrong in a page, for the end of a test."""

    errors: list[str] = field(default_factory=list)
    """Uncaught exceptions and console errors."""
    csp: list[str] = field(default_factory=list)
    """Content security policy violations."""


class Chromium:
    """Gives pages, each in a browser context (cookies, storage) of its own."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._logs: dict[Page, PageLog] = {}

    async def page(
        self,
        *,
        viewport: tuple[int, int] = (1280, 800),
        color_scheme: Literal["dark", "light"] = "light",
        raw_sound: bool = True,
        init_scripts: tuple[str, ...] = (),
        ignore_https_errors: bool = True,
        touch: bool = False,
        context_options: Mapping[str, Any] | None = None,
    ) -> Page:
        """A new page with the frame code reader and the audio meter in it."""
        context: BrowserContext = await self._browser.new_context(
            viewport={"width": viewport[0], "height": viewport[1]},
            color_scheme=color_scheme,
            ignore_https_errors=ignore_https_errors,
            has_touch=touch,
            locale="en-GB",
            **(context_options or {}),
        )
        for script in ("framecode.js", "audio_meter.js"):
            await context.add_init_script(path=HERE / script)
        for source in (*init_scripts, *((_RAW_SOUND,) if raw_sound else ())):
            await context.add_init_script(source)
        page = await context.new_page()
        page.set_default_timeout(20_000)
        log = self._logs[page] = PageLog()
        page.on("pageerror", lambda error: log.errors.append(str(error)))

        def note(kind: str, text: str) -> None:
            if "Content Security Policy" in text:
                log.csp.append(text)
            elif kind == "error":
                log.errors.append(text)

        page.on("console", lambda message: note(message.type, message.text))
        return page

    def log(self, page: Page) -> PageLog:
        return self._logs[page]


@asynccontextmanager
async def chromium(
    *,
    clip: Path | None = None,
    tone: Path | None = None,
    devices: int = 1,
    extra_arguments: tuple[str, ...] = (),
) -> AsyncIterator[Chromium]:
    """Start a browser whose camera shows `clip` (y4m) and whose microphone hears `tone` (WAV), both looped.

    Without a clip it has `devices` cameras with a picture of the browser's own; 0: neither camera nor
    microphone.
    """
    arguments = [*_ARGUMENTS, *extra_arguments]
    if devices:
        arguments.append(f"--use-fake-device-for-media-stream=device-count={devices}")
    if clip is not None:
        arguments.append(f"--use-file-for-fake-video-capture={clip}")
    if tone is not None:
        arguments.append(f"--use-file-for-fake-audio-capture={tone}")
    path = chromium_path()
    if path is None:
        raise FileNotFoundError("Debian's chromium is not installed: apt install chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, headless=True, args=arguments)
        try:
            yield Chromium(browser)
        finally:
            await browser.close()
