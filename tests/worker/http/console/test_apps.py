"""The console's pages of apps and keys: made, changed, bounded, shown once, revoked, deleted."""

from __future__ import annotations

import re
from html import unescape
from typing import Any, Final

import httpx

from tests.worker.http.answers import assert_problem
from tests.worker.http.visits import act

_NEW: Final = "/console/apps/-/new"
_ORIGIN: Final = "https://shop.example.com"


def _events(http: httpx.Client, kind: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = http.get("/v1/events", params={"kind": kind}).json()["items"]
    return items


def test_an_app_is_made_in_a_form_that_keeps_what_was_typed(
    operator: httpx.Client, http: httpx.Client
) -> None:
    # Given a form with one mistake in it
    empty = operator.get(_NEW)
    typed = {"id": "web-shop", "name": "Shop", "return_to_origins": f"{_ORIGIN}/path"}
    typed |= {"return_to_origins.is_bound": "on", "requests_per_minute": "many"}
    wrong = act(operator, empty, _NEW, **typed)
    # Then each mistake is named beside its field, and what was typed is still there
    assert wrong.status_code == 422
    assert "must be origins such as" in wrong.text or "valid integer" in wrong.text
    for text in ("web-shop", f"{_ORIGIN}/path", "many"):
        assert text in wrong.text
    # When it is mended
    typed |= {"return_to_origins": _ORIGIN, "requests_per_minute": "90"}
    typed |= {"scopes.is_bound": "on", "scopes.jobs": "on"}
    made = act(operator, wrong, _NEW, **typed)
    # Then the app is made, as the API shows it
    assert made.url.path == "/console/apps/web-shop"
    assert "The app is made." in made.text
    shown = http.get("/v1/apps/web-shop").json()
    assert shown["return_to_origins"] == [_ORIGIN]
    assert (shown["scopes"], shown["requests_per_minute"]) == (["jobs"], 90)
    assert "providers" not in shown
    # And an id that is taken is refused with all that was typed
    taken = act(operator, made, _NEW, **typed)
    assert (taken.status_code, _ORIGIN in taken.text) == (409, True)


def test_a_form_changes_what_it_changes_and_apps_are_deleted(
    operator: httpx.Client, http: httpx.Client
) -> None:
    # Given an app, and the form that an operator has begun
    body = {"id": "web-shop", "requests_per_minute": 90, "scopes": ["jobs"]}
    http.post("/v1/apps", json=body)
    made = operator.get("/console/apps/web-shop")
    # When another operator changes some settings while a form of before changes others
    logo = "data:image/png;base64,iVBORw0KGgo="
    http.patch("/v1/apps/web-shop", json={"maximum_rounds": 14, "logo": logo})
    changes = {"name": "web-shop", "providers.is_bound": "on", "scopes.is_bound": "on"}
    [before] = re.findall('name="before" value="([^"]+)"', made.text)
    changes |= {"scopes.jobs": "on", "before": unescape(before)}
    act(operator, made, "/console/apps/web-shop", **changes)
    # Then a bound that is empty lets nothing through, and one that is cleared is gone
    shown = http.get("/v1/apps/web-shop").json()
    assert (shown["providers"], shown["scopes"], shown["maximum_rounds"]) == ([], ["jobs"], 14)
    assert "requests_per_minute" not in shown
    # And the logo stays until it is another, which has to be a picture, or none
    assert (shown["logo"], shown["name"]) == (logo, "web-shop")
    svg = act(operator, made, "/console/apps/web-shop", logo="data:image/svg+xml;base64,PHN2Zz4=")
    assert (svg.status_code, "must be a PNG" in svg.text) == (422, True)
    act(operator, made, "/console/apps/web-shop", **changes, logo="none")
    assert "logo" not in http.get("/v1/apps/web-shop").json()
    # When its queue key is revoked, and the app deleted
    page = act(operator, made, "/console/apps/web-shop/revoke-queue-key")
    assert "generation 2" in page.text
    ended = act(operator, page, "/console/apps/web-shop/delete")
    # Then it is gone, `default` stays, and all of it is in the audit trail
    assert ended.url.path == "/console/apps"
    assert "web-shop" not in ended.text
    refused = act(operator, page, "/console/apps/default/delete")
    assert (refused.status_code, "always exists" in refused.text) == (409, True)
    assert_problem(http.get("/v1/apps/web-shop"), 404, "app_unknown")
    events = _events(http, "app_changed")
    assert {event["key_id"] for event in events} == {"admin"}
    assert events[0]["detail"] == {"erased": True}


def test_a_key_is_shown_once_and_revoked(
    operator: httpx.Client, http: httpx.Client, anonymous: httpx.Client
) -> None:
    # Given a form without a scope
    empty = operator.get("/console/keys")
    assert "No key serves" in empty.text
    typed = {"app": "default", "name": "web <shop>", "days": "30", "requests_per_minute": "60"}
    wrong = act(operator, empty, "/console/keys", **typed)
    assert wrong.status_code == 422
    assert 'value="web &lt;shop&gt;"' in wrong.text
    # When a scope is ticked
    made = act(operator, wrong, "/console/keys", **typed, **{"scopes.connections:read": "on"})
    # Then this answer alone shows the key, and no cache keeps it
    found = re.search('id="key">(cfk_[^<]+)<', made.text)
    assert found is not None
    assert made.headers["cache-control"] == "no-store"
    key = {"Authorization": f"Bearer {found[1]}"}
    listed = operator.get("/console/keys")
    assert found[1].rpartition("_")[2] not in listed.text
    assert "<td>never</td>" in re.sub(r"\s+", "", listed.text)
    # And once it is used, the list has its last use
    assert anonymous.get("/v1/connections", headers=key).is_success
    [item] = http.get("/v1/keys").json()["items"]
    assert item["expires_at"] > item["last_used_at"] >= item["created_at"]
    listed = operator.get("/console/keys")
    assert f'datetime="{item["last_used_at"]}"' in listed.text
    # When it is revoked
    page = act(operator, listed, f"/console/keys/{item['id']}/revoke")
    # Then it serves no more, and stands among those that did
    assert "The key is revoked" in page.text
    assert "No key serves" in page.text
    assert item["id"] in operator.get("/console/keys?all").text
    assert_problem(anonymous.get("/v1/connections", headers=key), 401, "key_unknown")
    assert _events(http, "api_key_revoked")[0]["key_id"] == "admin"


def test_keys_of_one_app_are_shown_apart(operator: httpx.Client, http: httpx.Client) -> None:
    http.post("/v1/apps", json={"id": "bots"})
    http.post("/v1/keys", json={"name": "main shop", "scopes": ["jobs"]})
    page = operator.get("/console/keys?app=bots")
    assert "main shop" not in page.text
    # When a key is made there
    act(operator, page, "/console/keys?app=bots", name="bot", **{"scopes.jobs": "on"})
    # Then it is that app's
    assert [it["app"] for it in http.get("/v1/keys").json()["items"]] == ["default", "bots"]
    refused = act(operator, page, "/console/keys?app=bots", name="b", **{"scopes.admin": "on"})
    assert refused.status_code == 422
    assert "are the operator" in refused.text
