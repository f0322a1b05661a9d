"""Two apps on one service: each sees and touches its own alone, whatever the other tries."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

import catfeeder
from actors.apps.settings import forget_app_settings
from catfeeder.clock import utc_now
from config import Settings
from models.apps import TAB_APPS
from models.db.database import hold_connection
from tests.conftest import derive_app_key
from tests.jobs import succeed
from tests.oidc_provider import OidcProvider
from tests.waiting import wait_until
from tests.worker.http.answers import assert_problem
from tests.worker.http.serving import calling
from tests.worker.http.signing_in import HOUSE, sign_in

_SCOPES = ["jobs", "connections:read", "tokens:read"]


@pytest.fixture
def shop(http: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """A caller with a key of the app `shop`."""
    yield from _app(http, url, "shop")


@pytest.fixture
def blog(http: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """A caller with a key of the app `blog`."""
    yield from _app(http, url, "blog")


def _app(http: httpx.Client, url: str, app: str) -> Iterator[httpx.Client]:
    assert http.post("/v1/apps", json={"id": app}).status_code == 201
    made = http.post("/v1/keys", json={"name": app, "scopes": _SCOPES, "app": app})
    assert made.status_code == 201, made.text
    assert made.json()["app"] == app
    with calling(url, headers={"Authorization": f"Bearer {made.json()['key']}"}) as caller:
        yield caller


def _as(app: str) -> dict[str, str]:
    return {"Catfeeder-App": app}


# -- Connections


@pytest.mark.usefixtures("house")
def test_a_connection_exists_for_its_own_app_alone(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client, oidc_provider: OidcProvider
) -> None:
    # Given a user of the shop
    connection = sign_in(shop, oidc_provider, "alice", subject="user-1")
    assert connection["app"] == "shop"
    path = f"/v1/connections/{connection['id']}"

    # Then the blog finds nothing of it, by whatever way it asks
    assert blog.get("/v1/connections").json()["items"] == []
    for answer in (
        blog.get(path),
        blog.get(f"{path}/token"),
        blog.post(f"{path}/renew"),
        blog.delete(path),
        blog.post(f"/v1/oauth/{HOUSE}/user-info", json={"connection_id": connection["id"]}),
        blog.get(path, headers=_as("blog")),
    ):
        assert_problem(answer, 404, "connection_unknown")
    assert_problem(blog.get(path, headers=_as("shop")), 404, "app_unknown")
    # And the shop reads and renews it, and the operator finds it
    assert shop.get(f"{path}/token").status_code == 200
    assert [item["id"] for item in http.get("/v1/connections").json()["items"]] == [
        connection["id"]
    ]
    assert http.get("/v1/connections", headers=_as("blog")).json()["items"] == []
    renewed = http.post(f"{path}/renew", headers={"Prefer": "wait=20"})
    assert renewed.json()["status"] == "succeeded", renewed.text


@pytest.mark.usefixtures("house")
def test_two_apps_connect_the_same_account_apart(
    shop: httpx.Client, blog: httpx.Client, oidc_provider: OidcProvider
) -> None:
    # Given an account of which both apps have a connection
    ours = sign_in(shop, oidc_provider, "alice", subject="user-1")
    theirs = sign_in(blog, oidc_provider, "alice", subject="user-1")
    assert ours["id"] != theirs["id"]

    # When one disconnects it, then the other's stays
    gone = blog.delete(f"/v1/connections/{theirs['id']}", headers={"Prefer": "wait=20"})
    assert gone.json()["status"] == "succeeded"
    assert shop.get(f"/v1/connections/{ours['id']}").json()["status"] == "active"


@pytest.mark.usefixtures("house")
def test_an_anonymous_login_replaces_no_connection_of_another_app(
    shop: httpx.Client, anonymous: httpx.Client, oidc_provider: OidcProvider
) -> None:
    # Given a user of the shop, whose account signs in without a key
    connection = sign_in(shop, oidc_provider, "alice", subject="user-1")
    begun = anonymous.get(f"/v1/oauth/{HOUSE}/login")
    brought = oidc_provider.consent(begun.headers["Location"], "alice")
    finished = anonymous.get("/v1/oauth/callback", params=brought)

    # Then that is a connection of the default app's own
    assert (finished.status_code, finished.json()["app"]) == (200, "default")
    assert finished.json()["id"] != connection["id"]


@pytest.mark.usefixtures("house")
def test_a_login_begins_only_for_an_app_that_allows_it(
    http: httpx.Client, shop: httpx.Client, anonymous: httpx.Client, oidc_provider: OidcProvider
) -> None:
    login = f"/v1/oauth/{HOUSE}/login?app=shop"
    assert_problem(anonymous.get(login), 404, "app_unknown")
    assert_problem(anonymous.get(f"/v1/oauth/{HOUSE}/login?app=none"), 404, "app_unknown")

    # When the operator allows it
    assert http.patch("/v1/apps/shop", json={"allow_login": True}).status_code == 200

    # Then the connection is the shop's
    brought = oidc_provider.consent(anonymous.get(login).headers["Location"], "alice")
    finished = anonymous.get("/v1/oauth/callback", params=brought)
    assert finished.json()["app"] == "shop"
    assert len(shop.get("/v1/connections").json()["items"]) == 1


@pytest.mark.usefixtures("house")
def test_a_code_is_redeemed_by_the_app_that_began_the_sign_in(
    shop: httpx.Client, blog: httpx.Client, oidc_provider: OidcProvider
) -> None:
    # Given an answer to a sign-in of the shop, which the blog has got hold of
    begun = shop.post(f"/v1/oauth/{HOUSE}/authorize", json={}).json()
    brought = oidc_provider.consent(begun["authorization_url"], "alice")
    body = {"code": brought["code"], "state": brought["state"]}

    # When the blog redeems it, then its state is unknown
    stolen = blog.post(f"/v1/oauth/{HOUSE}/exchange", json=body, headers={"Prefer": "wait=20"})
    assert stolen.json()["error"]["code"] == "state_unknown"
    # And the shop's own attempt succeeds
    own = shop.post(f"/v1/oauth/{HOUSE}/exchange", json=body, headers={"Prefer": "wait=20"})
    assert own.json()["result"]["app"] == "shop"


# -- Jobs, keys, events


def test_a_job_exists_for_its_own_app_alone(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client
) -> None:
    body = {"password": "correct horse battery"}
    job = shop.post("/v1/passwords/hash", json=body).json()["id"]

    for answer in (blog.get(f"/v1/jobs/{job}"), blog.delete(f"/v1/jobs/{job}")):
        assert_problem(answer, 404, "job_expired")
    assert shop.get(f"/v1/jobs/{job}").status_code == 200
    assert http.get(f"/v1/jobs/{job}").status_code == 200


def test_a_job_of_the_queue_exists_for_its_own_app_alone(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client, settings: Settings
) -> None:
    # Given a job that the shop has asked for with its queue key
    url = settings.required_redis_url()
    with catfeeder.connect(url, derive_app_key(settings, "shop").to_text()) as client:
        job = client.hash_password("x", rounds=4)
        # (A worker answers under the key that it was asked with.)
        succeed(client.jobs, job.id, {"password_hash": "a hash"})
    path = f"/v1/jobs/{job.id}"
    # Then the shop reads it over HTTP as well, and the blog finds nothing
    assert shop.get(path).json()["result"] == {"password_hash": "a hash"}
    assert_problem(blog.get(path), 404, "job_expired")
    # When the shop's queue key is revoked
    revoked = http.post("/v1/apps/shop/revoke-queue-key")
    assert (revoked.status_code, revoked.json()["queue_generation"]) == (200, 2)
    assert "cfq_" not in revoked.text
    # Then what was sealed with it is worth nothing, a forged result included
    wait_until(lambda: shop.get(path).status_code == 404)
    # The operator alone revokes, and what there is alone
    assert_problem(shop.post("/v1/apps/shop/revoke-queue-key"), 403, "key_lacks_scope")
    assert_problem(http.post("/v1/apps/nobody/revoke-queue-key"), 404, "app_unknown")


def test_an_idempotency_key_is_one_of_each_app(shop: httpx.Client, blog: httpx.Client) -> None:
    body = {"password": "correct horse battery"}
    headers = {"Idempotency-Key": "the same"}
    jobs = {
        caller.post("/v1/passwords/hash", json=body, headers=headers).json()["id"]
        for caller in (shop, blog)
    }
    assert len(jobs) == 2


@pytest.mark.usefixtures("house")
def test_an_app_lists_its_own_events_and_renewals(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client, oidc_provider: OidcProvider
) -> None:
    sign_in(shop, oidc_provider, "alice", subject="user-1")

    def apps(caller: httpx.Client, path: str, **headers: str) -> set[str]:
        return {item["app"] for item in caller.get(path, headers=headers).json()["items"]}

    assert apps(shop, "/v1/events") == {"shop"}
    assert apps(blog, "/v1/events") <= {"blog"}
    assert {"shop", "default"} <= apps(http, "/v1/events")
    assert apps(http, "/v1/events?app=shop") == {"shop"}
    assert apps(http, "/v1/events", **_as("blog")) <= {"blog"}
    assert apps(shop, "/v1/renewals") == {"shop"}
    assert apps(blog, "/v1/renewals") == set()


def test_an_app_gets_no_key_that_sees_all(http: httpx.Client, shop: httpx.Client) -> None:
    wanted = {"name": "more", "scopes": ["admin"], "app": "shop"}
    members = assert_problem(http.post("/v1/keys", json=wanted), 422, "api_key_invalid")
    assert members["errors"][0]["pointer"] == "#/scopes"
    assert_problem(shop.post("/v1/keys", json=wanted), 403, "key_lacks_scope")
    assert_problem(
        http.post("/v1/keys", json={**wanted, "scopes": ["jobs"], "app": "none"}),
        404,
        "app_unknown",
    )


def test_an_operator_acting_for_an_app_handles_its_keys_alone(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client
) -> None:
    assert {item["app"] for item in http.get("/v1/keys").json()["items"]} == {"shop", "blog"}
    [own] = http.get("/v1/keys", headers=_as("shop")).json()["items"]
    assert own["app"] == "shop"
    refused = http.delete(f"/v1/keys/{own['id']}", headers=_as("blog"))
    assert_problem(refused, 404, "api_key_unknown")
    assert shop.get("/v1/connections").status_code == 200
    assert blog.get("/v1/connections").status_code == 200


# -- What an app may use


@pytest.mark.usefixtures("house")
def test_an_app_uses_the_providers_that_it_may(http: httpx.Client, shop: httpx.Client) -> None:
    authorize = f"/v1/oauth/{HOUSE}/authorize"
    assert shop.post(authorize, json={}).status_code == 200
    http.patch("/v1/apps/shop", json={"providers": ["another"]})
    assert_problem(shop.post(authorize, json={}), 404, "provider_unknown")
    http.patch("/v1/apps/shop", json={"providers": None})
    assert shop.post(authorize, json={}).status_code == 200


@pytest.mark.usefixtures("house")
def test_an_apps_own_provider_is_found_before_a_shared_one(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client, oidc_provider: OidcProvider
) -> None:
    # Given a provider of the shop's own, beside a shared one of the same name
    settings = {"issuer": oidc_provider.issuer, "client_id": "shops", "client_secret": "its secret"}
    made = http.put(f"/v1/providers/{HOUSE}", json=settings, headers=_as("shop"))
    assert (made.status_code, made.json()["app"]) == (201, "shop")

    # Then a sign-in of the shop goes by it, and one of the blog by the shared one
    urls = [
        caller.post(f"/v1/oauth/{HOUSE}/authorize", json={}).json()["authorization_url"]
        for caller in (shop, blog)
    ]
    assert ["client_id=shops" in url for url in urls] == [True, False]
    connection = sign_in(shop, oidc_provider, "alice", subject="user-1")
    assert connection["provider"] == HOUSE
    assert shop.get(f"/v1/connections/{connection['id']}/token").status_code == 200
    [listed] = shop.get(f"/v1/connections?provider={HOUSE}").json()["items"]
    assert listed["id"] == connection["id"]
    # And neither is changed by what is done to the other
    assert http.get(f"/v1/providers/{HOUSE}").json()["client_id"] == "app"
    in_use = http.delete(f"/v1/providers/{HOUSE}", headers=_as("shop"))
    assert_problem(in_use, 409, "provider_in_use")
    assert http.delete(f"/v1/providers/{HOUSE}").status_code == 204


def test_an_apps_users_are_sent_to_its_own_origins_alone(
    http: httpx.Client, shop: httpx.Client, blog: httpx.Client, house: OidcProvider
) -> None:
    assert house.issuer
    http.patch("/v1/apps/shop", json={"return_to_origins": ["https://shop.example.com"]})
    wanted = {"return_to": "https://shop.example.com/back"}
    authorize = f"/v1/oauth/{HOUSE}/authorize"
    assert shop.post(authorize, json=wanted).status_code == 200
    assert_problem(blog.post(authorize, json=wanted), 400, "return_to_forbidden")


def test_an_apps_keys_have_no_more_scopes_than_the_app(
    http: httpx.Client, url: str, shop: httpx.Client
) -> None:
    assert shop.get("/v1/connections").status_code == 200
    http.post("/v1/apps", json={"id": "bot", "scopes": ["jobs"]})
    made = http.post("/v1/keys", json={"name": "bot", "scopes": _SCOPES, "app": "bot"}).json()
    with calling(url, headers={"Authorization": f"Bearer {made['key']}"}) as bot:
        assert_problem(bot.get("/v1/connections"), 403, "key_lacks_scope")
        assert bot.get("/v1/jobs/none").status_code == 404


def test_all_keys_of_an_app_share_its_rate(http: httpx.Client, url: str) -> None:
    http.post("/v1/apps", json={"id": "bot", "requests_per_minute": 2})
    keys = [
        http.post("/v1/keys", json={"name": "bot", "scopes": _SCOPES, "app": "bot"}).json()["key"]
        for _ in range(2)
    ]
    statuses = []
    for key in (*keys, *keys):
        with calling(url, headers={"Authorization": f"Bearer {key}"}) as bot:
            statuses.append(bot.get("/v1/connections").status_code)
    assert statuses == [200, 200, 429, 429]


@pytest.mark.usefixtures("worker")
def test_an_app_asks_for_no_dearer_hash_than_its_bound(
    http: httpx.Client, blog: httpx.Client, shop: httpx.Client
) -> None:
    # Given an app whose hashes may have five rounds, and a hash of six
    assert http.patch("/v1/apps/shop", json={"maximum_rounds": 5}).json()["maximum_rounds"] == 5
    http.delete("/v1/keys/none")  # Keys are read anew.
    wanted = {"password": "correct horse battery", "rounds": 6}
    job = blog.post("/v1/passwords/hash", json=wanted, headers={"Prefer": "wait=20"}).json()
    check = {"password": wanted["password"], **job["result"]}

    # Then it gets neither such a hash nor a check of one, and reads its bound
    for path, body in (("hash", wanted), ("check", check)):
        code = {"hash": "rounds_out_of_range", "check": "password_hash_too_slow"}[path]
        detail = assert_problem(shop.post(f"/v1/passwords/{path}", json=body), 422, code)["detail"]
        assert "5" in detail
        assert_problem(
            http.post(f"/v1/passwords/{path}", json=body, headers=_as("shop")), 422, code
        )
    # And another app is not bound by it
    assert blog.post("/v1/passwords/check", json=check).status_code == 202
    assert shop.post("/v1/passwords/hash", json={**wanted, "rounds": 5}).status_code == 202


@pytest.mark.config(Passwords={"policy": True})
def test_what_an_app_is_called_counts_against_its_users_passwords(
    http: httpx.Client, blog: httpx.Client, shop: httpx.Client
) -> None:
    # Given an app whose name is not its id, and one of the service's own
    for changed, name in (("shop", "Purrfect Whiskers"), ("default", "Meowington")):
        assert http.patch(f"/v1/apps/{changed}", json={"name": name}).status_code == 200
    # When passwords of their names come to them and to another, by a key or by the operator
    for caller, headers, password, refused in (
        (shop, {}, "Whiskers2026!", True),
        (http, _as("shop"), "purrfectwhiskers", True),
        (blog, {}, "Whiskers2026!", False),
        (shop, {}, "Meowington1!", False),
        (http, {}, "Meowington1!", True),
        (shop, {}, "ten whiskers of a cat", False),
    ):
        body = {"password": password}
        hashed = caller.post("/v1/passwords/hash", json=body, headers=headers)
        verdict = caller.post("/v1/passwords/policy", json=body, headers=headers).json()
        # Then each is refused by the app whose name it is, and by that alone
        assert hashed.status_code == (422 if refused else 202)
        assert [each["code"] for each in verdict["reasons"]] == ["password_too_easy"] * refused


@pytest.mark.usefixtures("worker", "shop")
def test_hashes_of_the_configured_rounds_serve_an_app_with_a_lower_bound(
    http: httpx.Client,
) -> None:
    # Given an app whose bound was set before the operator has raised the configured rounds
    with hold_connection():
        row = TAB_APPS.find("shop")
        assert row is not None
        row.change(row.name, {"maximum_rounds": 3}, utc_now())
    forget_app_settings()
    # When it has a password hashed, then it can have it checked
    wanted = {"password": "correct horse battery"}
    waiting = {"Prefer": "wait=20", **_as("shop")}
    hashed = http.post("/v1/passwords/hash", json=wanted, headers=waiting).json()["result"]
    checked = http.post("/v1/passwords/check", json={**wanted, **hashed}, headers=waiting).json()
    assert checked["result"] == {"valid": True, "needs_rehash": False}


# -- Apps themselves


def test_an_app_is_made_changed_and_deleted(http: httpx.Client) -> None:
    made = http.post("/v1/apps", json={"id": "web-shop", "name": "The shop"})
    assert made.json()["queue_generation"] == 1
    assert_problem(http.post("/v1/apps", json={"id": "web-shop"}), 409, "app_exists")
    changed = http.patch("/v1/apps/web-shop", json={"requests_per_minute": 12, "name": "Shop"})
    assert (changed.json()["name"], changed.json()["requests_per_minute"]) == ("Shop", 12)
    assert (
        "requests_per_minute"
        not in http.patch("/v1/apps/web-shop", json={"requests_per_minute": None}).json()
    )
    assert [item["id"] for item in http.get("/v1/apps").json()["items"]] == ["default", "web-shop"]
    assert http.delete("/v1/apps/web-shop").status_code == 204
    for answer in (http.get("/v1/apps/web-shop"), http.delete("/v1/apps/web-shop")):
        assert_problem(answer, 404, "app_unknown")
    assert_problem(http.delete("/v1/apps/default"), 409, "app_in_use")


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"id": "Web Shop"}, "#/id"),
        ({"id": "-shop"}, "#/id"),
        ({"id": "a" * 33}, "#/id"),
        ({"id": "shop", "return_to_origins": ["https://a.example/"]}, "#/return_to_origins"),
        ({"id": "shop", "return_to_origins": ["https://"]}, "#/return_to_origins"),
        ({"id": "shop", "return_to_origins": ["https://a@b.example"]}, "#/return_to_origins"),
        ({"id": "shop", "scopes": ["admin"]}, "#/scopes"),
        ({"id": "shop", "requests_per_minute": 0}, "#/requests_per_minute"),
        ({"id": "shop", "maximum_rounds": 17}, "#/maximum_rounds"),
        ({"id": "shop", "maximum_rounds": 3}, "#/maximum_rounds"),
    ],
)
def test_a_setting_of_an_app_that_cannot_be_used_is_named(
    http: httpx.Client, body: dict[str, Any], pointer: str
) -> None:
    members = assert_problem(http.post("/v1/apps", json=body), 422, "app_invalid")
    assert [error["pointer"] for error in members["errors"]] == [pointer]


@pytest.mark.usefixtures("house")
def test_an_app_with_connections_is_not_deleted(
    http: httpx.Client, shop: httpx.Client, oidc_provider: OidcProvider
) -> None:
    connection = sign_in(shop, oidc_provider, "alice", subject="user-1")
    assert_problem(http.delete("/v1/apps/shop"), 409, "app_in_use")
    shop.delete(f"/v1/connections/{connection['id']}", headers={"Prefer": "wait=20"})
    assert http.delete("/v1/apps/shop").status_code == 204
    # And its key ends with it, in this process at once
    assert_problem(shop.get("/v1/connections"), 401, "key_unknown")


def test_an_app_that_is_no_app_is_acted_for_by_none(http: httpx.Client) -> None:
    for name in ("none", "No App", ""):
        assert_problem(http.get("/v1/connections", headers=_as(name)), 404, "app_unknown")
    assert http.get("/v1/connections", headers=_as("default")).status_code == 200
