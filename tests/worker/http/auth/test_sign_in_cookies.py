"""A sign-in ends in the browser that began it: the cookie, its form, and its end."""

from __future__ import annotations

from http.cookies import Morsel, SimpleCookie
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from catfeeder.sealing import Secret
from models.oauth.state_hashes import hash_state
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.conftest import SetLimits
from tests.worker.http.signing_in import HOUSE

_LOGIN = f"/v1/oauth/{HOUSE}/login"
_CALLBACK = "/v1/oauth/callback"


def _cookies(answer: httpx.Response) -> list[Morsel[str]]:
    """Return what an answer sets, as a browser reads it."""
    read: list[Morsel[str]] = []
    for line in answer.headers.get_list("Set-Cookie"):
        read += SimpleCookie(line).values()
    return read


def _state_of(answer: httpx.Response) -> str:
    return parse_qs(urlsplit(answer.headers["Location"]).query)["state"][0]


def _mark_of(answer: httpx.Response) -> str:
    """Return what names the cookie of a sign-in, which tells nothing of its state."""
    return hash_state(Secret(_state_of(answer)))[:16]


def _came_back(browser: httpx.Client, provider: OidcProvider, user: str) -> dict[str, str]:
    """Begin in a browser and consent; return what is brought to the callback."""
    return provider.consent(browser.get(_LOGIN).headers["Location"], user)


def test_a_browser_ends_what_it_began(anonymous: httpx.Client, house: OidcProvider) -> None:
    # Given a browser that begins a sign-in
    begun = anonymous.get(_LOGIN)
    # Then it is given a secret for ten minutes, for these routes alone and no script
    [cookie] = _cookies(begun)
    assert cookie.key == f"catfeeder-sign-in-{_mark_of(begun)}"
    assert len(cookie.value) == 43
    assert (cookie["path"], cookie["max-age"]) == ("/v1/oauth", "600")
    assert (cookie["httponly"], cookie["samesite"], cookie["domain"]) == (True, "lax", "")
    # When it comes back, then it is signed in, and forgets the secret
    finished = anonymous.get(_CALLBACK, params=house.consent(begun.headers["Location"], "alice"))
    assert finished.status_code == 200, finished.text
    [forgotten] = _cookies(finished)
    assert (forgotten.key, forgotten.value, forgotten["max-age"]) == (cookie.key, "", "0")
    assert forgotten["path"] == "/v1/oauth"
    assert len(anonymous.cookies) == 0


def test_a_browser_may_begin_in_several_windows(
    anonymous: httpx.Client, house: OidcProvider
) -> None:
    answers = [_came_back(anonymous, house, user) for user in ("alice", "bob", "carol")]
    # When they end in another order, then each ends well
    for answer in reversed(answers):
        assert anonymous.get(_CALLBACK, params=answer).status_code == 200
    assert len(anonymous.cookies) == 0


def test_no_two_sign_ins_have_the_same_secret(anonymous: httpx.Client, house: OidcProvider) -> None:
    assert house.issuer
    values = {_cookies(anonymous.get(_LOGIN))[0].value for _ in range(5)}
    assert len(values) == 5


def test_a_browser_that_is_made_to_begin_without_end_carries_few_cookies(
    anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a page that makes its visitors' browsers begin one sign-in after the other
    for _ in range(30):
        anonymous.get(_LOGIN)
        assert len(anonymous.cookies) <= 9
    # Then the last one still ends well
    answer = _came_back(anonymous, house, "alice")
    assert anonymous.get(_CALLBACK, params=answer).status_code == 200


def test_a_sign_in_that_fails_is_forgotten_too(
    anonymous: httpx.Client, house: OidcProvider
) -> None:
    state = _came_back(anonymous, house, "alice")["state"]
    refused = anonymous.get(_CALLBACK, params={"state": state, "error": "access_denied"})
    assert_problem(refused, 400, "sign_in_refused")
    assert len(anonymous.cookies) == 0
    # And is over
    again = anonymous.get(_CALLBACK, params={"state": state, "code": "c"})
    assert_problem(again, 400, "state_used")


def test_an_app_that_begins_needs_no_cookie(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given an app, which begins by a request of its own
    begun = http.post(f"/v1/oauth/{HOUSE}/authorize", json={})
    assert "Set-Cookie" not in begun.headers
    # Then whichever browser it sends there may come back: the app knows which that is
    answer = house.consent(begun.json()["authorization_url"], "alice")
    finished = anonymous.get(_CALLBACK, params=answer)
    assert finished.status_code == 200
    assert "Set-Cookie" not in finished.headers


def test_without_tls_no_cookie_is_asked_to_cross_sites(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # SignInCookies take no cookie that crosses sites unless it is for TLS alone
    assert house.issuer
    parameters = {"authorization_parameters": {"response_mode": "form_post"}}
    http.patch(f"/v1/providers/{HOUSE}", json=parameters)
    [cookie] = _cookies(anonymous.get(_LOGIN))
    assert (cookie["samesite"], cookie["secure"]) == ("lax", "")


@pytest.mark.config(Server_configuration={"login_requires_key": True})
def test_the_app_is_given_no_cookie_in_the_browsers_place(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    begun = http.get(_LOGIN)
    assert "Set-Cookie" not in begun.headers
    answer = house.consent(begun.headers["Location"], "alice")
    assert anonymous.get(_CALLBACK, params=answer).status_code == 200


@pytest.mark.environ(REDIRECT_URI="https://auth.example.com/v1/oauth/callback")
def test_no_other_host_can_put_a_cookie_in_its_place(
    anonymous: httpx.Client, house: OidcProvider
) -> None:
    begun = anonymous.get(_LOGIN)
    [cookie] = _cookies(begun)
    # Then the cookie has the form that its prefix demands of browsers
    assert cookie.key.startswith("__Host-catfeeder-sign-in-")
    assert (cookie["path"], cookie["secure"], cookie["domain"]) == ("/", True, "")
    assert (cookie["httponly"], cookie["samesite"]) == (True, "lax")
    # And the browser, which speaks TLS to the proxy, ends what it began
    answer = house.consent(begun.headers["Location"], "alice")
    headers = {"Cookie": f"theirs=1; {cookie.key}={cookie.value}; other=2"}
    finished = anonymous.get(_CALLBACK, params=answer, headers=headers)
    assert finished.status_code == 200, finished.text
    [forgotten] = _cookies(finished)
    assert (forgotten.key, forgotten["max-age"]) == (cookie.key, "0")
    # A browser heeds this only in the form of the prefix
    assert (forgotten["path"], forgotten["secure"]) == ("/", True)


@pytest.mark.environ(REDIRECT_URI="https://auth.example.com/v1/oauth/callback")
def test_a_cookie_comes_back_with_a_providers_post(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a provider that answers by a form, which its own page posts to us
    parameters = {"authorization_parameters": {"response_mode": "form_post"}}
    assert http.patch(f"/v1/providers/{HOUSE}", json=parameters).status_code == 200
    # When a browser begins
    begun = anonymous.get(_LOGIN)
    [cookie] = _cookies(begun)
    # Then its cookie is one that comes with requests from other sites
    assert (cookie["samesite"], cookie["secure"]) == ("none", True)
    # And without it the form ends nothing
    state = _state_of(begun)
    posted = anonymous.post(_CALLBACK, data={"code": "c", "state": state})
    assert_problem(posted, 400, "browser_mismatch")
    assert house.issuer


@pytest.mark.config(Server_configuration={"trusted_proxies": ["127.0.0.1"]})
def test_an_address_that_begins_too_often_has_to_wait(
    anonymous: httpx.Client, house: OidcProvider, set_limits: SetLimits
) -> None:
    assert house.issuer
    set_limits(sign_ins_per_minute=3, sign_ins_per_minute_in_all=5)
    answers = [anonymous.get(_LOGIN) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [303, 303, 303, 429]
    assert_problem(answers[-1], 429, "too_many_attempts")
    assert 1 <= int(answers[-1].headers["Retry-After"]) <= 20
    # And nobody else is
    other = anonymous.get(_LOGIN, headers={"X-Forwarded-For": "192.0.2.1"})
    assert other.status_code == 303
    # But all addresses together cannot fill the database either
    addresses = [f"198.51.100.{number}" for number in range(3)]
    from_all = [anonymous.get(_LOGIN, headers={"X-Forwarded-For": each}) for each in addresses]
    assert [answer.status_code for answer in from_all] == [303, 429, 429]
