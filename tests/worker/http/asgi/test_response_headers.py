"""The headers that every answer has, errors and redirects included."""

from __future__ import annotations

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
