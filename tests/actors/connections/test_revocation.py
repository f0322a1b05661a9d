"""Tests of revocation: at the provider where it is possible, and here in any case."""

from __future__ import annotations

import logging

import pytest

from actors.connections.reading import find_connection
from actors.connections.revocation import revoke_connection
from actors.errors import ConnectionUnknown
from actors.providers.config.settings import patch_provider
from tests.actors.renewals import change, connect, refresh_token_of, tokens_of
from tests.actors.sign_ins import (
    NAME,
    configure,
    configure_plain,
    configure_preset,
    event_kinds,
    now,
    sign_in,
    stored_connections,
)
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.mark.usefixtures("database")
def test_a_connection_is_revoked_at_its_provider_and_erased(provider: ScriptedProvider) -> None:
    configure(provider)
    (row, other) = connect(provider, 2)
    refresh_token = refresh_token_of(row)

    assert revoke_connection(row.id) == {"id": row.id, "revoked_at_provider": True}

    # The refresh token, which ends the whole grant
    (request,) = provider.requests_for("/revoke")
    assert request.form["token"] == refresh_token
    assert request.form["token_type_hint"] == "refresh_token"
    assert [left.id for left in stored_connections()] == [other.id]
    with pytest.raises(ConnectionUnknown):
        find_connection(row.id)
    assert event_kinds()[-1] == "revoked"
    # And a second time there is nothing
    with pytest.raises(ConnectionUnknown):
        revoke_connection(row.id)


def test_without_a_refresh_token_the_access_token_is_revoked(provider: ScriptedProvider) -> None:
    provider.script.gives_refresh_token = False
    configure(provider)
    row = sign_in(provider).connection
    token, _ = tokens_of(row)

    assert revoke_connection(row.id)["revoked_at_provider"] is True

    form = provider.requests_for("/revoke")[0].form
    assert token is not None
    assert (form["token"], form["token_type_hint"]) == (token.reveal(), "access_token")


@pytest.mark.parametrize("preset", [None, "spotify"])
def test_without_an_endpoint_a_grant_is_not_revoked_at_its_provider(
    preset: str | None, provider: ScriptedProvider
) -> None:
    if preset is None:
        configure_plain(provider, revocation_endpoint=None)
    else:
        configure_preset(provider, preset)
        patch_provider(NAME, {"revocation_endpoint": None}, now())
    row = sign_in(provider).connection

    assert revoke_connection(row.id)["revoked_at_provider"] is False
    assert stored_connections() == []


@pytest.mark.parametrize("answer", [Answer(503), Answer(400), Answer(302)])
def test_a_connection_is_erased_though_its_provider_fails(
    answer: Answer, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    configure_plain(provider)
    row = sign_in(provider).connection
    provider.answer("/revoke", answer)

    with caplog.at_level(logging.WARNING):
        assert revoke_connection(row.id)["revoked_at_provider"] is False

    assert stored_connections() == []
    (record,) = caplog.records
    assert row.id in record.message


def test_a_connection_whose_provider_or_seal_is_broken_can_be_erased(
    provider: ScriptedProvider,
) -> None:
    configure_plain(provider)
    gone, broken = connect(provider, 2)
    change(gone, provider="gone")
    change(broken, refresh_token=b"junk")

    for row in (gone, broken):
        assert revoke_connection(row.id) == {"id": row.id, "revoked_at_provider": False}
    assert stored_connections() == []


def test_a_provider_whose_settings_changed_is_asked_what_it_publishes(
    provider: ScriptedProvider,
) -> None:
    configure(provider)
    row = sign_in(provider).connection
    patch_provider(NAME, {"scopes": ["openid"]}, now())

    assert revoke_connection(row.id)["revoked_at_provider"] is True
