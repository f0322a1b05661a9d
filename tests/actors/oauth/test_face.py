"""The facade of OAuth: each method returns a value or `error`, and raises nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import peewee
import pytest

import config
from actors.oauth.face import OAuthAuthentication
from actors.providers.config.settings import put_provider
from models.db import database as database_module
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.actors.renewals import connect, refreshes
from tests.actors.sign_ins import NAME, configure, configure_plain, now, reread, stored_connections
from tests.provider.answers import Answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


@pytest.fixture
def oauth() -> OAuthAuthentication:
    """The facade as the seed's examples make it."""
    return OAuthAuthentication(success=0, error=84)


def sign_in_at(oauth: OAuthAuthentication, provider: ScriptedProvider) -> dict[str, str]:
    """Generate an authorization URL, consent, and return what comes back."""
    url = oauth._generate_oauth_authorization_url(NAME)
    assert isinstance(url, str)
    return provider.consent(url)


def test_a_provider_that_was_never_asked_is_asked_in_place(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    put_provider(NAME, {"issuer": provider.issuer, **provider.credentials()}, now())

    assert isinstance(oauth._generate_oauth_authorization_url(NAME), str)


def test_a_provider_that_names_its_issuer_can_be_used_too(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    # The seed's signature has no place for the issuer
    provider.script.sends_iss = True
    configure(provider)
    query = sign_in_at(oauth, provider)

    answer = oauth._exchange_code_for_token(NAME, query["code"], query["state"])

    assert isinstance(answer, dict)
    assert (answer["token_type"], answer["expires_in"]) == ("Bearer", 3600)
    assert len(stored_connections()) == 1


def test_what_is_due_is_renewed_in_this_process(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    configure_plain(provider)
    due, failing, fresh = connect(provider, 3)
    with hold_connection():
        token = TAB_CONNECTIONS.refresh_token.open(failing)
        assert token is not None
        provider.grants.end(token.reveal())
        TAB_CONNECTIONS.update(renew_at=now() - timedelta(seconds=1)).where(
            TAB_CONNECTIONS.id.in_([due.id, failing.id])
        ).execute()

    oauth.renew_oaths()

    assert reread(due).version == 2
    assert reread(failing).status == ConnectionStatus.REAUTHORIZATION_REQUIRED
    assert reread(fresh).version == 1
    assert len(refreshes(provider)) == 2


# -- Failures


def test_every_failure_is_the_error_and_the_log_says_why(
    oauth: OAuthAuthentication, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    configure(provider)
    calls: list[tuple[Callable[[], object], str]] = [
        (lambda: oauth._generate_oauth_authorization_url("unknown"), "No provider named unknown"),
        (lambda: oauth._exchange_code_for_token("unknown", "code", "state"), "No provider named"),
        (
            lambda: oauth._exchange_code_for_token(NAME, "code", "forged"),
            "The state does not match",
        ),
        (lambda: oauth._exchange_code_for_token(NAME, "code"), "The state is missing"),
        (lambda: oauth._refresh_oauth_token(NAME, "unknown"), "invalid_grant"),
        (lambda: oauth._get_user_info_from_provider(NAME, "unknown"), "status 401"),
    ]
    for call, reason in calls:
        assert call() == 84
        assert reason in caplog.records[-1].message
        assert caplog.records[-1].levelno == logging.ERROR
        assert caplog.records[-1].exc_info is None


def test_the_error_is_what_the_caller_chose(provider: ScriptedProvider) -> None:
    configure(provider)
    oauth = OAuthAuthentication(success=5, error=7, debug=True)

    assert (oauth.success, oauth.error, oauth.debug) == (5, 7, True)
    assert oauth._generate_oauth_authorization_url("unknown") == 7


def test_a_provider_out_of_reach_is_the_error(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    configure(provider)
    query = sign_in_at(oauth, provider)
    for path in ("/token", "/userinfo"):
        provider.answer(path, Answer(503))

    assert oauth._exchange_code_for_token(NAME, query["code"], query["state"]) == 84
    assert oauth._refresh_oauth_token(NAME, "token") == 84
    assert oauth._get_user_info_from_provider(NAME, "token") == 84
    assert stored_connections() == []


def test_a_database_out_of_reach_is_the_error(
    oauth: OAuthAuthentication, environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    environment["DATABASE_URL"] = "mysql://nowhere"
    config.current_settings.cache_clear()
    with pytest.MonkeyPatch.context() as patch:
        # Given a process that has opened none yet
        patch.setattr(database_module, "database", peewee.DatabaseProxy())

        assert oauth._generate_oauth_authorization_url("google") == 84
        oauth.renew_oaths()

    assert "DATABASE_URL" in caplog.text


def test_other_types_than_text_are_the_error_too(
    oauth: OAuthAuthentication, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    configure(provider)
    state = sign_in_at(oauth, provider)["state"]
    values: list[Any] = [None, 5, b"bytes", [], object()]
    for value in values:
        assert oauth._generate_oauth_authorization_url(value) == 84
        assert oauth._exchange_code_for_token(value, "code", state) == 84
        assert oauth._exchange_code_for_token(NAME, value, state) == 84
        assert oauth._exchange_code_for_token(NAME, "code", value) == 84
        assert oauth._refresh_oauth_token(NAME, value) == 84
        assert oauth._get_user_info_from_provider(NAME, value) == 84
    assert all(record.exc_info is None for record in caplog.records)
    assert stored_connections() == []


# -- Without a state


@pytest.fixture
def no_state_needed(toml_conf: dict[str, Any]) -> None:
    """config.toml lets codes be exchanged without a state."""
    toml_conf["OAuth"] = {"require_state": False}
    config.current_settings.cache_clear()


def test_without_a_state_nothing_is_exchanged(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    provider.script.requires_pkce = False
    configure(provider)
    query = sign_in_at(oauth, provider)

    assert oauth._exchange_code_for_token(NAME, query["code"]) == 84
    assert provider.requests_for("/token") == []


@pytest.mark.usefixtures("no_state_needed")
def test_without_a_state_a_token_may_be_had_and_nothing_is_stored(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    provider.script.requires_pkce = False
    configure(provider, code_challenge_method="none")
    query = sign_in_at(oauth, provider)

    answer = oauth._exchange_code_for_token(NAME, query["code"])

    assert isinstance(answer, dict)
    assert answer["access_token"]
    assert stored_connections() == []


@pytest.mark.usefixtures("no_state_needed")
def test_a_state_is_checked_though_none_is_needed(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    configure(provider)
    query = sign_in_at(oauth, provider)

    assert oauth._exchange_code_for_token(NAME, query["code"], "forged") == 84
    assert provider.requests_for("/token") == []


def test_each_method_takes_the_variables_of_a_customer(
    oauth: OAuthAuthentication, provider: ScriptedProvider
) -> None:
    # Given a provider with a path for each customer
    paths = ("authorize", "token", "userinfo")
    names = ("authorization_endpoint", "token_endpoint", "userinfo_endpoint")
    urls = {
        name: f"{provider.issuer}/{{tenant}}/{path}"
        for name, path in zip(names, paths, strict=True)
    }
    for path in paths:
        provider.answer(f"/acme/{path}", provider.paths[f"/{path}"])
    configure_plain(provider, **urls, variables={"tenant": "[a-z]+"})
    acme = {"tenant": "acme"}
    # When a sign-in, a refresh token and an access token name theirs
    url = oauth._generate_oauth_authorization_url(NAME, variables=acme)
    assert isinstance(url, str)
    answer = provider.consent(url)
    tokens = oauth._exchange_code_for_token(NAME, answer["code"], answer["state"])
    assert isinstance(tokens, dict)
    renewed = oauth._refresh_oauth_token(NAME, tokens["refresh_token"], variables=acme)
    assert isinstance(renewed, dict)
    token = renewed["access_token"]
    profile = oauth._get_user_info_from_provider(NAME, token, variables=acme)
    # Then that customer's place is asked alone
    assert isinstance(profile, dict)
    assert {it.path.split("/")[1] for it in provider.requests} == {"acme"}
    # And without them nothing is asked
    assert oauth._generate_oauth_authorization_url(NAME) == 84
    assert oauth._refresh_oauth_token(NAME, "r") == 84
    assert oauth._get_user_info_from_provider(NAME, token) == 84
