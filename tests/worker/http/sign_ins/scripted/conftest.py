"""Sign-ins with scripted providers: one that an app trusts, and one that an attacker runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import dramatiq
import httpx
import pytest

from actors.providers.protocol.keys import shared_key_cache
from tests.scripted_provider import ScriptedProvider, running_scripted_provider


@pytest.fixture
def honest() -> Iterator[ScriptedProvider]:
    """A provider that does as it should until a test's script makes it lie."""
    with running_scripted_provider() as provider:
        yield provider


@pytest.fixture
def evil() -> Iterator[ScriptedProvider]:
    """A provider that an attacker runs, and which the operator was talked into."""
    with running_scripted_provider() as provider:
        yield provider


@pytest.fixture
def browser(anonymous: httpx.Client) -> httpx.Client:
    """A user's browser."""
    return anonymous


@pytest.fixture(autouse=True)
def _fresh_keys(worker: dramatiq.Worker) -> None:  # noqa: ARG001
    """Let a worker run, which knows no provider's keys yet."""
    shared_key_cache.cache_clear()


def put_provider(
    http: httpx.Client, name: str, provider: ScriptedProvider, **changes: Any
) -> httpx.Response:
    """Configure a provider by its issuer, its addresses, or both."""
    settings = {"issuer": provider.issuer, **provider.credentials(), **changes}
    answer = http.put(f"/v1/providers/{name}", json=settings)
    assert answer.status_code in (200, 201), answer.text
    return answer


def begin(browser: httpx.Client, provider: str, **query: str) -> str:
    """Begin in a browser and return the URL of the provider that it is sent to."""
    answer = browser.get(f"/v1/oauth/{provider}/login", params=query)
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]
