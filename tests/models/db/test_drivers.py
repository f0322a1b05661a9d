"""Tests of what loading the tables loads besides: the client of the database that is used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from config import ROOT


def is_client_loaded(url: str, before: str = "") -> bool:
    """Load the tables in a new interpreter of a service with that database."""
    code = f"{before}\nimport models.migrate, sys\nprint(bool(sys.modules.get('psycopg')))"
    ended = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={**os.environ, "DATABASE_URL": url},
        capture_output=True,
        text=True,
        check=True,
    )
    return ended.stdout.strip() == "True"


@pytest.mark.parametrize(
    ("url", "is_loaded"),
    [
        ("sqlite:///var/any.sqlite3", False),
        ("mysql://user:password@host/any", False),
        ("postgresql://user:password@host/any", True),
        ("postgres://user:password@host/any", True),
    ],
)
def test_the_client_of_postgresql_is_loaded_for_it_alone(url: str, is_loaded: bool) -> None:
    assert is_client_loaded(url) is is_loaded


def test_who_has_loaded_the_client_before_keeps_it() -> None:
    assert is_client_loaded("sqlite:///var/any.sqlite3", "import psycopg")


def test_what_is_wrong_with_the_setting_is_not_told_by_an_import() -> None:
    before = "import os\nos.environ.pop('DATABASE_URL')\nos.environ['DATABASE_URL_FILE'] = '/none'"
    assert is_client_loaded("", before)
