"""Attacks on sign-in at the HTTP edge, carried out: each fails with a clear error and is on record.

After RFC 9700, OAuth 2.0 Security Best Current Practice, and what RFC 6819 tells of the field.
"""

from __future__ import annotations

import json
import logging
from datetime import timedelta
from typing import Final
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import httpx
import pytest

from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from models.oauth.sign_ins import TAB_VERIFICATION
from tests.models.rows import rewrite
from tests.provider.answers import json_answer
from tests.scripted_provider import ScriptedProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.conftest import SetLimits
from tests.worker.http.sign_ins.scripted.conftest import begin, put_provider

_APP: Final = "https://app.example.com"
_CALLBACK: Final = "/v1/oauth/callback"
#: The first part of the names of those who write our log.
_OURS: Final = ("actors", "catfeeder", "dramatiq", "models", "worker")
_FORM: Final = {"Content-Type": "application/x-www-form-urlencoded"}


pytestmark = pytest.mark.config(OAuth={"return_to_origins": [_APP]})


@pytest.fixture(autouse=True)
def _providers(http: httpx.Client, honest: ScriptedProvider, evil: ScriptedProvider) -> None:
    for name, provider in (("honest", honest), ("evil", evil)):
        put_provider(http, name, provider)


@pytest.fixture
def victim(anonymous: httpx.Client) -> httpx.Client:
    """The browser of a user whom the attack is meant for."""
    return anonymous


def _begin(browser: httpx.Client, provider: str = "honest", **query: str) -> str:
    return begin(browser, provider, **query)


def _refusals(http: httpx.Client) -> list[str]:
    """Return why sign-ins were refused, as the trail tells it, the latest first."""
    events = http.get("/v1/events", params={"kind": "sign_in_refused"}).json()["items"]
    return [event["detail"]["reason"] for event in events]


def _assert_refused(
    http: httpx.Client, answer: httpx.Response, code: str, status: int = 400
) -> None:
    """Make sure that a sign-in ended with this error, and that the trail tells so."""
    assert_problem(answer, status, code)
    assert _refusals(http)[0] == code
    assert len(_connections()) == 0


def _connections() -> list[TAB_CONNECTIONS]:
    with hold_connection():
        return list(TAB_CONNECTIONS.select())


# -- The state


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_answer_without_a_state_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider, method: str
) -> None:
    # Given a code of the attacker's, without the state that would be the victim's
    answer = honest.consent(_begin(victim))
    query = urlencode({"code": answer["code"]})
    # When the victim's browser is made to bring it
    brought = (
        victim.get(f"{_CALLBACK}?{query}")
        if method == "GET"
        else victim.post(_CALLBACK, content=query, headers=_FORM)
    )
    # Then it is refused, and the code is not spent
    _assert_refused(http, brought, "state_missing")
    assert honest.requests_for("/token") == []


_FORGED_STATES: Final = [
    "forged",
    "forged:honest",
    "a" * 43 + ":honest",
    ":honest",
    "%00:honest",
    "é:honest",
    "' OR '1'='1",
    "{}",
    "a" * 8000,
]


def test_a_forged_state_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider
) -> None:
    code = honest.consent(_begin(victim))["code"]
    for state in _FORGED_STATES:
        brought = victim.get(_CALLBACK, params={"code": code, "state": state})
        _assert_refused(http, brought, "state_unknown")
        assert state not in brought.text
    assert honest.requests_for("/token") == []


def test_a_state_that_differs_by_one_character_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider
) -> None:
    answer = honest.consent(_begin(victim))
    state = answer["state"]
    for wrong in (state[:-1], state + " ", state.upper(), state.replace(":honest", ":evil")):
        brought = victim.get(_CALLBACK, params={**answer, "state": wrong})
        _assert_refused(http, brought, "state_unknown")


def test_an_expired_state_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given an answer that was kept for more than ten minutes
    answer = honest.consent(_begin(victim))
    with hold_connection():
        rewrite(TAB_VERIFICATION, expires_at=utc_now() - timedelta(seconds=1))
    # When it is brought, then it is too late
    _assert_refused(http, victim.get(_CALLBACK, params=answer), "state_expired")
    assert honest.requests_for("/token") == []


def test_a_replayed_answer_is_refused(
    http: httpx.Client, victim: httpx.Client, attacker: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a sign-in that has ended, whose URL the attacker has found in a history or a log
    answer = honest.consent(_begin(victim))
    assert victim.get(_CALLBACK, params=answer).status_code == 200
    # When it is opened again, in whichever browser
    for browser in (victim, attacker):
        assert_problem(browser.get(_CALLBACK, params=answer), 400, "state_used")
    # Then the provider hears nothing of it
    assert _refusals(http) == ["state_used", "state_used"]
    assert len(honest.requests_for("/token")) == 1


def test_a_state_of_another_provider_is_refused(
    http: httpx.Client, attacker: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given an answer of one provider
    answer = honest.consent(_begin(attacker))
    # When it is handed in as one of another, by an app or at an address of its own
    body = {"code": answer["code"], "state": answer["state"]}
    job = http.post("/v1/oauth/evil/exchange", json=body, headers={"Prefer": "wait=20"}).json()
    assert job["error"]["code"] == "state_unknown"
    assert _refusals(http)[0] == "state_unknown"
    _assert_refused(http, attacker.get(f"{_CALLBACK}/evil", params=answer), "redirect_mismatch")
    # Then no provider has heard of it
    assert honest.requests_for("/token") == []


# -- Login CSRF


def test_an_answer_in_another_browser_is_refused(
    http: httpx.Client, victim: httpx.Client, attacker: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given an attacker who has signed in with their own account, up to the callback
    answer = honest.consent(_begin(attacker))
    # When they have the victim open that, to go on under the attacker's name
    _assert_refused(http, victim.get(_CALLBACK, params=answer), "browser_mismatch")
    # And when the victim's browser has begun a sign-in of its own
    _begin(victim)
    _assert_refused(http, victim.get(_CALLBACK, params=answer), "browser_mismatch")
    # And by a form that posts itself
    _assert_refused(http, victim.post(_CALLBACK, data=answer), "browser_mismatch")
    assert honest.requests_for("/token") == []
    # Then the one who began may still end it
    assert attacker.get(_CALLBACK, params=answer).status_code == 200


def test_an_answer_in_another_browser_is_not_passed_on_to_the_app(
    http: httpx.Client, victim: httpx.Client, attacker: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given an attacker who has chosen where the victim is to go in the end
    answer = honest.consent(_begin(attacker, return_to=f"{_APP}/settings"))
    # When the victim opens the answer, then they go nowhere
    _assert_refused(http, victim.get(_CALLBACK, params=answer), "browser_mismatch")


def test_a_guessed_cookie_is_refused(
    http: httpx.Client, victim: httpx.Client, attacker: httpx.Client, honest: ScriptedProvider
) -> None:
    answer = honest.consent(_begin(attacker))
    [name] = attacker.cookies
    with hold_connection():
        row = TAB_VERIFICATION.select().get()
    for value in ("", "guess", "a" * 43, row.browser_hash, row.state_hash, answer["state"]):
        headers = {"Cookie": f"{name}={value}"}
        brought = victim.get(_CALLBACK, params=answer, headers=headers)
        _assert_refused(http, brought, "browser_mismatch")


def test_an_injected_code_is_refused(
    http: httpx.Client, victim: httpx.Client, attacker: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a code of the victim's that the attacker has got hold of
    code = honest.consent(_begin(victim))["code"]
    # When they put it into a sign-in that they have begun themselves (code injection)
    state = honest.consent(_begin(attacker))["state"]
    brought = attacker.get(_CALLBACK, params={"code": code, "state": state})
    # Then PKCE stops them: the code was made for another verifier
    _assert_refused(http, brought, "provider_refused", 502)


def test_a_sign_in_whose_challenge_was_removed_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider
) -> None:
    # Given a provider that demands no PKCE, and an attacker who takes it out of the URL that the
    # browser is sent to (PKCE downgrade, RFC 9700 section 4.8.2)
    honest.script.requires_pkce = False
    parts = urlsplit(_begin(victim))
    query = [pair for pair in parse_qsl(parts.query) if not pair[0].startswith("code_challenge")]
    answer = honest.consent(urlunsplit(parts._replace(query=urlencode(query))))
    # When the answer comes, then the verifier that we send all the same gives it away
    brought = victim.get(_CALLBACK, params=answer)
    _assert_refused(http, brought, "provider_refused", 502)


# -- Mix-up of providers


def test_an_answer_of_another_issuer_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider, evil: ScriptedProvider
) -> None:
    # Given a sign-in with the evil provider, which sends the browser on to the honest one
    state = evil.consent(_begin(victim, "evil"))["state"]
    code = honest.consent(_begin(victim))["code"]
    # When the honest one answers, naming itself (RFC 9207)
    answer = {"code": code, "state": state, "iss": honest.issuer}
    brought = victim.get(_CALLBACK, params=answer)
    # Then its code is not carried to the evil one
    _assert_refused(http, brought, "issuer_mismatch")
    assert evil.requests_for("/token") == []


def test_an_answer_that_lacks_its_announced_issuer_is_refused(
    http: httpx.Client, victim: httpx.Client, evil: ScriptedProvider
) -> None:
    # Given a provider that says of itself that it always names itself
    evil.script.sends_iss = True
    answer = evil.consent(_begin(victim, "evil"))
    # When an answer comes that does not
    brought = victim.get(_CALLBACK, params={**answer, "iss": ""})
    _assert_refused(http, brought, "issuer_mismatch")
    assert evil.requests_for("/token") == []


def test_an_answer_of_another_known_issuer_is_refused_for_a_provider_without_one(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider, evil: ScriptedProvider
) -> None:
    # Given an evil provider of plain OAuth 2.0, whose issuer nobody knows
    plain = {**evil.addresses(), **evil.credentials(), "scopes": ["profile"]}
    settings = {**plain, "profile": {"subject": "sub"}}
    assert http.put("/v1/providers/evil", json=settings).status_code == 200
    state = evil.consent(_begin(victim, "evil"))["state"]
    code = honest.consent(_begin(victim))["code"]
    # When the honest one answers a sign-in with it, naming itself
    answer = {"code": code, "state": state, "iss": honest.issuer}
    _assert_refused(http, victim.get(_CALLBACK, params=answer), "issuer_mismatch")
    # Then its code is not carried to the evil one
    assert evil.requests_for("/token") == []
    # And one that names somebody whom we do not know is as good as any
    unknown = {**evil.consent(_begin(victim, "evil")), "iss": "https://unknown.example"}
    assert victim.get(_CALLBACK, params=unknown).status_code == 200


@pytest.mark.config(OAuth={"redirect_path_per_provider": True})
def test_an_answer_at_another_providers_redirect_uri_is_refused(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider, evil: ScriptedProvider
) -> None:
    # Given a sign-in with the evil provider, which sends the browser on to the honest one
    url = _begin(victim, "evil")
    state = evil.consent(url)["state"]
    code = honest.consent(_begin(victim))["code"]
    # When the honest one answers at its own address, or at that of all
    for path in (f"{_CALLBACK}/honest", _CALLBACK, f"{_CALLBACK}/nobody", f"{_CALLBACK}/%00"):
        brought = victim.get(path, params={"code": code, "state": state})
        _assert_refused(http, brought, "redirect_mismatch")
    # Then its code is not carried to the evil one
    assert evil.requests_for("/token") == []
    # And a real answer of each is taken where it was asked to
    assert f"{_CALLBACK}/evil".replace("/", "%2F") in url
    for name, provider in (("honest", honest), ("evil", evil)):
        answer = provider.consent(_begin(victim, name))
        ended = victim.get(f"{_CALLBACK}/{name}", params=answer)
        assert ended.status_code == 200, ended.text
        [request] = provider.requests_for("/token")
        assert request.form["redirect_uri"].endswith(f"{_CALLBACK}/{name}")


# -- Accounts


def test_accounts_of_two_providers_with_one_address_are_not_merged(
    http: httpx.Client,
    victim: httpx.Client,
    attacker: httpx.Client,
    honest: ScriptedProvider,
    evil: ScriptedProvider,
) -> None:
    # Given a user who is signed in with the honest provider
    owned = victim.get(_CALLBACK, params=honest.consent(_begin(victim))).json()
    # When an attacker's provider tells the same address, verified, for an account of its own
    evil.script.user = {**evil.script.user, "id": "another"}
    other = attacker.get(_CALLBACK, params=evil.consent(_begin(attacker, "evil"))).json()
    # Then it is another account: nobody is merged by an address
    assert owned["profile"]["email"] == other["profile"]["email"]
    assert owned["id"] != other["id"]
    assert len(http.get("/v1/connections").json()["items"]) == 2


# -- Open redirects

_SPELLINGS: Final = [
    "https://evil.example/",
    "http://app.example.com/",
    "https://app.example.com.evil.example/",
    "https://app.example.com@evil.example/",
    "https://app.example.com:443/",
    "https://app.example.com:8443/",
    "https://user:pass@app.example.com/",
    "https://evil.example#@app.example.com/",
    "https://evil.example?https://app.example.com/",
    "https://evil.example\\@app.example.com/",
    "https://app.example.com\\.evil.example/",
    "https:\\\\evil.example/",
    "https:/evil.example/",
    "https:evil.example",
    "///evil.example/",
    "//evil.example/",
    "/\\evil.example/",
    "/relative",
    "relative",
    "javascript:alert(1)",
    "JaVaScRiPt:alert(1)//https://app.example.com/",
    "data:text/html,<script>alert(1)</script>",
    "file:///etc/passwd",
    "https://app.example.com\t.evil.example/",
    "https://app.example.com\r\nSet-Cookie: a=b",
    "\thttps://app.example.com/",
    " https://app.example.com/",
    "https://app.example.com/\x00",
    "https://app.example.com%2eevil.example/",
    "https://app.example.com%00.evil.example/",
    "https://app.example.com。evil.example/",
    "https://app.example.com\u2024evil.example/",
    "https://ａpp.example.com/",  # noqa: RUF001
    "https://[app.example.com]/",
    "https://[app.example.com/",
    "https://app.example.com/\r\nSet-Cookie: a=b",
    "https://app.example.com/ x",
    "https://xn--pp-oia.example.com/",
    "HTTPS://APP.EXAMPLE.COM/",
    "https://app.example.com./",
    "https://app.example.com /",
    "ftp://app.example.com/",
]


def test_a_return_to_of_another_origin_is_refused(
    http: httpx.Client, victim: httpx.Client, set_limits: SetLimits
) -> None:
    set_limits(sign_in_refusals_per_minute=1000)
    for return_to in _SPELLINGS:
        # When a sign-in begins with a way back that is none of the app's
        before = len(_refusals(http))
        body = {"return_to": return_to}
        answers = [
            victim.get("/v1/oauth/honest/login", params=body),
            http.post("/v1/oauth/honest/authorize", json=body),
        ]
        # Then nothing has begun
        for answer in answers:
            assert answer.status_code in (400, 422), (return_to, answer.text)
            assert answer.json()["code"] in ("return_to_forbidden", "invalid_request")
            assert "Location" not in answer.headers
            assert "Set-Cookie" not in answer.headers
        # And each that a key asked for, and is no mistake in writing one, is on record
        was_forbidden = answers[1].json()["code"] == "return_to_forbidden"
        assert len(_refusals(http)) - before == was_forbidden, return_to
    assert set(_refusals(http)) == {"return_to_forbidden"}
    with hold_connection():
        assert TAB_VERIFICATION.select().count() == 0


def test_a_return_to_in_the_answer_is_ignored(
    http: httpx.Client, victim: httpx.Client, honest: ScriptedProvider
) -> None:
    # Only what was said at the beginning counts
    answer = honest.consent(_begin(victim))
    more = {"return_to": "https://evil.example/", "redirect_uri": "https://evil.example/"}
    ended = victim.get(_CALLBACK, params={**answer, **more})
    assert ended.status_code == 200
    assert "Location" not in ended.headers
    assert _refusals(http) == []


# -- Injection

_BREAKS: Final = ["\r\nSet-Cookie: a=b", "\nERROR root: forged", "\r", "\x1b[31m", "\u2028forged"]


@pytest.mark.parametrize("text", _BREAKS)
def test_line_breaks_of_a_browser_reach_no_header_and_no_log_line(
    http: httpx.Client,
    victim: httpx.Client,
    honest: ScriptedProvider,
    text: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    answers: list[httpx.Response] = []
    for name in ("code", "state", "iss", "error", "error_description", "error_uri", "user"):
        for more in ({}, {"return_to": f"{_APP}/done"}):
            answer = honest.consent(_begin(victim, **more))
            answers.append(victim.get(_CALLBACK, params={**answer, name: f"x{text}"}))
            answers.append(victim.post(_CALLBACK, data={**answer, name: f"x{text}"}))
    # Then no header is of the attacker's making, nor any line of the log
    for brought in answers:
        assert brought.status_code != 500, brought.text
        assert "a=b" not in brought.headers.get("Set-Cookie", "")
        assert "forged" not in brought.headers.get("Location", "")
        assert not set(brought.text) & set("\r\n\x1b")
    _assert_clean_log(caplog)
    assert "forged" not in json.dumps(http.get("/v1/events").json())


def _assert_clean_log(caplog: pytest.LogCaptureFixture) -> None:
    """Make sure that nobody has begun a line of the log, or painted one."""
    ours = [r.getMessage() for r in caplog.records if r.name.split(".")[0] in _OURS]
    assert not [line for line in ours if set(line) & set("\r\n\x1b\u2028")]


@pytest.mark.parametrize("text", _BREAKS)
def test_line_breaks_of_a_provider_reach_no_header_and_no_log_line(
    victim: httpx.Client, evil: ScriptedProvider, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    marked = f"x{text}"
    # Given a provider whose every string is meant to break out
    odd_answers = [
        json_answer({"error": marked, "error_description": marked}, 400),
        json_answer({"access_token": marked, "token_type": "Bearer"}),
        json_answer({"access_token": "t", "token_type": marked, "scope": marked}),
        json_answer({"access_token": "t", "token_type": "Bearer", "id_token": marked}),
        json_answer({"error": "invalid_grant"}, 400, WWW_Authenticate="Bearer error=x"),
    ]
    for odd in odd_answers:
        evil.answer("/token", odd)
        for more in ({}, {"return_to": f"{_APP}/done"}):
            answer = evil.consent(_begin(victim, "evil", **more))
            ended = victim.get(_CALLBACK, params=answer)
            assert ended.status_code in (303, 502), ended.text
            assert "forged" not in f"{ended.headers}{ended.text}"
            assert "a=b" not in f"{ended.headers}{ended.text}"
    evil.recover("/token")
    # And a profile that is
    evil.script.user_info = {"name": marked, "email": marked, "picture": marked}
    shown = victim.get(_CALLBACK, params=evil.consent(_begin(victim, "evil")))
    # Then the profile, if it is one, is data and nothing else
    assert shown.status_code in (200, 502), shown.text
    assert not set(shown.text) & set("\r\n\x1b")
    assert "Set-Cookie: a" not in f"{shown.headers}"
    _assert_clean_log(caplog)


@pytest.mark.parametrize("text", _BREAKS)
def test_line_breaks_of_an_app_reach_no_header_and_no_log_line(
    http: httpx.Client, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    marked = f"x{text}"
    key = {"name": marked, "scopes": ["jobs"]}
    answers = [
        http.post("/v1/oauth/honest/authorize", json={"subject": marked, "unbound": True}),
        http.post("/v1/oauth/honest/authorize", json={"scope": marked}),
        http.post("/v1/oauth/honest/authorize", json={"return_to": f"{_APP}/{marked}"}),
        http.post("/v1/keys", json=key),
        http.put(f"/v1/providers/{quote(marked)}", json={}),
        http.put("/v1/providers/other", json={"preset": marked, "client_id": marked}),
        http.get("/v1/events", params={"provider": marked, "key_id": marked}),
        http.get("/v1/connections", params={"subject": marked, "cursor": marked}),
        http.post("/v1/passwords/hash", json={"password": f"{marked} long enough"}),
    ]
    for answer in answers:
        assert answer.status_code < 500, answer.text
        assert "a" not in answer.headers
        assert "Set-Cookie" not in answer.headers
        # What is told again is JSON, in which these are escaped
        assert not set(answer.text) & set("\r\n\x1b")
    _assert_clean_log(caplog)


# -- Malformed and oversized requests


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "state_missing"),
        ("code=c", "state_missing"),
        ("&&&=&=&state", "state_missing"),
        ("%", "state_missing"),
        ("code=a&code=b&state=s", "parameters_invalid"),
        ("code=a&state=s&state=t", "parameters_invalid"),
        ("code=a&state=s&iss=a&iss=b", "parameters_invalid"),
        ("code=a&state=s&user=a&user=b", "parameters_invalid"),
        ("state=s", "parameters_invalid"),
        ("code=&error=&state=s", "parameters_invalid"),
        (f"code={'c' * 8193}&state=s", "parameters_invalid"),
        ("code=c&state=s" + "".join(f"&p{at}=x" for at in range(100)), "parameters_invalid"),
        ("code=%ff%fe&state=%ff", "state_unknown"),
        ("code=a&state=" + "%00" * 1000, "state_unknown"),
        (f"code=c&state={'s' * 1025}", "state_unknown"),
        ("code=c&state=s:honest", "state_unknown"),
        ("error=access_denied&state=s:honest", "state_unknown"),
    ],
)
def test_parameters_that_are_no_answer_are_refused_and_cost_no_job(
    http: httpx.Client, victim: httpx.Client, query: str, code: str
) -> None:
    _assert_refused(http, victim.get(f"{_CALLBACK}?{query}"), code)
    _assert_refused(http, victim.post(_CALLBACK, content=query, headers=_FORM), code)
    assert 'catfeeder_queue_messages{queue="oauth"} 0.0' in http.get("/metrics").text


@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"])
def test_another_method_is_not_allowed(victim: httpx.Client, method: str) -> None:
    assert_problem(victim.request(method, _CALLBACK), 405, "method_not_allowed")


def test_an_answer_that_is_too_large_is_refused(
    victim: httpx.Client, honest: ScriptedProvider
) -> None:
    answer = honest.consent(_begin(victim))
    large = {**answer, "user": "x" * 70_000}
    assert_problem(victim.post(_CALLBACK, data=large), 413, "body_too_large")
    # And one of which nobody says beforehand how large it is
    endless = victim.post(_CALLBACK, content=iter([b"a=" + b"x" * 40_000] * 3), headers=_FORM)
    assert_problem(endless, 413, "body_too_large")
    # The sign-in goes on
    assert victim.get(_CALLBACK, params=answer).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 60_000,
        b'{"a":' * 12_000,
        b'{"password": "' + b"\xff" * 100 + b'"}',
        b'{"password": 1e999999}',
        b'{"password": ' + b"9" * 60_000 + b"}",
        b"{'password': 'x'}",
        b"NaN",
        b"\0",
    ],
)
def test_a_body_that_breaks_parsers_is_refused(http: httpx.Client, body: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    for path in ("/v1/passwords/hash", "/v1/oauth/honest/authorize", "/v1/keys"):
        answer = http.post(path, content=body, headers=headers)
        assert answer.status_code in (400, 422), answer.text
        assert answer.json()["code"] in ("malformed_json", "invalid_request")


# -- Floods


def test_endless_refusals_do_not_fill_the_trail(http: httpx.Client, attacker: httpx.Client) -> None:
    # Given somebody who brings one forged answer after the other
    answers = [attacker.get(_CALLBACK, params={"code": "c", "state": "s"}) for _ in range(40)]
    # Then after a while they are told to wait, and no more is written
    codes = [answer.json()["code"] for answer in answers]
    assert codes[:30] == ["state_unknown"] * 30
    refused = answers[codes.index("too_many_attempts")]
    assert_problem(refused, 429, "too_many_attempts")
    assert int(refused.headers["Retry-After"]) >= 1
    assert len(_refusals(http)) == codes.count("state_unknown")
    # And nobody who brings a real one is held up, not even from the same address
    assert http.get("/v1/events").status_code == 200


def test_a_real_answer_passes_despite_refusals_of_its_address(
    attacker: httpx.Client, victim: httpx.Client, honest: ScriptedProvider
) -> None:
    for _ in range(40):
        attacker.get(_CALLBACK, params={"code": "c", "state": "s"})
    answer = honest.consent(_begin(victim))
    assert victim.get(_CALLBACK, params=answer).status_code == 200
