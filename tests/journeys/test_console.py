"""The console in an operator's browser: real Chromium, the whole service, a real provider."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import redis
import requests
from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.journeys.software.running import OIDC_PROVIDER, Client, Served, consent, running
from tests.stack.stack import ANONYMOUS, Stack, build_stacks
from tests.waiting import wait_until

_CLIENT: Final = Client("basic", "client_secret_basic", "the-client-secret-of-this-app")
_CALLBACK: Final = "/v1/oauth/callback"
_SUBJECT: Final = "user-42"
#: Where the pages of another origin stand.
_FOREIGN: Final[set[str]] = set()


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running service."""
    with build_stacks(tmp_path_factory.mktemp("console")) as build:
        made = build()
        for cron in ("renew_oath_tokens", "deliver_events"):
            made.configure("Crons", f"{cron}_interval", "1")
        yield made


@pytest.fixture(scope="module")
def provider(service: Stack) -> Iterator[Served]:
    """oidc-provider, which the service knows as `house`; it runs as long as the service."""
    with running(OIDC_PROVIDER, [_CLIENT], service.url + _CALLBACK) as served:
        host = urlsplit(served.origin).netloc
        environment = service.directory.path / ".env"
        environment.write_text(f"OAUTH_ALLOWED_PRIVATE_HOSTS={host}\n")
        service.start()
        known = {"client_id": _CLIENT.client_id, "client_secret": _CLIENT.client_secret}
        answer = service.call(
            "PUT", "/v1/providers/house", json={**OIDC_PROVIDER.settings(served.origin), **known}
        )
        assert answer.ok, answer.text
        yield served


@pytest.fixture
def open_context(chromium: Browser, service: Stack) -> Iterator[Callable[..., BrowserContext]]:
    """Open browsers that know nothing of each other; each names the hosts that it may ask."""
    opened: list[tuple[BrowserContext, set[str], list[str]]] = []

    def open_one(*others: str) -> BrowserContext:
        context = chromium.new_context(base_url=service.url, locale="en-GB")
        asked: list[str] = []
        context.on("request", lambda request: asked.append(request.url))
        opened.append((context, {urlsplit(it).netloc for it in (service.url, *others)}, asked))
        return context

    yield open_one
    for context, hosts, asked in opened:
        context.close()
        # No request leaves for another host.
        assert {urlsplit(url).netloc for url in asked} <= hosts | _FOREIGN


@pytest.fixture
def operator(open_context: Callable[..., BrowserContext], service: Stack, provider: Served) -> Page:
    """The page of an operator who has entered the key."""
    assert provider
    page = open_context().new_page()
    page.goto("/console")
    page.get_by_label("Key").fill(service.admin_api_key)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")
    page.on("dialog", lambda dialog: dialog.accept())
    return page


def connect(service: Stack, subject: str = _SUBJECT) -> str:
    """Sign the provider's user in for the app's user; return the connection's id."""
    asked = {"subject": subject, "unbound": True, "scope": "openid profile email offline_access"}
    begun = service.call("POST", "/v1/oauth/house/authorize", json=asked).json()
    with requests.Session() as user:
        back = consent(user, begun["authorization_url"], service.url + _CALLBACK)
    answer = service.call("GET", back.removeprefix(service.url), key=ANONYMOUS)
    assert answer.ok, answer.text
    return str(answer.json()["id"])


def press(page: Page, name: str, told: str = "", within: str = "main, .page-header") -> None:
    """Press a button, and see what the page says then."""
    page.locator(within).get_by_role("button", name=name, exact=True).first.click()
    if told:
        expect(page.get_by_role("status").first).to_contain_text(told)


def visit(page: Page, entry: str) -> None:
    """Go by the menu."""
    page.get_by_role("navigation", name="Console").get_by_role("link", name=entry).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(entry)


def test_a_failing_connection_is_found_read_and_connected_anew_by_its_user(
    service: Stack, provider: Served, operator: Page, open_context: Callable[..., BrowserContext]
) -> None:
    # Given a connection whose grant has ended at the provider, which its renewal has shown
    connection_id = connect(service)
    requests.get(f"{provider.origin}/forget", timeout=10)
    service.job(f"/v1/connections/{connection_id}/renew")
    # When the operator searches by what the user has said, an address in some case
    visit(operator, "Connections")
    operator.get_by_label("Subject, e-mail address or id").fill("Jane@Example.com")
    press(operator, "Search")
    row = operator.get_by_role("row", name=_SUBJECT)
    expect(row).to_contain_text("reauthorization required")
    row.get_by_role("link").first.click()
    # Then the page says why, and what to do
    state = operator.get_by_role("region", name="reauthorization required")
    expect(state).to_contain_text("invalid_grant")
    expect(state).to_contain_text("Have its user sign in again.")
    # When the operator makes a link in another tab, and its user follows that
    other = operator.context.new_page()
    other.goto(operator.url)
    press(other, "Make a reconnect link")
    link = other.get_by_label("Link", exact=True).input_value()
    operator.evaluate("window.isTheSamePage = true")
    user = open_context(provider.origin).new_page()
    user.goto(link)
    user.get_by_role("button", name="Continue").click()
    expect(user.get_by_text("Needs reconnecting")).to_be_visible()
    user.get_by_role("button", name="Reconnect").click()
    expect(user.get_by_role("status")).to_have_text("house is connected.")
    # Then the operator sees it turn, without loading the page again
    expect(operator.get_by_role("region", name="active")).to_be_visible()
    expect(operator.get_by_text("The user signed in, and tokens came").nth(1)).to_be_visible()
    assert operator.evaluate("window.isTheSamePage")
    assert service.call("GET", f"/v1/connections/{connection_id}").json()["status"] == "active"


def test_connections_are_changed_by_buttons(service: Stack, operator: Page) -> None:
    # Given two users' connections
    ids = [connect(service, subject) for subject in ("user-1", "user-2")]
    operator.goto(f"/console/connections/{ids[0]}")
    # When one is renewed, its profile fetched, and then disconnected
    press(operator, "Renew now", "has renewed the token")
    press(operator, "Fetch the profile", "what the provider says of the user now")
    press(operator, "Disconnect", "is disconnected and erased")
    assert service.call("GET", f"/v1/connections/{ids[0]}").status_code == 404
    # When all that are left are renewed, then only the number that is shown confirms it
    operator.get_by_label("State").select_option("active")
    press(operator, "Search")
    left = operator.locator("tbody tr").count()
    operator.get_by_role("link", name="Renew …").click()
    operator.get_by_label("To confirm").fill(str(left + 1))
    press(operator, "Renew them")
    expect(operator.get_by_text("Type the number that is shown")).to_be_visible()
    operator.get_by_label("To confirm").fill(str(left))
    press(operator, "Renew them")
    expect(operator.get_by_text(f"{left} made due or renewed")).to_be_visible()
    # Then the audit trail has each change, with the key that asked for it
    asked = {"renewal_requested", "profile_requested", "revoked", "renewed"}
    assert asked <= list_kinds(service)


def list_kinds(service: Stack) -> set[str]:
    """Return the kinds of the events that the operator's key has asked for."""
    events = service.call("GET", "/v1/events?limit=500").json()["items"]
    return {event["kind"] for event in events if event["key_id"] == "admin"}


def test_a_provider_is_changed_by_buttons(service: Stack, operator: Page) -> None:
    # When the provider is paused, resumed, checked, and one of its settings changed
    visit(operator, "Providers")
    operator.get_by_role("link", name="house").click()
    operator.get_by_label("Pause by hand, because").fill("Their maintenance.")
    press(operator, "Pause", "paused until they are resumed")
    expect(operator.get_by_text("Their maintenance.")).to_be_visible()
    press(operator, "Resume", "Its renewals go on")
    press(operator, "Check")
    expect(operator.get_by_role("region", name="Check")).to_contain_text("well")
    operator.get_by_role("link", name="Settings").click()
    operator.get_by_label("scopes").first.fill("openid\nemail\noffline_access")
    press(operator, "Save", "The settings are saved")
    shown = service.call("GET", "/v1/providers/house").json()
    assert shown["scopes"] == ["openid", "email", "offline_access"]
    assert shown["has_client_secret"]
    changes = {"provider_changed", "provider_paused", "provider_resumed"}
    assert changes <= list_kinds(service)


def test_queues_and_dead_letters_are_changed_by_buttons(service: Stack, operator: Page) -> None:
    # When a queue is paused and resumed
    visit(operator, "Queues")
    passwords = operator.get_by_role("row", name="passwords")
    passwords.get_by_role("button", name="Pause").click()
    expect(operator.get_by_role("status")).to_contain_text("The queue is paused")
    passwords.get_by_role("button", name="Resume").click()
    expect(operator.get_by_role("status")).to_contain_text("The queue is resumed")
    # When what nothing can read comes on it, then it is a dead letter, replayed and discarded
    with redis.Redis.from_url(service.redis_url) as stranger:
        for name in ("one", "two"):
            stranger.hset("catfeeder:passwords.msgs", name, b"no message")
            stranger.rpush("catfeeder:passwords", name)
    letters = operator.get_by_role("region", name="Dead letters").locator("tbody tr")
    wait_until(lambda: _reload(operator, "/console/queues/passwords/dead-letters", letters))
    letters.first.get_by_role("button", name="Replay").click()
    expect(operator.get_by_role("status")).to_be_visible()
    letters.first.get_by_role("button", name="Discard").click()
    expect(operator.get_by_role("status")).to_contain_text("discarded for good")


def test_apps_keys_and_webhooks_are_changed_by_buttons_until_the_logout(
    service: Stack, provider: Served, operator: Page
) -> None:
    # When an app is made, with a logo that is a picture of another size
    visit(operator, "Apps")
    operator.get_by_role("link", name="Make an app").click()
    operator.get_by_label("Id", exact=True).fill("web-shop")
    operator.get_by_label("Webhook").fill(f"{provider.origin}/hooks")
    logo = {"name": "logo.png", "mimeType": "image/png", "buffer": operator.screenshot()}
    operator.get_by_label("A picture").set_input_files(logo)  # type: ignore[arg-type]
    expect(operator.get_by_alt_text("The logo")).to_be_visible()
    press(operator, "Make it", "The app is made.")
    assert len(service.call("GET", "/v1/apps/web-shop").json()["logo"]) <= 32768
    # When it gets a key, then the page shows it, and never again
    operator.get_by_role("link", name="Keys", exact=True).last.click()
    operator.get_by_label("Name").fill("shop")
    operator.get_by_label("jobs", exact=True).check()
    press(operator, "Make the key")
    key = operator.locator("#key").inner_text()
    assert service.call("GET", "/v1/jobs/none", key=key).status_code != requests.codes.unauthorized
    operator.goto(operator.url)
    expect(operator.get_by_role("cell", name="shop").first).to_be_visible()
    expect(operator.locator("#key")).to_have_count(0)
    press(operator, "Revoke", "The key is revoked")
    # When its receiver refuses an event, then that is sent anew
    body = {"provider": "house", "subject": "u", "tokens": {"access_token": "x"}}
    shop = {"Catfeeder-App": "web-shop"}
    moved = service.call("POST", "/v1/connections", json=body, headers=shop).json()
    service.job(f"/v1/connections/{moved['id']}", method="DELETE")
    sent = operator.get_by_role("region", name="Deliveries").locator("tbody tr")
    wait_until(lambda: _reload(operator, "/console/webhooks", sent))
    press(operator, "Send anew", "is on its way", "tbody")
    # When the operator signs out, then no step back shows what was there
    operator.get_by_role("button", name="Sign out").click()
    expect(operator.get_by_label("Operator's key")).to_be_visible()
    operator.go_back()
    expect(operator.get_by_label("Operator's key")).to_be_visible()


def _reload(page: Page, path: str, rows: Locator) -> int:
    page.goto(path)
    return rows.count()


@contextmanager
def _foreign_site(pages: dict[str, str]) -> Iterator[str]:
    """Serve pages of another origin, and return its port."""

    class Foreign(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *_: Any) -> None:
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Foreign) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        _FOREIGN.update(f"{host}:{server.server_port}" for host in ("localhost", "127.0.0.1"))
        yield str(server.server_port)
        server.shutdown()


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"], ids=["another-site", "another-port"])
def test_a_foreign_page_neither_frames_nor_sends_anything(
    service: Stack, operator: Page, host: str
) -> None:
    # Given an operator's session, a user's connect page, and a page of another origin, which the
    # browser counts to the same site where only the port differs
    made = service.call("POST", "/v1/connect-sessions", json={"subject": "user-9"}).json()
    operator.goto(made["url"])
    operator.get_by_role("button", name="Continue").click()
    expect(operator.get_by_role("button", name="Connect house")).to_be_visible()
    connect_page = operator.url
    targets = {
        "/console": f"{service.url}/console/queues/oauth/pause",
        "/connect": f"{connect_page}/providers/house/sign-in",
        "/login": f"{service.url}/console/login",
    }
    shown = (f"{service.url}/console", f"{service.url}/console/login", connect_page)
    pages = {
        "/frames": "".join(f'<iframe src="{it}"></iframe>' for it in shown),
        **{
            path: f'<form method="post" action="{target}"><input name="csrf_token" value="x">'
            f'<input name="api_key" value="{service.admin_api_key}"><button>Go</button></form>'
            for path, target in targets.items()
        },
    }
    with _foreign_site(pages) as port:
        # When it shows our pages within its own, then the browser shows none of them
        operator.goto(f"http://{host}:{port}/frames")
        framed = [frame for frame in operator.frames if frame.parent_frame is not None]
        assert len(framed) == len(shown)
        for frame in framed:
            assert "Cat Feeder" not in frame.content()
            assert frame.get_by_role("heading").count() == 0
        # When it sends forms, then nothing is changed, and nothing is begun
        for path in targets:
            operator.goto(f"http://{host}:{port}{path}")
            with operator.expect_navigation() as sent:
                operator.get_by_role("button", name="Go").click()
            answer = sent.value
            assert answer is not None
            assert answer.status in (403, 409) or urlsplit(answer.url).path == "/console/login"
            assert "Overview" not in operator.content()
    queues = service.call("GET", "/v1/queues").json()["items"]
    assert not any(queue["paused"] for queue in queues)
