"""Tests that a process loads the client of PostgreSQL only if that is its database."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from config import ROOT
from models.db.drivers import uses_postgresql


@pytest.mark.parametrize(
    ("url", "before", "is_loaded"),
    [
        ("sqlite:///var/any.sqlite3", "", False),
        ("postgresql://user:password@host/any", "", True),
        # A client that was loaded before stays
        ("sqlite:///var/any.sqlite3", "import psycopg", True),
    ],
)
def test_the_client_of_postgresql_is_loaded_for_it_alone(
    url: str, before: str, is_loaded: bool
) -> None:
    code = f"{before}\nimport models.migrate, sys\nprint(bool(sys.modules.get('psycopg')))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.strip() == str(is_loaded)


@pytest.mark.parametrize(
    ("variables", "is_used"),
    [
        ({"DATABASE_URL": "sqlite:///var/any.sqlite3"}, False),
        ({"DATABASE_URL": "mysql://user:password@host/any"}, False),
        ({"DATABASE_URL": "postgres://user:password@host/any"}, True),
        # An unreadable setting is reported when it is read, not by an import
        ({"DATABASE_URL_FILE": "/none"}, True),
    ],
)
def test_the_database_is_known_before_the_settings_are(
    variables: dict[str, str], is_used: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert uses_postgresql() is is_used
