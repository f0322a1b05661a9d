"""What the journeys share: the whole service, started for each, and a real OpenID provider."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.journeys.stack import Stack
from tests.oidc_provider import OidcProvider, running_oidc_provider

CLIENT_SECRET: Final = "the-client-secret-of-this-app"


@pytest.fixture(scope="module")
def oidc_provider() -> Iterator[OidcProvider]:
    """A provider whose tokens live so briefly that their renewal can be watched."""
    with running_oidc_provider(token_seconds=8) as provider:
        yield provider


@pytest.fixture
def make_stack(tmp_path: Path) -> Iterator[Callable[..., Stack]]:
    """Make a service with variables of its own; whatever the test does, nothing is left of it."""
    made: list[Stack] = []

    def make(**variables: str) -> Stack:
        path = tmp_path / f"service-{len(made)}"
        path.mkdir()
        made.append(Stack(path, **variables))
        return made[-1]

    yield make
    for stack in made:
        stack.end()


@pytest.fixture
def stack(make_stack: Callable[..., Stack]) -> Stack:
    """A running service without providers."""
    made = make_stack()
    made.start()
    return made


@pytest.fixture
def stack_with_provider(make_stack: Callable[..., Stack], oidc_provider: OidcProvider) -> Stack:
    """A running service whose administrator has set up the provider, and which renews eagerly."""
    made = make_stack(OAUTH_ALLOWED_PRIVATE_HOSTS=oidc_provider.host)
    made.configure("Crons", "renew_oath_tokens_interval", "1")
    made.start()
    answer = made.call(
        "PUT",
        "/v1/providers/house",
        json={"issuer": oidc_provider.issuer, "client_id": "app", "client_secret": CLIENT_SECRET},
    )
    assert answer.ok, answer.text
    return made
