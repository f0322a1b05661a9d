"""The console in Chromium: each page at two sizes and in both schemes, for eyes and ears and keys.

With the variable SCREENSHOTS, a folder, each page is written there too: `make screenshots`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, ViewportSize

from actors.events.audit import build_event
from actors.events.kinds import EventKind
from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.messages import HASH_PASSWORD, PASSWORDS
from catfeeder.queue.broker import build_message
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.browser import start_browser
from tests.conftest import ADMIN_API_KEY
from tests.journeys.software.running import installed_packages
from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import sign_in

_FOLDER: Final = os.environ.get("SCREENSHOTS")
_SIZES: Final[dict[str, ViewportSize]] = {
    "wide": {"width": 1280, "height": 800},
    "phone": {"width": 360, "height": 740},
}
#: Each size and each scheme once; `make screenshots` wants all four.
_LOOKS: Final = (
    [(size, scheme) for size in _SIZES for scheme in ("light", "dark")]
    if _FOLDER
    else [("wide", "light"), ("phone", "dark")]
)
#: What is serious to those who read by ear or by key.
_AXE: Final = """async () => (await axe.run({resultTypes: ["violations"]})).violations
    .filter((found) => ["serious", "critical"].includes(found.impact))
    .map((found) => [found.id, found.nodes.slice(0, 3).map((node) => node.html)])"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with start_browser() as browser:
        yield browser


@pytest.fixture
def pages(http: httpx.Client, house: OidcProvider, service: Client) -> list[tuple[str, str]]:
    """Every page of the console by its name, with something on each."""
    connection = sign_in(http, house, "ann", subject="user-1")
    http.post("/v1/apps", json={"id": "web-shop", "name": "Web shop"})
    http.post("/v1/keys", json={"name": "shop", "scopes": ["jobs"]})
    http.post("/v1/queues/renewals/pause")
    http.post("/v1/providers/house/pause", json={"reason": "Their maintenance."})
    job = http.post("/v1/passwords/hash", json={"password": "correct horse battery"}).json()
    message = build_message(HASH_PASSWORD, {"password": Secret("hunter2"), "rounds": 4})
    body = service.broker.encoder.encode(message.copy(options={"redis_message_id": "a"}).asdict())
    DeadLetters(service.broker).add(PASSWORDS, "a", "internal_error", body)
    now = utc_now()
    with hold_connection():
        kinds = [EventKind.RENEWED] * 5 + [EventKind.RENEWAL_FAILED]
        TAB_EVENTS.insert_rows([build_event(kind, now=now) for kind in kinds])
    return [
        ("overview", ""),
        ("connections", "/connections"),
        ("connection", f"/connections/{connection['id']}"),
        ("renewals", "/renewals"),
        ("providers", "/providers"),
        ("provider", "/providers/house"),
        ("queues", "/queues"),
        ("dead-letters", "/queues/passwords/dead-letters"),
        ("confirm", "/queues/passwords/dead-letters/all/discard"),
        ("jobs", "/jobs"),
        ("job", f"/jobs/{job['id']}"),
        ("events", "/events"),
        ("webhooks", "/webhooks"),
        ("apps", "/apps"),
        ("app", "/apps/web-shop"),
        ("keys", "/keys"),
    ]


def _open_context(browser: Browser, url: str, size: str, scheme: Any) -> BrowserContext:
    """Return a signed-in context into which scripts of the test may be put."""
    context = browser.new_context(
        base_url=url, viewport=_SIZES[size], color_scheme=scheme, bypass_csp=True
    )
    page = context.new_page()
    page.goto("/console/login")
    page.fill("#api_key", ADMIN_API_KEY)
    page.click("button[type=submit]")
    page.close()
    return context


@pytest.mark.parametrize(("size", "scheme"), _LOOKS, ids=[f"{a}-{b}" for a, b in _LOOKS])
def test_each_page_is_accessible_and_fits(
    browser: Browser, url: str, pages: list[tuple[str, str]], size: str, scheme: str
) -> None:
    axe = (installed_packages("axe_npm") / "node_modules/axe-core/axe.min.js").read_text()
    context = _open_context(browser, url, size, scheme)
    requested: list[str] = []
    context.on("request", lambda request: requested.append(request.url))
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text))
    found: list[str] = []
    # When each page is opened
    for name, path in pages:
        answer = page.goto(f"/console{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, path
        _save_screenshot(page, f"{name}-{size}-{scheme}.png")
        page.evaluate(axe)
        too_wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        faults = [*page.evaluate(_AXE), *(["too wide"] if page.evaluate(too_wide) else [])]
        found.extend(f"{name}: {fault}" for fault in faults)
    context.close()
    # Then axe finds nothing serious, no page is wider than the screen, and the browser asks no
    # other host
    assert not found, "\n".join(found)
    assert told == []
    assert {urlsplit(each).netloc for each in requested} == {urlsplit(url).netloc}


def _save_screenshot(page: Page, name: str) -> None:
    if _FOLDER:
        Path(_FOLDER).mkdir(parents=True, exist_ok=True)
        page.screenshot(path=Path(_FOLDER) / name, full_page=True)


def test_the_overview_is_used_by_keys_while_it_changes(
    browser: Browser, url: str, pages: list[tuple[str, str]], http: httpx.Client
) -> None:
    # Given the overview, and no mouse
    assert pages
    context = _open_context(browser, url, "wide", "light")
    page = context.new_page()
    page.goto("/console")
    focused = "document.activeElement.textContent.trim()"
    # Then the first key leads to a link past the menu, and from there into the content
    page.keyboard.press("Tab")
    assert page.evaluate(focused) == "Skip to the content"
    assert page.evaluate("document.activeElement.getBoundingClientRect().height > 10")
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    line = "document.activeElement.closest('.alert').innerText"
    before = page.evaluate(line)
    assert page.evaluate("document.querySelector('[data-live]').contains(document.activeElement)")
    # And the focus stays where it is, though another line comes on top of it
    http.post("/v1/queues/oauth/pause")
    page.wait_for_selector(".alert:has-text('The queue oauth is paused') ~ .alert")
    assert page.evaluate(line) == before
    # And though it is gone again
    http.post("/v1/queues/oauth/resume")
    page.wait_for_selector("text='The queue oauth is paused'", state="detached")
    assert page.evaluate(line) == before
    # And times are those of the viewer, with UTC beside them
    assert page.get_attribute("time", "title").endswith(" UTC")  # type: ignore[union-attr]
    context.close()
