"""Fixtures of the tests of actors: a provider of their own, and an empty cache of its keys."""

from __future__ import annotations

import pytest

from actors.providers.protocol.keys import shared_key_cache


@pytest.fixture(autouse=True)
def _own_keys() -> None:
    shared_key_cache.cache_clear()
