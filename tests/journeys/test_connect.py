"""A user's browser on the connect page: real Chromium, the whole service, a real provider."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.oidc_provider import OidcProvider
from tests.stack.stack import Stack

_SUBJECT = "user-42"


@pytest.fixture(scope="module")
def _providers(stack: Stack) -> None:
    """Providers of three kinds: one to sign in with, one with API keys, one with subdomains."""
    changes = {"name": "Ada's Shop", "return_to_origins": [stack.url]}
    assert stack.call("PATCH", "/v1/apps/default", json=changes).ok
    zendesk = {"preset": "zendesk", "client_id": "app", "client_secret": "x"}
    assert stack.call("PUT", "/v1/providers/zendesk", json=zendesk).ok
    keys = {"credential_type": "api_key"}
    assert stack.call("PUT", "/v1/providers/mailer", json=keys).ok


@pytest.fixture
def page(stack: Stack, chromium: Browser) -> Iterator[Page]:
    """A page of a telephone that reaches this machine alone; ours ask no other host."""
    strayed: list[str] = []

    def guard(route: Route) -> None:
        host = urlsplit(route.request.url).hostname
        if host == "127.0.0.1":
            route.continue_()
            return
        if (
            route.request.frame.url.startswith(stack.url)
            and not route.request.is_navigation_request()
        ):
            strayed.append(route.request.url)
        route.abort()

    context = chromium.new_context(viewport={"width": 360, "height": 740}, locale="en-GB")
    opened = context.new_page()
    opened.route("**/*", guard)
    faults: list[str] = []
    opened.on("pageerror", lambda error: faults.append(str(error)))
    yield opened
    context.close()
    assert strayed == []
    assert faults == []


def _open(stack: Stack, page: Page, **wishes: Any) -> None:
    made = stack.call("POST", "/v1/connect-sessions", json={"subject": _SUBJECT, **wishes})
    assert made.ok, made.text
    page.goto(made.json()["url"])
    expect(page.get_by_role("heading", level=1)).to_contain_text("Ada's Shop asks you")
    page.get_by_role("button", name="Continue").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Connect your accounts")


def _agree(page: Page, user: str) -> None:
    """Sign in on the provider's own page."""
    page.get_by_placeholder("sub").fill(user)
    page.get_by_role("button", name="Authorize").click()


def _fits(page: Page) -> bool:
    """Return whether nothing of a page is wider than the screen."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


@pytest.mark.usefixtures("_providers")
def test_a_user_connects_is_told_of_errors_and_reconnects(
    stack: Stack, page: Page, oidc_provider: OidcProvider
) -> None:
    # Given a link of the app, and a user who at first does not agree
    _open(stack, page, providers=["house"], return_to=f"{stack.url}/health")
    page.get_by_role("button", name="Connect house").click()
    page.get_by_role("button", name="Deny").click()
    expect(page.get_by_role("status")).to_contain_text("you did not agree at house")
    # When the user agrees, then the page says that the account is connected
    page.get_by_role("button", name="Connect house").click()
    _agree(page, "ada")
    expect(page.get_by_role("status")).to_have_text("house is connected.")
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    assert _fits(page)
    # When the grant ends at the provider, then the page asks for its user
    [connection] = stack.call("GET", f"/v1/connections?subject={_SUBJECT}").json()["items"]
    oidc_provider.revoke_tokens_of("ada")
    stack.job(f"/v1/connections/{connection['id']}/renew")
    page.reload()
    expect(page.get_by_text("Needs reconnecting")).to_be_visible()
    page.get_by_role("button", name="Reconnect").click()
    _agree(page, "ada")
    expect(page.get_by_text("Connected", exact=True)).to_be_visible()
    # And the app is told which connection it is, as the user goes back
    page.get_by_role("link", name="Back to Ada's Shop").click()
    page.wait_for_url(f"{stack.url}/health?connection_ids={connection['id']}")


@pytest.mark.usefixtures("_providers")
def test_forms_are_checked_as_one_types(stack: Stack, page: Page) -> None:
    _open(stack, page, providers=["zendesk", "mailer"])
    # Given a form for the subdomain of a customer
    with page.expect_navigation():
        page.get_by_role("link", name="Connect Zendesk").click()
    field, send = page.get_by_label("Subdomain"), page.get_by_role("button", name="Connect Zendesk")
    # When what cannot be right is typed, then the form says so at once, and is not sent
    field.press_sequentially("acme shop")
    expect(page.get_by_text("This cannot be right")).to_be_visible()
    send.click()
    expect(field).to_be_focused()
    # And the whole address of an account is cut to what is asked for
    field.fill("https://Acme.zendesk.com/agent")
    expect(field).to_have_value("acme")
    expect(page.get_by_text("This cannot be right")).to_be_hidden()
    # And the browser is led to the customer's own host, though the form names no other
    with page.expect_request("https://acme.zendesk.com/**"):
        send.click(no_wait_after=True)
    # When an API key is entered, then it is connected
    _open(stack, page, providers=["mailer"])
    page.get_by_role("link", name="Connect mailer").click()
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("as your account there shows it")).to_be_visible()
    page.get_by_label("API key").fill("käse")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("alert")).to_contain_text("mailer does not accept")
    assert _fits(page)
    page.get_by_label("API key").fill("key-1234")
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_role("status")).to_have_text("mailer is connected.")
    # And it is disconnected by its user, who is asked first
    page.on("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Disconnect").click()
    expect(page.get_by_role("status")).to_have_text("mailer is disconnected.")
