"""A writer of the database without SECRET_KEY: what it adds or changes lets no one in.

Each attack is one statement of plain SQL. What was there before comes back after it, and then
counts again: a MAC says who wrote a row, and not when.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import httpx
import pytest

from actors.apps.settings import forget_app_settings
from catfeeder.clock import utc_now
from models.db.database import database as the_database
from models.db.database import transaction
from models.migrate import migrate
from tests.oidc_provider import OidcProvider
from tests.worker.http.answers import assert_problem
from tests.worker.http.serving import calling
from tests.worker.http.signing_in import HOUSE, sign_in
from worker.http.shim import Shim

pytestmark = pytest.mark.usefixtures("database", "house")
_WAIT: Final = {"Prefer": "wait=20"}
_EVIL: Final = "https://evil.example.com"
_SHOP: Final = "https://shop.example.com"


def execute(text: str, *values: object) -> list[tuple[Any, ...]]:
    """Execute a statement as somebody with a database client does."""
    with transaction():
        cursor = the_database.execute_sql(text.replace("?", the_database.param), values)
        return list(cursor.fetchall()) if cursor.description else []


def attack(table: str, key: str, row: str, changes: Mapping[str, object]) -> Iterator[str]:
    """Make one change after the other; yield its name each time, and put back what was there."""
    for column, value in changes.items():
        [[before]] = execute(f"SELECT {column} FROM {table} WHERE {key} = ?", row)  # noqa: S608
        update = f"UPDATE {table} SET {column} = ? WHERE {key} = ?"  # noqa: S608
        execute(update, value, row)
        yield column
        execute(update, before, row)


@pytest.fixture
def shop(http: httpx.Client, url: str) -> Iterator[httpx.Client]:
    """A caller with a key of the app `shop`, which may send its users back to its own origin."""
    app = {"id": "shop", "return_to_origins": [_SHOP], "scopes": ["jobs", "connections:read"]}
    assert http.post("/v1/apps", json=app).status_code == 201
    key = make_key(http, app="shop")["key"]
    with calling(url, headers={"Authorization": f"Bearer {key}"}) as caller:
        yield caller


def make_key(http: httpx.Client, **wishes: Any) -> dict[str, Any]:
    made = http.post("/v1/keys", json={"name": "n", "scopes": ["jobs"], **wishes})
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    return answer


# -- Sealed columns


def test_a_token_that_does_not_open_is_an_answer_that_says_what_to_do(
    http: httpx.Client, oidc_provider: OidcProvider, caplog: pytest.LogCaptureFixture
) -> None:
    # Given two users, one of whom has the other's tokens, which are sealed for another row
    ids = [sign_in(http, oidc_provider, user)["id"] for user in ("alice", "bob")]
    url = f"/v1/connections/{ids[0]}"
    for column in ("access_token", "refresh_token"):
        [[other]] = execute(f"SELECT {column} FROM connections WHERE id = ?", ids[1])  # noqa: S608
        execute(f"UPDATE connections SET {column} = ? WHERE id = ?", other, ids[0])  # noqa: S608

    # When the token is read, and when it is renewed
    read = assert_problem(http.get(f"{url}/token"), 409, "stored_secret_broken")
    job = http.post(f"{url}/renew", headers=_WAIT).json()

    # Then the answer names the connection, the key and the remedy
    for column, said in (("access", read), ("refresh", job["error"])):
        assert said["detail"].startswith(f"The stored {column}_token of connection {ids[0]} does ")
        assert "SECRET_KEY_PREVIOUS" in said["detail"]
        assert "its user signs in again" in said["detail"]
    assert job["error"]["code"] == "stored_secret_broken"
    # And so does the connection itself, and the log without a traceback
    assert http.get(url).json()["reason"].endswith(job["error"]["detail"])
    assert read["detail"] in caplog.messages
    assert not any("Traceback" in text or "File " in text for text in caplog.messages)
    # And a new sign-in mends it
    assert sign_in(http, oidc_provider, "alice")["id"] == ids[0]
    assert http.get(f"{url}/token").status_code == 200


# -- API keys


def test_no_key_is_minted_or_widened_by_sql(
    http: httpx.Client, anonymous: httpx.Client, shim: Shim, caplog: pytest.LogCaptureFixture
) -> None:
    # Given a key of an app, one that has ended, and the row of an admin key that we never made
    made = make_key(http, lifetime=3600)
    revoked = make_key(http)
    assert http.delete(f"/v1/keys/{revoked['id']}").status_code == 204
    minted = f"cfk_{'ab' * 6}_{'A' * 43}"
    now = int(utc_now().timestamp() * 1000)
    columns = "id, app, name, key_hash, scopes, requests_per_minute, created_at"
    execute(
        f"INSERT INTO api_keys ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        *("ab" * 6, "default", "ours", hashlib.sha256(minted.encode()).hexdigest()),
        *(json.dumps(["admin"]), 600, now),
    )

    def status_of(key: str) -> int:
        shim.api_keys.stored_keys.clear()
        return anonymous.get("/v1/jobs/x", headers={"Authorization": f"Bearer {key}"}).status_code

    # Then it opens nothing, nor does a revoked one whose revocation is wiped out
    assert status_of(minted) == 401
    execute("UPDATE api_keys SET revoked_at = NULL WHERE id = ?", revoked["id"])
    assert status_of(revoked["key"]) == 401
    # And each change of a good one makes it serve no more, the loss of its MAC after a restart too
    let_in = []
    changes = {
        "scopes": json.dumps(["admin"]),
        "app": "other",
        "expires_at": None,
        "requests_per_minute": 999_999,
        "name": "x",
        "mac": None,
    }
    for column in attack("api_keys", "id", made["id"], changes):
        migrate(utc_now())
        let_in += [column] * (status_of(made["key"]) != 401)
    execute("UPDATE api_keys SET scopes = ? WHERE id = ?", "no JSON", made["id"])
    let_in += ["broken"] * (status_of(made["key"]) != 401)
    execute("UPDATE api_keys SET scopes = ? WHERE id = ?", '["jobs"]', made["id"])
    assert let_in == []
    assert status_of(made["key"]) == 404
    # And the operator reads which row that was, and what to do, once
    lines = [line for line in caplog.messages if made["id"] in line]
    assert len(lines) == 1
    assert "rows list" in lines[0]
    kinds = [event["kind"] for event in http.get("/v1/events").json()["items"]]
    assert "row_refused" in kinds


# -- Apps


def test_no_app_is_widened_by_sql(shop: httpx.Client, anonymous: httpx.Client) -> None:
    # Given an app that returns to its own origin alone, and allows no login without a key
    body = {"return_to": f"{_EVIL}/", "relay": True}
    wide = {"return_to_origins": [_EVIL], "allow_login": True}
    changes = {"settings": json.dumps(wide), "queue_generation": 7, "mac": None}

    # When that is changed in its row, then no browser is sent anywhere for it
    for column in attack("apps", "id", "shop", changes):
        forget_app_settings()
        answer = shop.post(f"/v1/oauth/{HOUSE}/authorize", json=body)
        assert_problem(answer, 409, "app_tampered")
        login = anonymous.get(f"/v1/oauth/{HOUSE}/login?app=shop")
        assert login.status_code == 409, column
    # And the default app, without its row, does not get back what it may do unless told otherwise
    [row] = execute("SELECT * FROM apps WHERE id = 'default'")
    execute("DELETE FROM apps WHERE id = 'default'")
    forget_app_settings()
    assert_problem(anonymous.get(f"/v1/oauth/{HOUSE}/login"), 409, "app_tampered")
    execute(f"INSERT INTO apps VALUES ({', '.join('?' * len(row))})", *row)  # noqa: S608
    forget_app_settings()
    assert anonymous.get(f"/v1/oauth/{HOUSE}/login").status_code == 303


# -- Providers


def test_no_token_is_sent_elsewhere_by_sql(http: httpx.Client, oidc_provider: OidcProvider) -> None:
    # Given a user of a provider whose endpoints were discovered
    connection = sign_in(http, oidc_provider, "alice")
    renew = f"/v1/connections/{connection['id']}/renew"
    [[metadata, discovered]] = execute(
        "SELECT metadata, discovered FROM user_oauth_connection WHERE name = ?", HOUSE
    )
    names = ("issuer", "token_endpoint", "userinfo_endpoint", "jwks_uri", "refresh_endpoint")
    evil = {name: json.dumps({**json.loads(metadata), name: f"{_EVIL}/x"}) for name in names}
    changes: list[dict[str, object]] = [{"metadata": text} for text in evil.values()]
    changes += [
        {"discovered": json.dumps({**json.loads(discovered), "token_endpoint": f"{_EVIL}/token"})},
        {"learned": '{"token_endpoint_auth_method": "none"}'},
        {"client_id": "evil", "client_secret": None, "preset": "google", "mac": None},
        {"discovered_mac": None},
    ]

    # When any of that is changed, then no sign-in begins and no renewal sends a token
    for change in changes:
        for column in attack("user_oauth_connection", "name", HOUSE, change):
            answer = http.post(f"/v1/oauth/{HOUSE}/authorize", json={})
            members = assert_problem(answer, 409, "provider_tampered")
            assert f"PUT /v1/providers/{HOUSE}" in members["detail"], column
    execute("UPDATE user_oauth_connection SET metadata = ?", evil["token_endpoint"])
    job = http.post(renew, headers=_WAIT).json()
    assert job["error"]["code"] == "provider_tampered", job
    # And a PUT by the operator brings it back, with nothing of it
    settings = {"issuer": oidc_provider.issuer, "client_id": "app", "client_secret": "house-secret"}
    assert http.put(f"/v1/providers/{HOUSE}", json=settings).status_code == 200
    assert http.post(renew, headers=_WAIT).json()["status"] == "succeeded"


# -- Sign-ins in progress


def test_no_sign_in_is_turned_to_another_by_sql(
    http: httpx.Client, oidc_provider: OidcProvider, shop: httpx.Client
) -> None:
    # Given a sign-in that a user has consented to
    wishes = {"subject": "user-1", "unbound": True, "return_to": f"{_SHOP}/"}
    begun = shop.post(f"/v1/oauth/{HOUSE}/authorize", json=wishes).json()
    brought = oidc_provider.consent(begun["authorization_url"], "alice")
    row = hashlib.sha256(begun["state"].encode()).hexdigest()

    # When its row is changed, then its state is unknown
    changes: dict[str, object] = {
        "app": "default",
        "provider": "other",
        "subject": "victim",
        "scope": "openid admin",
        "redirect_uri": f"{_EVIL}/callback",
        "return_to": f"{_EVIL}/",
        "browser_hash": row,
        "is_relayed": True,
        "max_age": 1,
        "demands": '{"acr_values": ["low"], "acr_essential": false}',
        "expires_at": 2**52,
        "nonce": None,
        "code_verifier": None,
        "callback_parameters": '{"realm": "evil"}',
        "mac": None,
        "secrets_mac": None,
    }
    for column in attack("verification", "state_hash", row, changes):
        answer = http.get("/v1/oauth/callback", params=brought)
        assert (column, answer.status_code, answer.json()["code"]) == (column, 400, "state_unknown")
    # And as it was it goes on, and ends; set back to pending it does not begin anew
    answer = http.get("/v1/oauth/callback", params=brought)
    assert answer.headers["Location"].startswith(f"{_SHOP}/?connection_id=")
    execute("UPDATE verification SET status = 'pending' WHERE state_hash = ?", row)
    again = http.get("/v1/oauth/callback", params=brought)
    assert_problem(again, 400, "state_unknown")


# -- Connections


def test_no_connection_changes_hands_by_sql(
    http: httpx.Client, oidc_provider: OidcProvider
) -> None:
    # Given two users' connections
    alice = sign_in(http, oidc_provider, "alice", subject="user-1")
    bob = sign_in(http, oidc_provider, "bob", subject="user-2")
    path, select = f"/v1/connections/{alice['id']}", "SELECT {} FROM connections WHERE id = ?"
    [[profile]] = execute(select.format("profile"), bob["id"])
    changes: dict[str, object] = {
        "app": "other",
        "provider": "other",
        "subject": "user-2",
        "provider_subject": "bobby",
        "profile": profile,
        "metadata": json.dumps({"instance_url": _EVIL}),
        "mac": None,
    }

    # When a row is changed, then nobody finds it, and neither its token nor another's is read
    for column in attack("connections", "id", alice["id"], changes):
        asked: list[Callable[[], httpx.Response]] = [
            lambda: http.get(path),
            lambda: http.get(f"{path}/token"),
            lambda: http.post(f"{path}/renew"),
            lambda: http.delete(path),
        ]
        codes = {ask().json()["code"] for ask in asked}
        assert (column, codes) == (column, {"connection_unknown"})
        assert [one["id"] for one in http.get("/v1/connections").json()["items"]] == [bob["id"]]
    # And a token of one row opens in no other
    [[token]] = execute(select.format("access_token"), bob["id"])
    [before] = execute(select.format("access_token"), alice["id"])
    execute("UPDATE connections SET access_token = ? WHERE id = ?", token, alice["id"])
    assert http.get(f"{path}/token").status_code >= 400
    execute("UPDATE connections SET access_token = ? WHERE id = ?", before[0], alice["id"])
    assert http.get(f"{path}/token").status_code == 200
    # And where a row was changed, the user's next sign-in takes nothing of it over
    execute("UPDATE connections SET profile = ? WHERE id = ?", profile, alice["id"])
    again = sign_in(http, oidc_provider, "alice", subject="user-1")
    assert again["id"] != alice["id"]
    assert again["profile"]["subject"] == "alice"
