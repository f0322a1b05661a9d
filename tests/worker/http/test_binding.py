"""An account is attached to an app's user in the user's own session alone (RFC 9700, 4.7)."""

from __future__ import annotations

import json
import re
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from config import ROOT
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import HOUSE

_AUTHORIZE: Final = f"/v1/oauth/{HOUSE}/authorize"
_CALLBACK: Final = "/v1/oauth/callback"
_APP: Final = "https://app.example.com"
pytestmark = pytest.mark.config(OAuth={"return_to_origins": [_APP]})


def _wishes_of_the_readme() -> dict[str, Any]:
    """Return the body of the README's recipe, as its reader sends it."""
    readme = (ROOT / "README.md").read_text()
    [body] = re.findall(r"/authorize -d '(\{[^']*\})'", readme)
    wishes: dict[str, Any] = json.loads(body)
    return wishes


def test_the_recipe_of_the_readme_attaches_nothing_to_an_attacker(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given an app by the README's recipe, with sessions of an attacker and of a victim
    wishes = _wishes_of_the_readme()
    attacker, victim = (
        http.post(_AUTHORIZE, json={**wishes, "subject": subject}).json()
        for subject in ("attacker", "victim")
    )
    # When the attacker's URL is sent to the victim, who signs in there
    answer = house.consent(attacker["authorization_url"], "victim")
    came_back = anonymous.get(_CALLBACK, params=answer)
    query = dict(parse_qsl(urlsplit(came_back.headers["Location"]).query))
    # Then the victim's browser comes to the app with a state that is not its session's
    assert came_back.headers["Location"].startswith(_APP)
    assert set(query) == {"code", "state"}
    assert query["state"] == attacker["state"] != victim["state"]
    # And nothing is attached to anyone
    assert http.get("/v1/connections").json()["items"] == []
    kinds = [event["kind"] for event in http.get("/v1/events").json()["items"]]
    assert "exchanged" not in kinds


@pytest.mark.usefixtures("house")
def test_a_subject_needs_a_way_to_be_bound(http: httpx.Client) -> None:
    # Given a request that names the app's user, without what binds the browser to that user
    refused = http.post(_AUTHORIZE, json={"subject": "attacker"})
    # Then it says which field, why, and what to do
    [error] = assert_problem(refused, 422, "subject_unbound")["errors"]
    assert (error["pointer"], error["code"]) == ("#/subject", "subject_unbound")
    for word in ("subject", "relay", "unbound", "another browser"):
        assert word in error["detail"]
    # And two ways at once are none
    both = {"subject": "u", "relay": True, "unbound": True, "return_to": _APP}
    members = assert_problem(http.post(_AUTHORIZE, json=both), 422, "invalid_request")
    assert members["errors"][0]["code"] == "exactly_one"
    assert http.get("/v1/events", params={"kind": "authorized"}).json()["items"] == []


def test_what_is_not_bound_is_on_record(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given sign-ins of which one is bound to nothing
    for user, wishes in (
        ("alice", {"subject": "user-1", "unbound": True}),
        ("bob", {"subject": "user-2", "relay": True, "return_to": _APP}),
        ("carol", {"unbound": True}),
    ):
        begun = http.post(_AUTHORIZE, json=wishes).json()
        answer = house.consent(begun["authorization_url"], user)
        if "relay" in wishes:
            job = http.post(
                f"/v1/oauth/{HOUSE}/exchange", json=answer, headers={"Prefer": "wait=20"}
            )
            assert job.json()["status"] == "succeeded", job.text
        else:
            assert anonymous.get(_CALLBACK, params=answer).status_code == 200
    # Then its beginning says so, and so does the connection's event
    for kind in ("authorized", "exchanged"):
        events = http.get("/v1/events", params={"kind": kind}).json()["items"]
        marked = {
            event["subject"] or "": (event["detail"] or {}).get("unbound") for event in events
        }
        assert marked == {"user-1": True, "user-2": None, "": None}


def test_a_login_leaves_no_event_until_it_is_answered(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider
) -> None:
    # Given a browser without a key that begins over and over
    begun = [anonymous.get(f"/v1/oauth/{HOUSE}/login") for _ in range(3)]
    # Then the trail is as it was, and a counter has them
    assert http.get("/v1/events", params={"kind": "authorized"}).json()["items"] == []
    assert f'catfeeder_logins_begun_total{{provider="{HOUSE}"}} 3.0' in http.get("/metrics").text
    # Nor does one that is refused leave one
    for wishes in ({"return_to": "https://evil.example"}, {"iss": "https://evil.example"}):
        assert anonymous.get(f"/v1/oauth/{HOUSE}/login", params=wishes).status_code >= 400
    assert http.get("/v1/events", params={"kind": "sign_in_refused"}).json()["items"] == []
    line = f'catfeeder_logins_refused_total{{provider="{HOUSE}",reason="%s"}} 1.0'
    for reason in ("return_to_forbidden", "issuer_mismatch"):
        assert line % reason in http.get("/metrics").text
    # And the one that is answered is an event
    answer = house.consent(begun[-1].headers["Location"], "alice")
    assert anonymous.get(_CALLBACK, params=answer).status_code == 200
    kinds = [event["kind"] for event in http.get("/v1/events").json()["items"]]
    assert kinds.count("exchanged") == 1
