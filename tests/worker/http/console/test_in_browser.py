"""The console in Chromium: each page at two sizes, light and dark, for eyes, ears and keys."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Browser, Page

from actors.events.audit import build_event, record
from actors.events.kinds import EventKind
from actors.events.webhooks import deliver_events
from actors.queue.dead_letters import DeadLetters
from catfeeder.client import Client
from catfeeder.clock import utc_now
from catfeeder.messages import HASH_PASSWORD, PASSWORDS
from catfeeder.queue.broker import build_message
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from models.oauth.connections import TAB_CONNECTIONS
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.page_looks import inspect, list_looks, open_context
from tests.worker.http.signing_in import sign_in

[(_LANGUAGE, _LOOKS)] = list_looks("en")
#: Pages that answer a form: their names, where the form stands, what is typed, and its button.
_ANSWERS: Final[tuple[tuple[str, str, dict[str, str], str], ...]] = (
    ("provider-refused", "/providers/-/new", {"#name": "No Name"}, "Add it"),
    ("provider-checked", "/providers/house", {}, "Check"),
    ("key-refused", "/keys", {"#name": "x"}, "Make the key"),
    ("key-made", "/keys", {"#name": "bot", "[name='scopes.jobs']": ""}, "Make the key"),
)


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
    http.patch("/v1/apps/default", json={"webhook_url": f"{house.issuer}/hooks"})
    failing = sign_in(http, house, "bob", subject="<b>" + "W" * 200 + "\u202e")
    now = utc_now()
    with hold_connection():
        reason = "client_misconfigured: 401 invalid_client (The client's secret has expired.)"
        changes = {"status": "renewal_failing", "reason": reason, "failures": 3}
        TAB_CONNECTIONS.update(changes).where(TAB_CONNECTIONS.id == failing["id"]).execute()
        record(EventKind.RECOVERED, now=now, provider="house")
    deliver_events()
    with hold_connection():
        kinds = [EventKind.RENEWED] * 5 + [EventKind.RENEWAL_FAILED]
        TAB_EVENTS.insert_rows([build_event(kind, now=now) for kind in kinds])
    return [
        ("overview", ""),
        ("connections", "/connections"),
        ("connection", f"/connections/{connection['id']}"),
        ("all-that-match", "/connections/all?action=disconnect&status=active"),
        ("connection-failing", f"/connections/{failing['id']}"),
        ("renewals", "/renewals"),
        ("providers", "/providers"),
        ("provider", "/providers/house"),
        ("provider-settings", "/providers/house/settings"),
        ("provider-new", "/providers/-/new?preset=zendesk"),
        ("catalogue", "/providers/-/catalogue?query=goo"),
        ("preset", "/providers/-/catalogue/google"),
        ("queues", "/queues"),
        ("dead-letters", "/queues/passwords/dead-letters"),
        ("confirm", "/queues/passwords/dead-letters/all/discard"),
        ("jobs", "/jobs"),
        ("job", f"/jobs/{job['id']}"),
        ("events", "/events"),
        ("webhooks", "/webhooks"),
        ("apps", "/apps"),
        ("app", "/apps/web-shop"),
        ("app-new", "/apps/-/new"),
        ("connections-none", "/connections?q=nobody@example.com"),
        ("keys", "/keys"),
    ]


def _sign_in(page: Page) -> None:
    """Enter the key of an operator, and wait for what it opens."""
    page.goto("/console/login")
    page.fill("#api_key", ADMIN_API_KEY)
    page.click("button[type=submit]")
    page.wait_for_url("**/console")


def test_each_page_is_accessible_and_fits(
    chromium: Browser, url: str, pages: list[tuple[str, str]]
) -> None:
    context = open_context(chromium, url, _LANGUAGE)
    requested: list[str] = []
    context.on("request", lambda request: requested.append(request.url))
    page = context.new_page()
    told: list[str] = []
    page.on("console", lambda it: told.append(it.text) if it.type in ("error", "warning") else None)
    # When each page is opened, the first without a session
    found: list[str] = []
    for name, path in (("login", "/login"), *pages):
        if name == "overview":
            _sign_in(page)
        answer = page.goto(f"/console{path}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, path
        found += inspect(page, name, _LANGUAGE, _LOOKS)
    # And those that answer a form, or an error
    of_link = dict(pages)["connection"]
    for name, path, typed, button in (
        *_ANSWERS,
        ("reconnect-link", of_link, {}, "Make a reconnect link"),
    ):
        page.goto(f"/console{path}")
        for field, text in typed.items():
            page.fill(field, text) if text else page.check(field)
        page.locator("main, .page-header").get_by_role("button", name=button).first.click()
        page.wait_for_load_state()
        found += inspect(page, name, _LANGUAGE, _LOOKS)
    context.close()
    # Then axe finds nothing serious, no page is wider than the screen, and the browser asks no
    # other host
    assert not found, "\n".join(found)
    assert [it for it in told if "422" not in it] == []
    assert {urlsplit(each).netloc for each in requested} == {urlsplit(url).netloc}


def test_the_overview_is_used_by_keys_while_it_changes(
    chromium: Browser, url: str, pages: list[tuple[str, str]], http: httpx.Client
) -> None:
    # Given the overview, and no mouse
    assert pages
    context = open_context(chromium, url, _LANGUAGE)
    page = context.new_page()
    _sign_in(page)
    # The first look has lines that change with the counts that come after it.
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
