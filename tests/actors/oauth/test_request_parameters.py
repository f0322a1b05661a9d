"""Tests of what one sign-in asks of its provider, and of the max_age that it then holds it to."""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from actors.errors import IdTokenInvalid
from actors.oauth.errors import RequestParameterInvalid
from actors.oauth.sign_in import begin_sign_in
from catfeeder.sign_in_options import RequestParameters
from tests.actors.sign_ins import NAME, configure, configure_plain, now, sign_in
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

    with pytest.raises(IdTokenInvalid, match=sentence):
        sign_in(provider, **({} if is_setting else {"max_age": 3600}))


def test_a_max_age_that_nothing_proves_is_refused_at_the_beginning(
    provider: ScriptedProvider,
) -> None:
    configure_plain(provider)

    with pytest.raises(RequestParameterInvalid, match="id_token"):
        asked_of(provider, max_age=60)
