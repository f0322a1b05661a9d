"""Visits to the console over HTTP: signs in, and sends the forms that a page has."""

from __future__ import annotations

import re

import httpx

from tests.conftest import ADMIN_API_KEY


def sign_in(visitor: httpx.Client, key: str = ADMIN_API_KEY) -> httpx.Response:
    """Enter a key, and return the page that follows."""
    return visitor.post("/console/login", data={"api_key": key})


def csrf_token(page: httpx.Response) -> str:
    """Return the token of a page's forms."""
    found = re.search('name="csrf_token" value="([^"]+)"', page.text)
    assert found is not None
    return found[1]


def act(visitor: httpx.Client, page: httpx.Response, path: str, **fields: str) -> httpx.Response:
    """Send a form of a page to a path, and return the page that follows."""
    return visitor.post(path, data={"csrf_token": csrf_token(page), **fields})
