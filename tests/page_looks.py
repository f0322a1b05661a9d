"""Pages as they look: at two sizes, light and dark, with axe, and on request as screenshots.

With the variable SCREENSHOTS, a folder, each page is written there: `make screenshots`.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final, Literal, NamedTuple

from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from tests.journeys.software.running import installed_packages

_FOLDER: Final = os.environ.get("SCREENSHOTS")
_SIZES: Final[dict[str, ViewportSize]] = {
    "wide": {"width": 1280, "height": 800},
    "phone": {"width": 360, "height": 740},
}
#: What is serious to those who read by ear or by key; all rules, or those that are about looks.
_AXE: Final = """async (rules) => (await axe.run({resultTypes: ["violations"], ...rules}))
    .violations.filter((found) => ["serious", "critical"].includes(found.impact))
    .map((found) => [found.id, found.nodes.slice(0, 3).map((node) => node.html)])"""
_OF_LOOKS: Final = {"runOnly": ["color-contrast", "link-in-text-block", "target-size"]}
_TOO_WIDE: Final = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Look(NamedTuple):
    """A size of the screen, a colour scheme, and a language."""

    size: str
    scheme: Literal["light", "dark"]
    language: str

    def __str__(self) -> str:
        """Return what the screenshots of it are named after."""
        return "-".join(self)


def list_looks(*languages: str) -> list[Look]:
    """Return each size, scheme and language once; for screenshots, all that there are."""
    if _FOLDER:
        schemes: tuple[Literal["light"], Literal["dark"]] = ("light", "dark")
        return [Look(size, it, name) for name in languages for size in _SIZES for it in schemes]
    return [Look("wide", "light", languages[0]), Look("phone", "dark", languages[-1])]


def open_context(browser: Browser, url: str, look: Look) -> BrowserContext:
    """Return a context into which scripts of the test may be put."""
    return browser.new_context(
        base_url=url,
        viewport=_SIZES[look.size],
        color_scheme=look.scheme,
        locale=look.language,
        bypass_csp=True,
    )


def inspect(page: Page, name: str, look: Look) -> list[str]:
    """Save a screenshot where one is wanted; return what is wrong with the page."""
    page.wait_for_load_state()
    page.evaluate("document.fonts.ready")
    if _FOLDER:
        Path(_FOLDER).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(_FOLDER) / f"{name}-{look}.png", full_page=True)
    page.evaluate((installed_packages("axe_npm") / "node_modules/axe-core/axe.min.js").read_text())
    rules = {} if look.scheme == "light" else _OF_LOOKS
    faults = [*page.evaluate(_AXE, rules), *(["too wide"] if page.evaluate(_TOO_WIDE) else [])]
    return [f"{name}: {fault}" for fault in faults]
