"""Tests of the identity behind renewed tokens: those of another user reach no app."""

from __future__ import annotations

from typing import Any

import pytest

from actors.connections.reading import describe_connection
from actors.connections.token_reading import read_token
from actors.events.audit import list_events
from actors.oauth.refresh import refresh_token
from actors.renewal.outcomes.identities import IdentityRefused
from actors.renewal.renew import renew_connection
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.renewals import HOUR, renew_all, tokens_of
from tests.actors.sign_ins import NAME, configure, configure_plain, now, reread, sign_in
from tests.provider.signing import SigningKeys
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")

#: What makes an id_token another's (OpenID Connect Core section 12.2).
_OTHERS: list[dict[str, Any]] = [
    {"iss": "https://evil.example"},
    {"iss": None},
    {"sub": "another-user"},
    {"sub": None},
    {"aud": "another-client"},
    {"aud": None},
    {"azp": "another-client"},
]


@pytest.mark.parametrize("claims", _OTHERS)
@pytest.mark.parametrize("rotation", ["single_use", "none"])
def test_a_renewal_with_another_identity_is_refused_and_the_grant_kept(
    claims: dict[str, Any], rotation: Any, provider: ScriptedProvider
) -> None:
    # Given a connection, and a provider that answers its renewal with the tokens of another user
    provider.script.rotation = rotation
    configure(provider)
    row = sign_in(provider).connection
    access_token, _ = tokens_of(row)
    assert access_token is not None
    provider.script.claims = claims

    with pytest.raises(IdentityRefused, match="not used"):
        renew_connection(row.id)

    # Then the token in hand serves on, the profile is as it was, and an event says why
    found = reread(row)
    assert read_token(row.id, now()).json["access_token"] == access_token.reveal()
    assert describe_connection(found)["status"] == "renewal_failing"
    assert found.profile == row.profile
    [event] = list_events(kind="identity_refused")["items"]
    assert event["connection_id"] == row.id
    assert (event["detail"] or {})["reason"] == "identity_refused"
    # And it is told once, however often it is tried
    assert renew_all(now() + HOUR) == [IdentityRefused]
    assert len(list_events(kind="identity_refused")["items"]) == 1
    # And the grant lives: once the provider is right, the connection is renewed
    provider.script.claims = {}
    assert renew_all(now() + 3 * HOUR) == [None]
    assert describe_connection(reread(row))["status"] == "active"
    assert tokens_of(reread(row))[0] != access_token


def test_a_renewal_whose_answer_names_another_user_is_refused(provider: ScriptedProvider) -> None:
    # Given a connection of a provider whose token answer names the user
    profile = {"subject": "team + user.id"}
    configure_plain(provider, userinfo_endpoint=None, identity="token_response", profile=profile)
    provider.script.token_members = {"team": 5, "user": {"id": "77"}}
    row = sign_in(provider).connection
    access_token, _ = tokens_of(row)
    # When a renewal names another one, then its token reaches no app
    provider.script.token_members = {"team": 5, "user": {"id": "78"}}
    with pytest.raises(IdentityRefused, match="another user"):
        renew_connection(row.id)
    assert tokens_of(reread(row))[0] == access_token
    assert len(list_events(kind="identity_refused")["items"]) == 1
    # And one that names the same user, or none, renews
    for members in ({"team": "5", "user": {"id": 77}}, {}):
        provider.script.token_members = members
        assert renew_connection(row.id)["status"] == "active"


@pytest.mark.parametrize("status", ["reauthorization_required", "ended"])
def test_a_connection_that_waits_for_its_user_still_does_after_tokens_of_another(
    status: str, provider: ScriptedProvider
) -> None:
    # Given a connection that is not due any more, and a provider that answers another's tokens
    configure(provider)
    row = sign_in(provider).connection
    with hold_connection():
        TAB_CONNECTIONS.update(status=status, renew_at=None).execute()
    provider.script.claims = {"sub": "another-user"}

    # When its renewal is asked for all the same, and asked for again
    for _ in range(2):
        with pytest.raises(IdentityRefused):
            renew_connection(row.id)

    # Then it stays as it was, and no event tells of a change
    found = reread(row)
    assert (found.status, found.renew_at) == (status, None)
    assert list_events(kind="identity_refused")["items"] == []
    # And the refresh token that the answer brought is kept, as the old one is spent
    provider.script.claims = {}
    assert renew_connection(row.id)["status"] == "active"


def _old(keys: SigningKeys, claims: dict[str, Any]) -> str:
    return keys.sign({**claims, "iat": 1, "exp": 2, "nonce": "of-the-sign-in"})


@pytest.mark.parametrize(
    "make",
    [SigningKeys.sign, _old, lambda _keys, _claims: "not.a.token"],
    ids=["valid", "old", "none"],
)
def test_an_id_token_of_the_same_user_renews(make: Any, provider: ScriptedProvider) -> None:
    # Given a provider that repeats the id_token of the sign-in, or answers nonsense
    configure(provider)
    row = sign_in(provider).connection
    provider.script.make_id_token = make

    assert renew_connection(row.id)["status"] == "active"
    assert list_events(kind="identity_refused")["items"] == []


def test_a_connection_of_plain_oauth_has_no_identity_to_compare(provider: ScriptedProvider) -> None:
    configure_plain(provider, scopes=["openid", "profile"])
    row = sign_in(provider).connection
    provider.script.claims = {"sub": "another-user"}

    assert renew_connection(row.id)["status"] == "active"


@pytest.mark.parametrize("claims", [one for one in _OTHERS if one != {"sub": "another-user"}])
def test_an_app_that_renews_itself_is_given_no_id_token_that_does_not_hold(
    claims: dict[str, Any], provider: ScriptedProvider
) -> None:
    configure(provider)
    _, token = tokens_of(sign_in(provider).connection)
    assert token is not None
    provider.script.claims = claims

    answer = refresh_token(NAME, token)

    # Then it has its tokens, as the old one may be spent, and an event says what is missing
    assert answer["access_token"]
    assert "id_token" not in answer
    [event] = list_events(kind="identity_refused")["items"]
    assert event["provider"] == NAME
    assert (event["detail"] or {})["reason"] == "id_token_invalid"
