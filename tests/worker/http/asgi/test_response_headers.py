"""The headers that every answer has, errors and redirects included."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx
import pytest


@pytest.mark.parametrize(
    ("path", "host"),
    [
        ("/health", ""),
        ("/docs", ""),
        ("/nothing", ""),
        ("/v1/connections", ""),
        ("/", "evil.example"),
    ],
)
def test_every_answer_has_them(anonymous: httpx.Client, path: str, host: str) -> None:
    answer = anonymous.get(path, headers={"Host": host} if host else {})
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["X-Frame-Options"] == "DENY"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'"} <= set(policy)


def test_the_page_of_the_routes_runs_its_own_script_alone(anonymous: httpx.Client) -> None:
    page = anonymous.get("/docs")
    # Given what the page loads and runs
    [inline] = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    sources = re.findall(r"""<(?:script|link)[^>]* (?:src|href)=['"]([^'"]+)""", page.text)
    # Then each is ours, and the script in the page is the one that the policy names
    assert sources
    assert all(source.startswith("/static-offline-docs/") for source in sources)
    digest = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
    policy = page.headers["Content-Security-Policy"]
    assert f"script-src 'self' 'sha256-{digest}';" in policy
    # And no other answer may run anything
    assert "script-src" not in anonymous.get("/openapi.json").headers["Content-Security-Policy"]
