"""Identity of a sign-in: user info, the id_token, the token answer, or nothing at all."""

from __future__ import annotations

from typing import Any

import pytest

from actors.connections.reading import describe_connection
from actors.connections.revocation import revoke_connection
from actors.oauth.errors import TokenSourceInvalid
from actors.oauth.exchange import exchange_code
from actors.oauth.sign_in import begin_sign_in
from actors.oauth.user_info import fetch_user_info
from actors.providers.errors import AddressForbidden, ProviderMisbehaved, ProviderNotConfigured
from catfeeder.sealing import Secret
from tests.actors.renewals import tokens_of
from tests.actors.sign_ins import (
    NAME,
    codes_posted,
    come_back,
    configure,
    configure_plain,
    now,
    sign_in,
    stored_connections,
)
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def test_a_provider_that_names_no_user_connects_by_the_apps_subject(
    provider: ScriptedProvider,
) -> None:
    # Given a provider without user info, whose first answer has a refresh token
    configure_plain(provider, userinfo_endpoint=None, identity="none")
    provider.script.token_members = {"instance_url": "https://a.example.com"}
    first = sign_in(provider, subject="user-1").connection

    # Then the connection has no user of the provider's
    shown = describe_connection(first)
    assert (shown["subject"], shown["profile"]["subject"]) == ("user-1", None)
    assert (shown["profile"]["source"], shown["status"]) == ("none", "active")
    assert fetch_user_info(NAME, connection_id=first.id) == shown["profile"]

    # And who connects again may do so with another account: nothing of the grant before stays
    provider.script.token_members = {}
    provider.script.gives_refresh_token = False
    again = sign_in(provider, subject="user-1").connection
    assert (again.id, again.version) == (first.id, first.version + 1)
    assert (tokens_of(again)[1], again.metadata) == (None, None)
    # And another subject has a connection of its own, and so has each sign-in without one
    others = [sign_in(provider, **wishes).connection.id for wishes in ({"subject": "2"}, {}, {})]
    assert len({first.id, *others}) == len(stored_connections()) == 4


def test_the_token_answer_names_the_user(provider: ScriptedProvider) -> None:
    profile = {"subject": "team.user.id", "email": "people[kind=owner].mail"}
    configure_plain(provider, userinfo_endpoint=None, identity="token_response", profile=profile)
    people = [
        {"kind": "guest", "mail": "a@example.com"},
        {"kind": "owner", "mail": "b@example.com"},
    ]
    provider.script.token_members = {"team": {"user": {"id": 77}}, "people": people}

    row = sign_in(provider).connection

    shown = row.profile
    assert (shown["subject"], shown["email"], shown["source"]) == (
        *("77", "b@example.com"),
        "token_response",
    )
    # And no token is kept in the clear, and the same account is the same connection
    assert not {"access_token", "refresh_token"} & shown["raw"].keys()
    assert sign_in(provider).connection.id == row.id
    # And an answer that does not name the user is one that makes no connection
    provider.script.token_members = {}
    with pytest.raises(ProviderMisbehaved, match="does not name the user"):
        sign_in(provider)


def test_the_id_token_alone_names_the_user(provider: ScriptedProvider) -> None:
    configure(provider, identity="id_token")

    assert sign_in(provider).connection.profile["source"] == "id_token"
    assert provider.requests_for("/userinfo") == []


@pytest.mark.parametrize(
    ("given", "wishes"),
    [({"scopes": ["profile"]}, {}), ({}, {"scope": "profile"}), ({"identity": "userinfo"}, {})],
    ids=["settings", "request", "userinfo"],
)
def test_no_code_is_spent_where_nothing_names_the_user(
    given: dict[str, Any], wishes: dict[str, Any], provider: ScriptedProvider
) -> None:
    # Given an issuer that turns out to publish no user info
    provider.script.metadata = {"userinfo_endpoint": None}
    configure(provider, **given)

    # Then the sign-in is refused at its beginning, with the remedy
    with pytest.raises(ProviderNotConfigured, match='identity "none"'):
        begin_sign_in(NAME, now=now(), **wishes)
    assert codes_posted(provider) == 0


def test_the_token_answer_says_where_user_info_is(provider: ScriptedProvider) -> None:
    # Given a provider whose token answer names the host of its API, and the user's number
    configure_plain(
        provider,
        userinfo_endpoint="{token.api.url}/users/{token.user}",
        revocation_endpoint="{token.api.url}/revoke/{token.user}",
    )
    provider.script.token_members = {"api": {"url": f"{provider.issuer}/"}, "user": "a/../b"}
    provider.answer("/users/a%2F..%2Fb", provider.paths["/userinfo"])

    # When a browser names another host beside the code
    evil = {"api.url": "https://evil.example", "user": "7"}
    shown = exchange_code(**come_back(provider), parameters=evil)

    # Then what the provider said counts, within one segment of the path
    assert shown["metadata"] == {"api.url": f"{provider.issuer}/", "user": "a/../b"}
    assert len(provider.requests_for("/users/a%2F..%2Fb")) == 1
    # And an access token alone, which tells no host, is not enough
    with pytest.raises(TokenSourceInvalid, match=r"api\.url"):
        fetch_user_info(NAME, access_token=Secret("token"))
    # And the grant is ended there too
    provider.answer("/revoke/a%2F..%2Fb", provider.paths["/revoke"])
    assert revoke_connection(shown["id"])["revoked_at_provider"]
    # And without such a member the user is not looked for anywhere
    provider.script.token_members = {"user": "7"}
    with pytest.raises(ProviderMisbehaved, match=r"no api.url that userinfo_endpoint"):
        exchange_code(**come_back(provider), parameters={"api.url": provider.issuer})


@pytest.mark.parametrize("url", ["http://169.254.169.254/x", "https://localhost", "x.example/y"])
def test_a_host_of_the_token_answer_is_guarded(url: str, provider: ScriptedProvider) -> None:
    configure_plain(provider, userinfo_endpoint="{token.api}/userinfo")
    provider.script.token_members = {"api": url}

    with pytest.raises((AddressForbidden, ProviderMisbehaved)):
        sign_in(provider)
    assert stored_connections() == []
