"""Fixtures of the console's tests."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.worker.http.visits import sign_in


@pytest.fixture
def visitor(url: str) -> Iterator[httpx.Client]:
    """A browser without a session, which follows redirects."""
    with httpx.Client(base_url=url, follow_redirects=True) as client:
        yield client


@pytest.fixture
def operator(visitor: httpx.Client) -> httpx.Client:
    """The browser of an operator who has signed in."""
    sign_in(visitor)
    return visitor
