"""The root: what a newcomer finds there."""

from __future__ import annotations

import re

import httpx


def test_the_root_leads_on(anonymous: httpx.Client) -> None:
    # A browser is shown a page, each of whose links is there
    page = anonymous.get("/", headers={"Accept": "text/html"})
    links = set(re.findall('href="(/[^"]*)"', page.text))
    assert {"/docs", "/console", "/health"} <= links
    # And anything else gets them as JSON
    named = anonymous.get("/").json()
    assert named["name"] == "Cat Feeder's auth worker"
    for path in links | {named["documentation"], named["openapi"], named["console"]}:
        assert anonymous.get(path).status_code in (200, 303)
