"""Tests of revocation: at the provider where it is possible, and here in any case."""

from __future__ import annotations

import logging
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

import pytest

from actors.connections.errors import ConnectionBusy, ConnectionUnknown
from actors.connections.reading import find_connection
from actors.connections.revocation import revoke_connection
from actors.providers.config.settings import patch_provider
from actors.renewal.leased import renew_leased
from catfeeder.results import Revocation
from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.grouped_writes import write_answer
from models.renewal.journal import seal_answer
from tests.actors.renewals import (
    HeldRenewal,
    begin_and_abandon,
    change,
    connect,
    held_renewal,
    lease_one,
    refresh_token_of,
    tokens_of,
)
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
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.mark.usefixtures("database")
def test_a_connection_is_revoked_at_its_provider_and_erased(provider: ScriptedProvider) -> None:
    configure(provider)
    (row, other) = connect(provider, 2)
    refresh_token = refresh_token_of(row)
    access_token = tokens_of(row)[0]
    assert access_token is not None

    assert revoke_connection(row.id) == {
        "id": row.id,
        "revoked_at_provider": True,
        "revoked_tokens": ["refresh_token", "access_token"],
    }

    # The refresh token first, which ends the whole grant at most providers
    first, second = (request.form for request in provider.requests_for("/revoke"))
    assert (first["token"], first["token_type_hint"]) == (refresh_token, "refresh_token")
    assert (second["token"], second["token_type_hint"]) == (access_token.reveal(), "access_token")
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

    assert revoke_connection(row.id)["revoked_tokens"] == ["access_token"]

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
    # Once for each token
    assert [row.id in record.message for record in caplog.records] == [True, True]


def test_a_connection_whose_provider_or_seal_is_broken_can_be_erased(
    provider: ScriptedProvider,
) -> None:
    configure_plain(provider)
    gone, broken = connect(provider, 2)
    change(gone, provider="gone")
    change(broken, refresh_token=b"junk")

    for row in (gone, broken):
        assert revoke_connection(row.id) == {
            "id": row.id,
            "revoked_at_provider": False,
            "revoked_tokens": [],
        }
    assert stored_connections() == []


def test_a_provider_whose_settings_changed_is_asked_what_it_publishes(
    provider: ScriptedProvider,
) -> None:
    configure(provider)
    row = sign_in(provider).connection
    patch_provider(NAME, {"scopes": ["openid"]}, now())

    assert revoke_connection(row.id)["revoked_at_provider"] is True


def revoke_after(held: HeldRenewal[Any], row: TAB_CONNECTIONS) -> Revocation:
    """Ask for a disconnect while a renewal is at its provider, then let the renewal finish."""
    with ThreadPoolExecutor(1) as pool:
        disconnect = pool.submit(revoke_connection, row.id)
        assert not wait([disconnect], timeout=0.3).done
        held.finish()
        return disconnect.result()


@pytest.mark.usefixtures("database")
def test_a_disconnect_waits_for_the_renewal_in_flight_and_revokes_what_it_brings(
    plain: ScriptedProvider,
) -> None:
    # Given a provider that ends a token alone, and a renewal whose request is there
    plain.script.rotation, plain.script.revocation_ends = "single_use", "token"
    (row,) = connect(plain)
    with held_renewal(plain, renew_leased, lease_one(row, now()), now()) as held:
        # When the user disconnects
        outcome = revoke_after(held, row)

    # Then no token works any more, the rotated ones among them
    (grant,) = plain.grants._grants
    assert outcome["revoked_at_provider"] is True
    assert [token[:9] for token in grant.refresh_tokens] == ["refresh-1"]
    assert [token[:8] for token in grant.access_tokens] == ["access-1"]
    assert stored_connections() == []
    assert event_kinds()[-2:] == ["renewed", "revoked"]


def test_a_disconnect_that_would_wait_longer_than_it_may_is_refused(
    plain: ScriptedProvider,
) -> None:
    (row,) = connect(plain)
    begin_and_abandon(row)

    with pytest.raises(ConnectionBusy):
        revoke_connection(row.id, wait_seconds=0.1)
    assert plain.requests_for("/revoke") == []
    assert len(stored_connections()) == 1


def test_a_sign_in_during_a_disconnect_is_disconnected_too(plain: ScriptedProvider) -> None:
    # Given a disconnect whose request is at the provider
    plain.script.revocation_ends = "token"
    (row,) = connect(plain)
    gate = plain.hold("/revoke", times=1)
    with ThreadPoolExecutor(1) as pool:
        disconnect = pool.submit(revoke_connection, row.id)
        gate.await_arrival()
        # When the user signs in with the same account
        sign_in(plain)
        gate.open()
        assert disconnect.result()["revoked_at_provider"] is True

    # Then that grant does not live on without a connection
    assert stored_connections() == []
    assert [(grant.access_tokens, grant.refresh_tokens) for grant in plain.grants._grants] == [
        ([], []),
        ([], []),
    ]


def test_the_tokens_of_a_kept_answer_are_what_is_revoked(plain: ScriptedProvider) -> None:
    # Given a renewal that was killed when its answer was written down
    (row,) = connect(plain)
    begin_and_abandon(row, lasting=timedelta(milliseconds=1))
    tokens = json_answer({"access_token": "kept", "refresh_token": "kept-as-well"}).body
    head = b'{"status": 200, "content_type": "application/json"}\n'
    assert write_answer(row.id, 1, seal_answer(row.id, Secret.of(head + tokens)))

    assert revoke_connection(row.id)["revoked_at_provider"] is True

    shown = [request.form["token"] for request in plain.requests_for("/revoke")]
    assert shown == ["kept-as-well", "kept"]


@pytest.mark.parametrize("answer", [None, b'{"status": 502, "content_type": ""}\n'])
def test_what_a_cut_off_renewal_may_have_brought_is_not_called_revoked(
    answer: bytes | None, plain: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a renewal that was killed, so that the provider may have issued other tokens
    (row,) = connect(plain)
    begin_and_abandon(row, lasting=timedelta(milliseconds=1))
    if answer is not None:
        assert write_answer(row.id, 1, seal_answer(row.id, Secret.of(answer)))

    # Then what is stored is revoked, and the result does not say that this was all
    outcome = revoke_connection(row.id)
    assert outcome["revoked_tokens"] == ["refresh_token", "access_token"]
    assert outcome["revoked_at_provider"] is False
    assert "cut off" in caplog.text


def test_an_access_token_that_cannot_be_revoked_is_reported(plain: ScriptedProvider) -> None:
    # Given a provider that revokes refresh tokens alone (RFC 7009 section 2.2.1)
    (row,) = connect(plain)
    plain.answer("/revoke", Answer(200), json_answer({"error": "unsupported_token_type"}, 400))

    outcome = revoke_connection(row.id)

    assert outcome["revoked_tokens"] == ["refresh_token"]
    assert outcome["revoked_at_provider"] is False
