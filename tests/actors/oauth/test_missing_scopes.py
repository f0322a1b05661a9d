"""Scopes that a user did not grant: stored, sent as an event, and cleared once they are granted."""

from __future__ import annotations

from typing import Any

import pytest

from actors.connections.reading import describe_connection, list_connections
from actors.oauth.exchange import exchange_code
from actors.renewal.renew import renew_connection
from models.db.database import hold_connection
from models.events import TAB_EVENTS
from tests.actors.sign_ins import (
    come_back,
    configure,
    configure_plain,
    configure_preset,
    event_kinds,
    sign_in,
)
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def missing_scope_events() -> list[Any]:
    """Return the details of the events of missing scopes."""
    with hold_connection():
        rows = TAB_EVENTS.select().where(TAB_EVENTS.kind == "scope_missing").order_by(TAB_EVENTS.id)
        return [row.detail for row in rows]


@pytest.mark.usefixtures("database")
def test_a_user_who_grants_less_is_signed_in_with_an_event(provider: ScriptedProvider) -> None:
    # Given a user who unticks a box
    configure(provider)
    provider.script.granted_scope = "openid email"
    # When they come back
    described = exchange_code(**come_back(provider, scope="openid email calendar drive"))
    # Then the connection says what is granted and what is missing
    assert described["scope"] == "openid email"
    assert described["missing_scopes"] == ["calendar", "drive"]
    assert list_connections()["items"][0]["missing_scopes"] == ["calendar", "drive"]
    # And there is an event
    assert event_kinds()[-2:] == ["exchanged", "scope_missing"]
    assert missing_scope_events() == [{"scopes": ["calendar", "drive"]}]


def test_more_than_was_requested_is_no_lack(provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.granted_scope = "openid email profile extra"

    assert describe_connection(sign_in(provider).connection)["missing_scopes"] == []
    assert missing_scope_events() == []


@pytest.mark.parametrize("separator", [",", " ", ", "])
def test_scopes_may_be_parted_by_commas(separator: str, provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.scope_separator = separator
    provider.script.granted_scope = "openid email"

    described = describe_connection(sign_in(provider).connection)
    assert (described["scope"], described["missing_scopes"]) == ("openid email", ["profile"])


def test_what_is_missing_stays_so_over_a_renewal(provider: ScriptedProvider) -> None:
    # Given a user who granted less
    configure(provider)
    provider.script.granted_scope = "openid email"
    row = sign_in(provider).connection
    # When the token is renewed, by an answer that tells the scope or not
    for tells_scope in (True, False):
        provider.script.tells_scope = tells_scope
        described = renew_connection(row.id)
        # Then nothing has changed, and there is no other event
        assert (described["scope"], described["missing_scopes"]) == ("openid email", ["profile"])
    assert missing_scope_events() == [{"scopes": ["profile"]}]


def test_a_scope_that_goes_or_comes_at_a_renewal_is_noticed(provider: ScriptedProvider) -> None:
    configure(provider)
    row = sign_in(provider).connection
    provider.script.granted_scope = "openid"

    assert renew_connection(row.id)["missing_scopes"] == ["profile", "email"]
    assert missing_scope_events() == [{"scopes": ["profile", "email"]}]
    provider.script.granted_scope = "openid profile"
    assert renew_connection(row.id)["missing_scopes"] == ["email"]
    # And only what is new is an event
    assert missing_scope_events() == [{"scopes": ["profile", "email"]}]


def test_a_new_consent_begins_anew(provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.granted_scope = "openid"
    first = sign_in(provider).connection
    provider.script.granted_scope = None

    again = describe_connection(sign_in(provider).connection)
    assert (again["id"], again["missing_scopes"]) == (first.id, [])


@pytest.mark.parametrize(
    ("preset", "asked", "granted", "missing"),
    [
        ("github", "read:user user:email", "user", []),
        ("github", "public_repo repo:status read:org", "repo,admin:org", []),
        ("github", "read:user read:org", "user", ["read:org"]),
        (
            "microsoft",
            "openid offline_access https://graph.microsoft.com/.default",
            "User.Read",
            [],
        ),
        ("microsoft", "https://graph.microsoft.com/mail.read", "Mail.Read profile", []),
        ("microsoft", "User.Read", "https://graph.microsoft.com/User.Read", []),
        ("microsoft", "Mail.Read Calendars.Read", "Mail.ReadWrite", ["Calendars.Read"]),
        ("gitlab", "openid read_user", "openid api", []),
    ],
)
def test_what_a_preset_grants_by_another_name_is_not_missing(
    preset: str, asked: str, granted: str, missing: list[str], provider: ScriptedProvider
) -> None:
    configure_preset(provider, preset)
    provider.script.granted_scope = granted

    described = exchange_code(**come_back(provider, scope=asked))

    assert described["missing_scopes"] == missing


def test_an_operator_says_which_scope_implies_which(provider: ScriptedProvider) -> None:
    # Given a shop whose answers leave out what another scope includes
    configure_plain(
        provider,
        implied_scopes={"write_*": ["read_*"], "all_access": ["write_orders"]},
        profile={"subject": "sub"},
    )
    provider.script.granted_scope = "write_products all_access"
    # When a user is asked for more than that
    asked = "read_products write_products read_orders read_themes"
    described = exchange_code(**come_back(provider, scope=asked))
    # Then only what nothing implies is missing
    assert described["missing_scopes"] == ["read_themes"]


def test_what_a_scope_includes_by_its_name_is_not_missing(provider: ScriptedProvider) -> None:
    # Given a provider of whose scopes nothing is set
    configure_plain(provider, profile={"subject": "sub"})
    provider.script.granted_scope = "write_products user"
    asked = "read_products write_products user:email write_orders"
    described = exchange_code(**come_back(provider, scope=asked))
    assert described["missing_scopes"] == ["write_orders"]
    # And an operator who knows better says so
    configure_plain(provider, profile={"subject": "sub"}, implied_scopes={})
    described = exchange_code(**come_back(provider, scope=asked))
    assert described["missing_scopes"] == ["read_products", "user:email", "write_orders"]


def test_what_was_issued_proves_its_scope(provider: ScriptedProvider) -> None:
    # Given a provider that names neither of the two
    configure(provider)
    provider.script.granted_scope = "email"
    # When it issues an id_token and a refresh token
    described = exchange_code(**come_back(provider, scope="openid email offline_access"))
    # Then both were granted
    assert described["missing_scopes"] == []


def test_without_a_refresh_token_offline_access_is_missing(provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.granted_scope = "email"
    provider.script.gives_refresh_token = False

    described = exchange_code(**come_back(provider, scope="openid email offline_access"))

    assert described["missing_scopes"] == ["offline_access"]


def test_a_renewal_without_an_id_token_takes_no_scope_away(provider: ScriptedProvider) -> None:
    # Given a user who granted openid
    configure(provider)
    row = sign_in(provider, scope="openid email").connection
    # When a renewal answers a scope without it, and no id_token
    provider.script.gives_id_token = False
    provider.script.granted_scope = "email"
    # Then nothing is missing
    assert renew_connection(row.id)["missing_scopes"] == []
