"""Metadata of connections: what the API cannot be called without is kept from sign-in on."""

from __future__ import annotations

from typing import Any

import pytest

from actors.connections.reading import describe_connection
from actors.connections.token_reading import read_token
from actors.oauth.exchange import exchange_code
from actors.oauth.refresh import refresh_token
from actors.providers.config.settings import patch_provider
from actors.providers.errors import ProviderInvalid
from actors.renewal.renew import renew_connection
from catfeeder.sealing import Secret
from models.oauth.connections import TAB_CONNECTIONS
from tests.actors.sign_ins import (
    NAME,
    come_back,
    configure,
    configure_preset,
    now,
    reread,
    sign_in,
    stored_connections,
)
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
_MEMBERS = {"instance_url": "https://eu1.example", "team": {"id": "T1", "token": "secret"}, "x": 1}


@pytest.mark.usefixtures("database")
def test_further_members_and_parameters_come_with_the_connection_and_its_token(
    provider: ScriptedProvider,
) -> None:
    # Given a provider that says where its API is, and a callback that says whose data it serves
    provider.script.token_members = _MEMBERS
    configure(provider)
    # When a user signs in
    parameters = {"realmId": "4620816365", "session_state": "s", "code": "c"}
    described = exchange_code(**come_back(provider), parameters=parameters)
    # Then the connection has both, and its token, and neither has a secret
    expected: dict[str, Any] = {"instance_url": "https://eu1.example", "team": {"id": "T1"}}
    expected["realmId"] = "4620816365"
    assert described["metadata"] == expected
    assert read_token(described["id"], now()).json["metadata"] == expected
    # And they are there after renewals that say less, or something else
    provider.script.token_members = {}
    assert renew_connection(described["id"])["metadata"] == expected
    provider.script.token_members = {"instance_url": "https://eu2.example"}
    expected["instance_url"] = "https://eu2.example"
    assert renew_connection(described["id"])["metadata"] == expected
    # And after another sign-in of the same account
    provider.script.token_members = {"api_domain": "https://api.example"}
    again = exchange_code(**come_back(provider))
    assert again["id"] == described["id"]
    assert again["metadata"] == {**expected, "api_domain": "https://api.example"}


def test_a_usual_name_is_kept_in_whichever_spelling(provider: ScriptedProvider) -> None:
    provider.script.token_members = {"InstanceUrl": "https://a.example", "api-domain": "b.example"}
    configure(provider)
    parameters = {"realm_id": "1", "realmid": "2", "TenantID": "t", "name": "Jane"}
    described = exchange_code(**come_back(provider), parameters=parameters)
    kept = {"InstanceUrl": "https://a.example", "api-domain": "b.example"}
    assert described["metadata"] == {**kept, "realm_id": "1", "realmid": "2", "TenantID": "t"}


@pytest.mark.parametrize(
    ("names", "kept"),
    [
        (["x", "team.id"], {"x": 1, "team.id": "T1"}),
        ([], {}),
        (None, {"instance_url": "https://eu1.example", "team": {"id": "T1"}, "realmId": "1"}),
    ],
)
def test_the_providers_row_names_what_is_kept(
    names: list[str] | None, kept: dict[str, Any], provider: ScriptedProvider
) -> None:
    provider.script.token_members = _MEMBERS
    configure(provider, metadata=names)
    described = exchange_code(**come_back(provider), parameters={"realmId": "1"})
    assert described["metadata"] == kept


def test_the_providers_answer_comes_before_what_the_browser_brought(
    provider: ScriptedProvider,
) -> None:
    provider.script.token_members = {"tenant": "theirs"}
    configure(provider)
    parameters = {"tenant": "forged", "user_id": "forged", "host": "h"}
    described = exchange_code(**come_back(provider), parameters=parameters)
    assert described["metadata"] == {"tenant": "theirs", "host": "h"}


@pytest.mark.parametrize("name", ["access_token", "client_secret", "api_key", "code", "a b", "", 5])
def test_a_secret_or_no_name_cannot_be_listed(name: Any, provider: ScriptedProvider) -> None:
    configure(provider)
    with pytest.raises(ProviderInvalid) as refused:
        patch_provider(NAME, {"metadata": ["instance_url", name]}, now())
    assert "metadata/1" in refused.value.fields


def test_each_pair_of_a_slack_app_has_the_workspace(provider: ScriptedProvider) -> None:
    configure_preset(provider, "slack_app", scopes=["chat:write"])
    patch_provider(NAME, {"authorization_parameters": {"user_scope": "search:read"}}, now())
    sign_in(provider)
    for row in stored_connections():
        metadata = describe_connection(reread(row))["metadata"]
        assert metadata["team"] == {"id": "T0R7GR", "name": "Cats"}
        assert metadata["bot_user_id"] == "B1"


def test_an_app_that_keeps_its_refresh_token_gets_them_with_the_answer(
    provider: ScriptedProvider,
) -> None:
    configure(provider)
    row = sign_in(provider).connection
    token = TAB_CONNECTIONS.refresh_token.open(row)
    provider.script.token_members = _MEMBERS
    answer = refresh_token(NAME, Secret(token.reveal() if token else ""))
    assert answer["metadata"] == {"instance_url": "https://eu1.example", "team": {"id": "T1"}}
