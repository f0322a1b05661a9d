"""Tests of logins that a browser begins: by an app's link, or initiated by a third party."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.sign_ins.scripted.conftest import put_provider

_LOGIN = "/v1/oauth/honest/login"
_CALLBACK = "/v1/oauth/callback"
_TARGET = "https://app.example/inbox"

pytestmark = pytest.mark.config(OAuth={"return_to_origins": ["https://app.example"]})


@pytest.fixture(autouse=True)
def _provider(http: httpx.Client, honest: ScriptedProvider) -> None:
    put_provider(http, "honest", honest)


def _send(browser: httpx.Client, method: str, fields: dict[str, Any]) -> httpx.Response:
    """Open the link, or post the form of a third party's page."""
    if method == "GET":
        return browser.get(_LOGIN, params=fields)
    return browser.post(_LOGIN, data=fields)


def _asked(begun: httpx.Response) -> dict[str, str]:
    assert begun.status_code == 303, begun.text
    query = parse_qs(urlsplit(begun.headers["Location"]).query)
    return {name: values[0] for name, values in query.items()}


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_third_party_initiates_a_login(
    method: str, browser: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a portal of the issuer that opens our initiate_login_uri, with a parameter of its own
    initiated = {"iss": honest.issuer, "login_hint": "jane", "target_link_uri": _TARGET}
    begun = _send(browser, method, {**initiated, "portal": "7"})

    # Then the provider is asked for that user
    assert _asked(begun)["login_hint"] == "jane"
    # And the browser ends at the target, with a connection
    finished = browser.get(_CALLBACK, params=honest.consent(begun.headers["Location"]))
    assert finished.status_code == 303, finished.text
    assert finished.headers["Location"].startswith(f"{_TARGET}?connection_id=")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("iss", ["https://evil.example", "{issuer}/", "{issuer}.evil.example"])
def test_a_login_of_another_issuer_is_refused(
    method: str, iss: str, browser: httpx.Client, honest: ScriptedProvider
) -> None:
    fields = {"iss": iss.replace("{issuer}", honest.issuer)}

    assert_problem(_send(browser, method, fields), 400, "issuer_mismatch")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_target_of_another_origin_is_refused(method: str, browser: httpx.Client) -> None:
    fields = {"target_link_uri": "https://evil.example/"}

    assert_problem(_send(browser, method, fields), 400, "return_to_forbidden")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_login_passes_its_parameters_on(method: str, browser: httpx.Client) -> None:
    asked = {"prompt": "login consent", "max_age": "60", "acr_values": "a b", "ui_locales": "de en"}

    begun = _send(browser, method, {**asked, "return_to": _TARGET})

    assert asked.items() <= _asked(begun).items()


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"max_age": "-1"}, "invalid_request"),
        ({"max_age": "an hour"}, "invalid_request"),
        ({"return_to": _TARGET, "target_link_uri": _TARGET}, "invalid_request"),
        ({"prompt": "none login"}, "request_parameter_invalid"),
        ({"ui_locales": "de,en"}, "request_parameter_invalid"),
    ],
)
def test_a_login_refuses_what_it_cannot_use(
    method: str, fields: dict[str, str], code: str, browser: httpx.Client
) -> None:
    assert_problem(_send(browser, method, fields), 422, code)


def _send_text(browser: httpx.Client, method: str, text: str) -> httpx.Response:
    if method == "GET":
        return browser.get(f"{_LOGIN}?{text}")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    return browser.post(_LOGIN, content=text, headers=form)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_parameter_that_is_there_twice_is_refused_if_it_counts(
    method: str, browser: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a link of which two readers could take another issuer each
    answer = _send_text(browser, method, f"iss=https://evil.example&iss={honest.issuer}")
    # Then no sign-in begins, and what others send for themselves is ignored
    assert_problem(answer, 400, "parameters_invalid")
    assert _asked(_send_text(browser, method, "portal=1&portal=2&login_hint=jane"))


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_parameter_without_a_value_counts_as_left_out(method: str, browser: httpx.Client) -> None:
    # RFC 6749 section 3.1
    text = "iss=&login_hint=&target_link_uri=&return_to=&max_age=&app=&prompt=login"
    asked = _asked(_send_text(browser, method, text))
    assert asked["prompt"] == "login"
    assert asked.keys().isdisjoint({"login_hint", "max_age"})


def test_a_login_by_json_is_refused(browser: httpx.Client) -> None:
    assert_problem(browser.post(_LOGIN, json={"iss": "a"}), 415, "media_type_unsupported")
