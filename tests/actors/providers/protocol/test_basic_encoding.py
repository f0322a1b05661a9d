"""Tests of client secrets by Basic at servers that do not decode what RFC 6749 2.3.1 encodes."""

from __future__ import annotations

import base64
import logging
from typing import Any

import pytest

from actors.providers.config.checks.check import check_provider
from actors.providers.config.discovery import discover
from actors.providers.config.lookup import find_provider
from actors.providers.config.settings import describe_provider, patch_provider
from actors.providers.errors import ProviderRefused
from actors.providers.protocol.token_endpoint import use_refresh_token
from actors.renewal.renew import renew_connection
from catfeeder.sealing import Secret
from models.db.errors import DatabaseUnreachable
from models.oauth.providers import TAB_USER_OAUTH_CONNECTION
from tests.actors.renewals import connect
from tests.actors.sign_ins import NAME, configure, now, sign_in
from tests.provider.answers import Answer, json_answer
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")
SECRET = "s+/=!%41: \u00e9"


@pytest.fixture
def undecoding(provider: ScriptedProvider) -> ScriptedProvider:
    """A provider that compares Basic credentials as they come."""
    provider.client_secret = SECRET
    provider.script.decodes_basic = False
    return provider


def shown(provider: ScriptedProvider) -> list[str]:
    """Return what each request to the token endpoint has shown as the client's secret."""
    secrets = []
    for request in provider.requests_for("/token"):
        basic = request.headers.get("authorization", "").removeprefix("Basic ")
        text = base64.b64decode(basic).decode().partition(":")[2]
        secrets.append(request.form.get("client_secret") or text)
    return secrets


ENCODED = "s%2B%2F%3D%21%2541%3A%20%C3%A9"


def test_the_other_form_is_tried_once_and_remembered(
    undecoding: ScriptedProvider, caplog: pytest.LogCaptureFixture
) -> None:
    configure(undecoding)

    # When a user signs in, the secret is refused as the standard has it and taken as it is
    with caplog.at_level(logging.WARNING):
        row = sign_in(undecoding).connection
    assert shown(undecoding) == [ENCODED, SECRET]
    assert "2.3.1" in caplog.text
    assert SECRET not in caplog.text

    # Then every process knows, for renewals and disconnects too
    assert renew_connection(row.id)["status"] == "active"
    assert shown(undecoding) == [ENCODED, SECRET, SECRET]
    assert find_provider(NAME).client_secret_basic_encoding == "raw"
    assert describe_provider(NAME)["client_secret_basic_encoding"] == "raw"
    findings = {one["check"]: one for one in check_provider(NAME)["findings"]}
    assert "2.3.1" in findings["client_authentication"]["detail"]
    assert findings["client_authentication"]["is_ok"]


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        ({"error": "unauthorized_client", "error_description": "Invalid client secret"}, 401),
        ({"error": "unauthorized_client"}, 400),
        ({"status": 403, "message": "invalid client secret"}, 403),
    ],
    ids=["401", "400", "by words"],
)
def test_the_other_form_is_tried_whatever_the_refusal_is_called(
    answer: dict[str, Any], status: int, undecoding: ScriptedProvider
) -> None:
    configure(undecoding)
    undecoding.answer("/token", json_answer(answer, status), times=1)

    sign_in(undecoding)

    assert shown(undecoding) == [ENCODED, SECRET]


def test_a_published_post_is_preferred(undecoding: ScriptedProvider) -> None:
    both = ["client_secret_basic", "client_secret_post"]
    undecoding.script.metadata = {"token_endpoint_auth_methods_supported": both}
    configure(undecoding)
    # Given a server that reads secrets rightly in the body alone
    undecoding.answer("/token", json_answer({"error": "invalid_client"}, 401), times=1)
    undecoding.script.client_authentication = "client_secret_post"

    sign_in(undecoding)
    sign_in(undecoding)

    assert [
        ("authorization" in request.headers, "client_secret" in request.form)
        for request in undecoding.requests_for("/token")
    ] == [(True, False), (False, True), (False, True)]


def test_a_server_that_learns_to_decode_is_followed(undecoding: ScriptedProvider) -> None:
    configure(undecoding)
    (row,) = connect(undecoding)
    undecoding.script.decodes_basic = True

    assert renew_connection(row.id)["status"] == "active"
    assert shown(undecoding) == [ENCODED, SECRET, SECRET, ENCODED]
    assert find_provider(NAME).client_secret_basic_encoding == "form"


@pytest.mark.parametrize(
    "answer",
    [json_answer({"error": "invalid_client"}, 401), Answer(401), json_answer({}, 401)],
    ids=["code", "nothing", "no code"],
)
def test_a_wrong_secret_is_refused_with_the_cause(
    answer: Answer, undecoding: ScriptedProvider
) -> None:
    configure(undecoding)
    undecoding.answer("/token", answer)

    with pytest.raises(ProviderRefused, match=r"2\.3\.1") as refusal:
        sign_in(undecoding)

    assert "token_endpoint_auth_method" in refusal.value.detail
    assert len(undecoding.requests_for("/token")) == 2


@pytest.mark.parametrize(
    ("secret", "changes"),
    [
        ("plain-secret_1.~", {}),
        (SECRET, {"client_secret_basic_encoding": "form"}),
        (SECRET, {"token_endpoint_auth_method": "client_secret_post"}),
        # Before the colon a raw client_id would end
        (SECRET, {"client_id": "a:b"}),
    ],
    ids=["same in both forms", "set", "post", "colon"],
)
def test_nothing_else_is_tried_where_it_would_not_help(
    secret: str, changes: dict[str, Any], provider: ScriptedProvider
) -> None:
    provider.client_secret = secret
    configure(provider, **changes)
    provider.answer("/token", json_answer({"error": "invalid_client"}, 401))

    with pytest.raises(ProviderRefused):
        use_refresh_token(find_provider(NAME), Secret("token"))
    assert len(provider.requests_for("/token")) == 1


def test_each_secret_is_tried_in_both_forms(undecoding: ScriptedProvider) -> None:
    configure(undecoding, client_secret=None, client_secrets=["new+", SECRET])

    sign_in(undecoding)

    assert shown(undecoding) == ["new%2B", "new+", ENCODED, SECRET]


def test_what_was_learned_goes_with_the_settings(undecoding: ScriptedProvider) -> None:
    configure(undecoding)
    sign_in(undecoding)

    patch_provider(NAME, {"scopes": ["openid"]}, now())
    discover(NAME, now())

    assert find_provider(NAME).client_secret_basic_encoding == "form"


def test_a_sign_in_is_not_lost_when_what_was_learned_cannot_be_stored(
    undecoding: ScriptedProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(undecoding)

    def refuse(*_: object) -> None:
        raise DatabaseUnreachable

    monkeypatch.setattr(TAB_USER_OAUTH_CONNECTION, "store_learned", refuse)

    assert sign_in(undecoding).connection.status == "active"
