"""Tests of the providers' cache: short-lived, of healthy providers, shared by running renewals."""

from __future__ import annotations

import weakref
from datetime import datetime

import pytest

from actors.providers.config.cache import CachedProvider, ProviderCache, shared_provider_cache
from actors.providers.config.discovery import resolve_provider
from actors.providers.errors import ProviderUnknown
from actors.providers.protocol.provider import Provider
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from tests.actors.providers.clock import Clock
from tests.actors.sign_ins import NAME, now
from tests.models.rows import rewrite

pytestmark = pytest.mark.usefixtures("plain")


def change_client_id(client_id: str) -> None:
    with hold_connection():
        rewrite(TAB_USER_OAUTH_CONNECTION, client_id=client_id)


def count_failure(connection: str) -> None:
    with hold_connection():
        TAB_PROVIDER_HEALTH.ensure(NAME)
        TAB_PROVIDER_HEALTH.find(NAME).count_failure(connection)


def test_a_healthy_provider_is_cached_until_it_is_forgotten_or_a_second_old() -> None:
    clock = Clock()
    cache = ProviderCache(clock=clock)
    before = cache.look_up(NAME, now()).provider.client_id

    change_client_id("second")
    clock.seconds += 0.9
    assert cache.look_up(NAME, now()).provider.client_id == before
    clock.seconds += 0.2
    assert cache.look_up(NAME, now()).provider.client_id == "second"

    change_client_id("third")
    cache.forget(NAME)
    assert cache.look_up(NAME, now()).provider.client_id == "third"


@pytest.mark.parametrize("was_cached", [True, False])
def test_a_provider_with_a_failure_is_looked_up_each_time(was_cached: bool) -> None:
    clock = Clock()
    cache = ProviderCache(clock=clock)
    if was_cached:
        cache.look_up(NAME, now())
        clock.seconds += 2

    for failures, connection in enumerate(("a-connection", "another-connection"), start=1):
        count_failure(connection)
        assert cache.look_up(NAME, now()).health.failures == failures


def test_an_unknown_provider_is_not_cached() -> None:
    cache = ProviderCache()
    for _ in range(2):
        with pytest.raises(ProviderUnknown):
            cache.look_up("unknown", now())


def test_a_look_up_during_another_one_returns_the_expired_entry() -> None:
    clock = Clock()
    met: list[CachedProvider] = []

    def resolve(name: str, at: datetime) -> Provider:
        if clock.seconds > clock.START and not met:
            met.append(cache.look_up(name, at))
        return resolve_provider(name, at)

    cache = ProviderCache(clock=clock, resolve=resolve)
    known = cache.look_up(NAME, now())

    clock.seconds += 2
    assert cache.look_up(NAME, now()) is not known

    assert met == [known]
    assert met[0] is known


def test_the_shared_cache_lasts_as_long_as_it_is_in_use() -> None:
    cache = shared_provider_cache()
    assert shared_provider_cache() is cache

    before = weakref.ref(cache)
    del cache

    assert before() is None
    assert shared_provider_cache() is not None
