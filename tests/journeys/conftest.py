"""What the journeys share: the whole service, started once for a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.oidc_provider import OidcProvider
from tests.stack.stack import Stack, build_stacks

CLIENT_SECRET: Final = "the-client-secret-of-this-app"


def start_with_provider(stack: Stack, provider: OidcProvider) -> None:
    """Start a service that renews eagerly, and let its administrator set up the provider."""
    stack.configure("Crons", "renew_oath_tokens_interval", "1")
    stack.start()
    known = {"issuer": provider.issuer, "client_id": "app", "client_secret": CLIENT_SECRET}
    answer = stack.call("PUT", "/v1/providers/house", json=known)
    assert answer.ok, answer.text


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make a service for one test."""
    with build_stacks(tmp_path) as build:
        yield build


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, oidc_provider: OidcProvider) -> Iterator[Stack]:
    """A running service whose administrator has set up the provider, for all tests of a file."""
    with build_stacks(tmp_path_factory.mktemp("journey")) as build:
        made = build(OAUTH_ALLOWED_PRIVATE_HOSTS=oidc_provider.host)
        start_with_provider(made, oidc_provider)
        yield made
