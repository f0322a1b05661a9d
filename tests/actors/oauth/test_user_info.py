"""User info: a profile fetched by a connection or by a token."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest

from actors.connections.errors import ConnectionBusy, ReauthorizationRequired
from actors.connections.reading import describe_connection
from actors.events.audit import list_events
from actors.oauth import user_info
from actors.oauth.user_info import fetch_user_info
from actors.providers.config.discovery import discover
from actors.providers.config.settings import patch_provider, put_provider
from actors.providers.errors import ProviderMisbehaved, ProviderNotConfigured
from actors.renewal.limits import RenewalLimits
from actors.renewal.renew import renew_connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import HOUR, begin_and_abandon, refreshes, tokens_of
from tests.actors.sign_ins import (
    NAME,
    configure,
    configure_plain,
    configure_preset,
    now,
    reread,
    sign_in,
)
from tests.models.rows import rewrite
from tests.provider.answers import json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def test_a_profile_that_a_sign_in_could_not_complete_is_completed_later(
    provider: ScriptedProvider,
) -> None:
    # Given a sign-in with user info that failed, so that the profile is the id_token's
    configure(provider)
    provider.script.user = {**provider.script.user, "name": "Jane Roe", "email": None}
    provider.script.claims = {"email": "jane@example.com", "email_verified": True, "team": "t1"}
    provider.answer("/userinfo", json_answer({}, 503), times=2)
    row = sign_in(provider).connection
    stored = describe_connection(row)["profile"]
    assert (stored["source"], stored["name"]) == ("id_token", None)

    # When an app asks for user info
    asked = fetch_user_info(NAME, connection_id=row.id)

    # Then the connection has it, too, and keeps what the id_token alone has said
    profile = describe_connection(reread(row))["profile"]
    assert (profile["source"], profile["name"]) == ("userinfo", "Jane Roe")
    assert (profile["email"], profile["email_verified"]) == ("jane@example.com", True)
    assert profile["raw"]["team"] == "t1"
    assert asked == profile
    # And an event says so, without what the profile holds; the same answer once more leaves none
    fetch_user_info(NAME, connection_id=row.id)
    [event] = [it for it in list_events()["items"] if it["kind"] == "profile_changed"]
    assert (event["connection_id"], event["subject"]) == (row.id, row.subject or None)
    assert event["detail"] == {"changed": ["name", "picture", "raw", "source"]}
    # And a sign-in asks twice for what fails for a moment
    provider.answer("/userinfo", json_answer({}, 503), times=1)
    again = describe_connection(sign_in(provider).connection)["profile"]
    assert (again["source"], again["name"]) == ("userinfo", "Jane Roe")


@pytest.mark.parametrize("preset", ["apple", "slack_app"])
def test_a_provider_without_user_info_has_the_profile_of_the_sign_in(
    preset: str, provider: ScriptedProvider
) -> None:
    configure_preset(provider, preset)
    row = sign_in(provider).connection
    provider.requests.clear()

    assert fetch_user_info(NAME, connection_id=row.id) == row.profile
    assert provider.requests == []
    # And a token alone has no profile
    with pytest.raises(ProviderNotConfigured, match="has no userinfo_endpoint"):
        fetch_user_info(NAME, access_token=Secret("theirs"))


@pytest.mark.parametrize("changes", [{"sub": "another"}, {"sub": None}])
def test_user_info_about_another_account_than_the_connections_is_refused(
    changes: dict[str, Any], provider: ScriptedProvider
) -> None:
    configure(provider)
    row = sign_in(provider).connection
    provider.script.user_info = changes

    with pytest.raises(ProviderMisbehaved):
        fetch_user_info(NAME, connection_id=row.id)


def test_metadata_is_fetched_before_user_info(provider: ScriptedProvider) -> None:
    configure(provider)
    token, _ = tokens_of(sign_in(provider).connection)
    put_provider(NAME, {"issuer": provider.issuer, **provider.credentials()}, now())

    assert fetch_user_info(NAME, access_token=token)


# -- A token that has expired


@pytest.fixture
def expired(provider: ScriptedProvider) -> TAB_CONNECTIONS:
    """A connection whose token has expired."""
    configure_plain(provider)
    return sign_in(provider, now=now() - 2 * HOUR).connection


def test_an_expired_token_is_renewed_first(
    expired: TAB_CONNECTIONS, provider: ScriptedProvider
) -> None:
    assert fetch_user_info(NAME, connection_id=expired.id)["subject"]

    assert len(refreshes(provider)) == 1
    token, _ = tokens_of(expired)
    assert token is not None
    assert provider.requests[-1].headers["authorization"] == f"Bearer {token.reveal()}"
    assert reread(expired).version == 2


def test_an_expired_token_of_a_dead_grant_needs_the_user(
    expired: TAB_CONNECTIONS, provider: ScriptedProvider
) -> None:
    provider.answer("/token", json_answer({"error": "invalid_grant"}, 400))

    for _ in range(2):
        with pytest.raises(ReauthorizationRequired):
            fetch_user_info(NAME, connection_id=expired.id)

    # And the provider was asked once
    assert len(refreshes(provider)) == 1


def test_an_expired_token_that_another_process_renews_is_busy(
    expired: TAB_CONNECTIONS, provider: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = partial(renew_connection, limits=RenewalLimits(concurrent_seconds=0.2))
    monkeypatch.setattr(user_info, "renew_connection", impatient)
    begin_and_abandon(expired, HOUR)

    with pytest.raises(ConnectionBusy):
        fetch_user_info(NAME, connection_id=expired.id)
    assert refreshes(provider) == []


def test_null_says_that_there_is_no_user_info_over_what_the_issuer_publishes(
    provider: ScriptedProvider,
) -> None:
    # Given an issuer that publishes user info, and an operator who says that there is none
    configure(provider)
    patch_provider(NAME, {"userinfo_endpoint": None}, now())
    discover(NAME, now())

    row = sign_in(provider).connection

    # Then it is not asked, and the profile is that of the id_token
    assert provider.requests_for("/userinfo") == []
    assert row.profile["source"] == "id_token"
    assert fetch_user_info(NAME, connection_id=row.id) == row.profile


def test_a_profile_of_an_earlier_release_has_no_source(provider: ScriptedProvider) -> None:
    configure(provider, jwks_uri=f"{provider.issuer}/jwks")
    row = sign_in(provider).connection
    stored = {name: part for name, part in row.profile.items() if name != "source"}
    with hold_connection():
        rewrite(TAB_CONNECTIONS, profile=stored)

    assert describe_connection(reread(row))["profile"]["source"] is None
