"""Secrets of OAuth: no log line at level DEBUG and no error holds a code, token or secret."""

from __future__ import annotations

import contextlib
import logging

import pytest

from actors.connections.revocation import revoke_connection
from actors.connections.token_reading import read_token
from actors.oauth.exchange import exchange_code
from actors.oauth.refresh import refresh_token
from actors.oauth.user_info import fetch_user_info
from actors.renewal.renew import renew_connection, renew_connections
from catfeeder.errors import CatFeederError
from catfeeder.sealing import Secret
from tests.actors.renewals import lease_connections, tokens_of
from tests.actors.sign_ins import (
    NAME,
    come_back,
    configure,
    configure_preset,
    now,
    sign_in,
    status_of,
)
from tests.provider.answers import Answer, json_answer, not_http
from tests.provider.dialects import Dialect
from tests.provider.script import Script
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def echoing(request: Request) -> Answer:
    """Answer with all that was sent, as if it were an error code."""
    sent = {**request.query, **request.form, **request.headers}
    return json_answer({"error": " ".join(sent.values()), "error_description": sent}, 400)


def secrets_of(provider: ScriptedProvider) -> set[str]:
    """Return every secret that went over the wire."""
    secrets = {provider.client_secret}
    for request in provider.requests:
        names = ("code", "code_verifier", "refresh_token", "token", "fb_exchange_token")
        sent = {**request.query, **request.form}
        secrets |= {sent[name] for name in names if name in sent}
        secrets |= {request.query[name] for name in ("nonce", "state") if name in request.query}
        secrets.add(request.query.get("appsecret_proof", provider.client_secret))
        secrets.add(request.headers.get("authorization", provider.client_secret).split()[-1])
    for grant in provider.grants._grants:
        secrets |= {grant.code, *grant.access_tokens, *grant.refresh_tokens}
    return secrets


def _configure(provider: ScriptedProvider, preset: str) -> None:
    if preset == "query":
        provider.script = Script(
            client_authentication="client_secret_post",
            dialect=Dialect(format="query", method="GET"),
        )
        configure(provider, token_request_format="query", token_request_method="GET")
    elif preset == "openid":
        configure(provider)
    else:
        configure_preset(provider, preset)


@pytest.mark.parametrize("preset", ["openid", "github", "facebook", "x", "query"])
def test_no_secret_is_ever_logged(
    preset: str, provider: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    shown: list[str] = []
    with caplog.at_level(logging.DEBUG):
        # Given everything that can be done with a provider, done well
        _configure(provider, preset)
        row = sign_in(provider).connection
        fetch_user_info(NAME, connection_id=row.id)
        token, refreshing = tokens_of(row)
        with contextlib.suppress(CatFeederError):
            renew_connection(row.id)
            refresh_token(NAME, refreshing or Secret("kept-by-an-app"))
        read_token(row.id, now())

        # And done while the provider echoes all that it was sent, or breaks
        for answer in (echoing, not_http(), Answer(503), json_answer({"access_token": 5})):
            for path in ("/token", "/userinfo", "/revoke", "/jwks"):
                provider.answer(path, answer)
            back = come_back(provider)
            with pytest.raises(CatFeederError) as failure:
                exchange_code(**back)
            shown.append(f"{failure.value!r} {failure.value.detail}")
            assert status_of(back["state"]) == "failed"
            for sources in ({"connection_id": row.id}, {"access_token": token}):
                with contextlib.suppress(CatFeederError):
                    fetch_user_info(NAME, **sources)
            with contextlib.suppress(CatFeederError):
                refresh_token(NAME, Secret("kept-by-an-app"))
            renew_connections(lease_connections([row]))
        revoke_connection(row.id)

    # Then the log and the errors hold none of the secrets
    log = "\n".join(
        f"{record.getMessage()} {record.args} {record.exc_text}" for record in caplog.records
    )
    assert "Renewing connection" in log
    secrets = secrets_of(provider)
    assert len(secrets) > 10
    assert [secret for secret in secrets if secret in log or secret in "".join(shown)] == []
