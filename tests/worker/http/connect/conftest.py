"""Fixtures of the connect pages' tests: an app, its link, and browsers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from tests.conftest import ADMIN_API_KEY
from tests.worker.http.serving import calling

RETURN_TO = "https://shop.example/settings"


@pytest.fixture
def shop(http: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """The operator, who acts for the app `shop`."""
    settings = {"id": "shop", "name": "Ada & Co", "return_to_origins": ["https://shop.example"]}
    assert http.post("/v1/apps", json=settings).status_code == 201
    headers = {"Authorization": f"Bearer {ADMIN_API_KEY}", "Catfeeder-App": "shop"}
    with calling(url, headers=headers) as caller:
        yield caller


@pytest.fixture
def browser(url: str) -> Iterator[httpx.Client]:
    """The browser of the app's user, which follows redirects."""
    with calling(url, follow_redirects=True) as client:
        yield client


def make_link(shop: httpx.Client, **wishes: Any) -> str:
    """Ask for a link, and return its path with the query."""
    made = shop.post("/v1/connect-sessions", json={"subject": "user-1", **wishes})
    assert made.status_code == 201, made.text
    assert made.json().keys() == {"url", "expires_at"}
    address = httpx.URL(made.json()["url"])
    assert address.path == "/connect"
    return address.raw_path.decode()


def open_link(browser: httpx.Client, link: str) -> httpx.Response:
    """Go on from the landing page, and return the page that follows."""
    landing = browser.get(link)
    assert landing.status_code == 200, landing.text
    return browser.post("/connect", data={"link": httpx.URL(link).params["link"]})
