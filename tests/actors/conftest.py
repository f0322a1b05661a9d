"""Fixtures of the tests of actors: a provider of their own, and an empty cache of its keys."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from actors.providers.protocol.keys import shared_key_cache
from tests.actors.sign_ins import configure_plain
from tests.scripted_provider import ScriptedProvider, running_scripted_provider


@pytest.fixture
def provider() -> Iterator[ScriptedProvider]:
    """A provider over real HTTP that behaves as its script says."""
    with running_scripted_provider() as started:
        yield started


@pytest.fixture
def environment(environment: dict[str, str], provider: ScriptedProvider) -> dict[str, str]:
    """The environment, with the provider as the one private host that may be called."""
    return {**environment, "OAUTH_ALLOWED_PRIVATE_HOSTS": provider.host}


@pytest.fixture(autouse=True)
def _own_keys() -> None:
    shared_key_cache.cache_clear()


@pytest.fixture
def plain(provider: ScriptedProvider, tables: object) -> ScriptedProvider:
    """The same, configured as a provider of plain OAuth 2.0."""
    del tables
    configure_plain(provider)
    return provider
