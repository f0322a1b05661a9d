"""What a provider sends back: redeemed once, passed on to the app, and logged nowhere."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import consented, sign_in

_APP = "https://app.example.com"
_PATH = "/v1/oauth/callback"
pytestmark = pytest.mark.config(OAuth={"return_to_origins": [_APP]})


def test_the_connection_is_shown_where_the_app_names_no_place(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a user who has consented
    answer = consented(http, house, "alice", subject="u-1")
    # When the browser, which has no key, comes back
    finished = anonymous.get(_PATH, params=answer)
    # Then it is shown the connection, and no token
    assert finished.status_code == 200, finished.text
    assert finished.json()["subject"] == "u-1"
    assert "access_token" not in finished.text
    assert finished.headers["Referrer-Policy"] == "no-referrer"
    # And the same answer serves no second time
    assert_problem(anonymous.get(_PATH, params=answer), 400, "state_used")


def test_the_browser_goes_where_the_app_wants_it(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a sign-in that is to end on a page of the app's, which has a query and a fragment
    answer = consented(http, house, "alice", return_to=f"{_APP}/done?a=b#there")
    # When the browser comes back
    finished = anonymous.get(_PATH, params=answer)
    # Then it is sent on with the id of the connection
    assert finished.status_code == 303
    place = urlsplit(finished.headers["Location"])
    query = parse_qs(place.query)
    assert f"{place.scheme}://{place.netloc}{place.path}#{place.fragment}" == f"{_APP}/done#there"
    assert query["a"] == ["b"]
    [connection_id] = query["connection_id"]
    assert http.get(f"/v1/connections/{connection_id}").status_code == 200
    # And told why it failed when it does
    again = anonymous.get(_PATH, params=answer)
    assert again.headers["Location"] == f"{_APP}/done?a=b&error=state_used#there"


def test_an_answer_may_come_as_a_form(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    answer = consented(http, house, "alice")
    finished = anonymous.post(_PATH, data={**answer, "user": '{"name": "sent by Apple"}'})
    assert finished.status_code == 200, finished.text


def test_the_name_that_comes_beside_the_code_reaches_the_profile(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a provider that tells the name at the first consent alone, in a form field
    told_once = {"told_once": ["name"], "profile": {"name": "nowhere"}}
    assert http.patch("/v1/providers/house", json=told_once).status_code == 200
    user = '{"name": {"firstName": "Jane", "lastName": "Doe"}, "email": "else@example.com"}'
    answer = {**consented(http, house, "alice"), "user": user}
    # When it is posted
    first = anonymous.post(_PATH, data=answer).json()
    # Then the profile has it, and nothing else of what nobody has signed
    assert first["profile"]["name"] == "Jane Doe"
    assert "else@example.com" not in str(first)
    # And a later consent that tells none, or far too much, takes nothing away
    again = anonymous.post(_PATH, data=consented(http, house, "alice")).json()
    endless = {**consented(http, house, "alice"), "user": user + " " * 4096}
    for connection in (again, anonymous.post(_PATH, data=endless).json()):
        assert (connection["id"], connection["profile"]["name"]) == (first["id"], "Jane Doe")


def test_a_refusal_of_the_user_is_shown_or_passed_on(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given sign-ins that users refuse at the provider
    plain = consented(http, house, "alice")["state"]
    returning = consented(http, house, "alice", return_to=_APP)["state"]
    refusal = {"error": "access_denied", "error_description": "<b>no</b>"}
    # When the browser comes back, then the page or the app is told
    shown = anonymous.get(_PATH, params={**refusal, "state": plain})
    assert "access_denied" in assert_problem(shown, 400, "sign_in_refused")["detail"]
    assert "<b>" not in shown.text
    sent = anonymous.get(_PATH, params={**refusal, "state": returning})
    assert sent.headers["Location"] == f"{_APP}?error=sign_in_refused"


def test_what_an_answer_calls_its_error_is_not_repeated_blindly(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    state = consented(http, house, "alice")["state"]
    shown = anonymous.get(_PATH, params={"error": "<script>", "state": state})
    assert "script" not in shown.text


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "state_missing"),
        ("code=c", "state_missing"),
        ("state=s:house", "parameters_invalid"),
        ("code=&state=s:house", "parameters_invalid"),
        ("code=c&state=s:house&state=t:house", "parameters_invalid"),
        ("code=c&code=c&state=s:house", "parameters_invalid"),
        ("code=c&state=s:house&user=a&user=b", "parameters_invalid"),
        ("code=c&state=s:house", "state_unknown"),
        ("code=c&state=%00", "state_unknown"),
        ("error=access_denied&state=s:house", "state_unknown"),
    ],
)
def test_what_is_no_answer_to_us_is_refused_and_costs_no_job(
    anonymous: httpx.Client, http: httpx.Client, query: str, code: str
) -> None:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert_problem(anonymous.get(f"{_PATH}?{query}"), 400, code)
    assert_problem(anonymous.post(_PATH, content=query.encode(), headers=headers), 400, code)
    assert 'catfeeder_queue_messages{queue="oauth"} 0.0' in http.get("/metrics").text


def test_a_post_must_be_a_form(anonymous: httpx.Client) -> None:
    answer = anonymous.post(_PATH, json={"code": "c", "state": "s"})
    assert_problem(answer, 415, "media_type_unsupported")


def test_a_form_is_not_read_without_end(anonymous: httpx.Client) -> None:
    answer = anonymous.post(_PATH, data={f"field{number}": "x" for number in range(200)})
    assert_problem(answer, 400, "parameters_invalid")


def test_the_same_account_signs_in_again(http: httpx.Client, house: OidcProvider) -> None:
    assert sign_in(http, house, "bob")["id"] == sign_in(http, house, "bob")["id"]
