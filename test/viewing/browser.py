# Copyright 2026 tetra_vpr_ros contributors
# SPDX-License-Identifier: Apache-2.0
"""Pages in a real browser, without a network."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
import shutil

import pytest

CHROMIUM = shutil.which('chromium') or shutil.which('chromium-browser') or shutil.which(
    'google-chrome')
DESKTOP, PHONE = (1280, 800), (390, 844)
_TRIES = 300  # a minute
_FLAGS = ['--no-sandbox', '--disable-gpu', '--use-angle=swiftshader',
          '--enable-unsafe-swiftshader']


class Tab:
    """
    An opened page, and all that went wrong in it.

    :ivar page: playwright's.
    :ivar complaints: of the console and of scripts.
    :ivar requests: but the page itself and what it carries.
    """

    def __init__(self, page) -> None:
        self.page, self.complaints, self.requests = page, [], []
        page.on('console', lambda message: self.complaints.append(message.text)
                if message.type in ('error', 'warning') else None)
        page.on('pageerror', lambda error: self.complaints.append(str(error)))
        page.on('request', lambda request: self.requests.append(request.url)
                if not request.url.startswith(('file:', 'data:', 'blob:')) else None)

    def until(self, selector: str, act) -> None:
        """Act, again and again, until something is seen: a figure being drawn hears nothing."""
        for _ in range(_TRIES):
            act()
            if self.page.locator(selector).first.is_visible():
                return
            self.page.wait_for_timeout(200)
        pytest.fail(f'{selector} never came')

    def width(self) -> int:
        """Return how wide the page is, pixels: more than the window where it overflows."""
        return self.page.evaluate('document.documentElement.scrollWidth')


@contextmanager
def opened(path: Path | str, size=DESKTOP, scheme='light'):
    """Open a file or an address in chromium; the test is skipped where there is none to drive."""
    api = pytest.importorskip('playwright.sync_api', reason='playwright drives the browser')
    if CHROMIUM is None:
        pytest.skip('chromium is not installed')
    with api.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)
        try:
            page = browser.new_page(viewport={'width': size[0], 'height': size[1]},
                                    color_scheme=scheme, has_touch=size == PHONE)
            page.set_default_timeout(120_000)
            tab = Tab(page)
            page.goto(path if isinstance(path, str) else path.resolve().as_uri())
            yield tab
        finally:
            browser.close()
