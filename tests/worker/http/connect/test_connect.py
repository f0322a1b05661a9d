"""Connect pages: a link of an app, one browser, and what its user connects there."""

from __future__ import annotations

import base64
import html
import re
from datetime import timedelta
from typing import Any

import httpx
import pytest

from catfeeder.clock import utc_now
from models.db.database import database, hold_connection
from models.oauth.connect_sessions import TAB_CONNECT_SESSIONS
from models.oauth.connections import TAB_CONNECTIONS
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.connect.conftest import RETURN_TO, make_link, open_link
from tests.worker.http.visits import act, csrf_token

_CALLBACK = "/v1/oauth/callback"


def _leave(page: httpx.Response) -> str:
    """Return where a page leads on by itself."""
    [address] = re.findall('http-equiv="refresh" content="0;url=([^"]+)"', page.text)
    return html.unescape(address)


def _sign_in(browser: httpx.Client, page: httpx.Response, path: str, **fields: str) -> str:
    """Send the form that begins a sign-in, and return the provider's address."""
    return _leave(act(browser, page, f"{page.url.path}/{path}", **fields))


def _come_back(browser: httpx.Client, answer: dict[str, str]) -> httpx.Response:
    """Bring a provider's answer to the callback, and return the page that follows.

    The service stands at another port than its REDIRECT_URI says.
    """
    finished = browser.get(_CALLBACK, params=answer, follow_redirects=False)
    assert finished.status_code == 303, finished.text
    return browser.get(httpx.URL(finished.headers["Location"]).raw_path.decode())


def _back(page: httpx.Response) -> httpx.URL:
    """Return where the page leads back to."""
    [address] = re.findall(r'href="(https://shop\.example[^"]*)"', page.text)
    return httpx.URL(html.unescape(address))


def test_a_user_connects_reconnects_and_disconnects(
    shop: httpx.Client, browser: httpx.Client, house: OidcProvider
) -> None:
    # Given a link of an app, which leads to a question in the app's name
    house.describe_user("ada", email="ada@example.com")
    link = make_link(shop, providers=["house"], return_to=RETURN_TO)
    landing = browser.get(link)
    assert "Ada &amp; Co asks you to connect" in landing.text
    assert "user-1" in landing.text
    # When the user goes on and signs in with the provider
    page = open_link(browser, link)
    assert "token" not in str(page.url)
    address = _sign_in(browser, page, "providers/house/sign-in")
    answer = house.consent(address, "ada")
    page = _come_back(browser, answer)
    # Then the page says so, without the state in its address, and the app learns which it is
    assert page.url.query.decode() == "notice=connected&provider=house"
    assert "house is connected." in page.text
    assert "ada@example.com" in page.text
    [connection] = shop.get("/v1/connections").json()["items"]
    assert (connection["subject"], connection["app"]) == ("user-1", "shop")
    assert _back(page).params["connection_ids"] == connection["id"]
    # When its grant has ended, then the page asks for the user, and the account that it was
    with hold_connection():
        TAB_CONNECTIONS.update(status="reauthorization_required").execute()
    page = browser.get(page.url.path)
    assert "Needs reconnecting" in page.text
    address = _sign_in(browser, page, "providers/house/sign-in", connection_id=connection["id"])
    assert httpx.URL(address).params["login_hint"] == "ada@example.com"
    page = _come_back(browser, house.consent(address, "ada"))
    assert "Needs reconnecting" not in page.text
    [again] = shop.get("/v1/connections").json()["items"]
    assert (again["id"], again["status"]) == (connection["id"], "active")


@pytest.mark.usefixtures("worker")
def test_a_user_disconnects_and_the_trail_says_whom_the_link_was_for(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    http.put("/v1/providers/house", json={"credential_type": "api_key"})
    connection_id = _store(shop, "house", "user-1")
    page = open_link(browser, make_link(shop))
    gone = act(browser, page, f"{page.url.path}/connections/{connection_id}/disconnect")
    assert "house is disconnected." in gone.text
    assert shop.get("/v1/connections").json()["items"] == []
    # And without relay no app vouches for the browser
    made = shop.get("/v1/events", params={"kind": "connect_session_created"}).json()["items"]
    assert [(event["subject"], event["detail"]) for event in made] == [
        ("user-1", {"unbound": True})
    ]
    opened = shop.get("/v1/events", params={"kind": "connect_session_opened"}).json()["items"]
    assert [event["key_id"] for event in opened] == [None]


def test_a_link_serves_the_browser_that_opened_it_alone(
    shop: httpx.Client, browser: httpx.Client, attacker: httpx.Client, house: OidcProvider
) -> None:
    link = make_link(shop, providers=["house"])
    # Given a program that looks at the links of a message, which opens nothing
    assert attacker.get(link).status_code == 200
    page = open_link(browser, link)
    assert page.status_code == 200
    # When another browser comes with the link, or with the page's address, then both are dead
    for dead in (
        attacker.get(link),
        attacker.post("/connect", data={"link": httpx.URL(link).params["link"]}),
        attacker.get(page.url.path),
        attacker.post(f"{page.url.path}/providers/house/sign-in", data={"csrf_token": "x"}),
    ):
        assert dead.status_code == 409
        assert "opened in another browser" in dead.text
    # And the browser that has it finds its page by the link once more
    assert browser.get(link).url.path == page.url.path
    # And a sign-in that was begun there ends nowhere else
    address = _sign_in(browser, page, "providers/house/sign-in")
    answer = house.consent(address, "ada")
    strayed = attacker.get(_CALLBACK, params=answer)
    assert_problem(strayed, 400, "browser_mismatch")
    # And nothing in the database opens a page
    with hold_connection():
        row = TAB_CONNECT_SESSIONS.select().get()
        assert httpx.URL(link).params["link"] not in str(row.__data__)
        assert not set(browser.cookies.values()) & set(map(str, row.__data__.values()))


@pytest.mark.parametrize(
    ("data", "headers"),
    [({"csrf_token": "x"}, {}), (None, {"Sec-Fetch-Site": "cross-site"})],
    ids=["wrong-token", "cross-site"],
)
@pytest.mark.usefixtures("house")
def test_another_sites_form_does_nothing(
    shop: httpx.Client, browser: httpx.Client, data: dict[str, str] | None, headers: dict[str, str]
) -> None:
    link = make_link(shop, providers=["house"])
    if headers:
        sent = {"link": httpx.URL(link).params["link"]}
        assert browser.post("/connect", data=sent, headers=headers).status_code == 403
    page = open_link(browser, link)
    sent = {"csrf_token": csrf_token(page)} if data is None else data
    path = f"{page.url.path}/providers/house/sign-in"
    assert browser.post(path, data=sent, headers=headers).status_code == 403


@pytest.mark.usefixtures("house")
def test_a_link_expires(shop: httpx.Client, browser: httpx.Client) -> None:
    def expire() -> None:
        with hold_connection():
            row = TAB_CONNECT_SESSIONS.select().get()
            past = row.sign_changes(expires_at=utc_now() - timedelta(seconds=1))
            TAB_CONNECT_SESSIONS.update(past).execute()

    # A page that was opened lasts anew from then on, and ends in words
    page = open_link(browser, make_link(shop, return_to=RETURN_TO))
    expire()
    late = browser.get(page.url.path)
    assert late.status_code == 410
    assert "This link has expired" in late.text
    assert f'href="{RETURN_TO}"' in late.text
    with hold_connection():
        TAB_CONNECT_SESSIONS.delete().execute()
    link = make_link(shop)
    expire()
    assert browser.get(link, headers={"Accept-Language": "ja"}).status_code == 410
    assert browser.get("/connect?link=" + "x" * 43).status_code == 404
    assert browser.get(page.url.path).status_code == 404


def test_what_fails_is_said_in_words_with_a_reference_that_is_true(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client, house: OidcProvider
) -> None:
    # Given a provider that works, and one whose issuer publishes nothing
    bare = {"issuer": f"{house.issuer}/nowhere", "client_id": "x", "client_secret": "y"}
    made = http.put("/v1/providers/bare", json=bare)
    assert made.status_code == 201, made.text
    page = open_link(browser, make_link(shop))
    # When the user does not agree
    address = _sign_in(browser, page, "providers/house/sign-in")
    answer = {"state": httpx.URL(address).params["state"], "error": "access_denied"}
    refused = _come_back(browser, answer)
    assert "you did not agree at house" in refused.text
    # When the code is not redeemed, then the operator finds the event by what the user reads
    address = _sign_in(browser, page, "providers/house/sign-in")
    answer = {**house.consent(address, "ada"), "code": "spent"}
    failed = _come_back(browser, answer)
    assert answer["state"] not in str(failed.url) + failed.text
    [reference] = re.findall(">([0-9a-f]{10})<", failed.text)
    [event] = shop.get("/v1/events", params={"reference": reference}).json()["items"]
    assert event["kind"] == "sign_in_refused"
    # And so for what did not even begin
    stopped = act(browser, page, f"{page.url.path}/providers/bare/sign-in")
    [reference] = re.findall(">([0-9a-f]{10})<", stopped.text)
    [event] = shop.get("/v1/events", params={"reference": reference}).json()["items"]
    assert (event["subject"], event["provider"]) == ("user-1", "bare")
    assert event["detail"] == {"reason": "provider_refused"}
    # And an address has no words of its own, and no reference of another's
    forged = browser.get(
        page.url.path,
        params={"notice": "failed", "provider": "<b>call 555", "reference": "0123456789"},
    )
    assert "call 555" not in forged.text
    assert "0123456789" not in forged.text
    assert "alert" not in browser.get(page.url.path, params={"notice": "pay-now"}).text


def test_a_relayed_session_attaches_nothing_without_the_app(
    shop: httpx.Client, browser: httpx.Client, house: OidcProvider
) -> None:
    # Given a link whose sign-ins the app itself ends, in its user's session
    page = open_link(browser, make_link(shop, relay=True, return_to=RETURN_TO))
    assert "house" in page.text
    # When its user signs in
    address = _sign_in(browser, page, "providers/house/sign-in")
    answer = house.consent(address, "ada")
    sent = browser.get(_CALLBACK, params=answer, follow_redirects=False)
    # Then the code goes to the app, and nothing is connected until it redeems that
    relayed = httpx.URL(sent.headers["Location"])
    assert (relayed.host, relayed.params["code"]) == ("shop.example", answer["code"])
    assert shop.get("/v1/connections").json()["items"] == []
    job = shop.post(
        "/v1/oauth/house/exchange", json=dict(relayed.params), headers={"Prefer": "wait=20"}
    ).json()
    assert job["result"]["subject"] == "user-1"


@pytest.mark.usefixtures("worker")
@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        ("api_key", ({"api_key": "k-1234"}, {"api_key": "käse"})),
        (
            "basic",
            (
                {"username": "ada", "password": "secret-word"},
                {"username": "a:b", "password": "secret-word"},
            ),
        ),
    ],
    ids=["api-key", "basic"],
)
def test_credentials_are_entered_in_a_form(
    shop: httpx.Client,
    http: httpx.Client,
    browser: httpx.Client,
    kind: str,
    forms: tuple[dict[str, str], dict[str, str]],
) -> None:
    fields, wrong = forms
    settings = {"credential_type": kind}
    assert http.put("/v1/providers/house", json=settings).status_code == 201
    page = open_link(browser, make_link(shop, return_to=RETURN_TO))
    form = browser.get(f"{page.url.path}/providers/house")
    # When what cannot be right is sent, then the form says what to do, and repeats no secret
    refused = act(browser, form, f"{form.url.path}/credentials", **wrong)
    assert refused.status_code == 422
    assert "does not accept what you have entered" in refused.text
    assert "secret-word" not in refused.text
    # And what is right is connected
    done = act(browser, form, f"{form.url.path}/credentials", **fields)
    assert "house is connected." in done.text
    [connection] = shop.get("/v1/connections").json()["items"]
    assert connection["subject"] == "user-1"
    assert _back(done).params["connection_ids"] == connection["id"]


def test_variables_are_checked_by_the_form_and_by_the_server(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    # Given a provider with a host for each customer
    settings = {"preset": "zendesk", "client_id": "app", "client_secret": "x"}
    assert http.put("/v1/providers/zendesk", json=settings).status_code == 201
    page = open_link(browser, make_link(shop))
    form = browser.get(f"{page.url.path}/providers/zendesk")
    assert "data-patterns=" in form.text
    assert "https://<strong>subdomain</strong>.zendesk.com" in form.text
    # When a whole host is sent, then the server refuses it in words
    refused = act(
        browser, form, f"{form.url.path}/sign-in", **{"variables.subdomain": "evil.example/"}
    )
    assert refused.status_code == 422
    assert "is-invalid" in refused.text
    # And the user is led to the host of the customer
    address = _leave(
        act(browser, form, f"{form.url.path}/sign-in", **{"variables.subdomain": "Acme"})
    )
    assert httpx.URL(address).host == "acme.zendesk.com"


@pytest.mark.usefixtures("worker")
def test_a_page_acts_on_its_subjects_connections_alone(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    # Given connections of another subject, another app, and a provider that is not offered
    for name in ("house", "garden"):
        http.put(f"/v1/providers/{name}", json={"credential_type": "api_key"})
    others = [
        _store(shop, "house", "user-2"),
        _store(http, "house", "user-1"),
        _store(shop, "garden", "user-1"),
    ]
    page = open_link(browser, make_link(shop, providers=["house"]))
    form = browser.get(f"{page.url.path}/providers/house")
    # Then none of them is shown, or can be disconnected or taken for one of the page's
    for connection_id in others:
        assert connection_id not in page.text
        answer = act(browser, form, f"{page.url.path}/connections/{connection_id}/disconnect")
        assert "not connected any more" in answer.text
        browser.get(f"{page.url.path}/end", params={"connection_id": connection_id})
        live = browser.get(f"{page.url.path}/devices/{connection_id}/live")
        assert live.status_code == 404
    assert len(http.get("/v1/connections").json()["items"]) == 3
    with hold_connection():
        assert TAB_CONNECT_SESSIONS.select().get().connected is None
    assert browser.get(f"{page.url.path}/providers/garden").status_code == 404


def _store(caller: httpx.Client, provider: str, subject: str) -> str:
    body = {"provider": provider, "subject": subject, "credentials": {"api_key": f"k-{subject}"}}
    made = caller.post("/v1/connections", json=body)
    assert made.status_code == 201, made.text
    return str(made.json()["id"])


def test_a_link_for_one_connection_is_for_its_subject_or_for_it_alone(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    http.put("/v1/providers/house", json={"credential_type": "api_key"})
    mine = _store(shop, "house", "user-1")
    body = {"provider": "house", "credentials": {"api_key": "k-nobodys"}}
    nobodys = shop.post("/v1/connections", json=body).json()["id"]
    for connection_id, other in ((mine, nobodys), (nobodys, mine)):
        made = shop.post("/v1/connect-sessions", json={"connection_id": connection_id})
        link = httpx.URL(made.json()["url"]).raw_path.decode()
        page = open_link(browser, link)
        assert connection_id in page.text
        assert other not in page.text


def test_an_apps_name_turns_no_sentence_around_it(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    http.put("/v1/providers/house", json={"credential_type": "api_key"})
    assert http.patch("/v1/apps/shop", json={"name": "Shop \u202e{provider}"}).is_success
    link = make_link(shop, return_to=RETURN_TO)
    landing, page = browser.get(link), open_link(browser, link)
    for shown in (landing, page, browser.get(f"{page.url.path}/providers/house")):
        # Each isolate ends within its sentence, in texts, titles and attributes
        assert "\u2068Shop \u202e{provider}\u2069" in shown.text
        assert "\u202e" not in re.sub("\u2068[^\u2069<]*\u2069", "", shown.text)


@pytest.mark.parametrize(
    ("language", "words"),
    [
        ("en", "Nothing was connected: you did not agree at the provider."),
        ("de", "Sie haben beim Anbieter nicht zugestimmt."),
        ("fr", "donné votre accord chez le fournisseur."),
        ("es", "su consentimiento al proveedor."),
    ],
    ids=["en", "de", "fr", "es"],
)
def test_a_notice_without_a_provider_is_a_sentence(
    shop: httpx.Client, browser: httpx.Client, language: str, words: str
) -> None:
    page = open_link(browser, make_link(shop))
    notice = {"notice": "cancelled", "provider": "gone"}
    answer = browser.get(page.url.path, params=notice, headers={"Accept-Language": language})
    assert words in answer.text


def test_an_account_without_a_name_can_be_reconnected_and_a_device_without_a_token_is_none(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    # Given a connection that was moved in without its account's name, and one of a failed device
    known = {"client_id": "a", "client_secret": "b"}
    http.put("/v1/providers/github", json={"preset": "github", **known})
    moved, device = (_move_in(shop, f"r-{at}") for at in range(2))
    with hold_connection():
        ends = {"status": "reauthorization_required"}
        TAB_CONNECTIONS.update(ends).where(TAB_CONNECTIONS.id == moved).execute()
        never = {**ends, "version": 0}
        TAB_CONNECTIONS.update(never).where(TAB_CONNECTIONS.id == device).execute()
    # Then the user sees that the account has to be reconnected, and of the device nothing
    page = open_link(browser, make_link(shop))
    assert f'name="connection_id" value="{moved}"' in page.text
    assert "Needs reconnecting" in page.text
    assert device not in page.text


def _move_in(shop: httpx.Client, refresh_token: str) -> str:
    tokens = {"access_token": f"a-{refresh_token}", "refresh_token": refresh_token}
    body = {"provider": "github", "subject": "user-1", "tokens": tokens}
    return str(shop.post("/v1/connections", json=body).json()["id"])


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 422, "invalid_request"),
        ({"subject": "u", "connection_id": "c"}, 422, "invalid_request"),
        ({"subject": "u", "relay": True}, 422, "invalid_request"),
        ({"subject": "u", "providers": ["nosuch"]}, 404, "provider_unknown"),
        ({"subject": "u", "return_to": "https://evil.example/"}, 400, "return_to_forbidden"),
        ({"connection_id": "0b8e4d9c-7c4e-4b8e-9d57-3f2f5f0c1a52"}, 404, "connection_unknown"),
        (
            {"subject": "u", "providers": ["keys"], "relay": True, "return_to": RETURN_TO},
            422,
            "connect_session_invalid",
        ),
    ],
    ids=["none", "both", "relay", "provider", "return_to", "connection", "nothing-to-relay"],
)
def test_what_no_page_could_do_is_refused(
    shop: httpx.Client, http: httpx.Client, body: dict[str, Any], status: int, code: str
) -> None:
    http.put("/v1/providers/keys", json={"credential_type": "api_key"})
    assert_problem(shop.post("/v1/connect-sessions", json=body), status, code)


def test_a_page_offers_what_its_app_may_use_and_can_be_used(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client
) -> None:
    # Given shared providers, of which the app may use two, and one that has no credentials
    known = {"client_id": "a", "client_secret": "b"}
    for preset in ("github", "gitlab", "spotify"):
        assert http.put(f"/v1/providers/{preset}", json={"preset": preset, **known}).is_success
    assert http.put("/v1/providers/notion", json={"preset": "notion"}).is_success
    http.patch("/v1/apps/shop", json={"providers": ["github", "gitlab", "notion"]})
    # And one of the app's own, which stands before the shared one
    assert shop.put("/v1/providers/gitlab", json={"credential_type": "api_key"}).is_success
    page = open_link(browser, make_link(shop))
    assert re.findall('id="provider-([^"]+)"', page.text) == ["github", "gitlab"]
    assert "fa-github" in page.text
    assert f"{page.url.path}/providers/github/sign-in" in page.text
    assert f"{page.url.path}/providers/gitlab/sign-in" not in page.text
    # And what is changed is offered as it is now
    http.patch("/v1/providers/github", json={"grant_types": ["client_credentials"]})
    changed = browser.get(page.url.path).text
    assert f"{page.url.path}/providers/github/sign-in" not in changed


@pytest.mark.parametrize(
    ("language", "words"),
    [("de", "Ihre Konten verbinden"), ("ja", "アカウントの接続"), ("fr", "Connecter vos comptes")],
)
def test_the_page_speaks_the_browsers_language(
    shop: httpx.Client, browser: httpx.Client, language: str, words: str
) -> None:
    browser.headers["Accept-Language"] = language
    page = open_link(browser, make_link(shop))
    assert f'<html lang="{language}">' in page.text
    assert words in page.text


_PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 24


def _to_url(image: bytes, kind: str = "image/png") -> str:
    return f"data:{kind};base64,{base64.b64encode(image).decode()}"


@pytest.mark.parametrize(
    "logo",
    [
        "https://shop.example/logo.png",
        _to_url(b"<svg onload='alert(1)'/>", "image/svg+xml"),
        _to_url(b"<script>"),
        _to_url(_PNG * 1024),
        'data:image/png;base64,iVBO"onerror="x',
    ],
    ids=["address", "svg", "no-image", "large", "quote"],
)
def test_a_logo_is_a_small_picture(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client, logo: str
) -> None:
    assert http.patch("/v1/apps/shop", json={"logo": logo}).status_code == 422
    good = _to_url(_PNG)
    assert http.patch("/v1/apps/shop", json={"logo": good}).json()["logo"] == good
    assert f'src="{good}"' in browser.get(make_link(shop)).text


@pytest.mark.parametrize(
    "change",
    [
        "subject = 'user-2'",
        "app = 'default'",
        "providers = NULL",
        "return_to = 'https://e.example/'",
    ],
)
def test_no_session_is_turned_to_another_by_sql(
    shop: httpx.Client, http: httpx.Client, browser: httpx.Client, change: str
) -> None:
    http.put("/v1/providers/keys", json={"credential_type": "api_key"})
    page = open_link(browser, make_link(shop, providers=["keys"], return_to=RETURN_TO))
    with hold_connection():
        database.execute_sql(f"UPDATE connect_sessions SET {change}")  # noqa: S608
    assert browser.get(page.url.path).status_code == 404
