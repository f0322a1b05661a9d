"""`export` and `import` of a whole app: an empty service with another SECRET_KEY has all of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import config
from actors.api_keys import find_holder, make_api_key
from actors.apps.registration import create_app, describe_app
from actors.apps.settings import forget_app_settings
from actors.connections.creation import NewConnection
from actors.connections.reading import list_connections
from actors.connections.token_reading import read_token
from actors.moving.importing import import_connection
from actors.moving.records import ImportRecord
from actors.providers.config import cache
from actors.providers.config.lookup import find_provider
from actors.providers.config.settings import put_provider
from actors.renewal.creation import create_connection
from actors.renewal.renew import renew_connection
from catfeeder.clock import rfc3339, utc_now
from catfeeder.queue.requester import act_for
from catfeeder.sealing import Secret
from config import current_settings
from models.db.database import hold_connection, open_database
from models.migrate import migrate
from models.oauth.connections import TAB_CONNECTIONS, ConnectionStatus
from tests.actors.renewals import connect
from tests.actors.sign_ins import NAME, configure_plain
from tests.provider.answers import Answer, json_answer
from tests.provider.clients import client_key_pem
from tests.provider.server import Request
from tests.scripted_provider import ScriptedProvider
from tests.worker.cli.conftest import Command

_JWT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_LATER: Final = timedelta(hours=1)

pyrage = pytest.importorskip("pyrage", reason="the package that encrypts exports")


@pytest.fixture
def move(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callable[[], None]:
    """Let this process be an empty service of other secrets."""

    def move() -> None:
        kept = {name: environment[name] for name in ("REDIS_URL", "OAUTH_ALLOWED_PRIVATE_HOSTS")}
        other = {
            "SECRET_KEY": "another secret key of tests, of another service",
            "DATABASE_URL": f"sqlite:///{tmp_path / 'other.sqlite3'}",
            "VAR_DIR": str(tmp_path / "other"),
        }
        monkeypatch.setitem(vars(config), "ENV", {**kept, **other})
        current_settings.cache_clear()
        cache._shared.clear()
        forget_app_settings()
        open_database(current_settings())
        migrate(utc_now())

    return move


_INSTALLATION: Final = json_answer(
    {"token": "token-of-installation", "expires_at": rfc3339(utc_now() + _LATER)}, 201
)


def answer_tokens(request: Request) -> Answer:
    """Answer a token request with what it was made by."""
    kind = request.form["grant_type"]
    return json_answer({"access_token": f"token-of-{kind[-18:]}", "expires_in": 3600})


def fill_shop(provider: ScriptedProvider) -> None:
    """Make a connection of each kind for the app `shop`, with providers shared and of its own."""
    now = utc_now()
    configure_plain(provider)
    url = f"{provider.issuer}/clients"
    client = {"token_endpoint": url, "client_id": "machine", "client_secret": "sesame"}
    put_provider("machine", {**client, "grant_types": ["client_credentials"]}, now)
    key = {"token_endpoint": url, "private_key": client_key_pem(), "client_id": "robot"}
    put_provider("robot", {**key, "grant_types": [_JWT]}, now)
    installation = f"{url}/{{installation_id}}/access_tokens"
    app_key = {**key, "installation_token_endpoint": installation}
    put_provider("forge", {**app_key, "grant_types": ["github_app_installation"]}, now)
    put_provider("basic", {"credential_type": "basic"}, now)
    put_provider("not-for-shop", {"credential_type": "basic"}, now)
    create_app(
        "shop",
        "The shop",
        {"providers": [NAME, "machine", "robot", "forge", "basic"], "maximum_rounds": 12},
        now,
    )
    with act_for("shop"):
        put_provider("mailer", {"credential_type": "api_key"}, now)
        endpoints = {
            "authorization_endpoint": "https://{tenant}.example.com/authorize",
            "token_endpoint": "https://{tenant}.example.com/token",
        }
        named = {"client_id": "c", "variables": {"tenant": "[a-z]+"}, "identity": "none"}
        put_provider("tenants", {**endpoints, **named}, now)
        let_die(connect(provider, 1)[0])
        for name, members in _CREDENTIALS.items():
            secrets = {member: Secret(text) for member, text in members.items()}
            subject = None if name == "machine" else "u-1"
            new = NewConnection(name, secrets, subject, "read" if name == "machine" else None)
            create_connection(new.provider, new.credentials, new.subject, new.scope)
        tenant = ImportRecord(
            "tenants",
            access_token=Secret("of-tenant"),
            expires_at=now + _LATER,
            subject="u-9",
            variables={"tenant": "acme"},
        )
        import_connection(tenant, now)


_CREDENTIALS: Final[dict[str, dict[str, str]]] = {
    "mailer": {"api_key": "key-of-mailer"},
    "basic": {"username": "jane", "password": "her password"},
    "machine": {},
    "robot": {"iss": "robot@example.com", "sub": "jane", "private_key": client_key_pem()},
    "forge": {"installation_id": "77"},
}


def let_die(row: TAB_CONNECTIONS) -> None:
    """Let a connection need its user, and have no token any more."""
    dead = {"status": ConnectionStatus.REAUTHORIZATION_REQUIRED, "renew_at": None}
    with hold_connection():
        emptied = {"access_token": None, "refresh_token": None, "expires_at": None}
        TAB_CONNECTIONS.update({**dead, **emptied}).where(TAB_CONNECTIONS.id == row.id).execute()


def list_all() -> dict[str, dict[str, Any]]:
    """Return the connections of the acting app by provider, with what requests carry."""
    found: dict[str, dict[str, Any]] = {}
    for item in list_connections()["items"]:
        is_dead = item["status"] == "reauthorization_required"
        token = None if is_dead else read_token(item["id"], utc_now()).json
        found[item["provider"]] = {**item, "token": token, "updated_at": None}
    return found


class Exported(NamedTuple):
    """An app's export: how it is restored, its API key, and its connections by provider."""

    restore: tuple[str, ...]
    key: str
    connections: dict[str, dict[str, Any]]


@pytest.fixture
def exported(
    command: Command, provider: ScriptedProvider, tables: object, tmp_path: Path
) -> Exported:
    """Export an app with connections of every kind, to an age identity."""
    del tables
    provider.answer("/clients", answer_tokens)
    provider.answer("/clients/77/access_tokens", lambda _: _INSTALLATION)
    fill_shop(provider)
    terms: Any = {"scopes": ["jobs"], "requests_per_minute": 60, "expires_at": None}
    key = make_api_key(app="shop", now=utc_now(), name="web", **terms)["key"]
    age = pyrage.x25519.Identity.generate()
    identity, path = tmp_path / "key.txt", tmp_path / "shop.age"
    identity.write_text(str(age))
    ended = command("export", str(path), "--app", "shop", "--recipient", str(age.to_public()))
    assert ended.stdout.endswith(": 7 connections, 7 providers, 1 keys.\n"), ended
    with act_for("shop"):
        return Exported(("import", str(path), "--identity", str(identity)), key, list_all())


def test_all_of_an_app_is_restored_in_an_empty_service(
    command: Command, exported: Exported, move: Callable[[], None]
) -> None:
    # When an export is tried in a service that has nothing, then nothing is refused or stored
    move()
    tried = command(*exported.restore, "--dry-run")
    assert tried.stdout.endswith("\n7 records: 7 created. Nothing was stored.\n"), tried
    # When it is restored
    ended = command(*exported.restore)
    assert ended.stdout.endswith("\n7 records: 7 created.\n"), ended
    # Then the service has the app, its providers with their secrets, and its connections
    shop = describe_app("shop")
    assert (shop["name"], shop["maximum_rounds"]) == ("The shop", 12)
    before = exported.connections
    with act_for("shop"):
        after = list_all()
        assert after[NAME]["status"] == "reauthorization_required"
        assert find_provider("machine").client_secret == Secret("sesame")
        assert find_provider("mailer").name == "shop/mailer"
        # An API key's account is named by a digest, which is another one here
        same = {name: {**it, "profile": before[name]["profile"]} for name, it in after.items()}
        assert same == before
        # And the same credentials find the same connection, and grants renew
        again = create_connection("mailer", {"api_key": Secret("key-of-mailer")}, "u-1")
        assert again["id"] == before["mailer"]["id"]
        for name in ("robot", "forge", "machine"):
            renew_connection(before[name]["id"])


def test_keys_are_restored_on_request_and_not_the_operators(
    command: Command, exported: Exported, move: Callable[[], None]
) -> None:
    # Given an app that was restored without its keys
    move()
    assert command(*exported.restore).returncode == 0
    assert find_holder(exported.key, utc_now()) is None
    # When they are asked for, then the key that the app has serves here too
    ended = command(*exported.restore, "--keys")
    assert ended.stdout.endswith("\n7 records: 7 known.\n"), ended
    holder = find_holder(exported.key, utc_now())
    assert holder is not None
    assert (holder.app, holder.scopes) == ("shop", frozenset(["jobs"]))
    # And no id of a key serves a second app
    ended = command(*exported.restore, "--keys", "--app", "other")
    assert ended.returncode == 1
    assert " refused" in ended.stdout
    holder = find_holder(exported.key, utc_now())
    assert holder is not None
    assert holder.app == "shop"


def test_a_provider_of_another_client_is_left_as_it_is(
    command: Command, exported: Exported, move: Callable[[], None]
) -> None:
    # Given a service whose provider of the same name has another client
    move()
    client = {"token_endpoint": "https://a.example/token", "client_id": "another"}
    put_provider("machine", {**client, "grant_types": ["client_credentials"]}, utc_now())
    # When the export is restored, then that one is reported, and stays
    ended = command(*exported.restore)
    assert ended.returncode == 1
    assert "provider machine: refused\n" in ended.stdout
    assert find_provider("machine").client_id == "another"
