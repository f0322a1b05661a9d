"""Tests that docs/security.md names a test for each threat, and that its recipe works."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit

import httpx
import pytest

from config import ROOT
from tests.conftest import ADMIN_API_KEY
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.signing_in import HOUSE

_PATH: Final = ROOT / "docs" / "security.md"
PAGE: Final = _PATH.read_text()
_RETURN_TO: Final = "https://app.example.com/signed-in?lang=en"
_CALLBACK: Final = "/v1/oauth/callback"
pytestmark = pytest.mark.config(OAuth={"return_to_origins": ["https://app.example.com"]})


def test_every_line_of_the_tables_names_a_test() -> None:
    lines = re.findall(r"^\| .* \|$", PAGE, re.MULTILINE)
    threats = [
        line
        for line in lines
        if not line.startswith(
            ("| threat", "| scope", "| mutation", "| position", "| process", "| `")
        )
    ]

    assert len(threats) > 20
    assert [line for line in threats if "../tests/" not in line] == []


class App:
    """An app that signs its users in by the page's recipe, each browser with a session."""

    def __init__(self, url: str) -> None:
        (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
        names: dict[str, Callable[..., Any]] = {}
        exec(compile(code, str(_PATH), "exec"), names)  # noqa: S102
        self._begin, self._finish = names["begin"], names["finish"]
        self._api = f"{url}/v1/oauth/{HOUSE}"
        self._headers = {"Authorization": f"Bearer {ADMIN_API_KEY}"}

    def begin(self, session: dict[str, str]) -> str:
        """Return where the browser of a session is sent to."""
        return str(self._begin(session, self._api, self._headers, _RETURN_TO))

    def finish(self, session: dict[str, str], location: str) -> Any:
        """Return whom the browser of a session is signed in as, by the URL that it came to."""
        query = dict(parse_qsl(urlsplit(location).query))
        return self._finish(session, self._api, self._headers, query)


@pytest.fixture
def app_of_others(url: str, house: OidcProvider) -> App:
    """An app, and the provider that it signs its users in with."""
    assert house.issuer
    return App(url)


def _came_back(browser: httpx.Client, provider: OidcProvider, url: str, user: str) -> str:
    """Follow an authorization URL, consent, and return where the callback sends the browser."""
    answer = browser.get(_CALLBACK, params=provider.consent(url, user))
    assert answer.status_code == 303, answer.text
    return answer.headers["Location"]


def test_the_recipe_signs_a_user_in(
    anonymous: httpx.Client, house: OidcProvider, app_of_others: App
) -> None:
    # Given a user who begins in the app
    session: dict[str, str] = {}
    url = app_of_others.begin(session)
    # When they come back
    location = _came_back(anonymous, house, url, "alice")
    # Then the app is handed the answer unspent, beside what it has put into the URL itself
    query = dict(parse_qsl(urlsplit(location).query))
    assert location.startswith(_RETURN_TO)
    assert set(query) == {"lang", "code", "state"}
    # And signs them in
    assert app_of_others.finish(session, location)["profile"]["subject"] == "alice"
    # Once
    assert app_of_others.finish(session, location) is None


def test_the_recipe_refuses_answers_of_other_sessions(
    http: httpx.Client, anonymous: httpx.Client, house: OidcProvider, app_of_others: App
) -> None:
    attacker: dict[str, str] = {}
    victim: dict[str, str] = {}
    # Given the attacker's own answer, which the victim is made to open
    mine = _came_back(anonymous, house, app_of_others.begin(attacker), "mallory")
    app_of_others.begin(victim)
    assert app_of_others.finish(dict(victim), mine) is None
    assert app_of_others.finish({}, mine) is None
    # Given an authorization URL of the attacker's that the victim follows and consents to
    theirs = _came_back(anonymous, house, app_of_others.begin(attacker), "alice")
    assert app_of_others.finish(dict(victim), theirs) is None
    # Then nothing came of either: no code was spent, and no connection stored
    assert http.get("/v1/connections").json()["items"] == []


def test_a_user_who_refuses_comes_back_with_the_reason(
    anonymous: httpx.Client, house: OidcProvider, app_of_others: App
) -> None:
    session: dict[str, str] = {}
    state = dict(parse_qsl(urlsplit(app_of_others.begin(session)).query))["state"]
    refused = anonymous.get(_CALLBACK, params={"state": state, "error": "access_denied"})
    told = dict(parse_qsl(urlsplit(refused.headers["Location"]).query))
    assert (told["error"], told["state"]) == ("access_denied", state)
    assert app_of_others.finish(session, refused.headers["Location"]) is None
    assert house.issuer


def test_a_relayed_answer_is_checked_before_it_is_passed_on(
    anonymous: httpx.Client, house: OidcProvider, app_of_others: App
) -> None:
    answer = house.consent(app_of_others.begin({}), "alice")
    elsewhere = anonymous.get(f"{_CALLBACK}/other", params=answer)
    assert_problem(elsewhere, 400, "redirect_mismatch")


def test_nothing_is_relayed_to_nowhere(http: httpx.Client, house: OidcProvider) -> None:
    assert house.issuer
    answer = http.post(f"/v1/oauth/{HOUSE}/authorize", json={"relay": True})
    members = assert_problem(answer, 422, "invalid_request")
    assert members["errors"][0]["code"] == "return_to_needed"
