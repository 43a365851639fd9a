"""A real browser for tests: Debian's Chromium, without a window."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

# Fonts too: without one for Chinese, its characters are boxes that are as wide as nothing is.
PACKAGES = ("chromium", "fonts-noto-cjk")


def find_chromium() -> str:
    """Return where Chromium is, after installing Debian's package where it is missing."""
    if not shutil.which("chromium"):
        quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        packages = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES]
        subprocess.run(["apt-get", "update", "-qq"], check=True, capture_output=True)
        subprocess.run(packages, check=True, capture_output=True, env=quiet)
    found = shutil.which("chromium")
    assert found, "apt-get installed no chromium"
    return found


@contextmanager
def run_chromium() -> Iterator[Browser]:
    """Run a browser. Root, as which tests run in containers, cannot use its sandbox."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=find_chromium(), args=["--no-sandbox"] if os.getuid() == 0 else []
        )
        try:
            yield browser
        finally:
            browser.close()


class Opened:
    """A page that was opened from a file, with what it asked for and what it complained about."""

    def __init__(self, browser: Browser, path: Path, **context: object) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.context = browser.new_context(**context)
        self.page: Page = self.context.new_page()
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.on("console", lambda message: self.complaints.append(message.text))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.goto(path.as_uri())
        for plot in self.page.locator(".plot").all():
            plot.and_(self.page.locator("[data-drawn]")).wait_for(state="attached")

    def __enter__(self) -> Page:
        return self.page

    def __exit__(self, *_: object) -> None:
        self.context.close()
