"""Connections by credentials: renewals are journalled as any, and failures leave nothing."""

from __future__ import annotations

import pytest

from actors.connections.credentials.members import open_credentials
from actors.providers.config.checks.check import check_provider
from actors.providers.config.settings import put_provider
from actors.providers.errors import ProviderUnreachable
from actors.renewal.creation import create_connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection, transaction
from models.oauth.connections import TAB_CONNECTIONS
from models.renewal.grouped_writes import write_answer
from models.renewal.journal import begin_renewal, digest_token, seal_answer
from models.renewal.leases import claim
from tests.actors.renewals import HOUR, LEASE, recover_at, tokens_of
from tests.actors.sign_ins import NAME, now, reread
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
_ANSWER = {"access_token": "first", "token_type": "Bearer", "expires_in": 3600}


def _configure(provider: ScriptedProvider) -> None:
    settings = {"token_endpoint": f"{provider.issuer}/token", **provider.credentials()}
    put_provider(NAME, {**settings, "grant_types": ["client_credentials"]}, now())


def test_an_answer_that_was_kept_is_the_next_token(provider: ScriptedProvider) -> None:
    # Given a client's token, whose renewal was cut off after the answer was kept
    _configure(provider)
    provider.answer("/token", json_answer(_ANSWER))
    made = create_connection(NAME, {}, scope="read")
    with hold_connection():
        row = TAB_CONNECTIONS.get_by_id(made["id"])
    credentials = open_credentials(row)
    assert credentials is not None
    with transaction():
        lease = claim(row.id, now(), now() + LEASE)
        assert lease is not None
        digests = digest_token(credentials.serialize())
        attempt = begin_renewal(lease, now() + LEASE, digests, now())
    assert attempt is not None
    head = b'{"status": 200, "content_type": "application/json"}\n'
    body = b'{"access_token": "kept", "expires_in": 60, "refresh_token": "not used"}'
    assert write_answer(row.id, 1, seal_answer(row.id, Secret.of(head + body)))
    # When another process finishes it
    assert recover_at(now() + HOUR) == 1
    # Then the kept token serves, without a second request
    access_token, refresh_token = tokens_of(reread(row))
    assert (access_token, refresh_token) == (Secret("kept"), None)
    assert len(provider.requests_for("/token")) == 1


def test_a_provider_that_is_away_leaves_no_connection(provider: ScriptedProvider) -> None:
    _configure(provider)
    provider.answer("/token", Answer(503))
    with pytest.raises(ProviderUnreachable):
        create_connection(NAME, {})
    with hold_connection():
        assert TAB_CONNECTIONS.count_by_status() == {}


@pytest.mark.parametrize(
    ("body", "remedy"),
    [
        pytest.param({"credential_type": "api_key"}, None, id="api_key"),
        pytest.param({"grant_types": ["github_app_installation"]}, "private_key", id="github"),
        pytest.param(
            {"grant_types": ["client_credentials"], "client_id": "c"}, "client_secret", id="client"
        ),
    ],
)
def test_the_check_asks_for_no_more_than_the_grant_needs(
    provider: ScriptedProvider, body: dict[str, list[str]], remedy: str | None
) -> None:
    endpoints = {"token_endpoint": f"{provider.issuer}/token"}
    if "github_app_installation" in body.get("grant_types", ()):
        path = "{installation_id}/token"
        endpoints = {"installation_token_endpoint": f"{provider.issuer}/{path}"}
    put_provider(NAME, {**endpoints, **body}, now())
    report = check_provider(NAME)
    remedies = [one["remedy"] for one in report["findings"] if one["remedy"]]
    assert len(remedies) == (remedy is not None)
    assert all(remedy in text for text in remedies if remedy)
