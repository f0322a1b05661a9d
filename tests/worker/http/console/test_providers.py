"""The console's pages of providers: chosen, set up in a form, checked, paused, changed, deleted."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any, Final

import httpx
import pytest

from actors.providers.config.schema.body import ProviderSettings
from catfeeder.clock import utc_now
from models.db.database import hold_connection
from models.oauth.provider_health import TAB_PROVIDER_HEALTH, HealthState
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.visits import act

_NEW: Final = "/console/providers/-/new"
_GITHUB: Final = "/console/providers/github"
_SECRET: Final = "s3cret-of-the-app"


def _fields(page: httpx.Response) -> dict[str, str]:
    """Return what a page's form holds, as a browser would send it."""
    text, fields = page.text, {}
    for tag in re.findall(r"<input[^>]*>", text):
        found = dict(re.findall(r'([a-z]+)="([^"]*)"', tag))
        if "name" in found and ("checked" in tag or found.get("type") != "checkbox"):
            fields[found["name"]] = html.unescape(found.get("value", ""))
    for name, value in re.findall(r'<textarea[^>]* name="([^"]+)"[^>]*>\n([^<]*)</textarea>', text):
        fields[name] = html.unescape(value)
    for name, options in re.findall(r'<select[^>]* name="([^"]+)"[^>]*>(.*?)</select>', text, re.S):
        chosen = re.search(r'value="([^"]*)" selected', options)
        fields[name] = chosen[1] if chosen else ""
    del fields["csrf_token"]
    return fields


def _events(http: httpx.Client, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = http.get("/v1/events", params={"kind": kind}).json()["items"]
    return items


def test_a_provider_is_chosen_from_the_catalogue_and_set_up(
    operator: httpx.Client, http: httpx.Client
) -> None:
    # Given the catalogue, to which the empty list of providers leads
    assert "/console/providers/-/catalogue" in operator.get("/console/providers").text
    found = operator.get("/console/providers/-/catalogue", params={"query": "baidu"})
    assert "/console/providers/-/catalogue/baidu" in found.text
    # When a preset is looked at, it tells what states it, and where they disagree
    facts = operator.get("/console/providers/-/catalogue/baidu").text
    for fact in ("allauth, aspnet, grant", "profile.name", "uname", "BAIDU_CLIENT_ID", "openapi."):
        assert fact in facts
    # And when it is chosen, the form has it, and each setting of the schema with its help
    form = operator.get(_NEW, params={"preset": "baidu"})
    fields = _fields(form)
    assert (fields["name"], fields["preset"]) == ("baidu", "baidu")
    assert 'placeholder="https://openapi.baidu.com/oauth/2.0/token"' in form.text
    for name in ProviderSettings.model_fields.keys() - {"client_secrets"}:
        assert f">{name}</l" in form.text, name
    # When the form is sent with credentials
    typed = {**fields, "client_id": "app-1", "client_secret": _SECRET}
    page = act(operator, form, _NEW, **typed)
    # Then the provider is there, as by PUT, and its secret stands nowhere
    assert page.url.path == "/console/providers/baidu"
    assert "The provider is added." in page.text
    shown = http.get("/v1/providers/baidu").json()
    assert (shown["client_id"], shown["has_client_secret"]) == ("app-1", True)
    assert _SECRET not in page.text + operator.get("/console/providers/baidu/settings").text
    # And a form does not replace one that there is
    taken = act(operator, form, _NEW, **typed)
    assert (taken.status_code, "is taken" in taken.text) == (422, True)


def test_a_form_names_each_mistake_and_loses_nothing_that_was_typed(
    operator: httpx.Client, http: httpx.Client
) -> None:
    # Given a form with mistakes in settings of each kind, and a secret
    typed = {"name": "house", "issuer": "http://169.254.169.254", "client_id": "app-1"}
    typed |= {"client_secret": _SECRET, "scopes": "openid\r\na b", "profile": "{not json"}
    typed |= {
        "default_lifetime_seconds": "soon",
        "team_id": "a\0b",
        "identity": "userinfo",
        "uses_nonce": "no",
    }
    wrong = act(operator, operator.get(_NEW), _NEW, **typed)
    # Then each stands beside its field, nothing is made, and all is still there but the secret
    assert wrong.status_code == 422
    for sentence in ("must be an https URL", "line 2: must be 1", "must be JSON", "valid integer"):
        assert sentence in wrong.text
    kept = _fields(wrong)
    for name in typed.keys() - {"client_secret", "scopes"}:
        assert kept[name] == typed[name], name
    assert kept["scopes"].split() == ["openid", "a", "b"]
    assert _SECRET not in wrong.text
    assert_problem(http.get("/v1/providers/house"), 404, "provider_unknown")
    # When the mistakes are mended, and the secret is not typed again
    mended = {
        "team_id": "",
        "issuer": "https://example.com",
        "scopes": "openid email",
        "profile": "",
    }
    mended |= {"default_lifetime_seconds": "600", "scopes": "openid\nemail"}
    page = act(operator, wrong, _NEW, **{**kept, **mended})
    assert page.url.path == "/console/providers/house"
    shown = http.get("/v1/providers/house").json()
    assert shown["has_client_secret"] is True
    assert (shown["scopes"], shown["uses_nonce"]) == (["openid", "email"], False)
    assert shown["default_lifetime_seconds"] == 600


def test_settings_are_replaced_as_a_whole_and_secrets_kept(
    operator: httpx.Client, http: httpx.Client
) -> None:
    # Given a provider with settings of each kind
    settings: dict[str, Any] = {"preset": "github", "client_id": "app-1", "userinfo_endpoint": None}
    settings |= {"metadata": [], "failure_kinds": {"x": "scope"}, "identity": "none"}
    settings |= {"told_once": ["name"], "scopes": ["read:user"], "offline_access": False}
    http.put("/v1/providers/github", json={**settings, "client_secret": _SECRET})
    before = http.get("/v1/providers/github").json()
    # When its form is saved as it is
    form = operator.get(f"{_GITHUB}/settings")
    act(operator, form, f"{_GITHUB}/settings", **_fields(form))
    # Then all holds as before
    after = http.get("/v1/providers/github").json()
    assert {**after, "updated_at": ""} == {**before, "updated_at": ""}
    assert _events(http, "provider_changed")[0]["detail"] == {"fields": []}
    # When a form of before that change is sent, it is not saved unseen
    stale = act(operator, form, f"{_GITHUB}/settings", **{**_fields(form), "scopes": "gist"})
    assert (stale.status_code, "since this form was opened" in stale.text) == (409, True)
    assert _fields(stale)["scopes"] == "gist"
    # And when it is sent again, with a new secret that the old one goes on beside, it is
    changes = {"client_secret": "new", "client_secret.keeps_earlier": "on"}
    act(operator, stale, f"{_GITHUB}/settings", **{**_fields(stale), **changes})
    after = http.get("/v1/providers/github").json()
    assert (after["scopes"], after["has_earlier_client_secrets"]) == (["gist"], True)
    event = _events(http, "provider_changed")[0]
    assert (event["detail"]["fields"], event["key_id"]) == (["client_secret", "scopes"], "admin")
    # And a secret can be removed
    form = operator.get(f"{_GITHUB}/settings")
    removed = {**_fields(form), "client_secret.is_removed": "on"}
    act(operator, form, f"{_GITHUB}/settings", **removed)
    assert http.get("/v1/providers/github").json()["has_client_secret"] is False


@pytest.mark.parametrize(
    ("state", "words"),
    [
        (HealthState.OPEN, "paused after failures"),
        (HealthState.HALF_OPEN, "trying one renewal"),
        (HealthState.CLOSED, "working"),
    ],
)
def test_the_state_of_renewals_is_in_words_that_say_what_goes_on(
    operator: httpx.Client, http: httpx.Client, state: HealthState, words: str
) -> None:
    # Given a provider whose renewals are paused by themselves, tried again, or well
    http.put("/v1/providers/github", json={"preset": "github", "client_id": "app-1"})
    with hold_connection():
        TAB_PROVIDER_HEALTH.ensure("github")
        later = utc_now() + timedelta(minutes=1)
        TAB_PROVIDER_HEALTH.update(state=state, paused_until=later).execute()
    # Then its pages say so without the pattern's terms
    for path in (_GITHUB, "/console/providers"):
        page = operator.get(path).text
        assert f">{words}<" in page
        assert "half" not in page
        assert "ircuit breaker" not in page


def test_a_provider_is_paused_resumed_and_deleted(
    operator: httpx.Client, http: httpx.Client
) -> None:
    http.put("/v1/providers/github", json={"preset": "github", "client_id": "app-1"})
    page = operator.get(_GITHUB)
    assert ">working<" in page.text
    # When it is paused by hand
    paused = act(operator, page, f"{_GITHUB}/pause", reason="Their <maintenance>.")
    # Then its page and the list say so, and why
    for shown in (paused, operator.get("/console/providers")):
        assert "paused by hand" in shown.text
        assert "Their &lt;maintenance&gt;." in shown.text
    assert http.get("/v1/providers/github").json()["renewals"]["kind"] == "paused_by_operator"
    # When it is resumed
    resumed = act(operator, paused, f"{_GITHUB}/resume")
    assert ">working<" in resumed.text
    assert _events(http, "provider_resumed")[0]["key_id"] == "admin"
    # And when it is deleted, it is gone
    gone = act(operator, resumed, f"{_GITHUB}/delete")
    assert gone.url.path == "/console/providers"
    assert_problem(http.get("/v1/providers/github"), 404, "provider_unknown")
    assert operator.get(_GITHUB).status_code == 404


def test_an_apps_own_provider_is_changed_for_that_app(
    operator: httpx.Client, http: httpx.Client
) -> None:
    # Given a shared provider, and one of the same name that is an app's own
    http.post("/v1/apps", json={"id": "shop"})
    body = {"preset": "github", "client_id": "shared"}
    http.put("/v1/providers/github", json=body)
    own = {"Catfeeder-App": "shop"}
    http.put("/v1/providers/github", json={**body, "client_id": "own"}, headers=own)
    assert f"{_GITHUB}?app=shop" in operator.get("/console/providers").text
    # When the form of the app's own is saved
    path = f"{_GITHUB}/settings?app=shop"
    form = operator.get(path)
    page = act(operator, form, path, **{**_fields(form), "client_id": "mine"})
    # Then that one alone is changed
    assert page.url.query == b"notice=provider-changed&app=shop"
    assert http.get("/v1/providers/github", headers=own).json()["client_id"] == "mine"
    assert http.get("/v1/providers/github").json()["client_id"] == "shared"


def test_a_check_shows_its_findings_with_their_remedies(
    operator: httpx.Client, http: httpx.Client, house: OidcProvider
) -> None:
    # Given a provider in order, and one whose issuer does not answer
    ruin = {"issuer": f"{house.issuer}/elsewhere", "client_id": "app-1"}
    http.put("/v1/providers/ruin", json=ruin)
    for name, finding in (("house", "The issuer publishes its metadata."), ("ruin", "→ ")):
        # When a check is asked for
        before = operator.get(f"/console/providers/{name}")
        page = act(operator, before, f"/console/providers/{name}/check")
        # Then what a worker has found stands on the page
        assert page.url.path == f"/console/providers/{name}"
        assert "<strong>configuration</strong>" in page.text or name == "house"
        assert finding in page.text
    # And a job that there is not leads to a sentence
    unknown = operator.get("/console/providers/house?check=unknown-job")
    assert "The job is unknown" in unknown.text
