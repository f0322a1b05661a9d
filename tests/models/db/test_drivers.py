"""Tests that a process loads the client of PostgreSQL only if that is its database."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from config import ROOT


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
