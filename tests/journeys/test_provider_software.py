"""Journeys at real provider software: sign-in, renewal, a dead grant and a disconnect, by client.

Each is what people run: django-oauth-toolkit, Canaille, idpyoidc and pyop; oidc-provider,
better-auth, @node-oauth/oauth2-server and oauth2orize.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, Final
from urllib.parse import parse_qsl, urljoin, urlsplit

import pytest
import requests
from joserfc.jws import extract_compact

import config
from actors.connections.errors import ReauthorizationRequired
from actors.connections.reading import describe_connection, find_connection
from actors.connections.revocation import revoke_connection
from actors.derived_tokens.errors import InvalidTarget
from actors.derived_tokens.exchange import exchange_token
from actors.devices.authorization import authorize_device
from actors.devices.polling import poll_leased
from actors.devices.sweep import claim_due_polls
from actors.oauth.exchange import CodeAnswer, finish_sign_in
from actors.oauth.sign_in import begin_sign_in
from actors.oauth.user_info import fetch_user_info
from actors.providers.config.checks.check import check_provider
from actors.providers.config.discovery import resolve_provider
from actors.providers.config.settings import put_provider
from actors.providers.protocol.keys import shared_key_cache
from actors.providers.protocol.provider import DEVICE_CODE
from actors.providers.protocol.revocation import revoke_token
from actors.renewal.renew import renew_connection
from catfeeder.sealing import Secret
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.derived_tokens import TAB_DERIVED_TOKENS
from models.oauth.devices import TAB_DEVICE_AUTHORIZATIONS
from tests.actors.renewals import refresh_token_of, tokens_of
from tests.actors.sign_ins import now, reread, stored_connections
from tests.journeys.software.running import (
    BETTER_AUTH,
    CANAILLE,
    DJANGO,
    IDPYOIDC,
    OAUTH2_SERVER,
    OAUTH2ORIZE,
    OIDC_PROVIDER,
    PYOP,
    Client,
    Served,
    Software,
    consent,
    running,
)

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("tables")]
REDIRECT_URI: Final = "http://127.0.0.1:5000/v1/oauth/callback"
NAME: Final = "software"
#: With the characters that RFC 6749 section 2.3.1 encodes.
SECRET: Final = "s3cret+/=!%41-of-a-real-client-in-the-tests"
BASIC: Final = Client("basic", "client_secret_basic", SECRET)
POST: Final = Client("post", "client_secret_post", SECRET)
PUBLIC: Final = Client("public", "none")
CLIENTS: Final = (BASIC, POST, PUBLIC)
JOURNEYS: Final = [
    *(
        (software, client)
        for software in (DJANGO, CANAILLE, PYOP, OIDC_PROVIDER, BETTER_AUTH)
        for client in CLIENTS
    ),
    # They have no public clients unless they ask none for its secret.
    *(
        (software, client)
        for software in (IDPYOIDC, OAUTH2_SERVER, OAUTH2ORIZE)
        for client in (BASIC, POST)
    ),
]


class AllServed(dict[str, Served]):
    """The software that runs, by its name; each is started when it is first asked for."""

    def __init__(self, blocks: ExitStack) -> None:
        super().__init__()
        self._blocks = blocks

    def __missing__(self, name: str) -> Served:
        software = next(one for one, _ in JOURNEYS if one.name == name)
        self[name] = self._blocks.enter_context(running(software, CLIENTS, REDIRECT_URI))
        return self[name]


@pytest.fixture(scope="module")
def all_served() -> Iterator[dict[str, Served]]:
    """Start each software once for all tests of this file."""
    with ExitStack() as blocks:
        yield AllServed(blocks)


@pytest.fixture
def browser() -> Iterator[requests.Session]:
    """A user's browser, which keeps cookies."""
    with requests.Session() as session:
        session.trust_env = False
        yield session
    shared_key_cache.cache_clear()


def set_up(
    software: Software, client: Client, served: Served, environment: dict[str, str], **more: Any
) -> None:
    """Set the software up as an operator does, by its issuer or its addresses."""
    environment["OAUTH_ALLOWED_PRIVATE_HOSTS"] = urlsplit(served.origin).netloc
    if served.ca_file is not None:
        environment["OAUTH_CA_FILE"] = str(served.ca_file)
    config.current_settings.cache_clear()
    known = {"client_id": client.client_id, "token_endpoint_auth_method": client.method}
    if client.client_secret is not None:
        known["client_secret"] = client.client_secret
    put_provider(NAME, {**software.settings(served.origin), **known, **more}, now())


def sign_in(browser: requests.Session, **asked: Any) -> TAB_CONNECTIONS:
    """Sign the user of the software in."""
    begun = begin_sign_in(NAME, now=now(), **asked)
    answer = consent(browser, begun.authorization_url, REDIRECT_URI)
    back = dict(parse_qsl(urlsplit(answer).query))
    assert "code" in back, back
    arrived = CodeAnswer(NAME, Secret(back["code"]), Secret(back["state"]), back.get("iss"))
    return finish_sign_in(arrived, now()).connection


def is_refused(served: Served, access_token: str) -> bool:
    """Ask the provider itself whether it accepts an access token no more."""
    url = str(resolve_provider(NAME, now()).userinfo_endpoint)
    headers = {"Authorization": f"Bearer {access_token}"}
    answer = requests.get(url, headers=headers, timeout=30, verify=served.verify)
    return answer.status_code in (401, 403)


def assert_basic_is_learned(software: Software, client: Client) -> None:
    """See that Basic is sent as the software reads it, or the secret in the body instead."""
    provider = resolve_provider(NAME, now())
    is_raw = client is BASIC and not software.decodes_basic
    assert provider.client_secret_basic_encoding == ("raw" if is_raw else "form")


def enter_code(browser: requests.Session, page: str) -> None:
    """Enter a device's code and agree, as its user does on the provider's pages."""
    answer = browser.get(page, timeout=30)
    for _ in range(3):
        form = re.search(r'action="([^"]+)"', answer.text)
        if form is None:
            break
        fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', answer.text))
        data = {**fields, "confirm": "yes"} if "confirm" in answer.text else fields
        answer = browser.post(urljoin(page, form[1]), data=data, timeout=30)
    assert answer.text == "connected", answer.text


@pytest.mark.parametrize("client", CLIENTS, ids=[client.client_id for client in CLIENTS])
def test_a_device_is_connected_at_real_software(
    client: Client,
    all_served: dict[str, Served],
    browser: requests.Session,
    environment: dict[str, str],
) -> None:
    # Given a provider of devices, which the operator sets up by its issuer and checks
    served = all_served[OIDC_PROVIDER.name]
    set_up(OIDC_PROVIDER, client, served, environment, grant_types=[DEVICE_CODE])
    assert [one for one in check_provider(NAME)["findings"] if not one["is_ok"]] == []
    # When a device shows a code, which is polled for before its user has entered it
    device = authorize_device(NAME, scope="openid profile email offline_access")
    connection_id = device["connection_id"]
    assert poll() == 1
    assert find_connection(connection_id).status == "pending"
    # And the user enters it and agrees
    enter_code(browser, device["verification_uri_complete"] or device["verification_uri"])
    assert poll() == 1
    # Then the connection is that of a sign-in, which is renewed and disconnected
    row = find_connection(connection_id)
    assert (row.status, row.profile["subject"]) == ("active", "jane")
    first, _ = tokens_of(row)
    assert renew_connection(row.id)["status"] == "active"
    assert tokens_of(reread(row))[0] != first
    assert revoke_connection(row.id)["revoked_at_provider"]


def test_tokens_are_for_one_resource_each_at_real_software(
    all_served: dict[str, Served], browser: requests.Session, environment: dict[str, str]
) -> None:
    # Given a provider whose tokens are for one resource at a time (RFC 8707), and rotate
    served = all_served[OIDC_PROVIDER.name]
    settings = {"identity": "id_token", "single_resource_tokens": True}
    grants = ["authorization_code", "refresh_token"]
    set_up(OIDC_PROVIDER, BASIC, served, environment, grant_types=grants, **settings)
    resolve_provider(NAME, now())
    # When a user signs in for two, then the connection's token is for the first, also renewed
    mail, files = "https://mail.example/", "https://files.example/"
    scope = "openid offline_access read write"
    row = sign_in(browser, resource=[mail, files], scope=scope, max_age=3600)
    assert audience_of(tokens_of(row)[0]) == (mail, "read write")
    assert describe_connection(row)["auth_time"] is not None
    renew_connection(row.id)
    assert audience_of(tokens_of(row)[0]) == (mail, "read write")
    # And one for the other, and a part of the scope, is derived beside it
    exchange_token(row.id, "read", [files])
    with hold_connection():
        [derived] = TAB_DERIVED_TOKENS.list_of(row.id)
    assert audience_of(TAB_DERIVED_TOKENS.access_token.open(derived)) == (files, "read")
    assert derived.scope == "read"
    with pytest.raises(InvalidTarget):
        exchange_token(row.id, None, ["https://other.example/"])
    # And the grant goes on, until it is disconnected; a JWT cannot be revoked there
    assert renew_connection(row.id)["status"] == "active"
    assert revoke_connection(row.id)["revoked_tokens"] == ["refresh_token"]


def audience_of(token: Secret | None) -> tuple[str, str]:
    """Return whom an access token is for, and its scope: it is a JWT (RFC 9068)."""
    assert token is not None
    claims = json.loads(extract_compact(token.reveal_bytes()).payload or b"")
    return claims["aud"], claims["scope"]


def poll() -> int:
    """Poll for each device, as if its interval were over, and return how many those were."""
    with hold_connection():
        is_waiting = TAB_DEVICE_AUTHORIZATIONS.next_poll_at.is_null(False)
        TAB_DEVICE_AUTHORIZATIONS.update(next_poll_at=now()).where(is_waiting).execute()
    leases = claim_due_polls(now())
    for lease in leases:
        poll_leased(lease)
    return len(leases)


def end_grant(software: Software, served: Served, row: TAB_CONNECTIONS) -> None:
    """End a grant at the provider, behind our back."""
    if software.forget_path is not None:
        requests.post(served.origin + software.forget_path, timeout=30, verify=served.verify)
        return
    token = Secret(refresh_token_of(row))
    assert revoke_token(resolve_provider(NAME, now()), token, "refresh_token")


@pytest.mark.parametrize(
    ("software", "client"),
    JOURNEYS,
    ids=[f"{software.name}-{client.client_id}" for software, client in JOURNEYS],
)
def test_a_client_of_real_software_signs_in_renews_and_disconnects(
    software: Software,
    client: Client,
    all_served: dict[str, Served],
    browser: requests.Session,
    environment: dict[str, str],
) -> None:
    # Given a provider, which the operator sets up and checks
    served = all_served[software.name]
    browser.verify = served.verify
    set_up(software, client, served, environment)
    assert [one for one in check_provider(NAME)["findings"] if not one["is_ok"]] == []

    # When a user signs in, and the token is renewed
    row = sign_in(browser)
    first, _ = tokens_of(row)
    assert renew_connection(row.id)["status"] == "active"
    second, _ = tokens_of(row)
    assert first is not None
    assert second is not None
    assert first != second
    assert fetch_user_info(NAME, connection_id=row.id)["subject"] == row.profile["subject"]
    assert_basic_is_learned(software, client)

    # And the user disconnects
    is_revoked = client.client_id not in software.revokes_nothing_of
    assert revoke_connection(row.id) == {
        "id": row.id,
        "revoked_at_provider": is_revoked,
        "revoked_tokens": ["refresh_token", "access_token"] if is_revoked else [],
    }
    # Then the token works no more, where that can be had
    assert is_refused(served, second.reveal()) == is_revoked
    assert stored_connections() == []

    # And a grant that has died at the provider needs its user
    if is_revoked or software.forget_path is not None:
        row = sign_in(browser)
        end_grant(software, served, row)
        with pytest.raises(ReauthorizationRequired):
            renew_connection(row.id)
        assert reread(row).status == "reauthorization_required"
