"""A sign-in with Apple: the answer comes by a form, and the name with the first consent alone."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from tests.provider.answers import Answer
from tests.provider.presets import play
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.sign_ins.scripted.conftest import begin

_CALLBACK: Final = "/v1/oauth/callback"
_RETURN_TO: Final = "https://app.example.com/signed-in"


pytestmark = pytest.mark.config(OAuth={"return_to_origins": ["https://app.example.com"]})


@pytest.fixture
def apple(honest: ScriptedProvider, http: httpx.Client) -> ScriptedProvider:
    """A provider that behaves as Apple does."""
    answer = http.put("/v1/providers/apple", json=play(honest, "apple"))
    assert answer.status_code == 201, answer.text
    return honest


def _come_back(browser: httpx.Client, apple: ScriptedProvider) -> httpx.Response:
    """Begin in a browser, consent, and return the answer to the form that Apple's page posts."""
    return browser.post(_CALLBACK, data=apple.consent(begin(browser, "apple")))


def test_the_name_comes_with_the_form(browser: httpx.Client, apple: ScriptedProvider) -> None:
    ended = _come_back(browser, apple)
    assert ended.status_code == 200, ended.text
    assert ended.json()["profile"]["name"] == "Jane Doe"
    assert len(browser.cookies) == 0


def test_the_same_browser_has_its_name_when_it_tries_again(
    browser: httpx.Client, attacker: httpx.Client, apple: ScriptedProvider
) -> None:
    # Given a first consent whose exchange fails
    apple.answer("/token", Answer(503), times=1)
    assert_problem(_come_back(browser, apple), 502, "provider_unreachable")
    # When another browser signs in, then the name is none of its
    assert _come_back(attacker, apple).json()["profile"]["name"] is None
    # And when the same one tries again, then the name is there
    assert _come_back(browser, apple).json()["profile"]["name"] == "Jane Doe"


def test_an_app_that_redeems_the_code_itself_has_the_name_too(
    http: httpx.Client, browser: httpx.Client, apple: ScriptedProvider
) -> None:
    # Given a sign-in whose answer is passed on to the app
    wishes = {"return_to": _RETURN_TO, "relay": True, "subject": "user-42"}
    begun = http.post("/v1/oauth/apple/authorize", json=wishes).json()
    relayed = browser.post(_CALLBACK, data=apple.consent(begun["authorization_url"]))
    query = dict(parse_qsl(urlsplit(relayed.headers["Location"]).query))
    # Then the name stands in no URL
    assert set(query) == {"code", "state"}
    # And the connection has it
    job = http.post("/v1/oauth/apple/exchange", json=query, headers={"Prefer": "wait=20"}).json()
    assert job["result"]["profile"]["name"] == "Jane Doe"


def test_an_app_with_a_redirect_uri_of_its_own_sends_the_name(
    http: httpx.Client, apple: ScriptedProvider
) -> None:
    begun = http.post("/v1/oauth/apple/authorize", json={}).json()
    answer = apple.consent(begun["authorization_url"])
    assert set(answer) == {"code", "state", "user"}
    job = http.post("/v1/oauth/apple/exchange", json=answer, headers={"Prefer": "wait=20"}).json()
    assert job["result"]["profile"]["name"] == "Jane Doe"
