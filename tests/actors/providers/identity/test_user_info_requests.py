"""User info requests in the forms that providers demand, each refused in any other form."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from typing import Any

import pytest

from actors.providers.errors import ProviderRefused
from actors.providers.identity.user_info import fetch_profile
from catfeeder.sealing import Secret
from tests.actors.providers.built import built
from tests.provider.answers import Answer, json_answer
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("settings")

TOKEN = "canary+token/of~user="
QUERY = "{ viewer { id email } }"
Demand = Callable[[Request], bool]


def _has(**headers: str) -> Demand:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda request: named.items() <= dict(request.headers).items()


_BY_BEARER = _has(authorization=f"Bearer {TOKEN}")


@pytest.mark.parametrize(
    ("path", "given", "demand"),
    [
        ("/me", {"userinfo_method": "POST"}, lambda it: it.method == "POST" and _BY_BEARER(it)),
        (
            "/me",
            {"userinfo_body": {"query": QUERY}},
            lambda it: json.loads(it.body or b"{}") == {"query": QUERY} and _BY_BEARER(it),
        ),
        (
            "/me",
            {"userinfo_headers": {"Client-Id": "{client_id}", "X-Api": "2"}},
            _has(client_id="client-of-tests", x_api="2", authorization=f"Bearer {TOKEN}"),
        ),
        (
            "/me?v=5",
            {"userinfo_token_location": "query"},
            lambda it: it.query == {"v": "5", "access_token": TOKEN} and not _authorized(it),
        ),
        (
            "/me",
            {"userinfo_token_location": "body"},
            lambda it: it.form == {"access_token": TOKEN} and not _authorized(it),
        ),
        (
            "/me",
            {"userinfo_token_location": "body", "userinfo_body": {"a": 1}},
            lambda it: json.loads(it.body or b"{}") == {"a": 1, "access_token": TOKEN},
        ),
        ("/me", {"userinfo_token_scheme": "OAuth"}, _has(authorization=f"OAuth {TOKEN}")),
        ("/me", {"userinfo_token_scheme": ""}, _has(authorization=TOKEN)),
        (
            "/me",
            {"userinfo_headers": {"X-Token": "{access_token}"}},
            lambda it: _has(x_token=TOKEN)(it) and not _authorized(it),
        ),
        ("/me?oauth_token={access_token}", {}, lambda it: it.query == {"oauth_token": TOKEN}),
        ("/tokens/{access_token}", {}, lambda it: not _authorized(it)),
        ("/apps/{client_id}/me", {}, _BY_BEARER),
    ],
    ids=[
        *("post", "graphql", "headers", "query", "form", "json-body", "scheme", "no-scheme"),
        *("header", "parameter", "path", "client-id"),
    ],
)
def test_user_info_is_asked_for_as_the_provider_demands(
    path: str,
    given: dict[str, Any],
    demand: Demand,
    provider: ScriptedProvider,
    caplog: pytest.LogCaptureFixture,
) -> None:
    # Given a provider that answers a request in this form alone
    caplog.set_level(logging.DEBUG)
    known = ("/me", "/tokens/canary%2Btoken%2Fof~user%3D", "/apps/client-of-tests/me")
    for place in known:
        provider.answer(
            place, lambda it: json_answer({"data": {"viewer": {"id": 9}}}) if demand(it) else NO
        )
    found = built(
        provider,
        userinfo_endpoint=f"{provider.issuer}{path}",
        profile={"subject": "data.viewer.id"},
        **given,
    )

    # Then it names the user, and no log has the token
    assert fetch_profile(found, Secret(TOKEN))["subject"] == "9"
    assert TOKEN not in caplog.text
    assert "canary" not in caplog.text
    # And in no other form
    plain = built(provider, userinfo_endpoint=f"{provider.issuer}/me")
    if not demand(Request("GET", "/me", {}, {}, {"authorization": f"Bearer {TOKEN}"}, 1)):
        with pytest.raises(ProviderRefused):
            fetch_profile(plain, Secret(TOKEN))


NO = Answer(401)


def _authorized(request: Request) -> bool:
    return "authorization" in request.headers


def test_an_answer_that_names_the_user_may_have_an_error_as_well(
    provider: ScriptedProvider,
) -> None:
    answers = [{"id": 7, "error": {"code": 0, "message": "done"}}, {"error": {"code": "denied"}}]
    provider.answer("/userinfo", *(json_answer(answer) for answer in answers))
    found = built(provider, profile={"subject": "id"})

    assert fetch_profile(found, Secret(TOKEN))["subject"] == "7"
    with pytest.raises(ProviderRefused, match="denied"):
        fetch_profile(found, Secret(TOKEN))
