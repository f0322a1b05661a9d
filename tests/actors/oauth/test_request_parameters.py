"""Tests of what one sign-in asks of its provider, and of the max_age that it then holds it to."""

from __future__ import annotations

import json
import time
from datetime import datetime
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

import pytest

from actors.connections.reading import describe_connection
from actors.errors import IdTokenInvalid
from actors.oauth.errors import RequestParameterInvalid
from actors.oauth.sign_in import begin_sign_in
from actors.providers.identity.authentication import UnmetAuthenticationRequirements
from actors.renewal.renew import renew_connection
from catfeeder.verbs.sign_in_options import RequestParameters
from tests.actors.sign_ins import NAME, configure, configure_plain, now, sign_in, stored_connections
from tests.provider.dialects import Dialect
from tests.scripted_provider import ScriptedProvider

pytestmark = pytest.mark.usefixtures("tables")


def asked_of(provider: ScriptedProvider, **asked: Any) -> dict[str, str]:
    """Return the query that the browser is sent to the provider with."""
    del provider
    url = begin_sign_in(NAME, now=now(), **asked).authorization_url
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_a_sign_in_asks_in_place_of_the_settings(provider: ScriptedProvider) -> None:
    # Given a provider whose settings ask for one thing
    settings = {"prompt": "consent", "access_type": "offline"}
    configure(provider, authorization_parameters=settings)

    # When a sign-in asks for another
    asked: RequestParameters = {"prompt": "none", "login_hint": "jane@example.com", "max_age": 0}
    query = asked_of(provider, **asked, acr_values="phr phrh", ui_locales="de-CH en")

    # Then it wins, and the rest of the settings stays
    assert (query["prompt"], query["access_type"]) == ("none", "offline")
    assert (query["login_hint"], query["max_age"]) == ("jane@example.com", "0")
    assert (query["acr_values"], query["ui_locales"]) == ("phr phrh", "de-CH en")
    # And another sign-in asks as the settings say
    assert asked_of(provider)["prompt"] == "consent"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("prompt", text) for text in ("", "none login", "login none", "a  b", "Login", "a\nb")),
        *(("login_hint", text) for text in ("", "a\r\nb", "x" * 2049, "\ud800")),
        *(("max_age", value) for value in (-1, "5", True, 0.5, 10**10)),
        *(("acr_values", text) for text in ("", "caf\u00e9", " a")),
        *(("ui_locales", text) for text in ("", "de,en", "de_CH")),
        *(
            ("resource", text)
            for text in ("", "api", "https://a/#b", "https://u:p@a/", "https://[")
        ),
        *(("resource", value) for value in ([], ["https://a/", 1], ["https://a/"] * 9)),
        ("acr_essential", True),
    ],
)
def test_a_parameter_outside_its_grammar_is_refused(
    name: str, value: Any, provider: ScriptedProvider
) -> None:
    configure(provider)

    with pytest.raises(RequestParameterInvalid, match=f"^{name} "):
        asked_of(provider, **{name: value})


@pytest.mark.parametrize("age", [-60, 0, 3500])
def test_a_login_that_is_recent_enough_is_accepted(age: int, provider: ScriptedProvider) -> None:
    configure(provider)
    provider.script.claims = {"auth_time": int(time.time()) - age}

    row = sign_in(provider, max_age=3600).connection

    # And the app can see when and how the user logged in
    assert row.profile["raw"]["auth_time"] == provider.script.claims["auth_time"]
    assert (
        datetime.fromisoformat(str(describe_connection(row)["auth_time"])).timestamp()
        == (provider.script.claims["auth_time"])
    )


@pytest.mark.parametrize(
    ("auth_time", "sentence"),
    [(None, "no auth_time"), (-3800, "before max_age"), (500, "before max_age"), ("x", "a time")],
)
@pytest.mark.parametrize("is_setting", [True, False])
def test_a_login_that_max_age_forbids_is_refused(
    auth_time: Any, sentence: str, *, is_setting: bool, provider: ScriptedProvider
) -> None:
    # Given a sign-in that asks for a login within an hour, by itself or by the settings
    settings = {"authorization_parameters": {"max_age": "3600"}} if is_setting else {}
    configure(provider, **settings)
    # When the id_token does not prove that
    is_offset = isinstance(auth_time, int)
    provider.script.claims = {"auth_time": time.time() + auth_time if is_offset else auth_time}

    with pytest.raises(IdTokenInvalid, match=sentence) as refused:
        sign_in(provider, **({} if is_setting else {"max_age": 3600}))

    assert refused.value.code == ("id_token_invalid" if auth_time == "x" else "login_too_old")


@pytest.mark.parametrize(
    "asked", [{"max_age": 60}, {"acr_values": "phr", "acr_essential": True}], ids=["age", "acr"]
)
def test_a_demand_that_nothing_proves_is_refused_at_the_beginning(
    asked: dict[str, Any], provider: ScriptedProvider
) -> None:
    configure_plain(provider)

    with pytest.raises(RequestParameterInvalid, match="id_token"):
        asked_of(provider, **asked)


@pytest.mark.parametrize(
    ("acr", "is_essential", "is_accepted"),
    [
        ("phr", False, True),
        ("phrh", True, True),
        # A wish may be left without an answer (Core 5.5.1.1); what is essential may not.
        (None, False, True),
        (None, True, False),
        ("pwd", False, False),
        ("pwd", True, False),
        (["phr"], True, False),
    ],
)
@pytest.mark.parametrize("is_setting", [True, False])
def test_an_acr_that_was_not_asked_for_is_refused(
    acr: Any, *, is_essential: bool, is_accepted: bool, is_setting: bool, provider: ScriptedProvider
) -> None:
    # Given a sign-in that asks for a strong login, by itself or by the settings
    values = {"acr_values": "phr phrh"}
    configure(provider, **({"authorization_parameters": values} if is_setting else {}))
    asked: dict[str, Any] = {"acr_essential": is_essential, **({} if is_setting else values)}
    # When the provider states how the user has logged in
    provider.script.claims = {"acr": acr}

    # Then a weaker one is no sign-in, and a strong one is the app's to see
    if not is_accepted:
        with pytest.raises(UnmetAuthenticationRequirements):
            sign_in(provider, **asked)
        assert stored_connections() == []
        return
    assert describe_connection(sign_in(provider, **asked).connection)["acr"] == acr


def test_an_essential_acr_is_a_claim_where_the_provider_takes_claims(
    provider: ScriptedProvider,
) -> None:
    # Given an issuer that publishes so, and settings that ask for other claims
    provider.script.metadata = {"claims_parameter_supported": True}
    claims: dict[str, Any] = {"userinfo": {"name": None}, "id_token": {"email": None}}
    configure(provider, authorization_parameters={"claims": json.dumps(claims)})

    query = asked_of(provider, acr_values="phr phrh", acr_essential=True)

    # Then it is asked for as such, beside them, and not as a wish besides
    claims["id_token"]["acr"] = {"essential": True, "values": ["phr", "phrh"]}
    assert json.loads(query["claims"]) == claims
    assert "acr_values" not in query
    # And other sign-ins ask as before
    assert asked_of(provider, acr_values="phr")["acr_values"] == "phr"


_RESOURCES: Final = ["https://api.example/mail", "https://api.example/files?v=2"]


@pytest.mark.parametrize(
    ("row", "name", "at_token"),
    [
        ({}, "resource", _RESOURCES),
        ({"single_resource_tokens": True}, "resource", _RESOURCES[:1]),
        ({"parameter_names": {"resource": "audience"}}, "audience", _RESOURCES),
    ],
    ids=["all at once", "one at a time", "by another name"],
)
def test_resources_are_asked_for_at_each_request(
    row: dict[str, Any], name: str, at_token: list[str], provider: ScriptedProvider
) -> None:
    # Given a provider whose tokens are for one resource or several (RFC 8707)
    configure(provider, **row)
    names = {} if name == "resource" else {"resource": name}
    provider.script.dialect = Dialect(names=names)

    # When a sign-in is for two, and its token is renewed
    url = begin_sign_in(NAME, now=now(), resource=_RESOURCES).authorization_url
    stored = sign_in(provider, resource=[*_RESOURCES, _RESOURCES[0]]).connection
    renew_connection(stored.id)

    # Then the browser carries both, and so does each token request, as the provider takes them
    assert parse_qs(urlsplit(url).query)[name] == _RESOURCES
    sent = [parse_qs(one.body.decode())[name] for one in provider.requests_for("/token")]
    assert sent == [at_token] * 2
    assert describe_connection(stored)["resource"] == _RESOURCES
    # And a later sign-in that is for none leaves none behind
    again = sign_in(provider).connection
    assert (again.id, describe_connection(again)["resource"]) == (stored.id, [])
