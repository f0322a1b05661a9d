"""Users' pages in Chromium: each state at two sizes, in both schemes and in two languages."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlencode

import httpx
import pytest
from playwright.sync_api import Browser, Page

from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.imports.identities import store_profile
from tests.oidc_provider import OidcProvider
from tests.page_looks import Look, inspect, list_looks, open_context
from tests.provider.devices import DEVICE_CODE
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.connect.conftest import RETURN_TO, make_link
from tests.worker.http.signing_in import consented

_LOOKS: Final = list_looks("en", "de")
_CALLBACK: Final = "/v1/oauth/callback"
_STATUSES: Final = ("active", "renewal_failing", "ended", "reauthorization_required")


@pytest.fixture
def offers(
    http: httpx.Client, shop: httpx.Client, house: OidcProvider, television: ScriptedProvider
) -> None:
    """Providers of each kind, and a user's accounts in each state."""
    assert house
    known = {"client_id": "app", "client_secret": "x"}
    device = {"issuer": television.issuer, **television.credentials(), "grant_types": [DEVICE_CODE]}
    settings = {
        "github": {"preset": "github", **known},
        "zendesk": {"preset": "zendesk", **known},
        "mailer": {"credential_type": "api_key"},
        "ledger": {"credential_type": "basic"},
        "television": device,
    }
    for name, body in settings.items():
        assert http.put(f"/v1/providers/{name}", json=body).is_success
    logo = base64.b64encode(_draw_logo()).decode()
    assert http.patch("/v1/apps/shop", json={"logo": f"data:image/png;base64,{logo}"}).is_success
    for status in _STATUSES:
        tokens = {"access_token": f"a-{status}", "refresh_token": f"b-{status}"}
        body = {"provider": "github", "subject": "user-1", "tokens": tokens}
        made = shop.post("/v1/connections", json=body)
        assert made.status_code == 201, made.text
        with hold_connection():
            row = TAB_CONNECTIONS.get_by_id(made.json()["id"])
            store_profile(
                row, {**row.profile, "email": f"{status}@example.com"} | {"source": "userinfo"}
            )
            TAB_CONNECTIONS.update(status=status).where(TAB_CONNECTIONS.id == row.id).execute()
    key = {"provider": "mailer", "subject": "user-1", "credentials": {"api_key": "k-1"}}
    assert shop.post("/v1/connections", json=key).status_code == 201


def _draw_logo() -> bytes:
    """Return a PNG of one colour."""
    width, height = 160, 48
    row = b"\0" + b"\x20\x6b\xc4" * width

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * height)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.usefixtures("offers")
@pytest.mark.parametrize(("language", "looks"), _LOOKS, ids=["en", "de"])
def test_each_page_is_accessible_and_fits(
    shop: httpx.Client,
    chromium: Browser,
    url: str,
    house: OidcProvider,
    *,
    language: str,
    looks: list[Look],
) -> None:
    context = open_context(chromium, url, language)
    page = context.new_page()
    states = (_visit_account_pages(page, shop, house.issuer), _visit_ends(page, shop, url))
    sign_ins = _visit_sign_in_ends(page, shop, house)
    found = [
        fault
        for visits in (*states, sign_ins)
        for name in visits
        for fault in inspect(page, name, language, looks)
    ]
    context.close()
    assert not found, "\n".join(found)


def _visit_account_pages(page: Page, shop: httpx.Client, issuer: str) -> Iterator[str]:
    """Open the page of a user's accounts in its states, and name each."""
    page.goto("/")
    yield "root"
    page.goto(make_link(shop, return_to=RETURN_TO))
    yield "connect-landing"
    page.click("button[type=submit]")
    yield "connect-accounts"
    home = page.url
    page.goto(f"{home}?notice=failed&provider=github")
    yield "connect-failed"
    for name in ("mailer", "ledger", "zendesk"):
        page.goto(f"{home}/providers/{name}")
        yield f"connect-form-{name}"
    page.fill("input[type=text]", "acme shop")
    yield "connect-form-typed"
    page.goto(f"{home}/providers/mailer")
    page.fill("#api_key", "k\u00e4se")
    page.click("button[type=submit]")
    yield "connect-form-refused"
    page.goto(f"{home}/providers/television")
    page.click("button[type=submit]")
    yield "connect-device"
    page.goto(home)
    # The page leads to the provider by itself, and the browser stays; a route costs it its cache
    page.route(f"{issuer}/**", lambda route: route.fulfill(status=204), times=1)
    page.click("form[action$='/providers/house/sign-in'] button")
    page.wait_for_selector("meta[http-equiv=refresh]", state="attached")
    yield "connect-leaving"
    page.goto(home)
    page.evaluate("document.querySelectorAll('[name=csrf_token]').forEach((it) => it.value = 'x')")
    page.click("form[action$='/providers/house/sign-in'] button")
    yield "connect-forged"


def _visit_ends(page: Page, shop: httpx.Client, url: str) -> Iterator[str]:
    """Open links that lead no further, and name each."""
    page.goto("/connect?link=" + "x" * 43)
    yield "connect-expired"
    link = make_link(shop)
    httpx.post(f"{url}/connect", data={"link": httpx.URL(link).params["link"]})
    page.goto(link)
    yield "connect-taken"
    shop.patch("/v1/apps/shop", json={"providers": []})
    page.goto(make_link(shop))
    page.click("button[type=submit]")
    yield "connect-nothing"
    shop.patch("/v1/apps/shop", json={"providers": None})


def _visit_sign_in_ends(page: Page, shop: httpx.Client, house: OidcProvider) -> Iterator[str]:
    """Come back from the provider in each way, and name each."""
    answers = {
        "connected": consented(shop, house, "ada"),
        "cancelled": {**consented(shop, house, "ada"), "code": "", "error": "access_denied"},
        "failed": {**consented(shop, house, "ada"), "code": "spent"},
        "expired": {"state": "unknown:house", "code": "any"},
    }
    for name, answer in answers.items():
        query = urlencode({member: text for member, text in answer.items() if text})
        page.goto(f"{_CALLBACK}?{query}")
        yield f"sign-in-{name}"
