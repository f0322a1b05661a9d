"""Pages of a sign-in's end: a browser is shown words; an app gets JSON as ever."""

from __future__ import annotations

import re

import httpx
import pytest

from tests.oidc_provider import OidcProvider
from tests.worker.http.signing_in import consented

_HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def _open(browser: httpx.Client, answer: dict[str, str], language: str = "en") -> httpx.Response:
    headers = {**_HTML, "Accept-Language": language}
    page = browser.get("/v1/oauth/callback", params=answer, headers=headers)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "form-action 'self'" in page.headers["content-security-policy"]
    return page


def test_a_browser_is_told_that_it_is_connected(http: httpx.Client, house: OidcProvider) -> None:
    # Given a user who has agreed, whose app has named no page of its own
    answer = consented(http, house, "ada")
    # When the browser comes back, then it is shown a page
    page = _open(http, answer)
    assert page.status_code == 200
    assert "You are connected" in page.text
    # And when it comes once more, that the sign-in has ended
    again = _open(http, answer)
    assert again.status_code == 400
    assert "This sign-in has ended" in again.text
    assert answer["state"] not in page.text + again.text


def test_a_user_who_did_not_agree_is_told_so(http: httpx.Client, house: OidcProvider) -> None:
    answer = consented(http, house, "ada")
    refused = {"state": answer["state"], "error": "access_denied"}
    assert "Nothing was connected" in _open(http, refused).text


def test_an_operator_finds_the_sign_in_that_failed(http: httpx.Client, house: OidcProvider) -> None:
    # Given an answer that the provider will not redeem
    answer = {**consented(http, house, "ada"), "code": "spent"}
    page = _open(http, answer)
    assert page.status_code >= 400
    assert "The sign-in did not succeed" in page.text
    # When the user tells the reference, then it leads to the event that says why
    [reference] = re.findall(">([0-9a-f]{10})<", page.text)
    found = http.get("/v1/events", params={"reference": reference}).json()["items"]
    assert [event["kind"] for event in found] == ["sign_in_refused"]
    assert found[0]["reference"] == reference
    assert http.get("/v1/events", params={"reference": "0" * 10}).json()["items"] == []


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        ("de-AT,de;q=0.9,en;q=0.8", "de"),
        ("pt;q=0.9, fr;q=0.5, es;q=0.7", "es"),
        ("ja", "ja"),
        ("fr-CA", "fr"),
        ("tlh", "en"),
        ("de;q=0, fr;q=x", "en"),
        ("", "en"),
    ],
)
def test_a_page_speaks_the_browsers_language(
    anonymous: httpx.Client, wanted: str, tag: str
) -> None:
    page = _open(anonymous, {"state": "unknown", "code": "x"}, wanted)
    assert f'<html lang="{tag}">' in page.text


def test_an_app_gets_json(anonymous: httpx.Client) -> None:
    for accept in ("*/*", "application/json"):
        params = {"state": "unknown", "code": "x"}
        answer = anonymous.get("/v1/oauth/callback", params=params, headers={"Accept": accept})
        assert answer.headers["content-type"] == "application/problem+json"
