"""What a provider sends back: redeemed once, passed on to the app, and logged nowhere."""

from __future__ import annotations

import dataclasses
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

import httpx
import pytest
from fastapi import FastAPI

from actors.oauth.errors import StateUsed
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import consented
from worker.http.errors.refusals import QueueOverloaded
from worker.http.shim import Shim

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
    told = _told(again)
    assert (told.pop("a"), told.pop("error"), told.pop("state")) == (
        "b",
        "state_used",
        answer["state"],
    )
    assert told == {"error_description": StateUsed.message}


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


def _told(answer: httpx.Response) -> dict[str, str]:
    """Return what the app is told by the URL that the browser is sent to."""
    assert answer.status_code == 303, answer.text
    return dict(parse_qsl(urlsplit(answer.headers["Location"]).query))


@pytest.mark.parametrize("relay", [False, True])
@pytest.mark.parametrize("error", ["access_denied", "login_required"])
def test_a_refusal_of_the_user_is_shown_or_passed_on(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider, error: str, *, relay: bool
) -> None:
    # Given sign-ins that users refuse at the provider
    plain = consented(http, house, "alice")["state"]
    returning = consented(http, house, "alice", return_to=_APP, relay=relay)["state"]
    refusal = {"error": error, "error_description": "<b>no</b>, not today"}
    # When the browser comes back, then the page or the app is told, and which sign-in it was
    shown = anonymous.get(_PATH, params={**refusal, "state": plain})
    assert f"{error}: bno/b, not today." in assert_problem(shown, 400, "sign_in_refused")["detail"]
    sent = anonymous.get(_PATH, params={**refusal, "state": returning})
    description = "bno/b, not today"
    assert _told(sent) == {"error": error, "error_description": description, "state": returning}
    # And the event says the same
    event = http.get("/v1/events", params={"kind": "sign_in_refused"}).json()["items"][0]
    detail = {"reason": "sign_in_refused", "error": error, "error_description": description}
    assert event["detail"] == detail


@pytest.mark.parametrize(
    ("refusal", "told"),
    [
        ({"error": "AADSTS50105"}, {"error": "AADSTS50105"}),
        (
            {"error_code": "1349048", "error_message": "Can't load URL"},
            {"error": "1349048", "error_description": "Can't load URL"},
        ),
        ({"error_message": "No."}, {"error": "sign_in_refused", "error_description": "No."}),
        ({"error": "<script>"}, {"error": "sign_in_refused"}),
    ],
)
def test_an_error_in_other_words_ends_the_sign_in(
    http: httpx.Client,
    anonymous: httpx.Client,
    house: OidcProvider,
    refusal: dict[str, str],
    told: dict[str, str],
) -> None:
    state = consented(http, house, "alice", return_to=_APP)["state"]
    assert _told(anonymous.get(_PATH, params={**refusal, "state": state})) == {
        **told,
        "state": state,
    }


def test_an_error_without_a_state_reaches_the_app_that_the_browser_came_from(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a browser that has begun two sign-ins, the latter from a page of the app's
    assert anonymous.get("/v1/oauth/house/login").status_code == 303
    begun = anonymous.get("/v1/oauth/house/login", params={"return_to": f"{_APP}/done"})
    refusal = {"error": "unauthorized_client", "error_description": "The app is not approved."}
    # When the provider answers without a state, then the app is told
    sent = anonymous.get(_PATH, params=refusal)
    assert sent.headers["Location"].startswith(f"{_APP}/done?")
    assert _told(sent) == refusal
    event = http.get("/v1/events", params={"kind": "sign_in_refused"}).json()["items"][0]
    assert (event["provider"], event["detail"]) == (
        "house",
        {"reason": "sign_in_refused", **refusal},
    )
    # And a forged one has not ended the sign-in
    answer = house.consent(begun.headers["Location"], "alice")
    assert "connection_id" in _told(anonymous.get(_PATH, params=answer))
    # And a browser that has begun none is shown the reason
    anonymous.cookies.clear()
    shown = assert_problem(anonymous.get(_PATH, params=refusal), 400, "sign_in_refused")
    assert "unauthorized_client: The app is not approved." in shown["detail"]


_FORGED = [
    *("code=forged", "connection_id=forged", "state=forged", "error=forged", "iss=forged"),
    *("%63ode=forged", "CODE=forged", "code%5B%5D=forged", "code[0]=forged", "+code=forged"),
    *("x=1;code=forged", "connection.id=forged", "error_description=forged", "realmId=forged"),
]


@pytest.mark.parametrize("relay", [False, True])
def test_what_the_app_receives_is_not_what_a_link_says(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider, *, relay: bool
) -> None:
    # Given a link whose return_to holds parameters of the names that the app reads
    return_to = f"{_APP}/done?lang=en&{'&'.join(_FORGED)}&codec=x#there"
    answer = consented(http, house, "alice", return_to=return_to, relay=relay)
    # When the browser comes back
    place = anonymous.get(_PATH, params={**answer, "realmId": "1"}).headers["Location"]
    # Then the app finds those of the service alone, beside its own
    assert "forged" not in place.replace("realmId=forged", "" if not relay else "realmId=forged")
    assert place.startswith(f"{_APP}/done?lang=en&")
    assert "codec=x" in place


@pytest.mark.parametrize("relay", [False, True])
def test_an_answer_that_comes_back_encoded_once_more_is_understood(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider, *, relay: bool
) -> None:
    # Given a provider, or a proxy before it, that encodes what is encoded
    answer = consented(http, house, "alice", return_to=_APP, relay=relay)
    encoded = {name: quote(value, safe="") for name, value in answer.items()}
    # When the browser brings it, then it is what was sent
    told = _told(anonymous.get(_PATH, params=encoded))
    expected = {"code": answer["code"], "state": answer["state"]}
    assert told == expected if relay else "connection_id" in told


def test_a_further_parameter_that_the_api_needs_reaches_connection_and_app(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    more = {"realmId": "4620816365", "session_state": "s"}
    # Given sign-ins of which an app redeems one itself
    plain = consented(http, house, "alice", subject="u-1")
    relayed = consented(http, house, "alice", subject="u-2", return_to=_APP, relay=True)
    # When the callback brings further parameters, then the connection has those that are kept
    finished = anonymous.get(_PATH, params={**plain, **more}).json()
    assert finished["metadata"] == {"realmId": "4620816365"}
    token = http.get(f"/v1/connections/{finished['id']}/token").json()
    assert token["metadata"] == finished["metadata"]
    # And they are passed on, and kept without the app's sending them back
    told = _told(anonymous.get(_PATH, params={**relayed, **more}))
    assert told == {**relayed, "realmId": "4620816365"}
    body = {name: told[name] for name in ("code", "state")}
    job = http.post("/v1/oauth/house/exchange", json=body, headers={"Prefer": "wait=20"}).json()
    assert job["result"]["metadata"] == finished["metadata"]
    # And an app with a redirect URI of its own sends them along
    own = {**consented(http, house, "alice", subject="u-3"), "parameters": more}
    job = http.post("/v1/oauth/house/exchange", json=own, headers={"Prefer": "wait=20"}).json()
    assert job["result"]["metadata"] == finished["metadata"]


@pytest.mark.parametrize("damage", [{"code": "x" * 60_000}, {"iss": "x" * 3000}, {"z": "x" * 9000}])
def test_an_oversized_answer_is_refused_where_the_user_goes_on(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider, damage: dict[str, str]
) -> None:
    # Given sign-ins of which one knows where it goes on
    plain = consented(http, house, "alice")
    returning = consented(http, house, "alice", return_to=_APP)
    # When a parameter of the answer is longer than any provider's
    shown = anonymous.get(_PATH, params={**plain, **damage})
    told = _told(anonymous.get(_PATH, params={**returning, **damage}))
    # Then the page and the app are told what is wrong with it, and no job was made
    detail = assert_problem(shown, 400, "parameters_invalid")["detail"]
    assert "has more than" in detail
    assert told == {
        "error": "parameters_invalid",
        "error_description": detail,
        "state": returning["state"],
    }
    assert_problem(anonymous.post(_PATH, data={**plain, **damage}), 400, "parameters_invalid")
    # And the true answer still serves
    assert anonymous.get(_PATH, params=plain).status_code == 200


def test_an_answer_that_makes_none_leaves_no_user_on_a_page_of_json(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a browser that brings far too much, its state twice, or nothing but a state
    states = [consented(http, house, "alice", return_to=_APP)["state"] for _ in range(4)]
    many = [("state", states[0]), *((f"p{number}", "x") for number in range(101))]
    twice = [("state", states[1]), ("state", states[1]), ("code", "c")]
    # When its provider is there, or was erased meanwhile, then the app is told
    for fields in (many, twice):
        assert _told(anonymous.get(f"{_PATH}?{urlencode(fields)}"))["error"] == "parameters_invalid"
    posted = urlencode([("state", states[2]), *many[1:]])
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    told = _told(anonymous.post(_PATH, content=posted, headers=form))
    assert (told["error"], told["state"]) == ("parameters_invalid", states[2])
    assert http.delete("/v1/providers/house").status_code == 204
    told = _told(anonymous.get(_PATH, params={"state": states[3]}))
    assert "neither a code nor an error" in told["error_description"]


def test_an_error_of_another_issuer_ends_no_sign_in(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given an error that names another issuer (RFC 9207 section 2.4)
    answer = consented(http, house, "alice", return_to=_APP)
    error = {"error": "access_denied", "state": answer["state"], "iss": "https://evil.example"}
    told = _told(anonymous.get(_PATH, params=error))
    # Then the app is told of both issuers
    assert told["error"] == "issuer_mismatch"
    assert "https://evil.example" in told["error_description"]
    assert house.issuer in told["error_description"]
    # And the true answer still serves
    assert "connection_id" in _told(anonymous.get(_PATH, params=answer))


def test_a_sign_in_that_cannot_be_finished_now_goes_on_at_the_app(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider, app: FastAPI, shim: Shim
) -> None:
    # Given a queue that takes no more
    answer = consented(http, house, "alice", return_to=_APP)

    class Full:
        async def send(self, *_: object) -> None:
            raise QueueOverloaded

    app.state.shim = dataclasses.replace(shim, enqueuer=Full())  # type: ignore[arg-type]
    # When the browser comes back, then the app is told so, and nobody is left on a page of JSON
    told = _told(anonymous.get(_PATH, params=answer))
    assert told["error"] == "queue_overloaded"
    assert told["state"] == answer["state"]


def test_a_post_must_be_a_form(anonymous: httpx.Client) -> None:
    answer = anonymous.post(_PATH, json={"code": "c", "state": "s"})
    assert_problem(answer, 415, "media_type_unsupported")
