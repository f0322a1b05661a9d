"""Tests of discovery: when issuers are asked, and what is stored of their metadata."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta

import pytest

from actors.errors import AuthError
from actors.providers.config import discovery_gate
from actors.providers.config.discovery import discover_provider, refresh_if_stale, resolve_provider
from actors.providers.config.lookup import find_provider, provider_row
from actors.providers.config.settings import put_provider
from actors.providers.errors import (
    DiscoveryNeeded,
    ProviderUnavailable,
    ProviderUnknown,
    ProviderUnreachable,
)
from tests.actors.sign_ins import NAME, configure, configure_preset, now, sign_in
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

WELL_KNOWN = "/.well-known/openid-configuration"


def put(provider: ScriptedProvider) -> None:
    put_provider(NAME, {"issuer": provider.issuer, **provider.credentials()}, now())


@pytest.mark.usefixtures("database")
def test_metadata_of_a_replaced_issuer_is_discarded(provider: ScriptedProvider) -> None:
    # Given an issuer that answers slowly
    put(provider)
    gate = provider.hold(WELL_KNOWN)
    asking = threading.Thread(target=discover_provider, args=[NAME])
    asking.start()
    gate.await_arrival()

    # When the operator names another one meanwhile
    put_provider(NAME, {"issuer": "https://other.example"}, now() + timedelta(seconds=1))
    gate.open()
    asking.join()

    # Then the secret of the other is not sent to endpoints of the first
    with pytest.raises(DiscoveryNeeded):
        find_provider(NAME)


def test_a_provider_that_is_complete_is_not_asked(provider: ScriptedProvider) -> None:
    configure_preset(provider, "google")

    discover_provider(NAME)

    assert provider.requests == []


def test_an_unknown_provider_is_refused() -> None:
    for act in (discover_provider, lambda name: refresh_if_stale(name, now())):
        with pytest.raises(ProviderUnknown):
            act("unknown")


def test_an_optional_endpoint_that_cannot_be_used_leaves_the_provider_usable(
    provider: ScriptedProvider,
) -> None:
    put(provider)
    provider.script.metadata = {
        "userinfo_endpoint": "http://169.254.169.254/latest",
        "revocation_endpoint": "",
    }

    discover_provider(NAME)

    found = find_provider(NAME)
    assert found.token_endpoint == f"{provider.issuer}/token"
    assert (found.userinfo_endpoint, found.revocation_endpoint) == (None, None)
    # And the id_token names the user
    assert sign_in(provider).connection.profile["subject"] == provider.script.user["id"]


def test_resolving_a_provider_discovers_missing_metadata(provider: ScriptedProvider) -> None:
    put(provider)

    assert resolve_provider(NAME, now()).token_endpoint == f"{provider.issuer}/token"
    assert resolve_provider(NAME, now())
    assert len(provider.requests) == 1


def test_metadata_is_fetched_anew_after_an_hour(provider: ScriptedProvider) -> None:
    configure(provider)
    known_at = provider_row(NAME).discovered_at
    assert known_at is not None

    refresh_if_stale(NAME, known_at + timedelta(minutes=59, seconds=59))
    assert len(provider.requests) == 1

    later = known_at + timedelta(hours=1)
    refresh_if_stale(NAME, later)
    assert len(provider.requests) == 2
    assert provider_row(NAME).discovered_at == later


def test_an_outage_is_logged_and_stale_metadata_stays_in_use(
    provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    configure(provider)
    provider.answer(WELL_KNOWN, Answer(503))

    with caplog.at_level(logging.WARNING):
        refresh_if_stale(NAME, now() + timedelta(hours=2))

    (record,) = caplog.records
    assert NAME in record.message
    assert find_provider(NAME)


def test_missing_metadata_is_not_refreshed(provider: ScriptedProvider) -> None:
    put(provider)

    refresh_if_stale(NAME, now())

    assert provider.requests == []


def test_an_issuer_that_hangs_is_asked_once_and_then_left_alone(provider: ScriptedProvider) -> None:
    put(provider)
    gate = provider.hold(WELL_KNOWN)
    provider.answer(WELL_KNOWN, Answer(503))
    ended: list[type[BaseException]] = []

    def ask() -> None:
        try:
            discover_provider(NAME)
        except AuthError as error:
            ended.append(type(error))

    # Given a discovery that waits for its issuer
    asking = threading.Thread(target=ask)
    asking.start()
    gate.await_arrival()
    # When it is needed again meanwhile, and right after it has failed
    ask()
    gate.open()
    asking.join()
    ask()
    # Then the issuer was asked once, and the others had their answer at once
    assert ended == [ProviderUnavailable, ProviderUnreachable, ProviderUnavailable]
    assert len(provider.requests) == 1
    # And after the cool-down it is asked again
    discovery_gate.forget_failures()
    ask()
    assert ended[-1] is ProviderUnreachable
    assert len(provider.requests) == 2
