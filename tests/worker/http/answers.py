"""What tests expect of answers."""

from __future__ import annotations

from typing import Any

import httpx


def assert_problem(answer: httpx.Response, status: int, code: str) -> dict[str, Any]:
    """Make sure that an answer is this problem, in the form of RFC 9457; return its members."""
    assert answer.headers["Content-Type"] == "application/problem+json", answer.text
    members: dict[str, Any] = answer.json()
    assert (answer.status_code, members["code"]) == (status, code), answer.text
    assert members["status"] == status
    assert members["type"].endswith(code)
    assert members["title"]
    assert members["detail"]
    return members
