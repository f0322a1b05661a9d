"""The recipes of docs/moving.md, as they stand there, on what the software itself has stored."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from actors.connections.reading import list_connections, read_token
from actors.providers.config.settings import put_provider
from catfeeder.clock import rfc3339, utc_now
from config import ROOT
from models.db.database import hold_connection
from models.oauth.connections import TAB_CONNECTIONS
from tests.journeys.software.running import installed_packages
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


def import_by(title: str, content: str, folder: Path) -> Any:
    """Type a recipe's command over such a file; return the one connection and its tokens."""
    [command] = re.findall(r"^\$ python -m worker (.*)$", section_of(title), re.MULTILINE)
    verb, name, *flags = shlex.split(command)
    path = folder / name
    path.write_text(content)
    assert main([verb, str(path), *flags]) == 0
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


def test_accounts_of_auth_js_are_moved_in(tmp_path: Path) -> None:
    # As its PostgreSQL adapter's schema has them
    ends_at = int((utc_now() + timedelta(hours=1)).timestamp())
    access_token, refresh_token = _TOKENS
    content = (
        "id,userId,type,provider,providerAccountId,refresh_token,access_token,expires_at,"
        "id_token,scope,session_state,token_type\n"
        f"1,42,oidc,google,1076915,{refresh_token},{access_token},{ends_at},,"
        "openid email,,bearer\n"
    )
    connection = import_by("Auth.js", content, tmp_path)
    assert (connection["subject"], connection["profile"]["subject"]) == ("42", "1076915")
    assert connection["scope"] == "openid email"


def test_connections_of_nango_are_moved_in(tmp_path: Path) -> None:
    # As its documentation shows an answer of GET /connection/{connectionId}
    access_token, refresh_token = _TOKENS
    answer = {
        "id": 18393,
        "created_at": "2024-03-08T09:43:03.725Z",
        "updated_at": "2024-03-08T09:43:03.725Z",
        "provider_config_key": "google",
        "connection_id": "1",
        "end_user": {"id": "42", "email": "jane@example.com"},
        "credentials": {
            "type": "OAUTH2",
            "access_token": access_token,
            "refresh_token": refresh_token,
            "expires_at": rfc3339(utc_now() + timedelta(hours=1)),
            "raw": {"scope": "openid email", "token_type": "bearer"},
        },
        "connection_config": {},
        "metadata": {"customer": "c-1"},
    }
    connection = import_by("Nango", json.dumps(answer), tmp_path)
    assert (connection["subject"], connection["scope"]) == ("42", "openid email")
    assert connection["created_at"].startswith("2024-03-08")
    assert connection["metadata"] == {"customer": "c-1"}
