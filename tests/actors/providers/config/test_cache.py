"""Tests of what renewals remember of providers: a little, for a moment, and only of the well."""

from __future__ import annotations

import weakref
from typing import Any

import pytest

from actors.errors import ProviderUnknown
from actors.providers.config import cache
from actors.providers.config.cache import ProviderCache, shared_provider_cache
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from tests.actors.sign_ins import now
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("plain")


@pytest.fixture
def name(plain: ScriptedProvider) -> str:
    """The name of the one provider that is configured."""
    del plain
    with hold_connection():
        return str(TAB_USER_OAUTH_CONNECTION.list_all()[0].name)


def change(name: str, client_id: str) -> None:
    with hold_connection():
        table: Any = TAB_USER_OAUTH_CONNECTION
        table.update(client_id=client_id).where(table.name == name).execute()


def test_a_provider_that_is_well_is_remembered_for_a_moment(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "_SECONDS", 60)
    memory = ProviderCache()
    before = memory.look_up(name, now()).provider.client_id

    change(name, "another")
    assert memory.look_up(name, now()).provider.client_id == before

    memory.forget(name)
    assert memory.look_up(name, now()).provider.client_id == "another"


def test_the_moment_passes(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cache, "_SECONDS", -1)
    memory = ProviderCache()
    memory.look_up(name, now())

    change(name, "another")

    assert memory.look_up(name, now()).provider.client_id == "another"


def test_a_provider_with_a_failure_is_looked_up_each_time(name: str) -> None:
    memory = ProviderCache()
    with hold_connection():
        TAB_PROVIDER_HEALTH.ensure(name)
        TAB_PROVIDER_HEALTH.find(name).count_failure("a-connection")
    assert memory.look_up(name, now()).health.failures == 1

    with hold_connection():
        TAB_PROVIDER_HEALTH.find(name).count_failure("another-connection")

    assert memory.look_up(name, now()).health.failures == 2


def test_a_provider_that_is_not_there_is_not_remembered() -> None:
    memory = ProviderCache()
    for _ in range(2):
        with pytest.raises(ProviderUnknown):
            memory.look_up("nobody", now())


def test_a_provider_that_fails_is_not_remembered_any_more(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given a provider that was well, which was a moment ago
    memory = ProviderCache()
    with monkeypatch.context() as patched:
        patched.setattr(cache, "_SECONDS", 0)
        memory.look_up(name, now())
    with hold_connection():
        TAB_PROVIDER_HEALTH.ensure(name)
        for connection in ("a-connection", "another-connection"):
            TAB_PROVIDER_HEALTH.find(name).count_failure(connection)

            # Then whoever looks now, and next, sees each of its failures
            expected = TAB_PROVIDER_HEALTH.find(name).failures
            assert memory.look_up(name, now()).health.failures == expected


def test_who_comes_while_one_looks_takes_what_is_known(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    memory = ProviderCache()
    monkeypatch.setattr(cache, "_SECONDS", 0)
    known = memory.look_up(name, now())
    monkeypatch.setattr(cache, "_SECONDS", 60)
    met: list[Any] = []

    def look_meanwhile(of: str, at: Any) -> Any:
        if not met:
            met.append(None)
            met.append(memory.look_up(of, at))
        return known.provider

    # When somebody comes while the provider is looked up anew
    monkeypatch.setattr(cache, "resolve_provider", look_meanwhile)
    memory.look_up(name, now())

    # Then they do not look as well
    assert met[1] is known


def test_a_memory_lasts_as_long_as_somebody_works_with_it() -> None:
    memory = shared_provider_cache()
    assert shared_provider_cache() is memory

    before = weakref.ref(memory)
    del memory

    assert before() is None
    assert shared_provider_cache() is not None
