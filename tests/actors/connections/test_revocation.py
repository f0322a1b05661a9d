"""Tests of disconnecting: revoked there where it can be, erased here in any case."""

from __future__ import annotations

import logging

import pytest

from actors.connections.reading import find_connection
from actors.connections.revocation import revoke_connection
from actors.errors import ConnectionUnknown
from actors.providers.config.settings import patch_provider
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import connect, tokens_of
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
    _, refresh_token = tokens_of(row)

    assert revoke_connection(row.id) == {"id": row.id, "revoked_at_provider": True}

    # The refresh token, which ends the whole grant
    (request,) = provider.requests_for("/revoke")
    assert refresh_token is not None
    assert request.form["token"] == refresh_token.reveal()
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


def test_a_provider_without_an_endpoint_is_told_so(provider: ScriptedProvider) -> None:
    configure_plain(provider, revocation_endpoint=None)
    row = sign_in(provider).connection

    assert revoke_connection(row.id)["revoked_at_provider"] is False
    assert stored_connections() == []


@pytest.mark.parametrize("answer", [Answer(503), Answer(400), Answer(302)])
def test_a_provider_that_fails_keeps_nobody_here(
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
    with hold_connection():
        TAB_CONNECTIONS.update(provider="gone").where(TAB_CONNECTIONS.id == gone.id).execute()
        TAB_CONNECTIONS.update(refresh_token=b"junk").where(
            TAB_CONNECTIONS.id == broken.id
        ).execute()

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


def test_a_preset_without_an_endpoint_of_the_standard_is_told_so(
    provider: ScriptedProvider,
) -> None:
    configure_preset(provider, "spotify")
    patch_provider(NAME, {"revocation_endpoint": None}, now())

    assert revoke_connection(sign_in(provider).connection.id)["revoked_at_provider"] is False
