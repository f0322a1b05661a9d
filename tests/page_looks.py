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
_AXE: Final = """async (rules) => (
    await axe.run({resultTypes: ["violations"], selectors: false, ...rules})
).violations.filter((found) => ["serious", "critical"].includes(found.impact))
    .map((found) => [found.id, found.nodes.slice(0, 3).map((node) => node.html)])"""
_OF_LOOKS: Final = {"runOnly": ["color-contrast", "link-in-text-block", "target-size"]}
_TOO_WIDE: Final = "document.documentElement.scrollWidth > document.documentElement.clientWidth"


class Look(NamedTuple):
    """A size of the screen and a colour scheme."""

    size: str
    scheme: Literal["light", "dark"]


def list_looks(*languages: str) -> list[tuple[str, list[Look]]]:
    """Return each size and scheme once, by languages; for screenshots, all that there are."""
    wide, phone = Look("wide", "light"), Look("phone", "dark")
    if _FOLDER:
        looks = [wide, Look("wide", "dark"), Look("phone", "light"), phone]
        return [(name, looks) for name in languages]
    if len(languages) == 1:
        return [(languages[0], [wide, phone])]
    return [(languages[0], [wide]), (languages[-1], [phone])]


def open_context(browser: Browser, url: str, language: str) -> BrowserContext:
    """Return a context into which scripts of the test may be put."""
    context = browser.new_context(
        base_url=url,
        viewport=_SIZES["wide"],
        locale=language,
        # One look takes another's place at once.
        reduced_motion="reduce",
        bypass_csp=True,
    )
    context.add_init_script(path=installed_packages("axe_npm") / "node_modules/axe-core/axe.min.js")
    return context


def inspect(page: Page, name: str, language: str, looks: list[Look]) -> list[str]:
    """Save screenshots where they are wanted; return what is wrong with a page in some look."""
    page.wait_for_load_state()
    found: list[str] = []
    is_wide = page.viewport_size == _SIZES["wide"]
    for look in looks if is_wide else looks[::-1]:
        page.set_viewport_size(_SIZES[look.size])
        page.emulate_media(color_scheme=look.scheme)
        page.evaluate("document.fonts.ready")
        if _FOLDER:
            Path(_FOLDER).mkdir(parents=True, exist_ok=True)
            file = f"{name}-{look.size}-{look.scheme}-{language}.png"
            page.screenshot(path=Path(_FOLDER) / file, full_page=True)
        rules = {} if look.scheme == "light" else _OF_LOOKS
        faults = [*page.evaluate(_AXE, rules), *(["too wide"] if page.evaluate(_TOO_WIDE) else [])]
        found += [f"{name}, {look.size} and {look.scheme}: {fault}" for fault in faults]
    return found
